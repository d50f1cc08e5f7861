"""Settings: precedence, messages, secrets, and the reference page."""

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from leasebook.config.load import (
    DECLARED,
    BadSettings,
    Declared,
    Secret,
    Settings,
    load_settings,
    secret_of,
    secrets_of,
)
from leasebook.docsgen.settings_page import settings_page
from tests.domain.setting_rows import ROWS

PAGE = Path(__file__).parents[2] / "docs" / "operating" / "settings.md"
ROOT = {"LEASEBOOK_ROOT_ACCESS_KEY": "ALTAKroot", "LEASEBOOK_ROOT_SECRET_KEY": "very-secret-text-0123"}


def written(tmp_path: Path, text: str) -> Path:
    config = tmp_path / "leasebook.toml"
    config.write_text(text)
    return config


def refusal(config: Path | None, environ: dict[str, str] | None = None) -> str:
    """Return the message, without the folder of the file; it is always one line."""
    try:
        load_settings(config, environ or {})
    except BadSettings as error:
        message = str(error)
    else:
        pytest.fail(f"{environ or (config and config.read_text())} was taken")
    assert "\n" not in message
    return message.replace(f"{config.parent}/", "") if config else message


def variable(name: str) -> str:
    return "LEASEBOOK_" + name.replace(".", "_").upper()


def attribute(settings: Settings, name: str) -> Any:
    return getattr(settings, name.replace(".", "_"))


def test_the_table_holds_every_setting() -> None:
    shown = [declared.name for declared in DECLARED.values() if not declared.is_secret]
    assert sorted(row.name for row in ROWS) == sorted(shown)
    assert sorted(declared.attribute for declared in DECLARED.values()) == sorted(Settings.__struct_fields__)


def test_environment_over_file_over_default(tmp_path: Path) -> None:
    for row in ROWS:
        config = written(tmp_path, f"{row.name} = {row.in_file}\n")
        environ = {variable(row.name): row.in_environment}
        assert attribute(load_settings(None, {}), row.name) == row.default, row.name
        assert attribute(load_settings(config, {}), row.name) == row.from_file, row.name
        assert attribute(load_settings(None, environ), row.name) == row.from_environment, row.name
        assert attribute(load_settings(config, environ), row.name) == row.from_environment, row.name


def test_an_empty_variable_unsets_what_may_be_unset(tmp_path: Path) -> None:
    for row in ROWS:
        config = written(tmp_path, f"{row.name} = {row.in_file}\n")
        environ = {variable(row.name): ""}
        if row.default in (None, ""):
            assert attribute(load_settings(config, environ), row.name) == row.default, row.name
        else:
            assert refusal(config, environ).startswith(f'{variable(row.name)}: found ""; allowed: ')


def test_sections_dotted_keys_and_inline_tables_mean_the_same(tmp_path: Path) -> None:
    for text in (
        "[server]\ndrain_seconds = 5",
        "server.drain_seconds = 5",
        "server = { drain_seconds = 5 }",
        '"server" . "drain_seconds" = 5',
        "[server]\r\ndrain_seconds = 5\r\n",
        (
            "[server]\n[log]\n[queue]\n[clock]\n[batch]\nsize_max = 9\n[due]\n# nothing\n"
            "[arrears]\n[release]\n[postpaid]\n[tokens]\n[readiness]\nlateness_max_seconds = 5"
        ),
    ):
        settings = load_settings(written(tmp_path, text), {})
        assert 5 in (settings.server_drain_seconds, settings.readiness_lateness_max_seconds)


def test_a_relative_key_file_starts_at_the_folder_of_the_file_that_names_it(tmp_path: Path) -> None:
    config = written(tmp_path, 'master_key_file = "keys/master.key"')
    assert load_settings(config, {}).master_key_file == tmp_path / "keys" / "master.key"
    from_environment = load_settings(config, {"LEASEBOOK_MASTER_KEY_FILE": "keys/master.key"})
    assert from_environment.master_key_file == Path("keys/master.key")


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert load_settings(written(tmp_path, ""), {}) == load_settings(None, {})


WHOLE_DRAIN = "allowed: a whole number of seconds from 0 to 600"
BAD_FILES = {
    "text for a number": (
        '[server]\n\ndrain_seconds = "soon"',
        f'leasebook.toml, line 3: server.drain_seconds: found "soon" (a text); {WHOLE_DRAIN}',
    ),
    "under a section, after others": (
        "# first\n[log]\nlevel = 'info'\n[server] # drain_seconds = 1\n# same = 2\ndrain_seconds = -1\n",
        f"leasebook.toml, line 6: server.drain_seconds: found -1; {WHOLE_DRAIN}",
    ),
    "dotted": (
        "\n\nserver.drain_seconds = 601",
        f"leasebook.toml, line 3: server.drain_seconds: found 601; {WHOLE_DRAIN}",
    ),
    "quoted and spaced": (
        "\n 'server' . \"drain_seconds\" = true",
        f"leasebook.toml, line 2: server.drain_seconds: found true (a boolean); {WHOLE_DRAIN}",
    ),
    "inline table": (
        "currency = 'EUR'\nserver = { body_max_bytes = 2048, drain_seconds = 1.5 }",
        f"leasebook.toml, line 2: server.drain_seconds: found 1.5 (a number with a fraction); {WHOLE_DRAIN}",
    ),
    "list over several lines": (
        "[server]\ndrain_seconds = [\n 1, # one\n 2,\n]\n",
        f"leasebook.toml, line 2: server.drain_seconds: found a list; {WHOLE_DRAIN}",
    ),
    "after a text over several lines that looks like settings": (
        'currency = """\\\n   \\\n  EUR"""\ntime_zone = """UTC"""\n\n[server]\ndrain_seconds = 1979-05-27\n',
        f"leasebook.toml, line 7: server.drain_seconds: found 1979-05-27 (a date or time); {WHOLE_DRAIN}",
    ),
    "a text over several lines": (
        'log.level = "info"\ncurrency = """\n[server]\ndrain_seconds = 1\n"""\n',
        (
            'leasebook.toml, line 2: currency: found "[server]\\ndrain_seconds = 1\\n" (a text); '
            "allowed: a currency code of three capital letters (ISO 4217)"
        ),
    ),
    "a section in the place of a setting": (
        "[server.drain_seconds]",
        f"leasebook.toml, line 1: server.drain_seconds: found a table; {WHOLE_DRAIN}",
    ),
    "windows line ends": (
        "[server]\r\n\r\ndrain_seconds = 601\r\n",
        f"leasebook.toml, line 3: server.drain_seconds: found 601; {WHOLE_DRAIN}",
    ),
    "line separators that TOML does not know": (
        "# a\u2028b\x85c\n[server]\ndrain_seconds = 601",
        f"leasebook.toml, line 3: server.drain_seconds: found 601; {WHOLE_DRAIN}",
    ),
    "a setting in the place of a section": (
        "\nserver = 5",
        "leasebook.toml, line 2: server: found 5; allowed: the section [server]",
    ),
    "a list of sections": (
        "\n[[server]]\ndrain_seconds = 5",
        "leasebook.toml, line 2: server: found a list; allowed: the section [server]",
    ),
    "an unknown key": (
        "[server]\ndrain_second = 5",
        "leasebook.toml, line 2: server.drain_second: no such setting; did you mean server.drain_seconds?",
    ),
    "a known key in the wrong section": (
        "[log]\nlevel = 'info'\n[server]\nlevel = 'info'\n",
        "leasebook.toml, line 4: server.level: no such setting; did you mean log.level?",
    ),
    "an option": ("\nport = 8000", "leasebook.toml, line 2: port: no such setting; it is the option --port"),
    "an option in a section": (
        "[server]\nhost = '::'",
        "leasebook.toml, line 2: server.host: no such setting; it is the option --host",
    ),
    "a port that is none": (
        "\npublic_url = 'https://a:99999'",
        (
            'leasebook.toml, line 2: public_url: found "https://a:99999" (a text); allowed: the address of this '
            'service without any path, such as "https://units.example.com"; a port is a number from 1 to 65535'
        ),
    ),
    "a quoted dot is no section": (
        '"server.drain_seconds" = 5',
        'leasebook.toml, line 1: "server.drain_seconds": no such setting; did you mean server.drain_seconds?',
    ),
    "an unknown section, even empty": (
        "\n[zebra]",
        "leasebook.toml, line 2: zebra: no such setting; the reference page lists all settings",
    ),
    "a key below a setting": (
        "currency.code = 'EUR'",
        "leasebook.toml, line 1: currency.code: no such setting; did you mean currency?",
    ),
    "a secret": (
        "\nroot_secret_key = 'very-secret-text-0123'",
        (
            "leasebook.toml, line 2: root_secret_key: a secret does not belong in this file; "
            "set LEASEBOOK_ROOT_SECRET_KEY instead"
        ),
    ),
    "a time zone that is nearly one": (
        "time_zone = 'Asia/Shanghi'",
        (
            'leasebook.toml, line 1: time_zone: found "Asia/Shanghi" (a text); allowed: a time zone name '
            'of the IANA database, such as "Asia/Shanghai"; did you mean Asia/Shanghai?'
        ),
    ),
    "a long value is cut": (
        f"currency = '{'x' * 61}'",
        (
            f'leasebook.toml, line 1: currency: found "{"x" * 60}…" (a text); '
            "allowed: a currency code of three capital letters (ISO 4217)"
        ),
    ),
    "horizon below lead": (
        "[release]\nlead_min_seconds = 60\nhorizon_max_seconds = 60",
        (
            "leasebook.toml, line 3: release.horizon_max_seconds: found 60; allowed: more than "
            "release.lead_min_seconds, which is 60: no release time could satisfy both"
        ),
    ),
    "syntax: no value": (
        "[log]\nlevel = auto\n",
        "leasebook.toml, line 2: level: not valid TOML: Invalid value (column 9)",
    ),
    "syntax: twice": (
        "[log]\nlevel = 'info'\nlevel = 'info'\n",
        "leasebook.toml, line 3: level: not valid TOML: Cannot overwrite a value (column 15)",
    ),
    "syntax: never closed": (
        "[server]\ndrain_seconds = [\n  1,\n\n\n",
        "leasebook.toml, line 2: drain_seconds: not valid TOML: Invalid value",
    ),
    "syntax: a text never closed": (
        'currency = "EUR"\ntime_zone = """UTC\n[server]\n',
        "leasebook.toml, line 2: time_zone: not valid TOML: Unterminated string",
    ),
    "syntax: a stray secret is not shown": (
        "\nQUJDREVGRw==\n",
        "leasebook.toml, line 2: not valid TOML: Invalid value (column 12)",
    ),
}


@pytest.mark.parametrize(("text", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_names_line_key_found_and_allowed(text: str, message: str, tmp_path: Path) -> None:
    config = tmp_path / "leasebook.toml"
    config.write_bytes(text.encode())
    assert refusal(config) == message


def test_every_setting_refuses_a_value_of_another_type(tmp_path: Path) -> None:
    for name, value in product((row.name for row in ROWS), ("[]", "1.5", "true", "-1", '"\\u0000"')):
        message = refusal(written(tmp_path, f"\n# one\n{name} = {value}\n"))
        assert re.match(rf"leasebook\.toml, line 3: {re.escape(name)}: found .+; allowed: .+", message)


BOUNDS = [
    ("server.body_max_bytes", 1024, 67_108_864),
    ("server.drain_seconds", 0, 600),
    ("release.lead_min_seconds", 0, 31_622_400),
    ("release.horizon_max_seconds", 1, 3_162_240_000),
    ("retention_days", 0, 3650),
    ("arrears.grace_hours", 0, 8784),
    ("clock.jump_max_seconds", 1, 86_400),
    ("batch.size_max", 1, 1024),
    ("queue.length_max", 1, 1_000_000),
    ("due.batch_max", 1, 10_000),
    ("quote.keep_minutes", 1, 1440),
    ("tokens.keep_hours", 48, 8784),
    ("readiness.lateness_max_seconds", 1, 86_400),
    ("audit.keep_days", 0, 36_500),
    ("gateway.connect_seconds", 1, 60),
    ("gateway.first_byte_seconds", 1, 3600),
    ("gateway.idle_seconds", 1, 3600),
    ("gateway.headers_max_bytes", 1024, 1_048_576),
    ("gateway.concurrency_max", 1, 100_000),
    ("gateway.chat_body_max_bytes", 1024, 1 << 30),
    ("bearer_token.max_seconds", 60, 2_592_000),
    ("engines_process.disk_max_bytes", 1 << 20, 1 << 50),
    ("engines_process.processes_max", 16, 4_194_304),
]


@pytest.mark.parametrize(("name", "low", "high"), BOUNDS, ids=[bound[0] for bound in BOUNDS])
def test_bounds_are_allowed_and_what_lies_beyond_is_not(name: str, low: int, high: int, tmp_path: Path) -> None:
    for value in (low, high):
        assert attribute(load_settings(written(tmp_path, f"{name} = {value}"), {}), name) == value
        assert attribute(load_settings(None, {variable(name): str(value)}), name) == value
    for value in (low - 1, high + 1):
        beyond = f"found {value}; allowed: a whole number of "
        assert beyond in refusal(written(tmp_path, f"{name} = {value}"))
        assert f'{variable(name)}: found "{value}"; allowed: ' in refusal(None, {variable(name): str(value)})


NO_ZONES = ["localtime", "posixrules", "Factory", "right/UTC", "right/Asia/Shanghai", "posix/UTC", "utc/", ""]


TEXTS = [
    (
        "trusted_proxies",
        ["", "10.0.0.0/8", "::1/128,192.0.2.0/24"],
        ["10.0.0.1/8", "localhost", "10.0.0.0/33", "::1;::2"],
    ),
    (
        "path_prefix",
        ["", "/a", "/a/b", "/.well-known", "/" + "a" * 99],
        ["/", "a", "/a/", "/a//b", "/..", "/a/./b"],
    ),
    ("path_prefix", ["/~u/x_y"], ["/" + "a" * 100, "/a\n", "/a?b", "/é"]),
    ("currency", ["CNY"], ["cny", "CN", "CNYX", "CNY\n"]),
    (
        "postpaid.balance_min",
        ["0", "0.000001", "999999999999.999999"],
        ["-1", "01", "1.", ".5", "1e3", "1,5"],
    ),
    ("postpaid.balance_min", ["1.5"], ["1.0000001", "1000000000000", " 1", "1\n", "NaN", "\u0661"]),
    ("time_zone", ["UTC", "America/New_York"], ["Asia", "/etc/passwd", "../UTC", "Mars/Base", " UTC", *NO_ZONES]),
    ("time_zone", ["Etc/UTC"], ["zone.tab", "a\tb"]),
    ("server.drain_seconds", [], ["1_0", " 1", "1\n", "+1", "1.0", "0x1", "\u0661", "9" * 5000]),
    ("log.format", ["auto", "json", "console"], ["JSON", "text"]),
    ("log.level", ["debug", "info", "warning", "error", "critical"], ["INFO", "trace"]),
]


@pytest.mark.parametrize(("name", "good", "bad"), TEXTS)
def test_texts_of_the_environment(name: str, good: list[str], bad: list[str]) -> None:
    for text in good:
        assert attribute(load_settings(None, {variable(name): text}), name) == text
    for text in bad:
        assert refusal(None, {variable(name): text}).startswith(f"{variable(name)}: found ")


def test_an_amount_must_be_in_quotes_for_a_number_of_toml_is_binary(tmp_path: Path) -> None:
    assert "found 12.5 (a number with a fraction)" in refusal(written(tmp_path, "postpaid.balance_min = 12.5"))


def test_environment_names_that_are_not_ours_are_left_alone() -> None:
    environ = {
        "LEASEBOOK_TEST_POSTGRES": "x",
        "LEASEBOOK_REQUIRE_TOOLCHAINS": "1",
        "PATH": "/bin",
        "leasebook_zone": "x",
    }
    assert load_settings(None, environ) == Settings()


BAD_VARIABLES = {
    "LEASEBOOK_PORT": "no such setting; it is the option --port",
    "LEASEBOOK_SERVER_PORT": "no such setting; it is the option --port",
    "LEASEBOOK_HOST": "no such setting; it is the option --host",
    "LEASEBOOK_DATA": "no such setting; it is the option --data",
    "LEASEBOOK_URL": "no such setting; it is the option --url of leasebook call, or QIANFAN_CONSOLE_API_BASE_URL",
    "LEASEBOOK_TIMEZONE": "no such setting; did you mean LEASEBOOK_TIME_ZONE?",
    "LEASEBOOK_ROOT_SECRET": "no such setting; did you mean LEASEBOOK_ROOT_SECRET_KEY?",
    "LEASEBOOK_REQUIRE_TOOLCHAINS_2": "no such setting; names with LEASEBOOK_ are kept for settings",
    "LEASEBOOK_": "no such setting; names with LEASEBOOK_ are kept for settings",
    "LEASEBOOK_ROOT_ACCESS_KEY": "needs LEASEBOOK_ROOT_SECRET_KEY, which is not set; set both or neither",
}


@pytest.mark.parametrize(("name", "message"), BAD_VARIABLES.items())
def test_a_bad_variable_is_named(name: str, message: str) -> None:
    assert refusal(None, {name: "ALTAKroot"}) == f"{name}: {message}"


def test_a_root_secret_needs_its_access_key() -> None:
    message = refusal(None, {"LEASEBOOK_ROOT_SECRET_KEY": ROOT["LEASEBOOK_ROOT_SECRET_KEY"]})
    assert message == (
        "LEASEBOOK_ROOT_SECRET_KEY: needs LEASEBOOK_ROOT_ACCESS_KEY, which is not set; set both or neither"
    )


def test_the_horizon_is_checked_against_the_lead_wherever_they_come_from(tmp_path: Path) -> None:
    config = written(tmp_path, "release.lead_min_seconds = 60")
    message = refusal(config, {"LEASEBOOK_RELEASE_HORIZON_MAX_SECONDS": "60"})
    assert message.startswith("LEASEBOOK_RELEASE_HORIZON_MAX_SECONDS: found 60; allowed: more than ")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.toml") == "none.toml: cannot be read: No such file or directory"
    assert refusal(tmp_path) == f"{tmp_path.name}: cannot be read: Is a directory"
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"# one\n# \xe9\n")
    assert refusal(latin) == "latin.toml, line 2: not valid TOML: the text is not UTF-8"


def test_secrets_come_from_the_environment_and_do_not_show() -> None:
    settings = load_settings(None, ROOT | {"LEASEBOOK_MASTER_KEY": "ab" * 32})
    values = [settings.root_access_key, settings.root_secret_key, settings.master_key]
    assert [value and value.reveal() for value in values] == [*ROOT.values(), "ab" * 32]
    seen = f"{settings} {settings!r} {values} {values[0]} {values[1]!s:>20} %s" % (values[2],)
    assert not any(text in seen for text in (*ROOT.values(), "ab" * 32))


def test_a_secret_equals_only_the_same_secret() -> None:
    assert Secret("a") == Secret("a")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != "a"


@pytest.mark.parametrize("line_end", ["", "\n", "\r\n"])
def test_secrets_come_from_files_named_by_the_environment(tmp_path: Path, line_end: str) -> None:
    environ = {}
    for name, text in ROOT.items():
        file = tmp_path / name
        file.write_bytes(f"{text}{line_end}".encode())
        environ[f"{name}_FILE"] = str(file)
    assert load_settings(None, environ) == load_settings(None, ROOT)


BAD_SECRETS = {
    "long": (
        "x" * 129,
        "found a value of another form (not shown); allowed: from 16 to 128 printable ASCII ",
    ),
    "weak": ("fifteen-letters", "found a value of another form (not shown); allowed: from 16 to 128 printable ASCII "),
    "spaced": ("very secret text 0123", "found a value of another form (not shown); allowed: "),
    "empty": ("", 'found ""; allowed: from 16 to 128 printable ASCII characters without spaces'),
}


@pytest.mark.parametrize(("text", "message"), BAD_SECRETS.values(), ids=BAD_SECRETS)
def test_a_bad_secret_is_not_shown(text: str, message: str) -> None:
    found = refusal(None, ROOT | {"LEASEBOOK_ROOT_SECRET_KEY": text})
    assert found.startswith(f"LEASEBOOK_ROOT_SECRET_KEY: {message}")
    assert not text or text not in found


@pytest.mark.parametrize("content", [b"", b"spaced out", b"very-secret-text-0123\n\n", b"\xff" * 20, b"x" * 9999])
def test_a_bad_secret_file_is_named_and_its_content_is_not_shown(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    message = refusal(None, {"LEASEBOOK_ROOT_SECRET_KEY_FILE": str(file)})
    assert message == (
        f'LEASEBOOK_ROOT_SECRET_KEY_FILE: found a file "{file}" with something else in it (not shown); '
        "allowed: from 16 to 128 printable ASCII characters without spaces"
    ).replace(str(file), str(file) if len(str(file)) <= 60 else f"{str(file)[:60]}…")


def test_a_secret_file_that_is_not_there_and_one_too_many(tmp_path: Path) -> None:
    message = refusal(None, {"LEASEBOOK_ROOT_SECRET_KEY_FILE": "none"})
    assert message == 'LEASEBOOK_ROOT_SECRET_KEY_FILE: "none" cannot be read: No such file or directory'
    both = ROOT | {"LEASEBOOK_ROOT_SECRET_KEY_FILE": str(tmp_path)}
    assert refusal(None, both) == (
        "LEASEBOOK_ROOT_SECRET_KEY_FILE: LEASEBOOK_ROOT_SECRET_KEY is set as well; set one of the two"
    )


def test_the_reference_page_is_the_generated_one() -> None:
    assert PAGE.read_text() == settings_page()


def test_the_reference_page_holds_every_setting_once_and_its_example_loads(tmp_path: Path) -> None:
    page = settings_page()
    for declared in DECLARED.values():
        cell = f"| `{declared.variable}` |"
        assert page.count(cell) == 1
        assert declared.meaning in page
    example = page.partition("```toml\n")[2].partition("```")[0]
    assert load_settings(written(tmp_path, example), {}).postpaid_balance_min == "12.50"


def test_everything_secret_is_kept_out_of_logs_and_so_is_the_password_in_the_stores_address() -> None:
    settings = load_settings(
        None,
        {
            "LEASEBOOK_STORE": "postgresql://somebody:two%40words@db/books",
            "LEASEBOOK_MASTER_KEY": "ab" * 32,
            "LEASEBOOK_ROOT_ACCESS_KEY": "key",
            "LEASEBOOK_ROOT_SECRET_KEY": "a-secret-of-the-root",
            "LEASEBOOK_SMTP_URL": "smtps://mailer:letters@mail.example.org",
            "LEASEBOOK_LOG_STORE_HEADERS": "x-scope=1,authorization=Bearer%20a%2Clog%2Ctoken",
        },
    )
    kept = {secret.reveal() for secret in secrets_of(settings)}
    assert {"two%40words", "two@words", "ab" * 32, "a-secret-of-the-root"} <= kept
    assert {"Bearer a,log,token", "a,log,token"} <= kept
    assert "1" not in kept
    assert len([secret for secret in kept if "letters" in secret]) == 1


def test_one_secret_can_be_asked_for_alone_whatever_else_is_wrong() -> None:
    address = "postgresql://db/books"
    assert secret_of("store", {"LEASEBOOK_STORE": address, "LEASEBOOK_NONSENSE": "1"}) == Secret(address)
    assert secret_of("store", {"LEASEBOOK_NONSENSE": "1"}) is None
    with pytest.raises(BadSettings, match=r"^LEASEBOOK_STORE: found a value of another form \(not shown\)"):
        secret_of("store", {"LEASEBOOK_STORE": "mysql://somebody:hunter2@db/books"})


@pytest.mark.parametrize("declared", [one for one in DECLARED.values() if one.is_secret], ids=lambda one: one.name)
def test_every_secret_can_come_from_a_file(declared: Declared, tmp_path: Path) -> None:
    with pytest.raises(BadSettings) as caught:
        load_settings(None, {f"{declared.variable}_FILE": str(tmp_path / "nowhere"), "LEASEBOOK_NONSENSE": "1"})
    # The name is known. The refusal is about the missing file, or, for the master key, about the next variable.
    assert "no such setting" not in str(caught.value) or "NONSENSE" in str(caught.value)

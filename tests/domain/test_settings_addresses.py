"""Settings with addresses, hosts, ports and paths: unusable values are refused at the start, with the reason."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from leasebook.addressing.host_port import web_of
from leasebook.cli.main import cli
from leasebook.config.command_line import option_for
from leasebook.config.load import DECLARED, load_settings
from leasebook.store.errors import BadStore
from leasebook.store.opening import Target, check_address
from tests.domain.test_settings import attribute, refusal, variable, written

ADDRESSES = [
    (
        "public_url",
        ["https://units.example.com", "http://[::1]:8080", "http://a_b:1", "HTTPS://A:65535", "http://10.0.0.1"],
        ["https://a:99999", "https://a:0", "https://a:", "https://a/", "https://a/b", "https://a?b", "https://u@a"],
    ),
    (
        "public_url",
        [],
        ["https://", "https://a..b", "https://-a", "https://10.0.0.256", "http://[::g]", "http://::1", "ftp://a"],
    ),
    ("public_url", [], ["https://a%20b", "https://a b", "https://a#b", "https://é", "https://a\n", "a.example"]),
    (
        "admin.host",
        ["::1", "localhost", "10.0.0.1", "a-b.c"],
        ["[::1", "a b", "-a", "10.0.0.999", "a:1", "a..b", "::g"],
    ),
    (
        "engines_ray.address",
        ["head:6379", "10.0.0.1:1", "[::1]:65535"],
        ["head", "head:0", "head:65536", "head:", ":6379", "::1:6379", "[::1]", "a..b:1", "http://a:1"],
    ),
    (
        "log_store.url",
        ["http://collector:4318/v1/logs", "https://[::1]/insert/v1/logs", "https://logs.example.com"],
        ["collector:4318", "http://u:p@c/v1/logs", "http://c/v1/logs?key=1", "http://c:0/", "ftp://c/", "http://a b/"],
    ),
    ("mail.from", ["a@b.c", "a+b@c"], ["a", "@b", "a@", "a@-b", "a..b@c", "a@b..c", "a@b\n", "A <a@b>"]),
]


@pytest.mark.parametrize(("name", "good", "bad"), ADDRESSES)
def test_an_address_that_nobody_could_call_is_refused(name: str, good: list[str], bad: list[str]) -> None:
    for text in good:
        assert attribute(load_settings(None, {variable(name): text}), name) == text
    for text in bad:
        assert refusal(None, {variable(name): text}).startswith(f"{variable(name)}: found ")


BAD_SMTP = {
    "smtp://mail:0": "a port is a number from 1 to 65535",
    "smtp://mail:99999": "a port is a number from 1 to 65535",
    "smtp://mail:": "a port is a number from 1 to 65535",
    "smtp://mail:port": "a port is a number from 1 to 65535",
    "smtps://u:%ZZ@mail": "a % that two hexadecimal digits do not follow; the % itself is %25",
    "smtps://u:100%@mail": "a % that two hexadecimal digits do not follow; the % itself is %25",
    "smtps://u:%FF@mail": "what its %XX stand for is no UTF-8",
    "smtps://u:%0D%0A@mail": "one of its %XX is a control character",
    "smtps://u@mail": "before its @ stand a user and a password",
    "smtps://:p@mail": "before its @ stand a user and a password",
    "smtps://mail?starttls": "only starttls may follow its ?, and only with smtp://",
    "smtp://mail?tls": "only starttls may follow its ?, and only with smtp://",
    "smtp://mail#x": "it has no path, and a /, ? or # before its @ is %2F, %3F or %23",
    "smtp://mail/x": "it has no path, and a /, ? or # before its @ is %2F, %3F or %23",
    "smtp://[::g]": "what has colons is an IPv6 address, and this is none",
    "smtp://mail..example": "that is no name or address of a machine",
}


@pytest.mark.parametrize(("url", "why"), BAD_SMTP.items())
def test_a_mail_server_that_cannot_be_is_refused_and_not_shown(url: str, why: str) -> None:
    message = refusal(None, {"LEASEBOOK_SMTP_URL": url})
    assert message.startswith("LEASEBOOK_SMTP_URL: found a value of another form (not shown); allowed: ")
    assert message.endswith(f"; {why}")


@pytest.mark.parametrize("name", ["master_key_file", "tls.cert_file", "tls.key_file"])
def test_a_directory_is_no_file(name: str, tmp_path: Path) -> None:
    config = written(tmp_path, f"\n{name} = '.'")
    assert refusal(config).startswith(f"leasebook.toml, line 2: {name}: found ")
    assert refusal(config).endswith("; allowed: a path; that is a directory, and a file is meant")
    assert refusal(None, {variable(name): str(tmp_path)}).startswith(f"{variable(name)}: found ")


def test_every_option_of_a_server_is_a_setting_or_is_named_to_who_looks_for_it_there() -> None:
    known = {declared.attribute for declared in DECLARED.values()}
    for command in ("serve", "work", "call"):
        for option in cli.commands[command].params:
            if isinstance(option, click.Option):
                name = max(option.opts, key=len).removeprefix("--").replace("-", "_")
                assert name in known or f"--{name.replace('_', '-')}" in (option_for(name) or ""), name


BAD_STORES = {
    "postgresql://db:99999/books": "a port is a number from 1 to 65535",
    "postgresql://db:0/books": "a port is a number from 1 to 65535",
    "postgresql://db,two:5432,x/books?port=1,70000": "a port is a number from 1 to 65535",
    "postgresql://u:hunter2%ZZ@db/books": "a % that two hexadecimal digits do not follow",
    "postgresql://u:hunter2@db/books?nonsense=1": "PostgreSQL's library makes nothing",
    "postgresql://db/books?nonsense=1": 'PostgreSQL says invalid URI query parameter: "nonsense"',
}


@pytest.mark.parametrize(("url", "why"), BAD_STORES.items())
def test_a_database_that_cannot_be_is_refused_and_its_password_not_shown(url: str, why: str) -> None:
    with pytest.raises(BadStore) as caught:
        check_address(Target(Path("data"), url), "LEASEBOOK_STORE")
    assert str(caught.value).startswith("LEASEBOOK_STORE: found an address (not shown) of which ")
    assert why in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_database_that_can_be_is_none_of_its_business() -> None:
    for url in ("postgresql://db/books", "postgresql://u:p%40@[::1]:5432/b", "postgresql:///b?host=/run&port=5433"):
        check_address(Target(Path("data"), url), "--store")
    check_address(Target(Path("data")), "--store")


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000//", "http://127.0.0.1:8000"),
        ("HTTPS://Units.Example/qianfan/", "https://Units.Example/qianfan"),
        ("http://a:80", "http://a"),
        ("https://a:443/b", "https://a/b"),
        ("https://a:80", "https://a:80"),
        ("http://[::1]:80/", "http://[::1]"),
    ],
)
def test_an_address_of_a_service_is_written_as_calls_are_signed(url: str, signed: str) -> None:
    assert str(web_of(url)) == signed

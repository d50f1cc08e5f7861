"""The settings of a service: read from file and environment; unusable ones are refused in one line."""

import difflib
import fnmatch
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

from leasebook.addressing.mail import is_bare, is_here, server_of
from leasebook.config.command_line import option_for
from leasebook.config.fields import DECLARED, Settings
from leasebook.config.kinds import PREFIX, Declared, Secret, SecretText, did_you_mean
from leasebook.config.sections.log_store import headers_of
from leasebook.domain.model.replica import VARIABLES

__all__ = [
    "DECLARED",
    "ENVIRONMENT_IGNORED",
    "PREFIX",
    "BadSettings",
    "Declared",
    "Secret",
    "SecretText",
    "Settings",
    "given",
    "load_settings",
]

ENVIRONMENT_IGNORED: Final = (
    "LEASEBOOK_TEST_*",
    "LEASEBOOK_REQUIRE_TOOLCHAINS",
    "LEASEBOOK_CLIENT_*",
    "LEASEBOOK_LANG",
    *VARIABLES,
)
"""Environment variables with our prefix that are no settings; a trailing `*` means any ending."""

_SHOWN_MAX: Final = 60
_SECRET_FILE_MAX: Final = 4096


class BadSettings(Exception):
    """The configuration cannot be used; the message is one line: the place, the value found, the values allowed."""


_BY_PATH: Final = {tuple(declared.name.split(".")): declared for declared in DECLARED.values()}
_BY_VARIABLE: Final = {declared.variable: declared for declared in DECLARED.values()}
_BY_FILE_VARIABLE: Final = {
    f"{declared.variable}_FILE": declared
    for declared in DECLARED.values()
    if isinstance(declared.kind, SecretText) and declared.kind.own_file
}
_KEYS: Final = {declared.name for declared in DECLARED.values()} | {path[-1] for path in _BY_PATH}
_SECTIONS: Final = frozenset(path[:depth] for path in _BY_PATH for depth in range(len(path)))


class _Found(NamedTuple):
    declared: Declared
    value: object
    where: str


def load_settings(config: Path | None, environ: Mapping[str, str]) -> Settings:
    """Put the environment over the TOML file over the defaults.

    An empty variable unsets a setting that may be unset. Raises BadSettings for the first thing that is
    wrong, with the file's line and key or the variable's name; a secret is never shown.
    """
    found = [*(_from_file(config) if config else ()), *_from_environment(environ)]
    settings = Settings(**{item.declared.attribute: item.value for item in found})
    _check_together(settings, {item.declared.attribute: item.where for item in found})
    return settings


def secret_of(attribute: str, environ: Mapping[str, str]) -> Secret | None:
    """Return one secret setting, from its variable or the file that ``…_FILE`` names; None where neither is set.

    For commands that need this one and no other setting. Raises BadSettings.
    """
    declared = DECLARED[attribute]
    names = {declared.variable, f"{declared.variable}_FILE"}
    found = [one.value for one in _from_environment({name: environ[name] for name in names & environ.keys()})]
    return found[0] if found and isinstance(found[0], Secret) else None


def check_names(environ: Mapping[str, str]) -> None:
    """Raise BadSettings for the first variable of the environment that begins like a setting and is none.

    Also commands that need hardly any setting call this: a mistyped LEASEBOOK_STORE must not send them to the embedded
    store.
    """
    for variable in sorted(environ):
        _check_name(variable)


def secret_variables() -> tuple[str, ...]:
    """Return the environment variables that hold a secret themselves."""
    return tuple(declared.variable for declared in DECLARED.values() if declared.is_secret)


HEADER_SECRET_MIN: Final = 8
"""A shorter value of a header of the log store is not kept out of logs, in characters."""


def secrets_of(settings: Settings) -> list[Secret]:
    """Return every secret that is set, to keep them out of logs.

    The password in the store's address, and the values of the log store's headers, are in it by themselves as well.
    """
    found = [value for name in DECLARED if isinstance(value := getattr(settings, name), Secret)]
    if settings.store is not None:
        password = urlsplit(settings.store.reveal()).password
        found += [Secret(text) for text in {password, unquote(password)} if text] if password else []
    # A value such as "Bearer TOKEN" is secret in its parts, and a short one is a word that other lines have as well.
    values = [value for _, value in headers_of(settings.log_store_headers)]
    parts = {part for value in values for part in (value, *value.split(" ")) if len(part) >= HEADER_SECRET_MIN}
    return found + [Secret(text) for text in sorted(parts)]


def given(settings: Settings, options: Mapping[str, object]) -> Settings:
    """Override settings with options of the command line (None: option not given). Raises BadSettings."""
    said = {name: value for name, value in options.items() if value is not None}
    for name, value in said.items():
        declared = DECLARED[name]
        try:
            declared.kind.check(str(value) if isinstance(value, Path) else value)
        except ValueError as error:
            raise _refusal(option_of(name), _shown(value), declared, str(error)) from None
    settings = msgspec.structs.replace(settings, **said)
    if (settings.tls_cert_file is None) != (settings.tls_key_file is None):
        lacking = "tls_cert_file" if settings.tls_cert_file is None else "tls_key_file"
        raise BadSettings(f"TLS needs a certificate and its key: {DECLARED[lacking].name} is not set, nor its option")
    return settings


def option_of(name: str) -> str:
    """Return the option of the command line that sets a setting."""
    return "--" + name.removesuffix("_file").replace("_", "-")


def _check_together(settings: Settings, where: Mapping[str, str]) -> None:
    """Refuse settings that are valid one by one but contradict each other."""
    lead, horizon = settings.release_lead_min_seconds, settings.release_horizon_max_seconds
    if horizon is not None and horizon <= lead:
        raise BadSettings(
            f"{where['release_horizon_max_seconds']}: found {horizon}; allowed: more than "
            f"release.lead_min_seconds, which is {lead}: no release time could satisfy both"
        )
    if (settings.root_access_key is None) != (settings.root_secret_key is None):
        keys = ("root_access_key", "root_secret_key")
        given, lacking = sorted(keys, key=lambda name: getattr(settings, name) is None)
        raise BadSettings(f"{where[given]}: needs {DECLARED[lacking].variable}, which is not set; set both or neither")

    if settings.smtp_url is not None:
        try:
            server = server_of(settings.smtp_url.reveal())
        except ValueError as error:
            declared = DECLARED["smtp_url"]
            found = "a value of another form (not shown)"
            raise _refusal(where["smtp_url"], found, declared, str(error)) from None
        if is_bare(server) and not is_here(server):
            raise BadSettings(
                f"{where['smtp_url']}: found smtp:// with a password (not shown), which would cross the network in the "
                f"clear; write smtp://USER:PASSWORD@{server.host}:PORT?starttls, or smtps://…"
            )
    _check_files(settings, where)


def _check_files(settings: Settings, where: Mapping[str, str]) -> None:
    """Refuse a directory in place of a file. The code that opens the file reports its other errors."""
    for name, place in where.items():
        path = getattr(settings, name)
        if isinstance(path, Path) and os.path.isdir(path):  # noqa: PTH112 - it returns False if access is denied
            raise _refusal(place, _quoted(str(path)), DECLARED[name], "that is a directory, and a file is meant")


def _refusal(where: str, found: str, declared: Declared, hint: str) -> BadSettings:
    message = f"{where}: found {found}; allowed: {declared.kind.allowed}"
    return BadSettings(f"{message}; {hint}" if hint else message)


# --- the TOML file ---------------------------------------------------------------------------------------


def _from_file(config: Path) -> Iterator[_Found]:
    for line, path, value in _entries(_read_toml(config)):
        where = f"{config}, line {line}: {_dotted(path)}"
        if path in _BY_PATH:
            yield _from_toml(config, where, _BY_PATH[path], value)
        elif path not in _SECTIONS:
            raise BadSettings(f"{where}: no such setting; {_nearest_setting(path)}")
        elif value != {}:
            raise BadSettings(f"{where}: found {_shown(value)}; allowed: the section [{_dotted(path)}]")


def _from_toml(config: Path, where: str, declared: Declared, value: object) -> _Found:
    if declared.is_secret:
        raise BadSettings(f"{where}: a secret does not belong in this file; set {declared.variable} instead")
    try:
        checked = declared.kind.check(value)
    except ValueError as error:
        raise _refusal(where, _shown(value), declared, str(error)) from None
    return _Found(declared, config.parent / checked if isinstance(checked, Path) else checked, where)


def _read_toml(config: Path) -> str:
    """Read the file and make sure that it is TOML as a whole."""
    try:
        content = config.read_bytes()
    except OSError as error:
        raise BadSettings(f"{config}: cannot be read: {error.strerror}") from None
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadSettings(f"{config}, line {line}: not valid TOML: the text is not UTF-8") from None
    text = text.replace("\r\n", "\n")
    try:
        tomllib.loads(text)
    except ValueError as error:
        raise BadSettings(_syntax_message(config, text, str(error))) from None
    return text


def _syntax_message(config: Path, text: str, error: str) -> str:
    """Say where the text stops being TOML. The line itself is not shown, for there may be a secret in it."""
    place = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", error)
    if place and place[1]:
        line, column = int(place[1]), f" (column {place[2]})"
    else:
        # Something was opened and never closed: where it begins helps, the end of the file does not.
        line, column = next((line for line, _, table in _statements(text) if table is None), 1), ""
    key = re.match(r"""\s*([A-Za-z0-9_.-]+)\s*=""", text.split("\n")[line - 1])
    named = f" {key[1]}:" if key and key[1] in _KEYS else ""
    return f"{config}, line {line}:{named} not valid TOML: {error[: place.start()] if place else error}{column}"


def _entries(text: str) -> Iterator[tuple[int, tuple[str, ...], object]]:
    """Yield line, full key and value of every entry of a valid TOML text; a header counts as one."""
    section: tuple[str, ...] = ()
    for line, statement, table in _statements(text):
        if statement.lstrip().startswith("["):
            section, value = _header(table)
            yield line, section, value
        else:
            yield from ((line, section + path, value) for path, value in _leaves(table or {}))


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any] | None]]:
    """Yield first line, text and content of every statement; only an unfinished last one has no content.

    `tomllib` keeps no positions. But every statement of a valid text is a valid text by itself, and no
    beginning of one is: so lines are gathered until they parse. Quoting, escapes and multi-line values stay
    with `tomllib`.
    """
    statement, start = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        start = start if statement else number
        statement += f"{line}\n"
        table = _parsed(statement)
        if table is not None:
            yield start, statement, table
            statement = ""
    if statement:
        yield start, statement, None


def _parsed(statement: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(statement)
    except ValueError:
        return None


def _header(table: object) -> tuple[tuple[str, ...], object]:
    """Follow a header's only chain of names; the end is `{}`, or `[{}]` under double brackets."""
    path: list[str] = []
    while isinstance(table, dict) and table:
        ((name, table),) = table.items()
        path.append(name)
    return tuple(path), table


def _leaves(table: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from (((name, *path), leaf) for path, leaf in _leaves(value))
        else:
            yield (name,), value


def _dotted(path: tuple[str, ...]) -> str:
    """Write a key as TOML does, so that `"a.b"` and `a.b` differ."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part) for part in path)


def _nearest_setting(path: tuple[str, ...]) -> str:
    public = [declared.name for declared in DECLARED.values() if not declared.is_secret]
    if option := option_for(".".join(path)):
        return option
    # The right key in the wrong section looks like no other whole name.
    same_key = [name for name in public if name.rpartition(".")[2] == path[-1]]
    wanted = same_key[0] if same_key else ".".join(path)
    return did_you_mean(wanted, public) or "the reference page lists all settings"


def _shown(value: object) -> str:
    """Show a value of a TOML file with its type, shortened."""
    if isinstance(value, str):
        return f"{_quoted(value)} (a text)"
    if isinstance(value, bool):
        return f"{str(value).lower()} (a boolean)"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value} (a number with a fraction)"
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    return f"{value} (a date or time)"


def _quoted(text: str) -> str:
    return json.dumps(text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…", ensure_ascii=False)


# --- the environment -------------------------------------------------------------------------------------


def _from_environment(environ: Mapping[str, str]) -> Iterator[_Found]:
    for variable in sorted(environ):
        if not _check_name(variable):
            continue
        if variable in _BY_FILE_VARIABLE:
            yield _from_secret_file(variable, _BY_FILE_VARIABLE[variable], environ)
        else:
            yield _from_variable(_BY_VARIABLE[variable], environ[variable])


def _check_name(variable: str) -> bool:
    """Return whether a variable is a setting; raises BadSettings for one that is only named like a setting."""
    if not variable.startswith(PREFIX) or any(fnmatch.fnmatchcase(variable, name) for name in ENVIRONMENT_IGNORED):
        return False
    if variable not in _BY_VARIABLE and variable not in _BY_FILE_VARIABLE:
        raise BadSettings(f"{variable}: no such setting; {_nearest_variable(variable)}")
    return True


def _nearest_variable(variable: str) -> str:
    if option := option_for(variable.removeprefix(PREFIX)):
        return option
    # Without the prefix, which would make all of them alike.
    known = [name.removeprefix(PREFIX) for name in (*_BY_VARIABLE, *_BY_FILE_VARIABLE)]
    nearest = difflib.get_close_matches(variable.removeprefix(PREFIX), known, n=1)
    return f"did you mean {PREFIX}{nearest[0]}?" if nearest else f"names with {PREFIX} are kept for settings"


def _from_variable(declared: Declared, text: str) -> _Found:
    if not text and declared.unset and not declared.is_secret:
        return _Found(declared, None, declared.variable)
    try:
        return _Found(declared, declared.kind.check(declared.kind.read(text)), declared.variable)
    except ValueError as error:
        found = "a value of another form (not shown)" if declared.is_secret and text else _quoted(text)
        raise _refusal(declared.variable, found, declared, str(error)) from None


def _from_secret_file(variable: str, declared: Declared, environ: Mapping[str, str]) -> _Found:
    if declared.variable in environ:
        raise BadSettings(f"{variable}: {declared.variable} is set as well; set one of the two")
    file = environ[variable]
    try:
        with Path(file).open("rb") as stream:
            text = stream.read(_SECRET_FILE_MAX).decode()
        return _Found(declared, declared.kind.check(re.sub(r"\r?\n\Z", "", text)), variable)
    except OSError as error:
        raise BadSettings(f"{variable}: {_quoted(file)} cannot be read: {error.strerror}") from None
    except ValueError:
        found = f"a file {_quoted(file)} with something else in it (not shown)"
        raise _refusal(variable, found, declared, "") from None


# --- the reference page ----------------------------------------------------------------------------------

"""Every setting of the service, declared once: parsing and messages are here, and the reference page reads it."""

import difflib
import hmac
import json
import re
import tomllib
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Protocol, get_type_hints

import msgspec

PREFIX: Final = "LEASEHOLD_"
ENVIRONMENT_IGNORED: Final = ("LEASEHOLD_TEST_*", "LEASEHOLD_REQUIRE_TOOLCHAINS")
"""Environment variables with our prefix that are no settings; a trailing `*` stands for any ending."""

_SHOWN_MAX: Final = 60
_SECRET_FILE_MAX: Final = 4096
_DAY: Final = 86_400
_YEAR: Final = 366 * _DAY


class BadSettings(Exception):
    """The configuration cannot be used; the message is one line: where, what was found, what is allowed."""


class Secret:
    """A text that must not be seen: only `reveal` gives it away, never `repr`, `str` or a format."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret text itself; keep it out of messages and logs."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)


class Kind(Protocol):
    """What values a setting may take, how an environment variable's text becomes one, and how to say so."""

    @property
    def allowed(self) -> str:
        """What may be given, in words that end a sentence."""

    def read(self, text: str) -> object:
        """Turn an environment variable's text into the value that a TOML file would hold."""
        return text

    def check(self, value: object) -> object:
        """Return the value for `Settings`; raises ValueError (its message is a hint) when it may not be."""


@dataclass(frozen=True, slots=True)
class Whole(Kind):
    """A whole number within bounds, both allowed."""

    low: int
    high: int
    unit: str

    @property
    def allowed(self) -> str:
        """What may be given."""
        return f"a whole number of {self.unit} from {self.low} to {self.high}"

    def read(self, text: str) -> object:
        """Read ASCII digits with an optional minus; `int` alone would take ` 1_0 ` as well."""
        return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text

    def check(self, value: object) -> int:
        """Refuse other types (booleans are integers to Python) and values out of bounds."""
        if not isinstance(value, int) or isinstance(value, bool) or not self.low <= value <= self.high:
            raise ValueError
        return value


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """A text of one form."""

    pattern: str
    allowed: str

    def check(self, value: object) -> str:
        """Refuse whatever does not match as a whole."""
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            raise ValueError
        return value


@dataclass(frozen=True, slots=True)
class OneOf(Kind):
    """One word of a few."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """What may be given."""
        quoted = [f'"{word}"' for word in self.words]
        return f"{', '.join(quoted[:-1])} or {quoted[-1]}"

    def check(self, value: object) -> object:
        """Refuse every other word."""
        if value not in self.words:
            raise ValueError
        return value


@dataclass(frozen=True, slots=True)
class Zone(Kind):
    """A time zone that the zone database knows."""

    allowed: str = 'a time zone name of the IANA database, such as "Asia/Shanghai"'

    def check(self, value: object) -> str:
        """Refuse a name that the database does not hold, with the nearest one that it does hold."""
        if not isinstance(value, str):
            raise ValueError  # noqa: TRY004 - one kind of error for every wrong value
        try:
            zoneinfo.ZoneInfo(value)
        except (ValueError, KeyError, OSError):
            # A folder of the database ("Asia") fails as an OSError, a path out of it as a ValueError.
            raise ValueError(_did_you_mean(value, zoneinfo.available_timezones())) from None
        return value


@dataclass(frozen=True, slots=True)
class FilePath(Kind):
    """A path of a file; the loader makes a relative one of a TOML file relative to that file's folder."""

    allowed: str = "a path"

    def check(self, value: object) -> Path:
        """Refuse the empty path and the character that no path can hold."""
        if not isinstance(value, str) or not value or "\0" in value:
            raise ValueError
        return Path(value)


@dataclass(frozen=True, slots=True)
class SecretText(Kind):
    """A secret of one form, which never comes from the TOML file."""

    pattern: str
    allowed: str
    own_file: bool = True
    """Whether `<NAME>_FILE` may name a file with the secret in it."""

    def check(self, value: object) -> Secret:
        """Refuse whatever does not match as a whole."""
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            raise ValueError
        return Secret(value)


@dataclass(frozen=True, slots=True)
class Declared:
    """What a setting is: its dotted TOML name, its values, its meaning, and what leaving it unset means."""

    name: str
    kind: Kind
    meaning: str
    unset: str = ""

    @property
    def attribute(self) -> str:
        """The attribute of `Settings` that holds it."""
        return self.name.replace(".", "_")

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.attribute.upper()

    @property
    def is_secret(self) -> bool:
        """Whether it may come from the environment only."""
        return isinstance(self.kind, SecretText)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of one service, complete and checked; each field is its declaration."""

    time_zone: Annotated[
        str,
        Declared(
            "time_zone",
            Zone(),
            "The zone in which times without a zone are read, days and months are counted, and times are "
            "returned (decision 1).",
        ),
    ] = "Asia/Shanghai"

    currency: Annotated[
        str,
        Declared(
            "currency",
            Text("[A-Z]{3}", "a currency code of three capital letters (ISO 4217)"),
            "The currency of every price and balance.",
        ),
    ] = "CNY"

    path_prefix: Annotated[
        str,
        Declared(
            "path_prefix",
            Text(
                r"(?=.{0,100}\Z)(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)*",
                'nothing, or a path such as "/qianfan" with no slash at its end: at most 100 characters, '
                'between the slashes letters, digits and "._~-"',
            ),
            "What stands before `/v2/...` in the address of every call, for a service behind a proxy.",
        ),
    ] = ""

    server_body_max_bytes: Annotated[
        int,
        Declared(
            "server.body_max_bytes",
            Whole(1024, 64 << 20, "bytes"),
            "A longer request body is refused before it is read.",
        ),
    ] = 1 << 20

    server_drain_seconds: Annotated[
        int,
        Declared(
            "server.drain_seconds",
            Whole(0, 600, "seconds"),
            "How long a stopping server waits for the requests that it has taken.",
        ),
    ] = 20

    release_lead_min_seconds: Annotated[
        int,
        Declared(
            "release.lead_min_seconds",
            Whole(0, _YEAR, "seconds"),
            "How far ahead of now a release time must lie at least (decision 2).",
        ),
    ] = 0

    release_horizon_max_seconds: Annotated[
        int | None,
        Declared(
            "release.horizon_max_seconds",
            Whole(1, 100 * _YEAR, "seconds"),
            "How far ahead of now a release time may lie at most (decision 2); more than `release.lead_min_seconds`.",
            unset="no bound",
        ),
    ] = None

    postpaid_balance_min: Annotated[
        str | None,
        Declared(
            "postpaid.balance_min",
            Text(
                r"(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,6})?",
                'an amount such as "12.50" (in TOML in quotes), from 0 to 999999999999.999999, '
                "with at most 6 decimal places",
            ),
            "The balance, in `currency`, that a postpaid purchase needs (decision 11).",
            unset="the price of one hour of what is bought",
        ),
    ] = None

    retention_days: Annotated[
        int,
        Declared(
            "retention_days",
            Whole(0, 3650, "days"),
            "How long an expired prepaid unit, or a postpaid unit in arrears, stays stopped with its "
            "capacity kept before it is released (decision 14).",
        ),
    ] = 7

    arrears_grace_hours: Annotated[
        int,
        Declared(
            "arrears.grace_hours",
            Whole(0, 8784, "hours"),
            "How long a postpaid unit with an unpaid hour goes on running (decision 14).",
        ),
    ] = 24

    clock_jump_max_seconds: Annotated[
        int,
        Declared(
            "clock.jump_max_seconds",
            Whole(1, _DAY, "seconds"),
            "A wall clock that jumps ahead by more than this holds all releases until the jump is confirmed "
            "(decision 6a).",
        ),
    ] = 300

    batch_size_max: Annotated[
        int,
        Declared(
            "batch.size_max",
            Whole(1, 1024, "commands"),
            "How many commands are decided and committed together at most.",
        ),
    ] = 512

    queue_length_max: Annotated[
        int,
        Declared(
            "queue.length_max",
            Whole(1, 1_000_000, "commands"),
            "With so many commands waiting, the next request is answered `Overloaded` and nothing is done "
            "(decision 19).",
        ),
    ] = 10_000

    due_batch_max: Annotated[
        int | None,
        Declared(
            "due.batch_max",
            Whole(1, 10_000, "rows"),
            "Rows of due work taken at a time at most; four times as many while a virtual clock moves.",
            unset="250 on the embedded store, 480 on PostgreSQL",
        ),
    ] = None

    quote_keep_minutes: Annotated[
        int,
        Declared(
            "quote.keep_minutes",
            Whole(1, 1440, "minutes"),
            "How long a price is held that QuotePurchase was asked to hold.",
        ),
    ] = 15

    tokens_keep_hours: Annotated[
        int,
        Declared(
            "tokens.keep_hours",
            Whole(48, 8784, "hours"),
            "How long the first answer to a `clientToken` is kept and given again (decision 10).",
        ),
    ] = 48

    readiness_lateness_max_seconds: Annotated[
        int,
        Declared(
            "readiness.lateness_max_seconds",
            Whole(1, _DAY, "seconds"),
            "The service reports itself not ready while its oldest overdue release is older than this.",
        ),
    ] = 30

    log_format: Annotated[
        Literal["auto", "json", "console"],
        Declared(
            "log.format",
            OneOf(("auto", "json", "console")),
            "How log lines look; `auto` is `console` on a terminal and `json` everywhere else.",
        ),
    ] = "auto"

    log_level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"],
        Declared(
            "log.level",
            OneOf(("debug", "info", "warning", "error", "critical")),
            "The least level that is logged.",
        ),
    ] = "info"

    master_key_file: Annotated[
        Path | None,
        Declared(
            "master_key_file",
            FilePath(),
            "The file with the master key, which seals the secret keys in the store; mode 0600. Not read "
            "while `LEASEHOLD_MASTER_KEY` is set. A relative path in the TOML file starts at that file's "
            "folder.",
            unset="`master.key` in the data folder",
        ),
    ] = None

    master_key: Annotated[
        Secret | None,
        Declared(
            "master_key",
            # What is a key is the vault's to say; its file is the setting `master_key_file`.
            SecretText(r"[!-~]{1,256}", "64 hexadecimal digits, or base64 of 32 bytes", own_file=False),
            "The master key itself; stands over `master_key_file`.",
            unset="the key in `master_key_file`",
        ),
    ] = None

    root_access_key: Annotated[
        Secret | None,
        Declared(
            "root_access_key",
            SecretText(r"[A-Za-z0-9_-]{1,64}", 'from 1 to 64 letters, digits, "_" and "-"'),
            "The access key id of the root account; goes with `LEASEHOLD_ROOT_SECRET_KEY`.",
            unset="none",
        ),
    ] = None

    root_secret_key: Annotated[
        Secret | None,
        Declared(
            "root_secret_key",
            SecretText(r"[!-~]{1,128}", "from 1 to 128 printable ASCII characters without spaces"),
            "The secret key of the root account; goes with `LEASEHOLD_ROOT_ACCESS_KEY`.",
            unset="none",
        ),
    ] = None


def _declarations() -> dict[str, Declared]:
    hints = get_type_hints(Settings, include_extras=True)
    return {attribute: hint.__metadata__[0] for attribute, hint in hints.items()}


DECLARED: Final[Mapping[str, Declared]] = _declarations()
"""The declaration of every attribute of `Settings`, in the order of the reference page."""

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


def _check_together(settings: Settings, where: Mapping[str, str]) -> None:
    """Refuse settings that are fine one by one and make no sense together."""
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


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {nearest[0]}?" if nearest else ""


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
    """Write a key as TOML does, so that `"a.b"` and `a.b` are told apart."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part) for part in path)


def _nearest_setting(path: tuple[str, ...]) -> str:
    public = [declared.name for declared in DECLARED.values() if not declared.is_secret]
    # The right key in the wrong section looks like no other whole name.
    same_key = [name for name in public if name.rpartition(".")[2] == path[-1]]
    wanted = same_key[0] if same_key else ".".join(path)
    return _did_you_mean(wanted, public) or "the reference page lists all settings"


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
        if not variable.startswith(PREFIX) or _is_ignored(variable):
            continue
        if variable in _BY_FILE_VARIABLE:
            yield _from_secret_file(variable, _BY_FILE_VARIABLE[variable], environ)
        elif variable not in _BY_VARIABLE:
            raise BadSettings(f"{variable}: no such setting; {_nearest_variable(variable)}")
        else:
            yield _from_variable(_BY_VARIABLE[variable], environ[variable])


def _is_ignored(variable: str) -> bool:
    return any(
        variable.startswith(name[:-1]) if name.endswith("*") else variable == name for name in ENVIRONMENT_IGNORED
    )


def _nearest_variable(variable: str) -> str:
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

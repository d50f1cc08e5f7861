"""The kinds of settings: their allowed values, how an environment variable is parsed, and the words for both."""

import difflib
import hmac
import ipaddress
import os.path
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from leasebook.addressing.host_port import host_of, place_of, web_of
from leasebook.domain.replicas.engine_route import Routes, parse_counts, parse_routes
from leasebook.domain.values.calendar import zone_names

PREFIX: Final = "LEASEBOOK_"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint with the nearest known name, or an empty text."""
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {nearest[0]}?" if nearest else ""


class Secret:
    """A secret text: only `reveal` returns it, never `repr`, `str` or a format."""

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
    """The kinds of settings: their allowed values, how an environment variable is parsed, and the words for both."""

    @property
    def allowed(self) -> str:
        """The allowed values, in words that end a sentence."""

    def read(self, text: str) -> object:
        """Turn an environment variable's text into the value that a TOML file would hold."""
        return text

    def check(self, value: object) -> object:
        """Return the value for `Settings`; raises ValueError (its message is a hint) for one that is not allowed."""


@dataclass(frozen=True, slots=True)
class Whole(Kind):
    """A whole number within bounds, both included."""

    low: int
    high: int
    unit: str

    @property
    def allowed(self) -> str:
        """The allowed values."""
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
        """Refuse a text that does not match as a whole."""
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            raise ValueError
        return value


@dataclass(frozen=True, slots=True)
class OneOf(Kind):
    """One word of a list."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """The allowed values."""
        quoted = [f'"{word}"' for word in self.words]
        return f"{', '.join(quoted[:-1])} or {quoted[-1]}"

    def check(self, value: object) -> object:
        """Refuse every other word."""
        if value not in self.words:
            raise ValueError
        return value


def _text(value: object) -> str:
    """Return a value that is a text; raises ValueError for any other."""
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - one kind of error for every wrong value
    return value


@dataclass(frozen=True, slots=True)
class Zone(Kind):
    """A time zone of the IANA database."""

    allowed: str = 'a time zone name of the IANA database, such as "Asia/Shanghai"'

    def check(self, value: object) -> str:
        """Refuse an unknown name, with the nearest known one."""
        name = _text(value)
        if name not in zone_names():
            raise ValueError(did_you_mean(name, zone_names()))
        return name


@dataclass(frozen=True, slots=True)
class Host(Kind):
    """A name or an address of a machine."""

    allowed: str

    def check(self, value: object) -> str:
        """Refuse a text that is no host, with the reason."""
        return host_of(_text(value))


@dataclass(frozen=True, slots=True)
class HostAndPort(Kind):
    """A host and a port."""

    allowed: str

    def check(self, value: object) -> str:
        """Refuse a text that is no host and port, with the reason."""
        text = _text(value)
        if place_of(text).port is None:
            raise ValueError("it has no port")
        return text


@dataclass(frozen=True, slots=True)
class Origin(Kind):
    """An http or https address without a path."""

    allowed: str

    def check(self, value: object) -> str:
        """Refuse an address that cannot be called, with the reason."""
        text = _text(value)
        if web_of(text).path or text.endswith("/"):
            raise ValueError("it has no path, and no slash at its end")
        return text


@dataclass(frozen=True, slots=True)
class FilePath(Kind):
    """A path of a file; the loader makes a relative one of a TOML file relative to that file's folder."""

    allowed: str = "a path"

    def check(self, value: object) -> Path:
        """Refuse an empty path, and NUL, which no path can contain."""
        if not isinstance(value, str) or not value or "\0" in value:
            raise ValueError
        return Path(value)


@dataclass(frozen=True, slots=True)
class Networks(Kind):
    """A list of networks, which may be empty."""

    allowed: str = 'networks with commas between them, such as "10.0.0.0/8, fd00::/8"; a bare address is one by itself'

    def check(self, value: object) -> str:
        """Refuse a text that is no network, such as one with bits set beyond its prefix."""
        if not isinstance(value, str):
            raise ValueError  # noqa: TRY004 - one kind of error for every wrong value
        return ",".join(str(ipaddress.ip_network(part.strip())) for part in value.split(",") if part.strip())


@dataclass(frozen=True, slots=True)
class EngineRoutes(Kind):
    """Which engine runs which offerings."""

    allowed: str = 'rules such as "gpu-*=process, bj/gpu-1=ray, *=instant", with the engines instant, process and ray'

    def check(self, value: object) -> Routes:
        """Refuse an invalid rule, with a hint."""
        if not isinstance(value, str):
            raise ValueError  # noqa: TRY004 - one kind of error for every wrong value
        return parse_routes(value)


@dataclass(frozen=True, slots=True)
class Counts(Kind):
    """A number for each listed type."""

    allowed: str = 'numbers by type, such as "cpu=4, gpu-1=8"'

    def check(self, value: object) -> dict[str, int]:
        """Refuse a text that is no list of types with numbers."""
        if not isinstance(value, str):
            raise ValueError  # noqa: TRY004 - one kind of error for every wrong value
        return parse_counts(value)


@dataclass(frozen=True, slots=True)
class Paths(Kind):
    """A list of absolute paths, without the root, `/proc` and other paths that the kernel provides."""

    allowed: str = 'whole paths with commas between them, such as "/models, /opt/vllm"; not /, /proc, /sys or /dev'

    def check(self, value: object) -> str:
        """Refuse relative paths, and paths that would show the whole system."""
        if not isinstance(value, str) or any(character in value for character in "\0\n"):
            raise ValueError
        found = tuple(os.path.normpath(part.strip()) for part in value.split(",") if part.strip())
        for path in found:
            if not path.startswith("/") or path in ("/", "//") or path.split("/")[1] in ("proc", "sys", "dev"):
                raise ValueError
        return ",".join(found)


@dataclass(frozen=True, slots=True)
class Span(Kind):
    """A range: a first and a last whole number with a hyphen between them, within bounds."""

    low: int
    high: int
    unit: str

    @property
    def allowed(self) -> str:
        """The allowed values."""
        return f'the first and the last of some {self.unit} from {self.low} to {self.high}, such as "100000-165535"'

    def check(self, value: object) -> str:
        """Refuse a range that is out of bounds or reversed."""
        found = re.fullmatch(r"([0-9]{1,10})-([0-9]{1,10})", value) if isinstance(value, str) else None
        if found is None or not self.low <= int(found[1]) <= int(found[2]) <= self.high:
            raise ValueError
        return f"{int(found[1])}-{int(found[2])}"


@dataclass(frozen=True, slots=True)
class SecretText(Kind):
    """A secret of one form, which never comes from the TOML file."""

    pattern: str
    allowed: str
    own_file: bool = True
    """Whether `<NAME>_FILE` may name a file with the secret in it."""

    def check(self, value: object) -> Secret:
        """Refuse a text that does not match as a whole."""
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            raise ValueError
        return Secret(value)


@dataclass(frozen=True, slots=True)
class Parsed(Kind):
    """A text that the function ``parse`` accepts; it raises ValueError for any other."""

    parse: Callable[[str], object]
    allowed: str

    def check(self, value: object) -> str:
        """Refuse a text that ``parse`` does not accept."""
        if not isinstance(value, str):
            raise ValueError  # noqa: TRY004
        try:
            self.parse(value)
        except ValueError:
            raise ValueError from None
        return value


@dataclass(frozen=True, slots=True)
class Declared:
    """The declaration of a setting: its dotted TOML name, allowed values, meaning, and what leaving it unset means."""

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
        """Whether only the environment may set it."""
        return isinstance(self.kind, SecretText)

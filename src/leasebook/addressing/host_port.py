"""Reads hosts, ports and web addresses as people write them; bad ones are refused before they are used."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

PORT_MAX: Final = 65535
_HOST_MAX: Final = 253
# Underscores are in no name of the Internet, and in many of container networks.
_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_WEB: Final = re.compile(r"(https?)://([^/?#]*)([^?#]*)(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)
_PREFIX: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)*")
_BROKEN: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DEFAULT: Final = {"http": 80, "https": 443}


class Place(NamedTuple):
    """A host, without the brackets of IPv6, and its port where one is named."""

    host: str
    port: int | None


class Web(NamedTuple):
    """A web address: its scheme in lower case, host and port, and its path without a final slash."""

    scheme: str
    place: Place
    path: str

    def __str__(self) -> str:
        """Write it as signing clients do: without the scheme's default port."""
        host = f"[{self.place.host}]" if ":" in self.place.host else self.place.host
        port = self.place.port
        said = "" if port is None or port == _DEFAULT[self.scheme] else f":{port}"
        return f"{self.scheme}://{host}{said}{self.path}"


def host_of(text: str) -> str:
    """Return a host name or an address, IPv6 without brackets; raises ValueError with the reason."""
    if text.startswith("[") and text.endswith("]"):
        return _ipv6(text[1:-1])
    if ":" in text:
        return _ipv6(text)
    labels = text.removesuffix(".").split(".")
    if not text or len(text) > _HOST_MAX or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("that is no name or address of a machine")
    if re.fullmatch(r"[0-9]+", labels[-1]):
        try:
            ipaddress.IPv4Address(text)
        except ValueError:
            raise ValueError("what ends in a number is an IPv4 address, and this is none") from None
    return text


def _ipv6(text: str) -> str:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        raise ValueError("what has colons is an IPv6 address, and this is none") from None
    return text


def port_of(text: str) -> int:
    """Return a port that can be connected to; raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= PORT_MAX:
        raise ValueError(f"a port is a number from 1 to {PORT_MAX}")
    return int(text)


def place_of(text: str) -> Place:
    """Read ``host``, ``host:port`` or ``[IPv6]:port``; raises ValueError."""
    if text.startswith("["):
        host, closed, rest = text.partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise ValueError("an IPv6 address needs brackets, and a port goes after them")
        return Place(host_of(f"{host}]"), port_of(rest[1:]) if rest else None)
    if text.count(":") > 1:
        raise ValueError("an IPv6 address needs brackets, and a port goes after them")
    name, colon, port = text.partition(":")
    return Place(host_of(name), port_of(port) if colon else None)


def web_of(text: str) -> Web:
    """Read ``http://`` or ``https://`` with a host, maybe a port and maybe a path; raises ValueError.

    Users, queries, fragments and characters that need escapes are refused, since callers could not sign them.
    """
    found = _WEB.fullmatch(text)
    if found is None:
        raise ValueError("an address begins with http:// or https://")
    scheme, place, path, rest = found.groups()
    if "@" in place:
        raise ValueError("a user or a password does not belong into it")
    if rest:
        raise ValueError("nothing with ? or # belongs into it")
    path = path.rstrip("/")
    if not _PREFIX.fullmatch(path):
        raise ValueError('between the slashes of its path stand letters, digits and "._~-"')
    return Web(scheme.lower(), place_of(place), path)


def unescaped(text: str) -> str:
    """Return a text with each %XX decoded; raises ValueError, whose message does not contain the text."""
    if _BROKEN.search(text):
        raise ValueError("a % that two hexadecimal digits do not follow; the % itself is %25")
    try:
        plain = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise ValueError("what its %XX stand for is no UTF-8") from None
    if any(ord(character) < ord(" ") or character == "\x7f" for character in plain):
        raise ValueError("one of its %XX is a control character")
    return plain

"""Which headers pass, and which are between two neighbours only (RFC 9110, 7.6.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

Pairs = Sequence[tuple[bytes, bytes]]

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
NOT_SENT_ON: Final = HOP_BY_HOP | {
    b"host",
    # The key is for the gateway, and no replica is to learn it.
    b"authorization",
    b"expect",
    # Only the gateway writes the headers about a caller that a replica gets; the same headers of the caller are
    # dropped.
    b"forwarded",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-prefix",
    b"x-forwarded-proto",
    b"x-forwarded-server",
    b"x-forwarded-ssl",
    b"x-real-ip",
    b"x-request-id",
}
FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


class Caller(NamedTuple):
    """The gateway's headers about the call: the caller, the path, and the id."""

    address: str
    host: str
    scheme: str
    prefix: str
    request_id: str


def value_of(headers: Pairs, name: bytes) -> bytes | None:
    """Return the first value of a header, by its name in small letters."""
    return next((value for key, value in headers if key == name), None)


def size_of(headers: Pairs) -> int:
    """Return how many bytes the lines of the headers have."""
    return sum(len(name) + len(value) + 4 for name, value in headers)


def named(headers: Pairs) -> frozenset[bytes]:
    """Return the headers that the header Connection names: they are between neighbours, too."""
    values = (value for name, value in headers if name.lower() == b"connection")
    return frozenset(word.strip().lower() for value in values for word in value.split(b","))


def sent_on(headers: Pairs, caller: Caller) -> list[tuple[str, str]]:
    """Return the caller's headers that a replica gets, and the gateway's own headers about the caller.

    Each character of a value represents one byte, and is written as that byte.
    """
    dropped = NOT_SENT_ON | named(headers)
    if any(name == b"transfer-encoding" for name, _ in headers):
        dropped |= {b"content-length"}
    # Servers behind CGI and WSGI take the two signs for one, so that X_Forwarded_For would be read as ours.
    alike = dropped | FRAMING
    kept = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in headers
        if name not in dropped and (b"_" not in name or name.replace(b"_", b"-") not in alike)
    ]
    before = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
    return [
        *kept,
        ("X-Forwarded-For", ", ".join((*before, caller.address))),
        ("X-Forwarded-Host", caller.host),
        ("X-Forwarded-Proto", caller.scheme),
        ("X-Forwarded-Prefix", caller.prefix),
        ("X-Request-Id", caller.request_id),
    ]


def has_body(headers: Pairs) -> bool:
    """Whether a request comes with a body."""
    length = value_of(headers, b"content-length")
    return value_of(headers, b"transfer-encoding") is not None or length not in (None, b"0")

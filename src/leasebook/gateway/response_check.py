"""Which answers of replicas may be passed on, and which of their headers.

A replica is a tenant's program, and may answer anything. An answer that a caller, or a proxy in front, could read in
two ways is refused as a whole (``BadAnswer``); headers that a replica may not set are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from leasebook.gateway.headers import HOP_BY_HOP, named, size_of

STATUSES: Final = range(200, 600)
"""An answer ends with one of these. Earlier statuses (100, 103) are between the replica and the gateway."""
NO_CONTENT: Final = 204
COUNT_MAX: Final = 100
_SHOWN_MAX: Final = 60

_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
_NOT_ITS_OWN: Final = HOP_BY_HOP | {
    b"x-request-id",
    # The server writes its own date. The server program of a replica is no caller's business.
    b"date",
    b"server",
    # These speak for every service at this address, or send callers to another one.
    b"alt-svc",
    b"clear-site-data",
    b"nel",
    b"public-key-pins",
    b"report-to",
    b"strict-transport-security",
}
_ONCE: Final = frozenset({b"content-type", b"content-encoding", b"location"})


class BadAnswer(Exception):
    """The replica's answer is none that may be passed on; the message says why."""


def has_control(value: bytes) -> bool:
    """Whether a value holds what ends a line, or another control character than the tab."""
    return _CONTROL.search(value) is not None


def check_headers(headers: Iterable[tuple[bytes, bytes]], *, size_max: int) -> list[tuple[bytes, bytes]]:
    """Return the headers, with their names in small letters; raises BadAnswer where a line of them is none."""
    given = [(name.lower(), value) for name, value in headers]
    if len(given) > COUNT_MAX:
        raise BadAnswer(f"it has {len(given)} headers, at most {COUNT_MAX} are passed on")
    if size_of(given) > size_max:
        raise BadAnswer(f"its headers have {size_of(given)} bytes, at most {size_max} are passed on")
    for name, value in given:
        if not _NAME.fullmatch(name):
            raise BadAnswer(f"a header is called {shown(name)}")
        if has_control(value):
            raise BadAnswer(f"its header {shown(name)} holds a control character")
    return given


def sent_back(
    status: int, headers: Iterable[tuple[bytes, bytes]], request_id: str, *, size_max: int
) -> list[tuple[bytes, bytes]]:
    """Return what a caller gets of the headers of a final answer; raises BadAnswer."""
    if status not in STATUSES:
        raise BadAnswer(f"its status is {status}")
    given = check_headers(headers, size_max=size_max)
    length = _framing(given)
    dropped = _NOT_ITS_OWN | named(given) | {b"content-length"}
    kept: list[tuple[bytes, bytes]] = []
    seen: set[bytes] = set()
    for name, value in given:
        if name in dropped or (name in _ONCE and name in seen):
            continue
        seen.add(name)
        kept.append((name, value))
    # On a 304 it says how long the answer to a plain call would be. A 204 has none, whatever it says.
    if length is not None and status != NO_CONTENT:
        kept.append((b"content-length", length))
    return [*kept, (b"x-request-id", request_id.encode())]


def _framing(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return how long the body says it is; None where it comes in pieces or ends with the connection."""
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    lengths = {value.strip() for name, value in headers if name == b"content-length"}
    if codings:
        if codings != [b"chunked"]:
            raise BadAnswer(f"its body is sent as {shown(b', '.join(codings))}")
        return None
    if len(lengths) > 1:
        raise BadAnswer("it says two lengths of its body")
    length = next(iter(lengths), None)
    if length is not None and not _LENGTH.fullmatch(length):
        raise BadAnswer(f"the length of its body is {shown(length)}")
    return length


def shown(text: bytes) -> str:
    """Write what a replica said so that it can stand in a message."""
    return repr(text[:_SHOWN_MAX].decode("latin-1"))

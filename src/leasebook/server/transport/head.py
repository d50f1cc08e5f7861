"""Reading a request's head: strictly, within bounds, and so that no other reader could take it for something else.

An ambiguous head is refused, not guessed: where a proxy and this server guess differently, one request can be smuggled
inside another.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from leasebook.contract import errors as e
from leasebook.contract.errors import ErrorCode

LINE_MAX: Final = 8 * 1024
"""Of the request line, and of a header's line."""
HEADERS_MAX: Final = 100
HEAD_MAX: Final = 64 * 1024
METHOD_MAX: Final = 32
LENGTH_DIGITS_MAX: Final = 18
SHOWN_MAX: Final = 64

_DIGITS_LETTERS: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TOKEN: Final = _DIGITS_LETTERS + b"!#$%&'*+-.^_`|~"
"""The bytes that the name of a header may have."""
TEXT: Final = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
"""The bytes that the value of a header may have."""
LINES: Final = TEXT + b"\r\n"
_TARGET: Final = bytes(range(0x21, 0x7F)).replace(b"#", b"")
_ONCE: Final = (b"content-length", b"transfer-encoding", b"host", b"expect", b"upgrade")
"""The headers that decide how a request is read, and for which host it is. Twice in a request, they are ambiguous."""
_METHODS: Final = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
_HEADER: Final = re.compile(rb"\n([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)")
_VERSIONS: Final = {b"HTTP/1.1": "1.1", b"HTTP/1.0": "1.0"}


class BadRequest(Exception):
    """The bytes that came are no acceptable request. The answer is this error, and the connection ends."""

    def __init__(self, error: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.error = error
        self.message = message


class Head(msgspec.Struct):
    """A request up to its body. ``length`` is None where the body is chunked."""

    method: bytes
    path: bytes
    query: bytes
    version: str
    headers: list[tuple[bytes, bytes]]
    length: int | None
    keep_alive: bool
    expects: bool
    websocket: bool


def _malformed(what: str) -> BadRequest:
    return BadRequest(e.INVALID_HTTP_REQUEST, f"The request is malformed: {what}.")


def _line_too_long() -> BadRequest:
    return BadRequest(e.URI_TOO_LONG, f"The request line is longer than {LINE_MAX} bytes; send less in the address.")


def _head_too_large(what: str) -> BadRequest:
    return BadRequest(
        e.HEAD_TOO_LARGE,
        f"{what}. At most {HEADERS_MAX} headers are taken, {LINE_MAX} bytes each and {HEAD_MAX} bytes in all.",
    )


def check_partial(part: bytes) -> None:
    """Raise BadRequest where the beginning of a head is already more, or something else, than a head may be."""
    if part.find(b"\r\n", 0, LINE_MAX + 2) < 0 and len(part) > LINE_MAX:
        raise _line_too_long()
    if len(part) > HEAD_MAX:
        raise _head_too_large("The headers are too large")
    lines = part.count(b"\n")
    if lines != part.count(b"\r\n"):
        raise _malformed("a line does not end with CR LF")
    if lines > HEADERS_MAX + 1:
        raise _head_too_large(f"There are more than {HEADERS_MAX} headers")


def read_head(head: bytes) -> Head:
    """Read a head, given without the empty line at its end; raises BadRequest."""
    end = head.find(b"\r\n")
    found = _HEADER.findall(head, end) if end >= 0 else []
    count = head.count(b"\n")
    if (
        not count == len(found) == head.count(b"\r") == head.count(b"\r\n")
        or count > HEADERS_MAX
        or len(head) > LINE_MAX
        or head.translate(None, LINES)
    ):
        _check(head)
    # Each match begins at the end of a line, and there are no more of those: so every line is one header.
    headers = [(name.lower(), value.rstrip()) for name, value in found]
    parts = (head[:end] if end >= 0 else head).split(b" ")
    version = _VERSIONS.get(parts[-1])
    if len(parts) != 3 or version is None:  # noqa: PLR2004 - method, target and version
        raise _malformed("its first line must be METHOD TARGET HTTP/1.1, with one space between them")
    return _framed(parts[0], parts[1], version, headers)


def _check(head: bytes) -> None:
    """Raise BadRequest if an incomplete head already has a fault."""
    lines = head.split(b"\r\n")
    count = len(lines) - 1
    if len(lines[0]) > LINE_MAX:
        raise _line_too_long()
    if len(head) > HEAD_MAX:
        raise _head_too_large(f"The headers have {len(head)} bytes")
    if count > HEADERS_MAX:
        raise _head_too_large(f"There are {count} headers")
    if head.count(b"\n") != count or head.count(b"\r") != count:
        raise _malformed("a line does not end with CR LF")
    if head.translate(None, LINES):
        raise _malformed("a control character stands in it")
    for line in lines[1:]:
        name, colon, _ = line.partition(b":")
        if not colon or not name or name.translate(None, TOKEN):
            raise _bad_line(line)
        if len(line) > LINE_MAX:
            raise _head_too_large(f"The header {name[:SHOWN_MAX].decode()} has {len(line)} bytes")


def _bad_line(line: bytes) -> BadRequest:
    if line[:1] in (b" ", b"\t"):
        return _malformed("a header goes on in a second line, which is not allowed any more")
    return _malformed(f"{line[:SHOWN_MAX].decode('latin-1')!r} is no header; one is NAME: VALUE")


def _framed(method: bytes, target: bytes, version: str, headers: list[tuple[bytes, bytes]]) -> Head:
    """Say how the rest of the request is read; raises BadRequest where that is not beyond doubt."""
    of = dict(headers)
    if len(of) != len(headers):
        for name in _ONCE:
            if sum(1 for one, _ in headers if one == name) > 1:
                raise _malformed(f"it has more than one header {name.decode()}")
    is_old = version == "1.0"
    host = of.get(b"host")
    if host is None and not is_old:
        raise _malformed("it has no Host header, and must have one")
    if method not in _METHODS and (not method or len(method) > METHOD_MAX or method.translate(None, TOKEN)):
        raise _malformed("its method is none")
    path, query = _target(method, target, host or b"")
    length = _length(of, is_old=is_old)
    keep_alive, websocket = not is_old, False
    if b"connection" in of and not is_old:
        values = b",".join([value for name, value in headers if name == b"connection"])
        words = [word.strip() for word in values.lower().split(b",")]
        keep_alive = b"close" not in words
        # A caller that sends a body with an upgrade has misunderstood it: the request is taken as a plain one.
        websocket = (
            b"upgrade" in words and of.get(b"upgrade", b"").lower() == b"websocket" and method == b"GET" and length == 0
        )
    expects = b"expect" in of and not is_old and of[b"expect"].lower() == b"100-continue"
    return Head(method, path, query, version, headers, length, keep_alive, expects, websocket)


def _target(method: bytes, target: bytes, host: bytes) -> tuple[bytes, bytes]:
    """Return path and query of a request's target; raises BadRequest."""
    if not target or target.translate(None, _TARGET):
        if b"#" in target:
            raise _malformed(
                "its address has a #. A fragment (#...) is the caller's own and never sent: leave it out. Where # is "
                "part of a path or a value, write it as %23"
            )
        raise _malformed("its address may only have visible ASCII characters; write each byte of others as %XX")
    path, _, query = target.partition(b"?")
    if path[:1] == b"/" and method != b"CONNECT":
        return path, query
    if target == b"*" and method == b"OPTIONS":
        return target, b""
    scheme, found, rest = path.partition(b"://")
    if found and scheme.lower() in (b"http", b"https") and method != b"CONNECT":
        authority, slash, rest = rest.partition(b"/")
        if authority.lower() != host.lower():
            raise _malformed("its address names another host than its Host header")
        return slash + rest or b"/", query
    raise _malformed("its address must begin with / or http://; this is no proxy")


def _length(of: dict[bytes, bytes], *, is_old: bool) -> int | None:
    """Return how long the body is, None where it is chunked; raises BadRequest."""
    length = of.get(b"content-length")
    if b"transfer-encoding" in of:
        if length is not None:
            raise _malformed("it has both Content-Length and Transfer-Encoding; send one")
        if is_old or of[b"transfer-encoding"].lower() != b"chunked":
            raise _malformed("of all values of Transfer-Encoding only chunked is taken, and with HTTP/1.1")
        return None
    if length is None:
        return 0
    if not length.isdigit() or len(length) > LENGTH_DIGITS_MAX:
        raise _malformed("its Content-Length is no number of bytes")
    return int(length)

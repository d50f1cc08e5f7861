"""Reading a request's head: strictly, within bounds, and so that no other reader could take it for something else.

What is ambiguous is refused, not guessed: between a proxy and this server a guess is how one request is smuggled
inside another.
"""

from __future__ import annotations

from typing import Final

import msgspec

from leasehold.wire import errors as e
from leasehold.wire.errors import ErrorCode

LINE_MAX: Final = 8 * 1024
"""Of the request line, and of a header's line."""
HEADERS_MAX: Final = 100
HEAD_MAX: Final = 64 * 1024
METHOD_MAX: Final = 32
LENGTH_DIGITS_MAX: Final = 18
SHOWN_MAX: Final = 64

_DIGITS_LETTERS: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TOKEN: Final = _DIGITS_LETTERS + b"!#$%&'*+-.^_`|~"
"""What a name of a header may be made of."""
TEXT: Final = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
"""What a value of a header may be made of."""
_LINES: Final = TEXT + b"\r\n"
_TARGET: Final = bytes(range(0x21, 0x7F)).replace(b"#", b"")
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade", b"host"})
_VERSIONS: Final = {b"HTTP/1.1": "1.1", b"HTTP/1.0": "1.0"}


class BadRequest(Exception):
    """What came is no request that is taken; it is answered with this error, and the connection ends."""

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
    lines = head.split(b"\r\n")
    if len(lines[0]) > LINE_MAX:
        raise _line_too_long()
    if len(head) > HEAD_MAX:
        raise _head_too_large(f"The headers have {len(head)} bytes")
    count = len(lines) - 1
    if count > HEADERS_MAX:
        raise _head_too_large(f"There are {count} headers")
    if head.count(b"\n") != count or head.count(b"\r") != count:
        raise _malformed("a line does not end with CR LF")
    if head.translate(None, _LINES):
        raise _malformed("a control character stands in it")
    parts = lines[0].split(b" ")
    version = _VERSIONS.get(parts[-1])
    if len(parts) != 3 or version is None:  # noqa: PLR2004 - method, target and version
        raise _malformed("its first line must be METHOD TARGET HTTP/1.1, with one space between them")
    headers, framing = _headers(lines)
    return _framed(parts[0], parts[1], version, headers, framing)


def _headers(lines: list[bytes]) -> tuple[list[tuple[bytes, bytes]], dict[bytes, list[bytes]]]:
    """Read the lines after the first; returns all headers, and by name those that say how to read the rest."""
    headers: list[tuple[bytes, bytes]] = []
    framing: dict[bytes, list[bytes]] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name or name.translate(None, TOKEN):
            raise _bad_line(line)
        if len(line) > LINE_MAX:
            raise _head_too_large(f"The header {name[:SHOWN_MAX].decode()} has {len(line)} bytes")
        name, value = name.lower(), value.strip(b" \t")
        headers.append((name, value))
        if name in _FRAMING:
            framing.setdefault(name, []).append(value)
    return headers, framing


def _bad_line(line: bytes) -> BadRequest:
    if line[:1] in (b" ", b"\t"):
        return _malformed("a header goes on in a second line, which is not allowed any more")
    return _malformed(f"{line[:SHOWN_MAX].decode('latin-1')!r} is no header; one is NAME: VALUE")


def _framed(
    method: bytes,
    target: bytes,
    version: str,
    headers: list[tuple[bytes, bytes]],
    framing: dict[bytes, list[bytes]],
) -> Head:
    """Say how the rest of the request is read; raises BadRequest where that is not beyond doubt."""
    hosts = framing.get(b"host", ())
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise _malformed(f"it has {len(hosts)} Host headers, and must have one")
    if not method or len(method) > METHOD_MAX or method.translate(None, TOKEN):
        raise _malformed("its method is none")
    path, query = _target(method, target, hosts[0] if hosts else b"")
    words: frozenset[bytes] = frozenset()
    if b"connection" in framing:
        words = frozenset(word.strip().lower() for value in framing[b"connection"] for word in value.split(b","))
    upgrades = [value.lower() for value in framing.get(b"upgrade", ())]
    length = _length(framing, version)
    return Head(
        method,
        path,
        query,
        version,
        headers,
        length,
        version == "1.1" and b"close" not in words,
        version == "1.1" and any(value.lower() == b"100-continue" for value in framing.get(b"expect", ())),
        # Whoever sends a body with it has not understood what they ask for: that is a plain request.
        version == "1.1" and b"upgrade" in words and upgrades == [b"websocket"] and method == b"GET" and length == 0,
    )


def _target(method: bytes, target: bytes, host: bytes) -> tuple[bytes, bytes]:
    """Return path and query of a request's target; raises BadRequest."""
    if not target or target.translate(None, _TARGET):
        raise _malformed("its address may only have visible ASCII characters, and no #; encode others with %")
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


def _length(framing: dict[bytes, list[bytes]], version: str) -> int | None:
    """Return how long the body is, None where it is chunked; raises BadRequest."""
    lengths, codings = framing.get(b"content-length"), framing.get(b"transfer-encoding")
    if codings is not None:
        if lengths is not None:
            raise _malformed("it has both Content-Length and Transfer-Encoding; send one")
        if version == "1.0" or len(codings) > 1 or codings[0].lower() != b"chunked":
            raise _malformed("of all values of Transfer-Encoding only chunked is taken, once, and with HTTP/1.1")
        return None
    if lengths is None:
        return 0
    if len(lengths) > 1:
        raise _malformed("it has more than one Content-Length")
    if not lengths[0].isdigit() or len(lengths[0]) > LENGTH_DIGITS_MAX:
        raise _malformed("its Content-Length is no number of bytes")
    return int(lengths[0])

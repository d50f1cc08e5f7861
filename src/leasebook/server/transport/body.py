"""Reading the body of a request: of the length that its head says, or in chunks within bounds."""

from __future__ import annotations

from typing import Final

from leasebook.contract import errors as e
from leasebook.server.transport.head import HEAD_MAX, HEADERS_MAX, TEXT, TOKEN, BadRequest

SIZE_LINE_MAX: Final = 1024
SIZE_DIGITS_MAX: Final = 15
_HEXADECIMAL: Final = b"0123456789abcdefABCDEF"


class Sized:
    """Separates a body of a known length from the bytes that follow it."""

    __slots__ = ("done", "left")

    def __init__(self, length: int) -> None:
        self.left = length
        """How many bytes are still to come."""
        self.done = not length
        """Whether the whole body came."""

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the part of the bytes that belongs to the body, and the part that follows it."""
        piece, rest = data[: self.left], data[self.left :]
        self.left -= len(piece)
        self.done = not self.left
        return piece, rest


class Chunks:
    """Separates a chunked body from the bytes that follow it.

    Extensions of chunks, and trailers, are read past and dropped: the code that verifies or passes on a request has
    seen its headers by then, and nothing after the body may change their meaning. Together they have the bounds of a
    head.
    """

    __slots__ = ("_at", "_left", "_rest", "_spent", "_trailers", "done")

    def __init__(self) -> None:
        self._at = "size"
        self._left = 0
        self._rest = b""
        self._spent = 0
        self._trailers = 0
        self.done = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the part of the bytes that belongs to the body and, once ``done``, the part that follows it.

        Raises BadRequest.
        """
        data, self._rest = self._rest + data, b""
        pieces: list[bytes] = []
        place = 0
        while not self.done:
            if self._at == "data":
                piece = data[place : place + self._left]
                if not piece:
                    break
                pieces.append(piece)
                place += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._at = "end"
                continue
            if self._at == "end":
                if len(data) - place < 2:  # noqa: PLR2004 - CR and LF
                    break
                if data[place : place + 2] != b"\r\n":
                    raise _malformed("a chunk is longer than it says")
                place, self._at = place + 2, "size"
                continue
            end = data.find(b"\r\n", place, place + SIZE_LINE_MAX + 2)
            if end < 0:
                _check_open(data[place:])
                break
            self._line(data[place:end])
            place = end + 2
        if self.done:
            return b"".join(pieces), data[place:]
        self._rest = data[place:]
        return b"".join(pieces), b""

    def _line(self, line: bytes) -> None:
        if self._at == "size":
            self._size(line)
        elif not line:
            self.done = True
        else:
            self._trailers += 1
            name, colon, value = line.partition(b":")
            if not colon or not name or name.translate(None, TOKEN) or value.translate(None, TEXT):
                raise _malformed("what follows the last chunk is no trailer")
            self._spend(len(line))
            if self._trailers > HEADERS_MAX:
                raise _too_large()

    def _size(self, line: bytes) -> None:
        digits, semicolon, extension = line.partition(b";")
        digits = digits.rstrip(b" \t") if semicolon else digits
        if not digits or len(digits) > SIZE_DIGITS_MAX or digits.translate(None, _HEXADECIMAL):
            raise _malformed("a chunk does not begin with its size in hexadecimal digits")
        if extension.translate(None, TEXT):
            raise _malformed("a control character stands in a chunk's extension")
        self._spend(len(extension))
        self._left = int(digits, 16)
        self._at = "data" if self._left else "trailers"

    def _spend(self, size: int) -> None:
        self._spent += size
        if self._spent > HEAD_MAX:
            raise _too_large()


def _check_open(line: bytes) -> None:
    """Raise BadRequest where a line that has not ended yet can be none any more."""
    if len(line) > SIZE_LINE_MAX:
        raise _too_large()
    if b"\n" in line or b"\r" in line[:-1]:
        raise _malformed("a line of the chunked body does not end with CR LF")


def _malformed(what: str) -> BadRequest:
    return BadRequest(e.INVALID_HTTP_REQUEST, f"The body is malformed: {what}.")


def _too_large() -> BadRequest:
    return BadRequest(
        e.HEAD_TOO_LARGE,
        f"The extensions and trailers of the chunked body are too large: at most {HEADERS_MAX} trailers are read past, "
        f"lines of {SIZE_LINE_MAX} bytes, and {HEAD_MAX} bytes in all.",
    )

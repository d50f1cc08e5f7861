"""WebSocket frames as they pass (RFC 6455, 5): their heads are read and judged, their payloads are not.

All bytes are passed on as they came: nothing is gathered, unmasked or inflated here, and pings, pongs and the codes of
a close are those of the two ends. A head is held back until it is complete: if a frame is refused, only complete frames
were passed on before it, and a close of the gateway's own can follow them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
NOT_ALLOWED: Final = 1008
TOO_BIG: Final = 1009
NO_CODE: Final = 1005
"""The code of a close that had none. It is never sent."""
RESTARTING: Final = 1012
BAD_GATEWAY: Final = 1014

_CONTINUATION: Final = 0
_DATA: Final = frozenset({1, 2})
CLOSE: Final = 8
_CONTROL: Final = frozenset({CLOSE, 9, 10})
_CONTROL_MAX: Final = 125
_LENGTH_16: Final = 126
_LENGTH_64: Final = 127
_REASON_MAX: Final = _CONTROL_MAX - 2
_MASK: Final = 4
TURN_MAX: Final = 512
"""How many frames are checked in one iteration of the event loop: a flood of tiny ones delays no other call."""


class Violation(Exception):
    """A frame that does not go on; ``code`` is what the connection is closed with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Head(NamedTuple):
    """The head of a frame; ``size`` is how many bytes it has itself."""

    final: int
    reserved: int
    opcode: int
    length: int
    size: int


def _head(text: bytes, at: int, *, masked: bool) -> _Head | None:
    """Read the head that begins at ``at``; returns None where it is not whole. Raises Violation."""
    if at + 2 > len(text):
        return None
    first, second = text[at], text[at + 1]
    if bool(second & 0x80) is not masked:
        raise Violation(PROTOCOL_ERROR, "frames of a client are masked, and those of a server are not")
    length = second & 0x7F
    wide = 0 if length < _LENGTH_16 else 2 if length == _LENGTH_16 else 8
    size = 2 + wide + (_MASK if masked else 0)
    if at + size > len(text):
        return None
    if wide:
        length = int.from_bytes(text[at + 2 : at + 2 + wide])
        if length < _LENGTH_16 or (wide == 8 and (length >> 63 or length <= 0xFFFF)):  # noqa: PLR2004 - RFC 6455
            raise Violation(PROTOCOL_ERROR, "the length of a frame is written in another way than the shortest")
    return _Head(first & 0x80, first & 0x70, first & 0x0F, length, size)


class Frames:
    """The frames of one end. ``masked``: it is the client. ``deflated``: the two agreed on compressed messages."""

    def __init__(self, *, masked: bool, message_max: int, deflated: bool) -> None:
        self._masked = masked
        self._message_max = message_max
        self._compressed = 0x40 if deflated else 0
        self._rest = b""
        self._left = 0
        self._open = False
        self._message = 0
        self.finishing = False
        """Let no frame begin any more: what follows the one that is passing is held."""
        self.behind = False
        """Whether more has come than was looked at: ``feed`` is to be called again, in another turn."""
        self.closed: int | None = None
        """The code of the close that has come, or NO_CODE. Nothing after it goes on."""
        self.violation: Violation | None = None
        """Why nothing more goes on."""

    @property
    def between(self) -> bool:
        """Whether all that went on are whole frames."""
        return self._left == 0

    def feed(self, data: bytes) -> bytes:
        """Take what has come and return what goes on."""
        text = self._rest + data if self._rest else data
        self._rest, self.behind = b"", False
        at, size, begun = 0, len(text), 0
        while at < size and self.closed is None and self.violation is None:
            if self._left:
                step = min(self._left, size - at)
                self._left -= step
                at += step
                continue
            self.behind = begun >= TURN_MAX
            try:
                step = 0 if self.finishing or self.behind else self._begin(text, at)
            except Violation as violation:
                self.violation = violation
                break
            if not step:
                self._rest = text[at:]
                break
            begun += 1
            at += step
        return text if at == size else text[:at]

    def _begin(self, text: bytes, at: int) -> int:
        """Begin a frame and return how much of it goes on at once; 0: there has to come more first."""
        head = _head(text, at, masked=self._masked)
        if head is None:
            return 0
        if head.opcode in _CONTROL:
            if not head.final or head.reserved or head.length > _CONTROL_MAX:
                raise Violation(PROTOCOL_ERROR, "a control frame is one whole frame of at most 125 bytes")
            if head.opcode == CLOSE:
                return self._close(head, text, at)
        elif head.opcode in _DATA and not self._open:
            if head.reserved & ~self._compressed:
                raise Violation(PROTOCOL_ERROR, "a reserved bit is set that nobody agreed on")
            self._open, self._message = not head.final, head.length
        elif head.opcode == _CONTINUATION and self._open:
            if head.reserved:
                raise Violation(PROTOCOL_ERROR, "a reserved bit is set that nobody agreed on")
            self._open, self._message = not head.final, self._message + head.length
        else:
            raise Violation(PROTOCOL_ERROR, "a frame is of no kind that may come now")
        if self._message > self._message_max:
            raise Violation(TOO_BIG, f"a message has at most {self._message_max} bytes")
        self._left = head.length
        return head.size

    def _close(self, head: _Head, text: bytes, at: int) -> int:
        whole = head.size + head.length
        if at + whole > len(text):
            return 0
        if head.length == 1:
            raise Violation(PROTOCOL_ERROR, "a close says no code, or a whole one")
        mask = text[at + head.size - _MASK : at + head.size] if self._masked else bytes(_MASK)
        code = bytes(one ^ other for one, other in zip(text[at + head.size : at + whole], mask, strict=False))[:2]
        self.closed = int.from_bytes(code) if code else NO_CODE
        return whole


def close_frame(code: int, reason: str, mask: bytes | None) -> bytes:
    """Write a close; with a mask where it goes to a server."""
    payload = code.to_bytes(2) + reason.encode()[:_REASON_MAX]
    if mask is None:
        return bytes((0x80 | CLOSE, len(payload))) + payload
    covered = bytes(one ^ mask[number % 4] for number, one in enumerate(payload))
    return bytes((0x80 | CLOSE, 0x80 | len(payload))) + mask + covered

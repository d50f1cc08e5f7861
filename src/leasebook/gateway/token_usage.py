"""How many tokens an answer says it took: the ``usage`` block of the OpenAI API, read as the answer passes."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

WHOLE_MAX: Final = 256 * 1024
"""A longer JSON answer is not looked into."""
LINE_MAX: Final = 64 * 1024
"""A longer line of a stream is not looked into."""
TOKENS_MAX: Final = 2**53


class Tokens(NamedTuple):
    """Tokens read and written."""

    read: int = 0
    written: int = 0


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Answer(msgspec.Struct):
    usage: _Usage | None = None


_decode: Final = msgspec.json.Decoder(_Answer).decode


def _tokens(text: bytes) -> Tokens | None:
    try:
        usage = _decode(text).usage
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if usage is None:
        return None
    return Tokens(*(min(max(one, 0), TOKENS_MAX) for one in (usage.prompt_tokens, usage.completion_tokens)))


class Nothing:
    """Reads nothing: the answer is of no kind that says its tokens."""

    def feed(self, piece: bytes) -> None:
        """Let a piece pass."""

    def tokens(self) -> Tokens:
        """Return none."""
        return Tokens()


class Whole(Nothing):
    """Reads a JSON answer when it is complete."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._long = False

    def feed(self, piece: bytes) -> None:
        """Keep a piece, unless the answer has grown too long."""
        if not self._long:
            self._text += piece
            if len(self._text) > WHOLE_MAX:
                self._long = True
                self._text.clear()

    def tokens(self) -> Tokens:
        """Return what the answer says."""
        return Tokens() if self._long else _tokens(bytes(self._text)) or Tokens()


class Events(Nothing):
    """Reads a stream of events line by line; the last line with a usage block counts."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._long = False
        self._found = Tokens()

    def feed(self, piece: bytes) -> None:
        """Look at the lines that a piece completes."""
        *complete, rest = piece.split(b"\n")
        for end in complete:
            self._add(end)
            if not self._long:
                self._look(bytes(self._line))
            self._line.clear()
            self._long = False
        self._add(rest)

    def _add(self, part: bytes) -> None:
        if self._long or len(self._line) + len(part) > LINE_MAX:
            self._long = True
            self._line.clear()
        else:
            self._line += part

    def _look(self, line: bytes) -> None:
        if line.startswith(b"data:") and b'"usage"' in line:
            self._found = _tokens(line[5:].strip()) or self._found

    def tokens(self) -> Tokens:
        """Return what the stream said last."""
        if self._line and not self._long:
            self._look(bytes(self._line))
        return self._found


def reader_of(content_type: str, content_encoding: str) -> Nothing:
    """Return the reader of an answer of that kind. A compressed answer passes unread."""
    kind = content_type.partition(";")[0].strip().lower()
    if content_encoding.strip().lower() not in ("", "identity"):
        return Nothing()
    if kind == "text/event-stream":
        return Events()
    return Whole() if kind == "application/json" or kind.endswith("+json") else Nothing()

"""The header that carries an error's message, for callers who see the status and the headers of an answer only."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

NAME: Final = b"x-bce-error-message"
LENGTH_MAX: Final = 1024
"""Bytes of the value. A proxy reads all headers of an answer into one buffer, often of 4 KiB."""
CUT: Final = b"..."
"""The end of a value that is not the whole message, which the body has."""
_SAFE: Final = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


def value_of(message: str) -> bytes:
    """Return a message as the value of a header: printable ASCII, at most LENGTH_MAX bytes.

    Every other character, a line break or ``%`` among them, is percent-encoded in UTF-8, so that
    ``urllib.parse.unquote`` returns the message. A longer message is cut between two characters and ends with ``...``.
    """
    return encoded(message, LENGTH_MAX, _SAFE)


def encoded(text: str, length_max: int, safe: str) -> bytes:
    """Percent-encode a text for a header, all but letters, digits, ``_.-~`` and the characters in ``safe``.

    Spaces around it are left out. A text that takes more than ``length_max`` bytes is cut between two characters, and
    ends with ``...`` within that length.
    """
    whole = text.strip(" ")
    if len(whole) <= length_max and len(line := quote(whole, safe=safe, errors="replace")) <= length_max:
        return line.encode("ascii")
    kept = bytearray()
    for character in whole[:length_max]:
        piece = quote(character, safe=safe, errors="replace").encode("ascii")
        if len(kept) + len(piece) > length_max - len(CUT):
            break
        kept += piece
    return bytes(kept).rstrip(b" ") + CUT

"""Rows as CSV: the same bytes on every Python, and no cell that a spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from typing import Final, Protocol

BOM: Final = "\ufeff"
"""The mark by which spreadsheets recognize UTF-8; other programs take it for part of the first column's name."""
# The wide ones are the same to spreadsheets of East Asia. Blanks at the beginning, of any kind or none to be seen, are
# dropped by some; a tab or a line break there is a danger by itself.
_FORMULA: Final = re.compile(
    r"[\t\r\n]|[\s\x00-\x1f\x7f-\x9f\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]"
)
_QUOTED: Final = re.compile('[",\r\n]')
"""A cell with one of these is quoted."""
_NOTHING: Final = "\ufffd"
"""Replaces NUL, at which some programs end the cell and others the file."""


class Takes(Protocol):
    """A file that text can be written to."""

    def write(self, text: str, /) -> object:
        """Take a piece of text."""


def text_cell(text: str) -> str:
    """Return a foreign text as a cell: an apostrophe goes before a text that a spreadsheet could take for a formula."""
    text = text.replace("\0", _NOTHING)
    return f"'{text}" if _FORMULA.match(text) else text


def written_cell(text: str) -> str:
    """Return a cell as ``Table`` writes it: quoted where it has to be."""
    if _QUOTED.search(text) is None:
        return text
    return '"' + text.replace('"', '""') + '"'


class Table:
    """Writes rows, each ended by a line feed; a cell with a line break of any kind is quoted.

    ``bom``: begin with the mark by which spreadsheets recognize UTF-8.
    """

    def __init__(self, file: Takes, *, bom: bool = False) -> None:
        self._file = file
        # Some versions of Python quote a cell only if it has a character of the line terminator. So this one has both
        # line breaks, and `write` takes it off again.
        self._writer = csv.writer(self, lineterminator="\r\n")
        if bom:
            file.write(BOM)

    def put(self, cells: Iterable[str]) -> None:
        """Write a row."""
        self._writer.writerow(cells)

    def write(self, line: str, /) -> None:
        """Take a row from the writer."""
        self._file.write(line.removesuffix("\r\n") + "\n")

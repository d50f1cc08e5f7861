"""The text of a calendar (RFC 5545)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

MEDIA_TYPE: Final = "text/calendar; charset=utf-8"
LINE_MAX: Final = 75
"""Bytes of a line without its end; a longer one is folded."""
REFRESH: Final = "PT15M"
_CONTROLS: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_MARKS: Final = re.compile(r"[\\;,]")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry: an id that stays the same, a moment, its texts, and the address of a page about it."""

    uid: str
    at: datetime
    summary: str
    description: str
    url: str
    category: str


def calendar(name: str, entries: Iterable[Entry], made: datetime) -> str:
    """Return the calendar. ``made`` is when its contents were true: a reader replaces what it read earlier."""
    stamp = _utc(made)
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Leasebook//Coming ends//EN",
        "CALSCALE:GREGORIAN",
        f"NAME:{escaped(name)}",
        f"X-WR-CALNAME:{escaped(name)}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{REFRESH}",
        f"X-PUBLISHED-TTL:{REFRESH}",
    ]
    for one in entries:
        lines += [
            "BEGIN:VEVENT",
            f"UID:{escaped(one.uid)}",
            f"DTSTAMP:{stamp}",
            f"LAST-MODIFIED:{stamp}",
            f"DTSTART:{_utc(one.at)}",
            f"SUMMARY:{escaped(one.summary)}",
            f"DESCRIPTION:{escaped(one.description)}",
            f"URL:{''.join(one.url.split())}",
            f"CATEGORIES:{escaped(one.category)}",
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return "".join(f"{piece}\r\n" for line in lines for piece in folded(line))


def escaped(text: str) -> str:
    """Return a text as a value has it: marks and ends of lines escaped, other control characters left out."""
    plain = _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _MARKS.sub(r"\\\g<0>", plain).replace("\n", "\\n")


def folded(line: str) -> Iterator[str]:
    """Yield a line in pieces of 75 bytes at most; no character is cut, and all but the first begin with a blank."""
    piece, size = "", 0
    for character in line:
        width = len(character.encode())
        if size + width > LINE_MAX:
            yield piece
            piece, size = " ", 1
        piece += character
        size += width
    yield piece


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"

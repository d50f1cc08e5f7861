"""What a store remembers of its clock, so that a jump is noticed also by a server that starts after it."""

from __future__ import annotations

import msgspec


class ClockMark(msgspec.Struct, frozen=True):
    """What the clock showed when it was last believed. All times are microseconds; instants since 1970 UTC.

    ``reading`` is what it showed, ``boot_us`` after the start ``boot_id`` of the machine that looked. ``floor`` is an
    instant before which nothing is written any more. ``doubted``: somebody saw it jump since, and holds due work.
    ``confirmed`` counts the operators' confirmations: who has seen fewer of them takes the clock for right once more.
    """

    reading: int
    floor: int
    boot_id: str
    boot_us: int
    doubted: bool = False
    confirmed: int = 0


def written(mark: ClockMark) -> str:
    """Return a mark as text."""
    return msgspec.json.encode(mark).decode()


def read(text: str | None) -> ClockMark | None:
    """Return the mark of such a text; None: there is none, or it cannot be read."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=ClockMark)
    except msgspec.DecodeError:
        return None

"""A store's record of its clock, so that a server that starts after a jump of the clock notices it as well."""

from __future__ import annotations

import msgspec


class ClockMark(msgspec.Struct, frozen=True):
    """The clock's reading when it was last trusted. All times are microseconds; instants since 1970 UTC.

    ``reading`` was shown ``boot_us`` after the start ``boot_id`` of the machine that read it. ``floor`` is the earliest
    instant that may still be written. ``doubted``: a server saw the clock jump since, and due work is paused.
    ``confirmed`` counts the operators' confirmations: a server that has seen fewer of them trusts the clock again.
    """

    reading: int
    floor: int
    boot_id: str
    boot_us: int
    doubted: bool = False
    confirmed: int = 0


def written(mark: ClockMark) -> str:
    """Encode a mark as text."""
    return msgspec.json.encode(mark).decode()


def read(text: str | None) -> ClockMark | None:
    """Decode a mark; None if there is no text, or if it cannot be read."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=ClockMark)
    except msgspec.DecodeError:
        return None

"""Calendars that were made, kept until something happens in their account or the first end passes."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from typing import Final, NamedTuple

from leasebook.domain.values.calendar import Instant

KEPT_MAX: Final = 64
"""Calendars in memory; with the most entries each takes a quarter of a megabyte."""


class Contents(NamedTuple):
    """The facts that a calendar depends on: its reader's rights, the language, the address, and the last event."""

    rights: object
    language: str
    origin: str
    event: object


class Kept(NamedTuple):
    """A calendar: what it depends on, when it was made, until when its first end is ahead, its text, and its ETag."""

    contents: Contents
    made: Instant
    until: Instant | None
    text: str
    tag: str


def tag_of(text: str) -> str:
    """Return the ETag of a calendar: the same for the same entries."""
    # The time at which it was made is in every entry, and is no difference.
    lines = (line for line in text.split("\r\n") if not line.startswith(("DTSTAMP:", "LAST-MODIFIED:")))
    digest = sha256("\n".join(lines).encode()).hexdigest()
    return f'"{digest[:32]}"'


class KeptCalendars:
    """The calendars of the users that asked last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def find(self, user_id: str, contents: Contents, now: Instant) -> Kept | None:
        """Return a user's calendar if it still is what it would be if it were made now."""
        kept = self._kept.get(user_id)
        if kept is None or kept.contents != contents or (kept.until is not None and kept.until <= now):
            return None
        self._kept.move_to_end(user_id)
        return kept

    def keep(self, user_id: str, kept: Kept) -> None:
        """Keep a calendar; the one that was asked for longest ago goes."""
        self._kept[user_id] = kept
        self._kept.move_to_end(user_id)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)

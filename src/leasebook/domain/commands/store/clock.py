"""Moving the virtual clock, and remembering what the real one showed."""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import METADATA
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.record.clock_mark import ClockMark, read, written
from leasebook.domain.values.calendar import Instant, rfc3339
from leasebook.domain.values.refusal import BAD_VALUE, Refusal
from leasebook.domain.values.rule_settings import Rules

VIRTUAL_NOW = "clock_at"
"""Sorts before all other facts: every batch under a virtual clock begins with the lock on it (``TABLES``)."""
CLOCK_SEEN: Final = "clock_seen"
"""What the store remembers of a real clock (``ClockMark``)."""


class MoveClock(Command, frozen=True, kw_only=True):
    """Remember where the virtual clock stands, so that a restart goes on from there and never back."""

    answer: ClassVar[type] = bool
    moves_clock: ClassVar[bool] = True

    to: Instant

    def needs(self) -> Needs:
        """The clock's row."""
        yield METADATA, (VIRTUAL_NOW,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Write it down; raises Refusal where the clock stands later already, moved by whichever server."""
        stands = draft.get(METADATA, VIRTUAL_NOW)
        if stands is not None and self.to < int(stands.value):
            raise Refusal(
                BAD_VALUE,
                f"{rfc3339(self.to, rules.time_zone)} has passed: the clock shows "
                f"{rfc3339(Instant(int(stands.value)), rules.time_zone)} and only moves forward.",
                field="to",
            )
        draft.put(METADATA, StoreMetadata(VIRTUAL_NOW, str(self.to)))
        return True


class NoteClock(Command, frozen=True, kw_only=True):
    """Remember what the clock showed; ``confirms``: an operator takes it for right. Answers with what is remembered.

    Whoever doubts the clock says so, and leaves what it showed before. Who does not know of the last confirmation
    changes nothing, and learns of it from the answer.
    """

    answer: ClassVar[type] = ClockMark

    mark: ClockMark
    confirms: bool = False

    def needs(self) -> Needs:
        """The mark."""
        yield METADATA, (CLOCK_SEEN,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> ClockMark:  # noqa: ARG002 - no setting matters
        """Write it down."""
        fact = draft.get(METADATA, CLOCK_SEEN)
        before = read(None if fact is None else fact.value)
        after = self.mark
        if before is not None:
            if self.confirms:
                after = msgspec.structs.replace(after, confirmed=before.confirmed + 1)
            elif after.confirmed < before.confirmed:
                return before
            elif after.doubted:
                after = msgspec.structs.replace(before, doubted=True)
            after = msgspec.structs.replace(after, floor=max(before.floor, self.mark.floor))
        elif self.confirms:
            after = msgspec.structs.replace(after, confirmed=after.confirmed + 1)
        draft.put(METADATA, StoreMetadata(CLOCK_SEEN, written(after)))
        return after

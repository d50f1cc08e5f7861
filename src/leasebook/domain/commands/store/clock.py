"""Moving the virtual clock, and remembering the real clock's readings."""

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
"""Sorts before all other metadata: every batch under a virtual clock begins by locking this row (``TABLES``)."""
CLOCK_SEEN: Final = "clock_seen"
"""The metadata row with the record of a real clock (``ClockMark``)."""


class MoveClock(Command, frozen=True, kw_only=True):
    """Move the virtual clock forward and store its time, so that a restart goes on from there."""

    answer: ClassVar[type] = bool
    moves_clock: ClassVar[bool] = True

    to: Instant

    def needs(self) -> Needs:
        """The clock's row."""
        yield METADATA, (VIRTUAL_NOW,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Write the time; raises Refusal (BAD_VALUE) if the clock, moved by any server, is later already."""
        stands = draft.get(METADATA, VIRTUAL_NOW)
        if stands is not None and self.to < int(stands.value):
            raise Refusal(
                BAD_VALUE,
                f"{rfc3339(self.to, rules.written_zone)} has passed: the clock shows "
                f"{rfc3339(Instant(int(stands.value)), rules.written_zone)} and only moves forward.",
                field="to",
            )
        draft.put(METADATA, StoreMetadata(VIRTUAL_NOW, str(self.to)))
        return True


class NoteClock(Command, frozen=True, kw_only=True):
    """Remember a reading of the clock; ``confirms``: an operator trusts it. Returns the record as it is then.

    A server that doubts the clock sets ``doubted`` and keeps the reading before. A server that does not know the last
    confirmation changes nothing, and learns it from the answer.
    """

    answer: ClassVar[type] = ClockMark

    mark: ClockMark
    confirms: bool = False

    def needs(self) -> Needs:
        """The mark."""
        yield METADATA, (CLOCK_SEEN,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> ClockMark:  # noqa: ARG002 - no setting matters
        """Write the record."""
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

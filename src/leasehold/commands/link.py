"""What a link in a reminder does: an ordinary command, as long as the deadline is the one that the link is about."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasehold.commands.command import Command, Needs
from leasehold.commands.release import Release, ScheduleRelease
from leasehold.commands.renewal import Renew
from leasehold.domain.book import UNITS, Book, Draft
from leasehold.domain.calendar import Instant, rfc3339
from leasehold.domain.refusal import NO_INSTANCE, WRONG_STATE, Refusal
from leasehold.domain.reminder import deadline_of
from leasehold.domain.rules import Rules


class UseLink(Command, frozen=True, kw_only=True):
    """Do what a link says to an instance whose deadline is still the one of the reminder, and still to come.

    What it does moves the deadline or ends the instance, so that a link works once, and all links of a reminder are
    void after one of them.
    """

    answer: ClassVar[type] = bool

    unit_id: str
    deadline: Instant
    does: ScheduleRelease | Release | Renew

    def needs(self) -> Needs:
        """What the command needs."""
        return self.does.needs()

    def needs_more(self, book: Book) -> Needs:
        """What the command needs."""
        return self.does.needs_more(book)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Raises Refusal where the link does not hold any more, and for whatever the command is refused for."""
        unit = draft.get(UNITS, self.unit_id)
        if unit is None:
            raise Refusal(NO_INSTANCE, "The instance is gone.")
        if self.deadline <= now:
            raise Refusal(WRONG_STATE, f"This link ended at {rfc3339(self.deadline, rules.time_zone)}.")
        if deadline_of(unit) != self.deadline:
            raise Refusal(
                WRONG_STATE,
                f"{unit.id} does not end at {rfc3339(self.deadline, rules.time_zone)} any more, so this link is void.",
            )
        msgspec.structs.replace(self.does, by=self.by).decide(draft, rules, now)
        return True

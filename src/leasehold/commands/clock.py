"""Moving the virtual clock."""

from __future__ import annotations

from typing import ClassVar

from leasehold.commands.command import Command, Needs
from leasehold.domain.book import FACTS, Draft, Fact
from leasehold.domain.calendar import Instant, rfc3339
from leasehold.domain.refusal import BAD_VALUE, Refusal
from leasehold.domain.rules import Rules

VIRTUAL_NOW = "clock_at"
"""Sorts before all other facts: every batch under a virtual clock begins with the lock on it (``TABLES``)."""


class MoveClock(Command, frozen=True, kw_only=True):
    """Remember where the virtual clock stands, so that a restart goes on from there and never back."""

    answer: ClassVar[type] = bool
    moves_clock: ClassVar[bool] = True

    to: Instant

    def needs(self) -> Needs:
        """The clock's row."""
        yield FACTS, (VIRTUAL_NOW,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Write it down; raises Refusal where the clock stands later already, moved by whichever server."""
        stands = draft.get(FACTS, VIRTUAL_NOW)
        if stands is not None and self.to < int(stands.value):
            raise Refusal(
                BAD_VALUE,
                f"{rfc3339(self.to, rules.time_zone)} has passed: the clock shows "
                f"{rfc3339(Instant(int(stands.value)), rules.time_zone)} and only moves forward.",
                field="to",
            )
        draft.put(FACTS, Fact(VIRTUAL_NOW, str(self.to)))
        return True

"""Moving the virtual clock."""

from __future__ import annotations

from typing import ClassVar

from leasehold.commands.command import Command, Needs
from leasehold.domain.book import FACTS, Draft, Fact
from leasehold.domain.calendar import Instant
from leasehold.domain.rules import Rules

VIRTUAL_NOW = "virtual_now"


class MoveClock(Command, frozen=True, kw_only=True):
    """Remember where the virtual clock stands, so that a restart goes on from there and never back."""

    answer: ClassVar[type] = bool

    to: Instant

    def needs(self) -> Needs:
        """The clock's row."""
        yield FACTS, (VIRTUAL_NOW,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Write it down."""
        draft.put(FACTS, Fact(VIRTUAL_NOW, str(self.to)))
        return True

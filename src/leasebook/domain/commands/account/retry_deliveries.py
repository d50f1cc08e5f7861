"""Trying deliveries again before the service's clock says so: what a clock that stands still makes necessary."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import DELIVERY_QUEUES
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules


class Waits(msgspec.Struct, frozen=True):
    """A lane, and until when what is first in it waits after a failure; None: whenever that is."""

    hook_id: str
    lane: str
    next_at: Instant | None


class TryAgain(Command, frozen=True, kw_only=True):
    """Have what waits in some lanes after a failure be due now. Answers how many lanes there were.

    A lane that waits until another time than it is said to, is being tried, or has nothing any more is left alone.
    """

    answer: ClassVar[type] = int

    lanes: tuple[Waits, ...]

    def needs(self) -> Needs:
        """The lanes."""
        for one in self.lanes:
            yield DELIVERY_QUEUES, (one.hook_id, one.lane)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> int:  # noqa: ARG002
        """Nothing is sent earlier than the machine's time allows: whoever submits this has waited for that."""
        count = 0
        for one in self.lanes:
            lane = draft.get(DELIVERY_QUEUES, one.hook_id, one.lane)
            if lane is None or lane.next_at is None or lane.next_at <= now or lane.holder is not None:
                continue
            if one.next_at in (None, lane.next_at):
                draft.put(DELIVERY_QUEUES, msgspec.structs.replace(lane, next_at=now))
                count += 1
        return count

"""Retrying deliveries before their time on the store's clock, which may be virtual and paused."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import DELIVERY_QUEUES
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules


class Waits(msgspec.Struct, frozen=True):
    """A queue, and the time of its next attempt after a failure; None: any time."""

    hook_id: str
    lane: str
    next_at: Instant | None


class TryAgain(Command, frozen=True, kw_only=True):
    """Make the next attempt of some queues due now. Returns how many there were.

    A queue is left alone if its next attempt is at another time, if it is being delivered, or if it is empty.
    """

    answer: ClassVar[type] = int

    lanes: tuple[Waits, ...]

    def needs(self) -> Needs:
        """The queues."""
        for one in self.lanes:
            yield DELIVERY_QUEUES, (one.hook_id, one.lane)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> int:  # noqa: ARG002
        """Never sends too early: the caller submits this only after the wait has passed on the machine's clock."""
        count = 0
        for one in self.lanes:
            lane = draft.get(DELIVERY_QUEUES, one.hook_id, one.lane)
            if lane is None or lane.next_at is None or lane.next_at <= now or lane.holder is not None:
                continue
            if one.next_at in (None, lane.next_at):
                draft.put(DELIVERY_QUEUES, msgspec.structs.replace(lane, next_at=now))
                count += 1
        return count

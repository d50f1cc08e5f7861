"""Attempts to deliver: each sends one event to one receiver, and stores the outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import structlog

from leasebook.batch import Closed, Overloaded, Sequencer, Unavailable
from leasebook.domain.commands.account.delivery import DeliveryDone
from leasebook.domain.model.subscription import Delivery, Outcome, Subscription, too_late
from leasebook.domain.record.event import HOOK_CONFIRMING, Event
from leasebook.domain.values.calendar import Instant
from leasebook.notifications.paused_clock import RetryTimers
from leasebook.notifications.ports import Parcel, Sender
from leasebook.ports.clock import Clock
from leasebook.ports.queries.deliveries import Head
from leasebook.ports.queries.read_repository import EventPlace
from leasebook.ports.queries.tags import Names

log = structlog.get_logger()

STOP_S: Final = 2.0
"""How long a server that stops waits for attempts under way."""

Show = Callable[[str, EventPlace, Event, Names, frozenset[str] | None], bytes]
"""Writes an account's event as lists of events show it, with names beside ids, in JSON.

The last argument is for a subscription over other accounts: the types of events that its owner may not see. With None
the event is the account's own.
"""
Ended = Callable[[Delivery, bool], None]
"""Is called when nothing of an attempt is left, with its delivery and whether the receiver did not take it."""


class AttemptMeter(Protocol):
    """Where attempts are counted."""

    def delivery_tried(self, kind: str, result: str) -> None:
        """Count an attempt."""


class Attempts:
    """Runs attempts side by side. ``retry_timers``: those of a virtual clock."""

    def __init__(
        self,
        sequencer: Sequencer,
        clock: Clock,
        meter: AttemptMeter,
        senders: Mapping[str, Sender],
        show: Show,
        ended: Ended,
        *,
        holder: str,
        retry_timers: RetryTimers | None,
    ) -> None:
        self._sequencer = sequencer
        self._clock = clock
        self._meter = meter
        self._senders = senders
        self._show = show
        self._on_end = ended
        self._holder = holder
        self._retry_timers = retry_timers
        self._running: dict[asyncio.Task[None], Delivery] = {}
        self._failed: set[asyncio.Task[None]] = set()
        self._stopping = False

    def begin(
        self,
        hook: Subscription,
        head: Head,
        names: Names,
        now: Instant,
        *,
        hidden: frozenset[str] | None = frozenset(),
    ) -> None:
        """Begin an attempt on a delivery that this server has claimed; ``names`` are shown beside ids.

        ``hidden`` are the types of events that the owner of a subscription over several accounts may not see; None: it
        may see none at all.
        """
        task = asyncio.create_task(self._attempt(hook, head, names, now, hidden), name=f"delivery {head.delivery.id}")
        self._running[task] = head.delivery
        task.add_done_callback(self._ended)

    def stopping(self) -> None:
        """Note that the server stops: no outcome sets a timer for the next attempt any more."""
        self._stopping = True

    async def stop(self) -> None:
        """Give attempts under way a moment to end, put back the rest, and close the senders."""
        self._stopping = True
        attempts = dict(self._running)
        if attempts:
            _, late = await asyncio.wait(attempts, timeout=STOP_S)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
                await asyncio.gather(
                    *(self._note(attempts[task], Outcome("PutBack")) for task in late), return_exceptions=True
                )
        for sender in self._senders.values():
            await sender.close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        delivery = self._running.pop(task)
        failed = task in self._failed
        self._failed.discard(task)
        self._on_end(delivery, failed)
        if not task.cancelled() and task.exception() is not None:
            log.error("a delivery was tried, and what came of it is not written down", exc_info=task.exception())

    async def _attempt(
        self, hook: Subscription, head: Head, names: Names, now: Instant, hidden: frozenset[str] | None
    ) -> None:
        """Send one delivery, and note what came of it; its place is free once nothing of it is left."""
        outcome = await self._outcome(hook, head, names, now, hidden)
        if outcome.kind not in ("Delivered", "Dropped"):
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - it is one
            self._failed.add(task)
        self._meter.delivery_tried(hook.kind, outcome.kind)
        await self._note(head.delivery, outcome)
        sender = self._senders.get(hook.kind)
        if sender is not None:
            await sender.rest(hook)

    async def _outcome(
        self, hook: Subscription, head: Head, names: Names, now: Instant, hidden: frozenset[str] | None
    ) -> Outcome:
        if hook.status == "Deleting":
            return Outcome("Dropped", failure="The subscription was deleted.")
        if (hook.status == "Pending") != (head.event.type == HOOK_CONFIRMING):
            # Redelivered by hand, or asked for twice: an address is asked only while it is not confirmed.
            return Outcome("Dropped", failure="It is not what the subscription waits for.")
        if hidden is None:
            # The owner's rights ended since the claim. The next one pauses the subscription.
            return Outcome("PutBack")
        if head.is_foreign:
            return Outcome("Dropped", failure="It is of none of the subscription's projects.")
        if head.event.type in hidden:
            return Outcome("Dropped", failure="The policies of the subscription's owner do not show it any more.")
        late = too_late(head.event, now)
        if late is not None:
            return Outcome("Dropped", failure=late)
        sender = self._senders.get(hook.kind)
        if sender is None:
            return Outcome("Retry", failure="This server has no mail server to send with.")
        delivery = head.delivery
        place = EventPlace(delivery.page, delivery.line)
        body = self._show(head.account_id, place, head.event, names, hidden if hook.is_wide else None)
        try:
            return await sender.send(
                Parcel(hook, delivery, head.event, body, now, names.thing(head.account_id, head.event.unit_id))
            )
        except Exception as error:
            # An unexpected error must neither stop the others nor be taken for a success.
            log.exception("a delivery cannot be tried", delivery=delivery.id)
            return Outcome("Retry", failure=f"It could not be tried: {type(error).__name__}.")

    async def _note(self, delivery: Delivery, outcome: Outcome) -> None:
        """Write down what came of an attempt; where the store is away, the lease runs out and it is tried again."""
        command = DeliveryDone(
            hook_id=delivery.hook_id,
            lane=delivery.lane,
            page=delivery.page,
            line=delivery.line,
            holder=self._holder,
            outcome=outcome,
        )
        try:
            settled = await self._sequencer.submit(command)
        except (Unavailable, Overloaded, Closed) as error:
            log.warning("an attempt cannot be written down, so it will be made again", error=repr(error))
        else:
            if self._retry_timers is not None and settled is not None and not self._stopping:
                self._retry_timers.waits(settled, self._clock.now())

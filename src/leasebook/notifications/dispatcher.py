"""The dispatcher: turns events into deliveries, sends them, and stores their outcomes.

Nothing is sent inside a transaction. The dispatcher first takes a delivery with a lease; its outcome is a command
of its own. If a server dies in between, another one sends the delivery again under the same id. Each delivery
therefore arrives at least once, and receivers can recognize repetitions by the id.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Final, Protocol
from urllib.parse import urlsplit

import structlog

from leasebook.batch import Closed, OutageLog, Outdated, Overloaded, Sequencer, Unavailable
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import DELIVERY_QUEUES, METADATA
from leasebook.domain.commands.account.delivery import ClaimLanes, hidden_from_owner
from leasebook.domain.commands.account.subscription import EndHook
from leasebook.domain.model.resource.whereabouts import Whereabouts
from leasebook.domain.model.subscription import RECEIVING, Delivery, Subscription
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.notifications.attempts import AttemptMeter, Attempts, Show
from leasebook.notifications.enqueuer import Enqueuer
from leasebook.notifications.fair_queue import OF_HOOK_MAX, Due, Places, Turns
from leasebook.notifications.paused_clock import RetryTimers
from leasebook.notifications.ports import Sender
from leasebook.notifications.wide import Meter as WideMeter
from leasebook.ports.clock import Clock, wall_us
from leasebook.ports.queries.deliveries import Head, Working
from leasebook.ports.queries.read_repository import Reader, ReadRepository
from leasebook.ports.queries.tags import NO_NAMES, Names, names_in
from leasebook.ports.whereabouts import whereabouts_of

log = structlog.get_logger()

LOOK_EVERY_S: Final = 1.0
"""Never sleep longer: other servers write to the store, and the machine's clock may be set."""
LEASE_US: Final = 60 * SECOND_US
"""Longer than an attempt can take."""
COUNT_EVERY_S: Final = 10.0
NEVER: Final = Instant(2**62)
NOTHING: Final[frozenset[str]] = frozenset()
LANES_MAX: Final = 10_000
"""Upper bound on the queues of a subscription that a start under a virtual clock tries, the oldest first. The others
are tried when the clock moves."""


class Meter(AttemptMeter, WideMeter, Protocol):
    """Where deliveries are counted."""

    def deliveries_waiting(self, count: int, oldest_seconds: float) -> None:
        """Set how many deliveries wait, and how old the oldest is."""

    def attempts_under_way(self, quick: int, slow: int) -> None:
        """Set how many attempts are under way."""

    def delivery_deferred(self, limit: str, count: int) -> None:
        """Count deliveries that were due and waited for a place."""


def receiver_of(hook: Subscription) -> str:
    """Return the receiver of a subscription's deliveries: host and port of its URL, or the mail server."""
    if hook.status == "Deleting":
        return hook.id  # No receiver: its waiting deliveries are dropped.
    return "mail" if hook.kind == "Email" else urlsplit(hook.target).netloc.lower()


def _due(hook: Subscription, lane: str) -> Due:
    return Due(hook.id, lane, hook.account_id, receiver_of(hook))


def _named(ask: ReadRepository, lanes: Sequence[tuple[str, str]]) -> tuple[list[Head], Names]:
    """Return the first waiting delivery of each queue, and the names to show beside the ids in their events."""
    heads = ask.heads(lanes)
    return heads, names_in(ask, (head.event for head in heads))


def _within_projects(ask: ReadRepository, heads: list[Head], hooks: Mapping[str, Subscription]) -> list[Head]:
    """Return deliveries with their events as subscriptions for projects have them, without parts about other projects.

    The project of an event never changes, so only one that was redelivered by hand can be of none of the projects.
    """
    places: dict[str, Whereabouts] = {}
    found = []
    for head in heads:
        hook, delivery = hooks[head.delivery.hook_id], head.delivery
        if hook.projects:
            if hook.account_id not in places:
                places[hook.account_id] = whereabouts_of(ask, hook.account_id)
            event = hook.sees(head.event, (delivery.page, delivery.line), places[hook.account_id])
            found.append(head._replace(event=event or head.event, is_foreign=event is None))
        else:
            found.append(head)
    return found


def _run_us() -> int:
    return time.monotonic_ns() // 1000


class Dispatcher:
    """Sends deliveries; any number of dispatchers may work on one store.

    ``alone``: no other one does, so that a lease of another dispatcher is left over from a dead one.
    """

    def __init__(
        self,
        reader: Reader,
        sequencer: Sequencer,
        clock: Clock,
        meter: Meter,
        senders: Mapping[str, Sender],
        show: Show,
        *,
        holder: str,
        alone: bool,
        places: Places | None = None,
    ) -> None:
        self._reader = reader
        self._sequencer = sequencer
        self._clock = clock
        self._meter = meter
        self._holder = holder
        self._alone = alone
        self._soon = asyncio.Event()
        self._stopping = False
        self._spell = OutageLog(log)
        self._task: asyncio.Task[None] | None = None
        self._turns = Turns(places or Places())
        self._enqueuer = Enqueuer(reader, sequencer, alone=alone)
        self._counted_at = -COUNT_EVERY_S
        self._retry_timers = RetryTimers(sequencer) if clock.mode == "virtual" else None
        self._attempts = Attempts(
            sequencer, clock, meter, senders, show, self._ended, holder=holder, retry_timers=self._retry_timers
        )

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._run(), name="dispatcher")

    def committed(self, changes: Changes) -> None:
        """Wake up where there may be something to send."""
        if self._enqueuer.committed(changes) or DELIVERY_QUEUES in changes or METADATA in changes:
            self._soon.set()

    async def stop(self) -> None:
        """Give attempts under way a moment to end, and put back the rest."""
        self._stopping = True
        self._attempts.stopping()
        self._soon.set()
        if self._task is not None:
            await self._task
        if self._retry_timers is not None:
            self._retry_timers.stop()
        await self._attempts.stop()

    async def _run(self) -> None:
        is_begun = self._retry_timers is None
        while not self._stopping:
            self._soon.clear()
            try:
                if not is_begun:
                    await self._wake_all()
                    is_begun = True
                again = await self._turn()
                self._spell.ends()
            except (Closed, Outdated):
                return
            except (Unavailable, Overloaded) as error:
                self._spell.goes_on("deliveries wait for the store", error=repr(error))
                again = False
            except Exception:
                log.exception("deliveries cannot be made")
                again = False
            if not again and not self._stopping:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._soon.wait(), LOOK_EVERY_S)

    async def _wake_all(self) -> None:
        """Under a virtual clock: have tried what waits since before this start."""
        assert self._retry_timers is not None  # noqa: S101 - only then is it asked
        ids = [one.hook.id for one in await self._reader.read(lambda ask: ask.working_hooks())]
        self._retry_timers.begin(await self._reader.read(lambda ask: ask.due_lanes(ids, NEVER, None, LANES_MAX)))

    async def _turn(self) -> bool:
        """Do what there is to do now; returns whether to look again at once."""
        await self._count()
        working = await self._reader.read(lambda ask: ask.working_hooks())
        self._turns.keep({one.hook.id for one in working}, {one.hook.account_id for one in working}, _run_us())
        again = await self._enqueuer.turn(working, [one for one in working if one.hook.status in RECEIVING])
        return await self._begin_attempts(working) or again

    async def _count(self) -> None:
        loop_now = asyncio.get_running_loop().time()
        if loop_now - self._counted_at >= COUNT_EVERY_S:
            self._counted_at = loop_now
            count, since = await self._reader.read(lambda ask: ask.waiting_deliveries())
            age = 0.0 if since is None else max(0.0, (self._clock.now() - since) / SECOND_US)
            self._meter.deliveries_waiting(count, age)
        self._meter.attempts_under_way(*self._turns.counts(_run_us()))
        self._meter.accounts_behind(self._enqueuer.waiting)

    async def _begin_attempts(self, working: list[Working]) -> bool:
        """Take due deliveries, as many as have places; returns whether any was taken."""
        now = self._clock.now()
        machine_now = Instant(wall_us()) if self._clock.mode == "virtual" else None
        leased_until = None if self._alone else machine_now or now
        hooks = {one.hook.id: one.hook for one in working}
        worth = self._turns.worth_a_look((_due(hook, "") for hook in hooks.values()), _run_us())
        due: list[Due] = []
        for statuses, until in ((RECEIVING, now), (frozenset({"Deleting"}), NEVER)):
            ids = [hook.id for hook in hooks.values() if hook.status in statuses and hook.id in worth]
            if not ids:
                continue
            found = await self._reader.read(
                lambda ask, ids=ids, until=until: ask.due_lanes(ids, until, leased_until, 2 * OF_HOOK_MAX)  # type: ignore[misc]
            )
            due += [_due(hooks[hook_id], lane) for hook_id, lane in found]
            if statuses is not RECEIVING:
                await self._end(set(ids) - {hook_id for hook_id, _ in found})
        chosen = {one.key: one for one in self._turns.choose(due, _run_us())}
        for limit, count in self._turns.deferred.items():
            self._meter.delivery_deferred(limit, count)
        if not chosen:
            return False
        command = ClaimLanes(
            lanes=tuple(chosen),
            holder=self._holder,
            lease_us=LEASE_US,
            machine_now=machine_now,
            alone=self._alone,
            owners=tuple(sorted({hooks[hook_id].created_by for hook_id, _ in chosen if hooks[hook_id].goes_by_owner})),
        )
        claimed = await self._sequencer.submit(command)
        heads, names, hidden = await self._heads(claimed, hooks) if claimed else ([], NO_NAMES, {})
        if len(heads) < len(claimed):
            log.error("lanes say that something waits, and nothing does; run leasebook check", lanes=len(claimed))
        for head in heads:
            hook = hooks[head.delivery.hook_id]
            self._turns.begun(chosen[head.delivery.hook_id, head.delivery.lane], _run_us())
            unseen = hidden.get(hook.id) if hook.goes_by_owner else NOTHING
            self._attempts.begin(hook, head, names, now, hidden=unseen)
        return bool(heads)

    async def _heads(
        self, claimed: list[tuple[str, str]], hooks: Mapping[str, Subscription]
    ) -> tuple[list[Head], Names, dict[str, frozenset[str]]]:
        """Return the deliveries to send, the names in them, and by subscription the types that may not be sent.

        Of a subscription whose owner may see nothing any more there are no types.
        """
        owned = {hook_id: hooks[hook_id] for hook_id, _ in claimed if hooks[hook_id].goes_by_owner}

        def look(ask: ReadRepository) -> tuple[list[Head], Names, dict[str, frozenset[str]]]:
            owners = {one: ask.user(one) for one in sorted({hook.created_by for hook in owned.values()})}
            hidden = {hook.id: hidden_from_owner(hook, owners[hook.created_by]) for hook in owned.values()}
            heads, names = _named(ask, claimed)
            heads = _within_projects(ask, heads, hooks)
            return heads, names, {hook_id: types for hook_id, types in hidden.items() if types is not None}

        return await self._reader.read(look)

    async def _end(self, hook_ids: set[str]) -> None:
        """Note which deleted hooks have nothing left that waits."""
        for hook_id in hook_ids:
            if not self._turns.is_under_way(hook_id) and not await self._reader.read(
                lambda ask, hook_id=hook_id: ask.due_lanes([hook_id], NEVER, None, 1)  # type: ignore[misc]
            ):
                await self._sequencer.submit(EndHook(account_id="", hook_id=hook_id))

    def _ended(self, delivery: Delivery, failed: bool) -> None:  # noqa: FBT001 - the type Ended says what it is
        self._turns.ended((delivery.hook_id, delivery.lane), _run_us(), failed=failed)
        self._soon.set()

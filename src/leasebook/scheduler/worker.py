"""The worker that does what falls due: exactly once, in order, however late."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import structlog

from leasebook.batch import (
    DUE_DEFERRED,
    AuditContext,
    DueRequest,
    LockedOut,
    OutageLog,
    Outdated,
    Sequencer,
    Unavailable,
)
from leasebook.domain.book.changes import Changes
from leasebook.domain.commands.store.clock import MoveClock
from leasebook.domain.record.agenda import Due
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.domain.values.refusal import NOT_SUPPORTED, Refusal
from leasebook.ports.clock import Clock, VirtualClock
from leasebook.ports.queries.read_repository import Reader
from leasebook.scheduler.clock_watch import ClockWatch

log = structlog.get_logger()

LOOK_EVERY_S: Final = 1.0
"""Never sleep longer: the machine's clock may be set."""
SOON_S: Final = 0.01
"""Never sleep shorter: at a steady rate of due work each look finds several pieces of it."""
RETRY_S: Final = 5.0
"""How long due work that failed rests before it is tried again. It is never given up."""
LOCKED_RETRY_S: Final = 0.5
"""The same, where another session holds its rows: others' work is not kept by it, and its own waits no longer."""
NEVER: Final = Instant(2**62)


class Meter(Protocol):
    """Where due work is counted."""

    def due_done(self, kind: str, lateness_seconds: float) -> None:
        """Count one piece of due work, and how late it was done."""


class Scheduler:
    """Looks due work up, submits it, and sleeps until the next work is due.

    Any number of these may work on one store: work that another one has done is no longer due, and nothing happens.
    """

    def __init__(self, reader: Reader, sequencer: Sequencer, clock: Clock, meter: Meter) -> None:
        self._reader = reader
        self._sequencer = sequencer
        self._clock = clock
        self._meter = meter
        self._watch = ClockWatch(reader, sequencer, clock)
        self._turn = asyncio.Lock()
        self._sooner = asyncio.Event()
        self._sleeps_until: Instant | None = None
        self._resting: dict[Due, float] = {}
        self._patience_s = SOON_S
        self._stopping = False
        self._spell = OutageLog(log)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._run(), name="scheduler")
        self._watch.start()

    async def stop(self) -> None:
        """Finish the batch in hand and stop."""
        self._stopping = True
        self._sooner.set()
        if self._task is not None:
            await self._task
        await self._watch.stop()

    def committed(self, changes: Changes) -> None:
        """Wake up where something now falls due before the sleep would end."""
        if self._sleeps_until is not None and any(due.at < self._sleeps_until for due in changes.due_new):
            self._sooner.set()

    async def advance(self, to: Instant, note: AuditContext | None = None) -> None:
        """Move the virtual clock forward. Everything due up to then is done, in order, each at its own time.

        The ``note`` is the call that asks for it, written down where the clock arrives. Raises Refusal on a real
        clock, and for a time that has passed.
        """
        clock = self._clock
        if not isinstance(clock, VirtualClock):
            raise Refusal(NOT_SUPPORTED, "This server runs on the machine's clock; start it with --clock virtual.")
        async with self._turn:
            while done := await self._sequencer.do_due(DueRequest(until=to, moving=True)):
                errors = [item.error for item in done if item.error is not None]
                if errors:
                    raise errors[0]
                if not any(item.outcome is not None and item.outcome.answer for item in done):
                    raise RuntimeError(f"the agenda has work that no instance knows of; run leasebook check: {done[0]}")
                for item in done:
                    self._meter.due_done(item.due.kind.name.lower(), 0.0)
            await self._sequencer.submit(MoveClock(to=to), note=note)
            clock.moved(to)

    async def _run(self) -> None:
        while not self._stopping:
            try:
                async with self._turn:
                    again = await self._work()
                self._spell.ends()
                if again:
                    self._patience_s = SOON_S
                elif not self._stopping:
                    await self._sleep()
            except Outdated:
                return
            except Unavailable as error:
                self._spell.goes_on("due work waits for the store", error=str(error))
                await asyncio.sleep(LOOK_EVERY_S)
            except Exception:
                log.exception("due work cannot be done")
                await asyncio.sleep(LOOK_EVERY_S)

    async def _work(self) -> int:
        """Do a batch of due work; returns for how many pieces it is worth looking again at once.

        While the clock is paused the batch takes no work, and only reads the clock.
        """
        loop_now = asyncio.get_running_loop().time()
        self._resting = {due: until for due, until in self._resting.items() if until > loop_now}
        again = 0
        for item in await self._sequencer.do_due(DueRequest(resting=frozenset(self._resting))):
            if item.error is not None:
                self._rest(item.due, item.error)
            elif item.outcome is DUE_DEFERRED:
                again += 1
            elif item.outcome is not None and item.outcome.answer:
                again += 1
                self._meter.due_done(item.due.kind.name.lower(), (self._clock.now() - item.due.at) / SECOND_US)
        return again

    def _rest(self, item: Due, error: BaseException) -> None:
        if isinstance(error, LockedOut):
            self._resting[item] = asyncio.get_running_loop().time() + LOCKED_RETRY_S
            log.warning("due work waits for rows that are locked", unit_id=item.unit_id, kind=item.kind.name)
            return
        self._resting[item] = asyncio.get_running_loop().time() + RETRY_S
        log.error(
            "due work failed, it will be tried again", unit_id=item.unit_id, kind=item.kind.name, error=repr(error)
        )

    async def _sleep(self) -> None:
        """Sleep until the next work falls due, or until a commit makes work due sooner."""
        self._sooner.clear()
        # Until the next due time is known, whatever is made due meanwhile may be sooner.
        self._sleeps_until = NEVER
        try:
            first = await self._reader.read(lambda ask: ask.due(NEVER, len(self._resting) + 1))
            now = self._clock.now()
            wait = self._wait(next((item.at for item in first if item not in self._resting), None), now)
            self._sleeps_until = Instant(now + int(wait * SECOND_US))
            await asyncio.wait_for(self._sooner.wait(), wait)
        except TimeoutError:
            pass
        finally:
            self._sleeps_until = None

    def _wait(self, next_due: Instant | None, now: Instant) -> float:
        """Return for how many seconds to sleep where the next work falls due then."""
        if next_due is None or self._clock.mode == "virtual":
            return LOOK_EVERY_S
        if next_due > now:
            return min(LOOK_EVERY_S, max(SOON_S, (next_due - now) / SECOND_US))
        # It fell due since it was looked for; or another server is at it; or this machine's clock is ahead of the
        # store's. So look soon, and less and less soon while nothing comes of it.
        wait, self._patience_s = self._patience_s, min(2 * self._patience_s, LOOK_EVERY_S)
        return wait

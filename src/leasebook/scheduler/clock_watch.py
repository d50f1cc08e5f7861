"""Watching the clock that counts: the store remembers what it showed, and servers hear of each other's doubts."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog

from leasebook.batch import Closed, OutcomeUnknown, Overloaded, Sequencer, Unavailable
from leasebook.domain.commands.store.clock import CLOCK_SEEN, NoteClock
from leasebook.domain.record.clock_mark import ClockMark, read
from leasebook.domain.values.calendar import SECOND_US
from leasebook.ports.clock import Clock, RealClock
from leasebook.ports.queries.read_repository import Reader

log = structlog.get_logger()

LOOK_EVERY_S: Final = 1.0
NOTE_EVERY_S: Final = 15.0
"""So much of what was written is forgotten at most when a server is killed, and its clock set back before the next."""
APART_MAX_US: Final = 60 * SECOND_US
_LATER: Final = (Closed, Overloaded, Unavailable, OutcomeUnknown)


class ClockWatch:
    """Remembers what a real clock showed, and ends a doubt that another server has ended. A virtual one needs none."""

    def __init__(self, reader: Reader, sequencer: Sequencer, clock: Clock) -> None:
        self._reader = reader
        self._sequencer = sequencer
        self._clock = clock
        self._noted_at = float("-inf")
        self._doubts = False
        self._is_apart = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        if isinstance(self._clock, RealClock):
            self._task = asyncio.create_task(self._run(self._clock), name="clock-watch")

    async def stop(self) -> None:
        """Remember the last moment, and stop."""
        if self._task is None or not isinstance(self._clock, RealClock):
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        try:
            await self._note(self._clock)
        except Exception as error:  # noqa: BLE001 - the store may be gone, and then there is nothing to be done
            log.warning("the last moment of the clock is not remembered", error=repr(error))

    async def _run(self, clock: RealClock) -> None:
        while True:
            try:
                await self.look(clock)
            except _LATER as error:
                log.warning("the clock is watched without the store", error=str(error))
            except Exception:
                log.exception("the clock cannot be watched")
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self, clock: RealClock) -> None:
        """Look once. Raises what the store and the sequencer raise."""
        reason = clock.pause_reason()
        if reason is not None:
            if not self._doubts:
                log.error("due work is held", reason=reason)
                await self._note(clock)
            self._doubts = True
            mark = read(await self._reader.read(lambda ask: ask.fact(CLOCK_SEEN)))
            if mark is not None:
                clock.heed(mark)
            return
        if self._doubts:
            log.warning("due work is held no longer")
        if self._doubts or asyncio.get_running_loop().time() - self._noted_at >= NOTE_EVERY_S:
            self._doubts = False
            await self._note(clock)
        self._compare(clock)

    async def _note(self, clock: RealClock) -> None:
        mark = clock.mark()
        if mark is None:
            return
        self._noted_at = asyncio.get_running_loop().time()
        known: ClockMark = await self._sequencer.submit(NoteClock(mark=mark))
        clock.heed(known)

    def _compare(self, clock: RealClock) -> None:
        """Say in the log that this machine's clock is wrong, where another one counts: signatures go by it."""
        apart = clock.apart_us()
        if clock.shared and (abs(apart) > APART_MAX_US) is not self._is_apart:
            self._is_apart = not self._is_apart
            say = log.warning if self._is_apart else log.info
            say(
                "the machine's clock, by which signatures are checked, and the database's differ",
                ahead_seconds=apart // SECOND_US,
            )

"""Deleting the counts by the minute that are no longer shown, of all services and apps, however seldom they are called.

The next count of an app deletes the minutes of two days before (``CountCalls``). Only steady callers are kept tidy so.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog

from leasebook.batch import Closed, OutcomeUnknown, Outdated, Overloaded, Sequencer, Unavailable
from leasebook.domain.commands.service.usage import ForgetMinutes, shown_since
from leasebook.ports.clock import Clock
from leasebook.ports.queries.read_repository import Reader
from leasebook.ports.queries.service_calls import BEFORE_ALL

log = structlog.get_logger()

LOOK_EVERY_S: Final = 10.0
LOOK_MAX: Final = 1000
"""Hours of apps that one look reads, in the order of their key: so it needs no index, and takes a few milliseconds."""
DELETE_MAX: Final = 200
"""Hours in one command: few enough that no caller waits noticeably for their batch."""
REST_S: Final = 600.0
"""How long it rests when it has seen all: minutes grow old by the hour."""
_LATER: Final = (Closed, Overloaded, Unavailable, OutcomeUnknown)


class OldMinutes:
    """Looks through the counts of calls, a part at a time, again and again. Several servers may do so at once."""

    def __init__(self, reader: Reader, sequencer: Sequencer, clock: Clock) -> None:
        self._reader = reader
        self._sequencer = sequencer
        self._clock = clock
        self._after = BEFORE_ALL
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run(), name="old-minutes")

    async def stop(self) -> None:
        """Stop. The next server that runs deletes the rest."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                if not await self.look():
                    await asyncio.sleep(REST_S)
            except Outdated:
                return
            except _LATER as error:
                log.info("old minutes of calls are deleted later", reason=str(error))
            except Exception:
                log.exception("old minutes of calls cannot be deleted")

    async def look(self) -> bool:
        """Look through the next counts; returns whether there are more. Raises what reader and sequencer raise."""
        after = self._after
        seen = await self._reader.read(lambda ask: ask.usage_after(after, LOOK_MAX))
        before = shown_since(self._clock.now())
        old = tuple(one.key for one in seen if one.has_minutes and one.key.hour < before)
        for first in range(0, len(old), DELETE_MAX):
            await self._sequencer.submit(ForgetMinutes(hours=old[first : first + DELETE_MAX]))
        self._after = seen[-1].key if len(seen) == LOOK_MAX else BEFORE_ALL
        return self._after != BEFORE_ALL

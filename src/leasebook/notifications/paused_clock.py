"""Retries by the machine's clock while the service's clock is virtual.

A receiver fails in real time and is retried in real time. Under a virtual clock a waiting delivery is due as soon as
either clock reaches its time: moving the service's clock makes it due at once, and without that it is still retried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from leasebook.batch import Closed, OutcomeUnknown, Outdated, Overloaded, Sequencer, Unavailable
from leasebook.domain.commands.account.retry_deliveries import TryAgain, Waits
from leasebook.domain.model.subscription import Delivery
from leasebook.domain.values.calendar import SECOND_US, Instant

log = structlog.get_logger()

AGAIN_S: Final = 5.0
"""Pause before the next try if the store did not take the command, in seconds."""
AT_ONCE: Final = 1000


def call_later(seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
    """Call a function after ``seconds`` of the machine's time."""
    return asyncio.get_running_loop().call_later(seconds, call)


class RetryTimers:
    """The timers of deliveries that wait after a failure. They end with the process; a start tries all of them."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer
        self._timers: set[asyncio.TimerHandle] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def waits(self, delivery: Delivery, now: Instant) -> None:
        """Retry a delivery after the same wait in the machine's time that it has in the service's time."""
        if delivery.state == "Waiting" and delivery.next_at is not None:
            wait_s = max(0, delivery.next_at - now) / SECOND_US
            self._later(wait_s, (Waits(delivery.hook_id, delivery.lane, delivery.next_at),))

    def begin(self, lanes: Iterable[tuple[str, str]]) -> None:
        """Try delivery queues that wait since an earlier run: how long in the machine's time is not known."""
        waiting = [Waits(hook_id, lane, None) for hook_id, lane in lanes]
        for first in range(0, len(waiting), AT_ONCE):
            self._begin(tuple(waiting[first : first + AT_ONCE]))

    def stop(self) -> None:
        """Forget everything."""
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()

    def _later(self, seconds: float, lanes: tuple[Waits, ...]) -> None:
        def ring() -> None:
            self._timers.discard(timer)
            self._begin(lanes)

        timer = call_later(seconds, ring)
        self._timers.add(timer)

    def _begin(self, lanes: tuple[Waits, ...]) -> None:
        task = asyncio.create_task(self._try_again(lanes), name="try again")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _try_again(self, lanes: tuple[Waits, ...]) -> None:
        try:
            await self._sequencer.submit(TryAgain(lanes=lanes))
        except (Closed, Outdated):
            return
        except (Unavailable, OutcomeUnknown, Overloaded) as error:
            log.warning("deliveries wait for the store", error=repr(error))
            self._later(AGAIN_S, lanes)

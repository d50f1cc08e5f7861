"""Refuses calls in an overload at a bounded rate: clients that retry at once must not cost more than served ones."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from leasebook.batch import Overloaded

AT_ONCE: Final = 100
"""How many calls are refused at once after a quiet time."""
A_SECOND: Final = 500
"""Refusals per second beyond that. At about 0.1 ms each they take a twentieth of the server's time."""
WAIT_S: Final = 2.0
"""Upper bound on the wait for a refusal: the rate rises if the queue would take longer than this; in seconds."""
TICK_S: Final = 0.02


class Refuser:
    """Refuses calls for which there is no room, at once while they are few, and evenly while they are many.

    A refusal goes through the whole loop, as an answer does: where thousands are refused at once and come again at
    once, the loop has time for nothing else. One that waits for its refusal costs a place in a line.
    """

    def __init__(self, *, at_once: int = AT_ONCE, a_second: int = A_SECOND) -> None:
        self._most = float(at_once)
        self._tokens = float(at_once)
        self._a_second = a_second
        self._filled_at = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._ticks = False

    def __len__(self) -> int:
        return len(self._waiting)

    def refuse(self, call: asyncio.Future[None]) -> None:
        """Have a call fail with Overloaded, now or soon."""
        loop = asyncio.get_running_loop()
        self._fill(loop.time())
        if not self._waiting and self._tokens >= 1:
            self._tokens -= 1
            _fail(call)
            return
        self._waiting.append(call)
        if not self._ticks:
            self._ticks = True
            loop.call_later(TICK_S, self._tick, loop)

    def _fill(self, now: float) -> None:
        self._tokens = min(self._most, self._tokens + (now - self._filled_at) * self._a_second)
        self._filled_at = now

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        # Where a turn of the loop took long, nothing is made up for: there is least time for refusals just then.
        share = max(self._a_second * TICK_S, len(self._waiting) * TICK_S / WAIT_S)
        for _ in range(min(len(self._waiting), int(share))):
            _fail(self._waiting.popleft())
        # A new call must not be refused before those that wait already.
        self._tokens, self._filled_at = 0.0, loop.time()
        self._ticks = bool(self._waiting)
        if self._ticks:
            loop.call_later(TICK_S, self._tick, loop)


def _fail(call: asyncio.Future[None]) -> None:
    # The caller may have gone meanwhile.
    if not call.done():
        call.set_exception(Overloaded())

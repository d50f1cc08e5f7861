"""Refusing an overload at a measured pace: whoever comes again at once must not cost more than being served would."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from leasebook.batch import Overloaded

AT_ONCE: Final = 100
"""So many are refused right away after a rest."""
A_SECOND: Final = 500
"""Beyond that so many a second: at some 0.1 ms each a twentieth of what the server can do."""
WAIT_S: Final = 2.0
"""But of those who wait for a refusal at least so many are refused that a line of them is gone in this time."""
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
        # Who comes after a crowd is not refused before those of the crowd who came first.
        self._tokens, self._filled_at = 0.0, loop.time()
        self._ticks = bool(self._waiting)
        if self._ticks:
            loop.call_later(TICK_S, self._tick, loop)


def _fail(call: asyncio.Future[None]) -> None:
    # Whoever has gone meanwhile is told nothing.
    if not call.done():
        call.set_exception(Overloaded())

"""A memory budget for the bodies of calls: a body beyond it is read only when there is room."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from typing import Final

from leasebook.api.asgi import Headers
from leasebook.batch import Overloaded

SMALL: Final = 16 * 1024
"""A body of up to this many bytes needs no room in the budget; every connection may use that much memory."""


def announced(headers: Headers, most: int) -> int:
    """Return how many bytes a body has by its head; ``most`` for one in chunks, whose head does not say."""
    size = 0
    for name, value in headers:
        # Nineteen digits say enough, and thousands would take long to read.
        if name == b"content-length" and value.isdigit():
            size = max(size, int(value[:19]))
        elif name == b"transfer-encoding":
            size = max(size, most)
    return size


class Room:
    """Room for a body, from before it is read until the call is answered."""

    __slots__ = ("_bodies", "_party", "_size")

    def __init__(self, bodies: Bodies, party: str, size: int) -> None:
        self._bodies = bodies
        self._party = party
        self._size = size

    def leave(self) -> None:
        """Give it back."""
        self._bodies.leave(self._party, self._size)


class Bodies:
    """Shares the budget: bodies of one account in their order, and accounts in turn.

    One account gets at most half of it, so that it cannot block the others by sending slowly. While the budget is
    unused, a body of any size has room.
    """

    def __init__(self, most: int, wait_s: float) -> None:
        """``most`` is in bytes. A call that waits longer than ``wait_s`` seconds is refused and may be repeated."""
        self._most = most
        self._wait_s = wait_s
        self._used = 0
        self._of: Counter[str] = Counter()
        self._lines: OrderedDict[str, deque[tuple[int, asyncio.Future[None]]]] = OrderedDict()

    @property
    def used(self) -> int:
        """How many bytes of the budget are in use."""
        return self._used

    @property
    def waiting(self) -> int:
        """How many calls wait for room."""
        return sum(not future.done() for line in self._lines.values() for _, future in line)

    async def room(self, party: str, size: int) -> Room:
        """Wait until an account may have ``size`` bytes, and take them. Raises Overloaded after ``wait_s`` seconds."""
        if not self._lines and self._fits(size) and self._is_fair(party, size):
            self._take(party, size)
            return Room(self, party, size)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(party, deque()).append((size, future))
        self._next()
        try:
            async with asyncio.timeout(self._wait_s):
                await future
        except BaseException as error:
            if future.done() and not future.cancelled():
                self.leave(party, size)
            else:
                # A line whose first has gone may go on.
                self._next()
            if isinstance(error, TimeoutError):
                raise Overloaded from None
            raise
        return Room(self, party, size)

    def leave(self, party: str, size: int) -> None:
        """Take room back, and give it to the next body."""
        self._used -= size
        self._of[party] -= size
        if not self._of[party]:
            del self._of[party]
        self._next()

    def _fits(self, size: int) -> bool:
        return not self._used or self._used + size <= self._most

    def _is_fair(self, party: str, size: int) -> bool:
        has = self._of.get(party, 0)
        return not has or has + size <= self._most // 2

    def _take(self, party: str, size: int) -> None:
        self._used += size
        self._of[party] += size

    def _next(self) -> None:
        """Give room to those who wait, one of each account in turn."""
        passed = 0
        while self._lines and passed < len(self._lines):
            party, line = next(iter(self._lines.items()))
            while line and line[0][1].done():
                line.popleft()
            if not line:
                del self._lines[party]
                continue
            size, future = line[0]
            if not self._is_fair(party, size):
                # It waits for its own; the others need not.
                self._lines.move_to_end(party)
                passed += 1
                continue
            if not self._fits(size):
                # Later bodies do not overtake: a large body would wait for ever beside small ones.
                return
            line.popleft()
            self._take(party, size)
            future.set_result(None)
            self._lines.move_to_end(party)
            passed = 0

"""The queue for the next batch: callers, a line for each party, and requests to do due work."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from leasebook.batch.ports import Closed, DueDone, DueRequest, Overloaded
from leasebook.batch.waiting import WaitingCall

T = TypeVar("T")

OURS: None = None
"""The party of the service's own commands: engines' reports, deliveries, counts of calls. It waits like any other."""


class FairQueue(Generic[T]):
    """A queue with one line for each party. The parties are served in turn; within a party the first comes first.

    No party starves: an item is reached after at most as many turns as there are parties ahead of its own.
    """

    def __init__(self, length_max: int) -> None:
        """Hold at most ``length_max`` items. The item that is one too many is taken from the longest line."""
        self._length_max = length_max
        self._lines: OrderedDict[str | None, deque[T]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def parties(self) -> int:
        """How many parties wait."""
        return len(self._lines)

    def put(self, party: str | None, item: T) -> T | None:
        """Add an item to the end of its party's line; returns the item there is no room for, perhaps this one.

        That is the last item of the longest line, so that one party fills the queue only while no other needs it.
        """
        line = self._lines.get(party)
        if line is None:
            line = self._lines[party] = deque()
        line.append(item)
        self._length += 1
        if self._length <= self._length_max:
            return None
        longest = max(self._lines, key=lambda name: (len(self._lines[name]), name == party))
        return self._drop_last(longest)

    def requeue(self, party: str | None, items: Iterable[T]) -> None:
        """Put items that could not be served back to the front of their party's line, whatever the length."""
        back = list(items)
        if back:
            self._lines.setdefault(party, deque()).extendleft(reversed(back))
            self._length += len(back)

    def take(self, most: int, share: int) -> list[T]:
        """Take at most ``most`` items, one of each party in turn, and at most ``share`` of one while others wait.

        The next call goes on with the party at which this one stopped.
        """
        if len(self._lines) == 1:
            return self._take_line(next(iter(self._lines)), most)
        taken: list[T] = []
        had: dict[str | None, int] = {}
        while len(taken) < most and self._lines:
            party = next(iter(self._lines))
            if had.get(party, 0) >= share:
                break
            taken.append(self._lines[party].popleft())
            self._length -= 1
            had[party] = had.get(party, 0) + 1
            if self._lines[party]:
                self._lines.move_to_end(party)
            else:
                del self._lines[party]
        return taken

    def drain(self) -> Iterator[T]:
        """Take every item, without regard to shares."""
        while self._lines:
            yield from self._take_line(next(iter(self._lines)), self._length)

    def _take_line(self, party: str | None, most: int) -> list[T]:
        line = self._lines[party]
        if most >= len(line):
            del self._lines[party]
            self._length -= len(line)
            return list(line)
        self._length -= most
        return [line.popleft() for _ in range(most)]

    def _drop_last(self, party: str | None) -> T:
        line = self._lines[party]
        item = line.pop()
        self._length -= 1
        if not line:
            del self._lines[party]
        return item


DueReply = asyncio.Future[list[DueDone]]
"""Gets what became of a request for due work."""


class CommandQueue:
    """The queue from which the sequencer's loop takes its batches, and the signal that wakes the loop.

    Once it is closed it accepts nothing more; everything accepted before can still be taken.
    """

    def __init__(self, length_max: int, share_max: int) -> None:
        """Hold at most ``length_max`` callers; a batch takes at most ``share_max`` of one party while others wait."""
        self._callers: FairQueue[WaitingCall] = FairQueue(length_max)
        self._share_max = share_max
        self._due: deque[tuple[DueRequest, DueReply]] = deque()
        self._wake = asyncio.Event()
        self._called_at = float("-inf")
        self._stalled: Callable[[], Exception] | None = None
        self.is_closed = False

    def put(self, call: WaitingCall) -> None:
        """Let a caller wait for a batch. Raises Closed; one caller too many, perhaps another one, gets Overloaded.

        Raises the error of ``stall`` while that holds.
        """
        self._require_open()
        surplus = self._callers.put(call.party, call)
        if surplus is not None:
            surplus.fail(Overloaded())
        self._called_at = time.monotonic()
        self._wake.set()

    def requeue(self, party: str | None, calls: Sequence[WaitingCall]) -> None:
        """Let callers of a party be the first of it to be taken, because the rows that they waited for are free."""
        self._callers.requeue(party, calls)
        self._wake.set()

    def put_due(self, request: DueRequest) -> DueReply:
        """Let a request for due work wait for a batch; returns the future of its reply. Raises as ``put`` does."""
        self._require_open()
        reply: DueReply = asyncio.get_running_loop().create_future()
        self._due.append((request, reply))
        self._wake.set()
        return reply

    def take(self, most: int) -> list[WaitingCall]:
        """Take at most ``most`` callers, in fair order."""
        return self._callers.take(most, self._share_max)

    def take_due(self) -> tuple[DueRequest, DueReply] | tuple[None, None]:
        """Take the oldest request for due work."""
        return self._due.popleft() if self._due else (None, None)

    @property
    def callers(self) -> int:
        """How many callers wait."""
        return len(self._callers)

    @property
    def is_empty(self) -> bool:
        """Whether neither a caller nor a request for due work waits."""
        return not self._callers and not self._due

    @property
    def since_last_call_s(self) -> float:
        """Seconds since the last caller came; infinite before the first."""
        return time.monotonic() - self._called_at

    def wake(self) -> None:
        """Let the loop look for work."""
        self._wake.set()

    def sleep(self) -> None:
        """Let ``work`` wait from now on, until there is more to do."""
        self._wake.clear()

    def work(self) -> Awaitable[object]:
        """Return what to await before the next batch; it ends at once where the loop was woken since ``sleep``."""
        return self._wake.wait()

    def _require_open(self) -> None:
        if self.is_closed:
            raise Closed
        if self._stalled is not None:
            raise self._stalled()

    def stall(self, error: Callable[[], Exception]) -> None:
        """Give a new ``error`` to everything that waits, and to what comes from now on, until ``resume``."""
        self._stalled = error
        self._fail_all(error)

    def resume(self) -> None:
        """Accept callers again."""
        self._stalled = None

    def close(self) -> None:
        """Accept nothing more, and wake the loop so that it can finish."""
        self.is_closed = True
        self._wake.set()

    def refuse_all(self) -> None:
        """Close, and give Closed to everything that waits: there are no more batches."""
        self.close()
        self._fail_all(Closed)

    def _fail_all(self, error: Callable[[], Exception]) -> None:
        for call in self._callers.drain():
            call.fail(error())
        while self._due:
            reply = self._due.popleft()[1]
            if not reply.done():
                reply.set_exception(error())

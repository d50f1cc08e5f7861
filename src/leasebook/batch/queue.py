"""Who waits, by party, and whose turn it is."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

OURS: None = None
"""The party of what this service does by itself: engines' reports, deliveries, counts of calls. It waits like any."""


class CommandQueue(Generic[T]):
    """What waits, one line for each party; turns go round, and within a party the first comes first.

    Nobody starves: whoever waits is reached in as many turns as there are parties before them in the round.
    """

    def __init__(self, length_max: int) -> None:
        """Hold at most so many; what is too much is taken from the longest line."""
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
        """Let it wait at the end of its party's line; returns whom there is no room for, which may be itself.

        That is the last of the longest line: one party fills the queue only while nobody else wants in.
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

    def put_back(self, party: str | None, items: Iterable[T]) -> None:
        """Let those go first in their party's line who had their turn in vain; there is always room for them."""
        back = list(items)
        if back:
            self._lines.setdefault(party, deque()).extendleft(reversed(back))
            self._length += len(back)

    def take(self, most: int, share: int) -> list[T]:
        """Take at most so many, one of each party in turn, and of one party at most ``share`` while others wait.

        The next time the round goes on where it stopped.
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
        """Take everybody, whatever their share."""
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

"""When engines end replicas by themselves: told in durations, and moved on for as long as somebody looks after them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from leasebook.domain.model.replica import Replica
from leasebook.domain.replicas.planner import MoveDeadline, Observation
from leasebook.domain.values.calendar import MINUTE_US, SECOND_US
from leasebook.reconciler.ports import Time

APART_MAX_US: Final = 5 * SECOND_US
"""An engine is told again where it would end a replica so much earlier or later than the books say."""
HELD_US: Final = 5 * MINUTE_US
"""While due work is held a replica has so long at least, where nothing else is said: its release waits, too."""
REMEMBERED_MAX: Final = 100_000
RUNNING: Final = frozenset({"Starting", "Ready", "Unhealthy"})


class Deadlines:
    """Turns moments of the store's clock into durations, and remembers what engines were told.

    An engine counts on the time since its machine started. What it was told is right for as long as the clock of the
    store goes as fast as that one; where that was set, or is held, the engine is told anew. ``held_us``: so long a
    replica has at least while due work is held.
    """

    def __init__(self, time: Time, held_us: int | None = None) -> None:
        self._time = time
        self._held_us = held_us or HELD_US
        self._told: dict[str, int | None] = {}
        """By name, when the engine ends it, in microseconds since this machine started."""

    def left_s(self, deadline: int | None) -> float | None:
        """Return in how many seconds an engine is to end what has this deadline; None: never."""
        if deadline is None:
            return None
        left_us = deadline - self._time.wall()
        return (max(left_us, self._held_us) if self._time.is_held() else left_us) / SECOND_US

    def told(self, name: str, seconds: float | None) -> None:
        """Remember what an engine was told just now."""
        if len(self._told) >= REMEMBERED_MAX:
            self._told.clear()
        self._told[name] = None if seconds is None else self._time.boot_us() + int(seconds * SECOND_US)

    def forget(self, name: str) -> None:
        """Forget one that has ended."""
        self._told.pop(name, None)

    def stale(self, rows: Iterable[Replica], sights: Mapping[str, Observation]) -> Iterator[MoveDeadline]:
        """Yield what engines are to be told anew of what they show, though the books say what they said."""
        for row in rows:
            sight = sights.get(row.engine)
            is_seen = sight is not None and sight.seen is not None and row.name in sight.seen
            if row.state in RUNNING and is_seen and self._is_stale(row):
                yield MoveDeadline(row, row)

    def _is_stale(self, row: Replica) -> bool:
        if row.name not in self._told:
            # Nobody knows what those who were here before us said, and when.
            return row.deadline is not None
        told = self._told[row.name]
        if row.deadline is None or told is None:
            return told is not row.deadline
        ends = self._time.boot_us() + row.deadline - self._time.wall()
        if self._time.is_held():
            return told < max(ends - APART_MAX_US, self._time.boot_us() + self._held_us // 2)
        return abs(told - ends) > APART_MAX_US

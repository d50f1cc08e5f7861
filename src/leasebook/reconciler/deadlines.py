"""Dead-man deadlines: when an engine ends a replica by itself. A live worker keeps moving them into the future."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from leasebook.domain.model.replica import Replica
from leasebook.domain.replicas.planner import MoveDeadline, Observation
from leasebook.domain.values.calendar import MINUTE_US, SECOND_US
from leasebook.reconciler.ports import Time

APART_MAX_US: Final = 5 * SECOND_US
"""Greatest difference between an engine's deadline and the stored one; beyond it the engine gets the new one."""
PAUSED_US: Final = 5 * MINUTE_US
"""Default for the least time that a replica has left while due work is paused: its release is paused too."""
REMEMBERED_MAX: Final = 100_000
RUNNING: Final = frozenset({"Starting", "Ready", "Unhealthy"})


class Deadlines:
    """Turns deadlines of the store's clock into durations for engines, and remembers the ones that engines have.

    An engine measures by the time since its machine started. Its deadline stays right while the store's clock runs as
    fast as that. If the store's clock was set or is paused, the engine gets a new one. ``paused_us`` is the least
    time in microseconds that a replica has left while due work is paused.
    """

    def __init__(self, time: Time, paused_us: int | None = None) -> None:
        self._time = time
        self._paused_us = paused_us or PAUSED_US
        self._in_engine: dict[str, int | None] = {}
        """By name, when the engine ends a replica, in microseconds since this machine started; None: never."""

    def left_s(self, deadline: int | None) -> float | None:
        """Return the seconds until a deadline of the store's clock; None: there is no deadline."""
        if deadline is None:
            return None
        left_us = deadline - self._time.wall()
        return (max(left_us, self._paused_us) if self._time.is_paused() else left_us) / SECOND_US

    def set_in_engine(self, name: str, seconds: float | None) -> None:
        """Remember that the engine will end a replica after ``seconds`` from now; None: never."""
        if len(self._in_engine) >= REMEMBERED_MAX:
            self._in_engine.clear()
        self._in_engine[name] = None if seconds is None else self._time.boot_us() + int(seconds * SECOND_US)

    def forget(self, name: str) -> None:
        """Forget one that has ended."""
        self._in_engine.pop(name, None)

    def stale(self, rows: Iterable[Replica], sights: Mapping[str, Observation]) -> Iterator[MoveDeadline]:
        """Yield a step for each running replica whose engine has a deadline that differs from the stored one."""
        for row in rows:
            sight = sights.get(row.engine)
            is_seen = sight is not None and sight.seen is not None and row.name in sight.seen
            if row.state in RUNNING and is_seen and self._is_stale(row):
                yield MoveDeadline(row, row)

    def _is_stale(self, row: Replica) -> bool:
        if row.name not in self._in_engine:
            # An earlier worker may have set any deadline.
            return row.deadline is not None
        in_engine = self._in_engine[row.name]
        if row.deadline is None or in_engine is None:
            return in_engine is not row.deadline
        ends = self._time.boot_us() + row.deadline - self._time.wall()
        if self._time.is_paused():
            return in_engine < max(ends - APART_MAX_US, self._time.boot_us() + self._paused_us // 2)
        return abs(in_engine - ends) > APART_MAX_US

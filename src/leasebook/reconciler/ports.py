"""The interfaces that the reconciler needs, and its timing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

import msgspec

from leasebook.batch import Closed, Overloaded, Unavailable
from leasebook.domain.commands.command import Command
from leasebook.domain.model.engine_capacity import TypeCapacity
from leasebook.ports.clock import Clock, SteadyWall, boot_us
from leasebook.ports.queries.read_repository import ReadRepository

T = TypeVar("T")

LATER: Final = (Closed, Overloaded, Unavailable)
"""Errors of a sequencer that cannot decide now. The reconciler then plans again."""
RETRY_S: Final = 0.5
"""Pause before work that failed is tried again, in seconds."""


class Books(Protocol):
    """Decides commands; the sequencer does."""

    async def submit(self, command: Command) -> Any:
        """Submit a command; returns its answer after the commit."""


class Reader(Protocol):
    """Runs queries."""

    async def read(self, question: Callable[[ReadRepository], T], *, long: bool = False, party: str | None = None) -> T:
        """Run a query on committed rows."""
        ...


class Time(Protocol):
    """The clocks for replicas, which run in real time even if the service's clock is virtual. None of them jumps."""

    def wall(self) -> int:
        """Return microseconds since 1970 UTC: the store's time where that is real, so that all servers agree on it."""
        ...

    def boot_us(self) -> int:
        """Return microseconds since this machine started, including suspended time."""
        ...

    def is_paused(self) -> bool:
        """Whether due work waits because the clock is in doubt."""
        ...

    def service_now(self) -> int:
        """Return the service's time, by which instances are paid, in microseconds since 1970 UTC; also a virtual one.

        The same as ``wall`` where there is no other.
        """
        return self.wall()

    def steady(self) -> float:
        """Return seconds of a clock that cannot be set."""
        ...


class MachineTime(Time):
    """A real clock's time; under a virtual one, or none, the machine's as it was at the start, moved on since."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock if clock is not None and clock.mode == "real" else None
        self._service_clock = clock
        self._steady_wall = SteadyWall()

    def wall(self) -> int:
        """Return microseconds since 1970 UTC."""
        return self._steady_wall() if self._clock is None else self._clock.now()

    def boot_us(self) -> int:
        """Return microseconds since this machine started."""
        return boot_us()

    def is_paused(self) -> bool:
        """Whether due work waits."""
        return self._clock is not None and self._clock.pause_reason() is not None

    def service_now(self) -> int:
        """Return microseconds since 1970 UTC of the service's clock."""
        return self.wall() if self._service_clock is None else self._service_clock.now()

    def steady(self) -> float:
        """Return seconds since some moment."""
        return time.monotonic()


class Meter(Protocol):
    """Counts the work for metrics."""

    def step_done(self, step: str, seconds: float) -> None:
        """Count a step and how long it took."""

    def orphan_stopped(self, engine: str) -> None:
        """Count a stopped replica that no row asks for."""

    def engine_reachable(self, engine: str, *, reachable: bool) -> None:
        """Set whether an engine can be asked."""

    def unserved(self, by_engine: Mapping[str, int]) -> None:
        """Set how many replicas of each engine no worker can manage; an engine that is left out has none."""

    def stock_counted(self, engine: str, stocks: Mapping[str, TypeCapacity]) -> None:
        """Set an engine's capacity for each type, and the stock that is offered of it."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Intervals and timeouts, in seconds.

    - ``lease_s``: a worker whose beat has not moved for this long is dead, and others take its leases. A worker beats
      five times in this time, and stops acting after half of it without a successful beat.
    - ``look_s``: between two looks at all instances.
    - ``observe_s``: between two observations of an engine; ``busy_s``: the same while replicas start or stop.
    - ``call_s``: timeout of a call to an engine.
    - ``again_s``: least time between two identical requests to an engine.
    - ``calls_max``: greatest number of calls to one engine at a time.
    - ``count_s``: between two questions for an engine's capacity. An unchanged capacity is reported every
      ``count_keep_s`` seconds, so that its age is known.
    - ``gone_s``: a node whose worker has been dead for this long counts no longer as stock.
    """

    lease_s: float = 15.0
    look_s: float = 1.0
    observe_s: float = 1.0
    busy_s: float = 0.1
    call_s: float = 30.0
    again_s: float = 2.0
    calls_max: int = 32
    count_s: float = 10.0
    count_keep_s: float = 60.0
    gone_s: float = 600.0

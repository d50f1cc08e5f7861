"""What the reconciler asks of others, and what it may take for granted."""

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
"""What the sequencer says where it cannot decide now; everything is planned anew then."""
RETRY_S: Final = 0.5
"""Pause before work that failed is tried again, in seconds."""


class Books(Protocol):
    """Who decides commands; the sequencer."""

    async def submit(self, command: Command) -> Any:
        """Have a command decided; returns its answer after the commit."""


class Reader(Protocol):
    """Who answers questions."""

    async def read(self, question: Callable[[ReadRepository], T], *, long: bool = False, party: str | None = None) -> T:
        """Answer from what is committed."""
        ...


class Time(Protocol):
    """What time it is for what runs, which does not stand still with a virtual clock. None of it jumps."""

    def wall(self) -> int:
        """Return microseconds since 1970 UTC: the store's time where that is real, so that all servers agree on it."""
        ...

    def boot_us(self) -> int:
        """Return microseconds since this machine started, those included in which it slept."""
        ...

    def is_held(self) -> bool:
        """Whether due work waits because the clock is in doubt."""
        ...

    def steady(self) -> float:
        """Return seconds that nobody sets."""
        ...


class MachineTime(Time):
    """A real clock's time; under a virtual one, or none, the machine's as it was at the start, moved on since."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock if clock is not None and clock.mode == "real" else None
        self._steady_wall = SteadyWall()

    def wall(self) -> int:
        """Return microseconds since 1970 UTC."""
        return self._steady_wall() if self._clock is None else self._clock.now()

    def boot_us(self) -> int:
        """Return microseconds since this machine started."""
        return boot_us()

    def is_held(self) -> bool:
        """Whether due work waits."""
        return self._clock is not None and self._clock.pause_reason() is not None

    def steady(self) -> float:
        """Return seconds since some moment."""
        return time.monotonic()


class Meter(Protocol):
    """Where the work is counted."""

    def step_done(self, step: str, seconds: float) -> None:
        """Count a step and how long it took."""

    def orphan_stopped(self, engine: str) -> None:
        """Count a replica that nobody wanted."""

    def engine_reachable(self, engine: str, *, reachable: bool) -> None:
        """Set whether an engine can be asked."""

    def unserved(self, by_engine: Mapping[str, int]) -> None:
        """Set how many replicas of each engine nobody looks after; engines that are left out have none."""

    def stock_counted(self, engine: str, stocks: Mapping[str, TypeCapacity]) -> None:
        """Set what an engine has of each type, and what is offered of it."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how long, in seconds.

    ``lease_s``: a worker whose beat stands still for so long is dead, and what it held is taken by others; it beats
    five times in that time, and does nothing any more once half of it passed without. ``look_s``: between two looks at
    everything. ``observe_s``: between two looks at an engine; ``busy_s``: while something starts or stops.
    ``call_s``: an engine that has not answered by then cannot be asked. ``again_s``: before the same is asked of it
    again. ``calls_max``: so many calls of one engine at a time. ``count_s``: between two questions what an engine has;
    where that stays as it is, it is said again every ``count_keep_s``, so that its age is known. ``gone_s``: what runs
    on a node whose worker has been dead for so long is no stock any more.
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

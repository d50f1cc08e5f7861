"""Clocks: the real one, watched for jumps, and a virtual one that operators move."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

from leasebook.domain.record.clock_mark import ClockMark
from leasebook.domain.values.calendar import SECOND_US, Instant

Mode = Literal["real", "virtual"]


class Clock(Protocol):
    """The time, and whether due work, which may destroy instances, can rely on it."""

    mode: Mode

    def now(self) -> Instant:
        """Return the present instant; never an earlier one than before."""
        ...

    def at(self, reading: Instant | None) -> Instant:
        """Return the instant of a batch whose store shows this ``reading``; None: the store has no clock."""
        ...

    def pause_reason(self) -> str | None:
        """Return why due work must wait; None: it may run."""
        ...

    def confirm(self) -> None:
        """Trust the time that the clock shows."""
        ...

    def moved(self, to: Instant) -> None:
        """Record that the store's virtual clock was moved to an instant."""


def wall_us() -> int:
    """Return the machine's own time; signatures are always checked against it."""
    return time.time_ns() // 1000


def boot_us() -> int:
    """Return the time since this machine started, in microseconds. It cannot be set, and it counts during sleep."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def boot_id() -> str:
    """Return an id of this start of the machine; empty if it has none."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


class SteadyWall:
    """The machine's time at the start plus the time since then, by the boot clock: intervals contain no jumps."""

    def __init__(self, wall: Callable[[], int] = wall_us, boot: Callable[[], int] = boot_us) -> None:
        self._boot = boot
        self._offset = wall() - boot()

    def __call__(self) -> int:
        """Return microseconds since 1970 UTC."""
        return self._boot() + self._offset


class RealClock:
    """The store's clock: the machine's where one server has the store, the database's where the store is ``shared``.

    If a clock is set forward, all work in between falls due, such as releases that cannot be undone. The clock is
    therefore compared with the time since boot, which cannot be set. A difference of more than ``jump_max_us``
    microseconds, forward or back, is not followed: time goes on as before, and due work is paused until the clock comes
    back or an operator confirms it (decision 6a, ADR 0024). Smaller differences are followed; time never goes back.

    ``mark`` is the store's record of its clock, by which a jump is noticed that happened while no server ran.
    """

    mode: Mode = "real"

    def __init__(
        self,
        jump_max_us: int,
        *,
        shared: bool = False,
        mark: ClockMark | None = None,
        wall: Callable[[], int] = wall_us,
        boot: Callable[[], int] = boot_us,
        boot_name: str | None = None,
    ) -> None:
        self.shared = shared
        self._jump_max_us = jump_max_us
        self._wall = wall
        self._boot = boot
        self._boot_name = boot_id() if boot_name is None else boot_name
        self._mark = mark
        self._confirmed = 0 if mark is None else mark.confirmed
        self._floor = 0 if mark is None else mark.floor
        self._shown: int | None = None
        """The last reading, less the time since boot at that moment; None: no reading yet."""
        self._trusted = 0
        """The same for the trusted time, which follows no jumps."""
        if not shared:
            self._look(wall())

    # --- for callers ----------------------------------------------------------------------------------------

    def now(self) -> Instant:
        """Return the present instant."""
        if not self.shared:
            self._look(self._wall())
        elif self._shown is None:
            return Instant(max(self._wall(), self._floor))
        return self._passed(self._boot() + self._trusted)

    def at(self, reading: Instant | None) -> Instant:
        """Return the instant of a batch: the database's reading, unless the clock jumped."""
        if reading is None:
            return self.now()
        if not self.shared:
            # The start did not know that the store is shared. A store with a clock counts by that clock, not by the
            # machine's.
            self.shared, self._shown = True, None
            self._floor = 0 if self._mark is None else self._mark.floor
        self._look(reading)
        return self._passed(reading if self._jump() is None else self._boot() + self._trusted)

    def pause_reason(self) -> str | None:
        """Return why due work must wait; None: it may run."""
        if not self.shared:
            self._look(self._wall())
        jump = self._jump()
        if jump is None:
            return None
        whose = "database's" if self.shared else "machine's"
        how = f"jumped {jump // SECOND_US} s forward" if jump > 0 else f"was set {-jump // SECOND_US} s back"
        return (
            f"The {whose} clock {how}. The service goes on as if it had not been, and due work is held until the "
            "clock comes back, or an operator confirms it with ConfirmClock (/v2/clock)."
        )

    def confirm(self) -> None:
        """Trust the clock's time. If that is earlier, time does not advance until the clock has caught up."""
        if not self.shared:
            self._look(self._wall())
        if self._shown is not None:
            self._passed(self._boot() + self._trusted)
            self._trusted = self._shown

    def moved(self, to: Instant) -> None:
        """A real clock is not moved."""

    # --- the store's record -----------------------------------------------------------------------------------

    def mark(self) -> ClockMark | None:
        """Return the record that the store should keep; None: no reading yet."""
        now = self.now()
        if self._shown is None:
            return None
        boot = self._boot()
        return ClockMark(
            reading=boot + self._trusted,
            floor=now,
            boot_id=self._boot_name,
            boot_us=boot,
            doubted=self._jump() is not None,
            confirmed=self._confirmed,
        )

    def heed(self, mark: ClockMark) -> None:
        """Take over the store's record: other servers may have confirmed the clock, or have seen no jump."""
        confirmed, self._confirmed = self._confirmed, max(self._confirmed, mark.confirmed)
        jump = self._jump()
        if jump is None or self._shown is None:
            return
        ahead = self._boot() + self._shown - mark.reading
        # A machine that was suspended sees a jump. Servers that went on saw none, and have recorded that since.
        went_on = jump > 0 and not mark.doubted and abs(ahead) <= self._jump_max_us
        if mark.confirmed > confirmed or went_on:
            self.confirm()

    def apart_us(self) -> int:
        """Return how far the machine's own clock is ahead of this one, in microseconds."""
        return self._wall() - self.now()

    # --- readings ---------------------------------------------------------------------------------------------

    def _passed(self, moment: int) -> Instant:
        self._floor = max(self._floor, moment)
        return Instant(self._floor)

    def _jump(self) -> int | None:
        jump = 0 if self._shown is None else self._shown - self._trusted
        return jump if abs(jump) > self._jump_max_us else None

    def _look(self, reading: int) -> None:
        """Take a reading, and follow it if it is close to the expected one."""
        boot = self._boot()
        if self._shown is None:
            self._trusted = self._first(reading, boot) - boot
        self._shown = reading - boot
        if self._shown < self._trusted:
            # An instant that was returned as past stays past, even if the clock shows an earlier one.
            self._passed(boot + self._trusted)
        if self._jump() is None:
            self._trusted = self._shown

    def _first(self, reading: int, boot: int) -> int:
        """Return the reading to expect at the first look, as far as it can be known."""
        mark, most = self._mark, self._jump_max_us
        if mark is None:
            return reading
        if mark.boot_id and mark.boot_id == self._boot_name and mark.boot_us <= boot:
            # The machine has not restarted since: its time since boot shows how much time has passed.
            return mark.reading + boot - mark.boot_us
        if abs(reading - mark.reading) <= most:
            return reading
        if reading < mark.floor:
            return mark.floor
        if mark.doubted:
            return mark.floor
        # Much time may have passed while no server ran. For a shared store, this machine's clock is a second witness.
        wall = self._wall() if self.shared else reading
        return reading if abs(wall - reading) <= most else min(max(wall, mark.floor), reading)


class VirtualClock:
    """A clock that shows the same instant until it is moved."""

    mode: Mode = "virtual"

    def __init__(self, start: Instant) -> None:
        self._now = start

    def now(self) -> Instant:
        """Return the clock's instant."""
        return self._now

    def at(self, reading: Instant | None) -> Instant:
        """Return the store's reading, or this clock's instant if there is none."""
        return reading or self._now

    def moved(self, to: Instant) -> None:
        """Move it forward; it never goes back."""
        self._now = max(self._now, to)

    def stand(self, at: Instant) -> None:
        """Take over the instant of a store that another server has created meanwhile."""
        self._now = at

    def pause_reason(self) -> str | None:
        """It moves only on request, so it never jumps."""
        return None

    def confirm(self) -> None:
        """Nothing to confirm."""

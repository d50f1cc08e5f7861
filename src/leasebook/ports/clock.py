"""Clocks: the one that counts, watched for jumps, and a virtual one that stands until it is moved."""

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
    """What time it is, and whether that can be trusted with work that destroys."""

    mode: Mode

    def now(self) -> Instant:
        """Return the present moment; never one before a moment that it returned."""
        ...

    def at(self, reading: Instant | None) -> Instant:
        """Return the moment of a batch, whose store shows this ``reading``; None: the store has no clock."""
        ...

    def held(self) -> str | None:
        """Return why work that falls due must wait; None: it need not."""
        ...

    def confirm(self) -> None:
        """Take the time that it shows for right."""
        ...

    def moved(self, to: Instant) -> None:
        """Take note that the store's virtual clock stands there now."""


def wall_us() -> int:
    """Return the machine's own time; signatures are always checked against it."""
    return time.time_ns() // 1000


def boot_us() -> int:
    """Return the time since this machine started, in microseconds. Nobody sets it, and it counts while it sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def boot_id() -> str:
    """Return a name of this start of the machine; nothing where it has none."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


class SteadyWall:
    """The machine's time as it was at the start, moved on by the time since boot: what it measures has no jumps."""

    def __init__(self, wall: Callable[[], int] = wall_us, boot: Callable[[], int] = boot_us) -> None:
        self._boot = boot
        self._offset = wall() - boot()

    def __call__(self) -> int:
        """Return microseconds since 1970 UTC."""
        return self._boot() + self._offset


class RealClock:
    """The clock of the store: the machine's where one server has the store, the database's where it is ``shared``.

    A clock that is set forward would make everything fall due that lies between: releases that cannot be undone. So it
    is compared with the time since boot, which nobody sets. A difference of more than ``jump_max_us``, forward or back,
    is not followed: time goes on as if nobody had set the clock, and due work is held, until the clock comes back or an
    operator confirms it (decision 6a, ADR 0024). Smaller differences are followed; time never goes back.

    ``mark`` is what the store remembers of its clock, so that a jump is seen that happened while nobody looked.
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
        """What the clock showed last, less the time since boot then; None: it was not looked at."""
        self._trusted = 0
        """What is believed: the same, of a clock that nobody set."""
        if not shared:
            self._look(wall())

    # --- what others ask ----------------------------------------------------------------------------------

    def now(self) -> Instant:
        """Return the present moment."""
        if not self.shared:
            self._look(self._wall())
        elif self._shown is None:
            return Instant(max(self._wall(), self._floor))
        return self._passed(self._boot() + self._trusted)

    def at(self, reading: Instant | None) -> Instant:
        """Return the moment of a batch: what the database shows, where that is believed."""
        if reading is None:
            return self.now()
        if not self.shared:
            # Nobody said so at the start: a store that has a clock goes by it in any case, and not by what we showed.
            self.shared, self._shown = True, None
            self._floor = 0 if self._mark is None else self._mark.floor
        self._look(reading)
        return self._passed(reading if self._jump() is None else self._boot() + self._trusted)

    def held(self) -> str | None:
        """Return why due work must wait; None: it need not."""
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
        """Take the time that it shows for right. Where that is earlier, time stands still until it is caught up."""
        if not self.shared:
            self._look(self._wall())
        if self._shown is not None:
            self._passed(self._boot() + self._trusted)
            self._trusted = self._shown

    def moved(self, to: Instant) -> None:
        """Nobody moves a real clock."""

    # --- what the store remembers -------------------------------------------------------------------------

    def mark(self) -> ClockMark | None:
        """Return what the store is to remember; None: the clock was not looked at yet."""
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
        """Take note of what the store remembers: others may have confirmed the clock, or seen no jump at all."""
        confirmed, self._confirmed = self._confirmed, max(self._confirmed, mark.confirmed)
        jump = self._jump()
        if jump is None or self._shown is None:
            return
        ahead = self._boot() + self._shown - mark.reading
        # A machine that was stopped for a while sees a jump where those that went on saw none, and said so since.
        went_on = jump > 0 and not mark.doubted and abs(ahead) <= self._jump_max_us
        if mark.confirmed > confirmed or went_on:
            self.confirm()

    def apart_us(self) -> int:
        """Return how far the machine's own clock is ahead of the one that counts."""
        return self._wall() - self.now()

    # --- looking ------------------------------------------------------------------------------------------

    def _passed(self, moment: int) -> Instant:
        self._floor = max(self._floor, moment)
        return Instant(self._floor)

    def _jump(self) -> int | None:
        jump = 0 if self._shown is None else self._shown - self._trusted
        return jump if abs(jump) > self._jump_max_us else None

    def _look(self, reading: int) -> None:
        """Take note of what the clock shows, and follow it where that is near what was to be expected."""
        boot = self._boot()
        if self._shown is None:
            self._trusted = self._first(reading, boot) - boot
        self._shown = reading - boot
        if self._shown < self._trusted:
            # What was called past is past, though the clock says that it is still to come.
            self._passed(boot + self._trusted)
        if self._jump() is None:
            self._trusted = self._shown

    def _first(self, reading: int, boot: int) -> int:
        """Return what the clock should show at the first look, as far as that can be known."""
        mark, most = self._mark, self._jump_max_us
        if mark is None:
            return reading
        if mark.boot_id and mark.boot_id == self._boot_name and mark.boot_us <= boot:
            # The machine has not been started since: its time since boot says how much has passed.
            return mark.reading + boot - mark.boot_us
        if abs(reading - mark.reading) <= most:
            return reading
        if reading < mark.floor:
            return mark.floor
        if mark.doubted:
            return mark.floor
        # Much time may have passed while no server ran. Of a shared store this machine's own clock bears witness.
        wall = self._wall() if self.shared else reading
        return reading if abs(wall - reading) <= most else min(max(wall, mark.floor), reading)


class VirtualClock:
    """A clock that stands still until it is moved."""

    mode: Mode = "virtual"

    def __init__(self, start: Instant) -> None:
        self._now = start

    def now(self) -> Instant:
        """Return where it stands."""
        return self._now

    def at(self, reading: Instant | None) -> Instant:
        """Return where the store says that it stands, or where it stands here."""
        return reading or self._now

    def moved(self, to: Instant) -> None:
        """Move it forward; it never goes back."""
        self._now = max(self._now, to)

    def stand(self, at: Instant) -> None:
        """Stand where the store says, which another server founded meanwhile."""
        self._now = at

    def held(self) -> str | None:
        """It moves only when told to, so there is nothing to doubt."""
        return None

    def confirm(self) -> None:
        """Nothing to confirm."""

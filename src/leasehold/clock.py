"""Clocks: the machine's, watched for jumps, and a virtual one that stands until it is moved."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, Protocol

from leasehold.domain.calendar import SECOND_US, Instant

Mode = Literal["real", "virtual"]


class Clock(Protocol):
    """What time it is, and whether that can be trusted with work that destroys."""

    mode: Mode

    def now(self) -> Instant:
        """Return the present moment."""
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


def _boot_us() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class RealClock:
    """The machine's clock.

    A wall clock that is set forward would make everything fall due that lies between: releases that cannot
    be undone. So it is compared with the time since boot, which nobody sets; a jump by more than
    ``jump_max_us`` holds due work until the clock comes back or an operator confirms it (decision 6a).
    """

    mode: Mode = "real"

    def __init__(
        self, jump_max_us: int, *, wall: Callable[[], int] = wall_us, boot: Callable[[], int] = _boot_us
    ) -> None:
        self._jump_max_us = jump_max_us
        self._wall = wall
        self._boot = boot
        self._trusted = wall() - boot()

    def now(self) -> Instant:
        """Return the present moment."""
        return Instant(self._wall())

    def held(self) -> str | None:
        """Return why due work must wait; None: it need not."""
        offset = self._wall() - self._boot()
        jump = offset - self._trusted
        if jump > self._jump_max_us:
            return (
                f"The machine's clock jumped {jump // SECOND_US} s forward. Due work is held until the clock comes "
                "back, or an operator confirms it with ConfirmClock (/v2/clock)."
            )
        # Small steps forward are the clock being put right. A step back is not followed: what comes after it,
        # forward again, must not look like a jump.
        self._trusted = max(self._trusted, offset)
        return None

    def moved(self, to: Instant) -> None:
        """Nobody moves a real clock."""

    def confirm(self) -> None:
        """Take the time that it shows for right."""
        self._trusted = self._wall() - self._boot()


class VirtualClock:
    """A clock that stands still until it is moved."""

    mode: Mode = "virtual"

    def __init__(self, start: Instant) -> None:
        self._now = start

    def now(self) -> Instant:
        """Return where it stands."""
        return self._now

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

"""The states for which waiters wait, and the pauses between their looks. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from leasebook.client.errors import WaitedTooLong

LOOK_S: Final = 0.1
LOOK_MAX_S: Final = 5.0
RELEASED: Final = frozenset({"Released"})
RUNNING: Final = frozenset({"Running"})
FAILED: Final = frozenset({"Released", "CreateFailed"})
"""A unit in one of these states will not run any more."""


def pauses(timeout_s: float) -> Iterator[float]:
    """Yield the seconds between looks: each half as long again as the one before, and all together ``timeout_s``."""
    left, pause = timeout_s, LOOK_S
    while left > 0:
        pause = min(pause, left, LOOK_MAX_S)
        yield pause
        left -= pause
        pause *= 1.5


def too_long(unit: str, wanted: str, status: str, timeout_s: float) -> WaitedTooLong:
    """Return the exception of a waiter whose time is over."""
    return WaitedTooLong(
        f"The unit {unit} is {status} after {timeout_s:g} seconds, and not {wanted}. "
        "With a virtual clock nothing falls due before the clock is moved (advance_clock)."
    )

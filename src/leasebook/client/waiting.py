"""The states for which waiters wait, the pauses between their looks, and the failures that they sit out. No I/O."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from leasebook.client.caller import SAFE, UNSURE, Retries
from leasebook.client.errors import ErrorAnswer, LeasebookError, NoAnswer, WaitedTooLong

LOOK_S: Final = 0.1
LOOK_MAX_S: Final = 5.0
ANSWER_S: Final = 10.0
"""How long one look waits for its answer. After that the next one follows."""
ONCE: Final = Retries(tries=1)
"""The looks are the retries."""
RELEASED: Final = frozenset({"Released"})
RUNNING: Final = frozenset({"Running"})
FAILED: Final = frozenset({"Released", "CreateFailed"})
"""A unit in one of these states will not run any more."""


def pauses(timeout_s: float, now: Callable[[], float] = time.monotonic) -> Iterator[float]:
    """Yield the seconds between looks: each half as long again as the one before, until ``timeout_s`` are over.

    The last one is 0: a last look follows it.
    """
    until, pause = now() + timeout_s, LOOK_S
    while (left := until - now()) > 0:
        yield min(pause, left)
        pause = min(pause * 1.5, LOOK_MAX_S)
    yield 0.0


def passes(error: LeasebookError) -> bool:
    """Whether a failure to look may pass by itself, as while a server is started again: a waiter looks again."""
    return isinstance(error, NoAnswer) or (isinstance(error, ErrorAnswer) and error.code in SAFE | UNSURE)


def too_long(unit: str, wanted: str, status: str, timeout_s: float) -> WaitedTooLong:
    """Return the exception of a waiter whose time is over."""
    return WaitedTooLong(
        f"The unit {unit} is {status} after {timeout_s:g} seconds, and not {wanted}. "
        "With a virtual clock nothing falls due before the clock is moved (advance_clock)."
    )

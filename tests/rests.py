"""How long a loop that waits for something rests between its looks, which take processor time that others need."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

SHARE: Final = 1 / 8
"""The time between two looks, as a part of the time that has been waited: nothing is seen much later than it is so."""


class Rests:
    """Rests of one wait, in seconds: from ``least_s`` at its beginning to ``most_s``."""

    def __init__(self, least_s: float, most_s: float = 0.1, now: Callable[[], float] = time.monotonic) -> None:
        self._least_s: Final = least_s
        self._most_s: Final = max(least_s, most_s)
        self._now: Final = now
        self._began: Final = now()

    def next_s(self) -> float:
        """Return how long to rest now."""
        return min(self._most_s, max(self._least_s, SHARE * (self._now() - self._began)))

"""The speed of the disk, which decides whether a commit waits in a thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

QUICK_S: Final = 0.001


class Disk:
    """A running average of the commits' duration."""

    def __init__(self) -> None:
        self._seconds = QUICK_S

    def timed(self, commit: Callable[[], None]) -> None:
        """Commit, and record the duration."""
        began = time.perf_counter()
        commit()
        self._seconds += (time.perf_counter() - began - self._seconds) / 8

    @property
    def is_quick(self) -> bool:
        """Whether a commit takes less time than handing it to a thread."""
        return self._seconds < QUICK_S

"""How quick the disk is: whether it is worth a thread to wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

QUICK_S: Final = 0.001


class Disk:
    """How long commits have been taking: an average that forgets."""

    def __init__(self) -> None:
        self._seconds = QUICK_S

    def timed(self, commit: Callable[[], None]) -> None:
        """Commit, and remember how long that took."""
        began = time.perf_counter()
        commit()
        self._seconds += (time.perf_counter() - began - self._seconds) / 8

    @property
    def is_quick(self) -> bool:
        """Whether a commit is over before a thread could be asked for it and answer."""
        return self._seconds < QUICK_S

"""Turns: exports are made one row after another, in small steps, beside a server that has callers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

ROWS_AT_ONCE: Final = 10
"""Rows between two pauses, about a millisecond's work."""
PAUSE_S: Final = 0.0002
"""A pause lets the event loop have the interpreter, and another export have its turn."""


class Turns:
    """Lets one thread at a time make rows.

    All exports under way advance together, so that a short one does not wait for a long one, and together they take
    the interpreter from callers as often as one does.
    """

    def __init__(self) -> None:
        self._busy = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Have the turn, which other threads then wait for."""
        with self._busy:
            yield

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Pass the turn on while the database works; the calling thread has it before and afterwards."""
        self._busy.release()
        try:
            yield
        finally:
            self._busy.acquire()

    def pace(self, check: Callable[[], None]) -> Callable[[int], None]:
        """Return what a thread calls before a piece of work, with the size of that work in rows.

        It pauses now and then, and calls ``check`` before that.
        """
        done = 0

        def pace(rows: int) -> None:
            nonlocal done
            done += rows
            if done >= ROWS_AT_ONCE:
                done = 0
                check()
                with self.passed():
                    time.sleep(PAUSE_S)

        return pace

"""Turns: exports are made one row after another, in small steps, beside a server that has callers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

STEP_S: Final = 0.001
"""Processor time between two pauses: a bound on how long callers wait for the interpreter."""
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
        """Return what a thread calls before a piece of work.

        It pauses now and then, and calls ``check`` before that. The thread's processor time says when, and not the size
        of the work: a pause takes as long as several rows, so pauses that come too often take most of the time.
        """
        begun: float | None = None

        def pace(_: int) -> None:
            nonlocal begun
            now = time.thread_time()
            if begun is None:
                begun = now
            elif now - begun >= STEP_S:
                check()
                with self.passed():
                    time.sleep(PAUSE_S)
                begun = time.thread_time()

        return pace

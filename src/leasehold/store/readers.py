"""Reading off the event loop: a few threads, each with a connection of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeVar

from leasehold.questions import Questions
from leasehold.store.queries import Queries

T = TypeVar("T")

LONG: Final = 1


class Connection(Protocol):
    """A connection that can be closed."""

    def close(self) -> None:
        """Close it."""


class LostError(Exception):
    """The connection is gone; the question can be asked again on a new one."""


class Readers:
    """Answers questions. ``open_reader`` makes a connection and what asks on it; it may raise LostError later.

    ``readers`` is how many threads answer; questions that may take long have one of their own.
    """

    def __init__(self, open_reader: Callable[[], tuple[Connection, Queries]], readers: int) -> None:
        self._open_reader = open_reader
        self._threads = ThreadPoolExecutor(readers, thread_name_prefix="read")
        self._long = ThreadPoolExecutor(LONG, thread_name_prefix="read-long")
        self._local = threading.local()
        self._open: dict[int, Connection] = {}

    async def read(self, question: Callable[[Questions], T], *, long: bool = False) -> T:
        """Ask a question off the event loop."""
        threads = self._long if long else self._threads
        return await asyncio.get_running_loop().run_in_executor(threads, self.ask, question)

    def ask(self, question: Callable[[Questions], T]) -> T:
        """Ask a question on this thread's connection; on a new one where that is lost.

        Raises LostError where that is lost too, or cannot be had.
        """
        queries: Queries | None = getattr(self._local, "queries", None)
        if queries is not None:
            try:
                return question(queries)
            except LostError:
                self._local.queries = None
                self._open.pop(threading.get_ident()).close()
        self._open[threading.get_ident()], queries = self._open_reader()
        self._local.queries = queries
        return question(queries)

    def close(self) -> None:
        """Finish what is being read, and close every connection."""
        self._threads.shutdown()
        self._long.shutdown()
        for connection in self._open.values():
            connection.close()

"""Reads off the event loop: a few threads, each with a connection of its own."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.store.queries.read_repository import Queries

T = TypeVar("T")

LONG: Final = 2
"""Threads for long reads. An account uses one of them at a time, so that its year of postings does not delay others."""


class Connection(Protocol):
    """A connection that can be closed."""

    def close(self) -> None:
        """Close it."""


class LostError(Exception):
    """The connection is lost; the query can be repeated on a new one.

    ``since``: when it was asked, on the monotonic clock, if no answer came in time; then it is not repeated here.
    """

    def __init__(self, message: str, since: float | None = None) -> None:
        super().__init__(message)
        self.since = since


Open = Callable[[], tuple["Connection", Queries]]
"""Opens a connection, and returns it with its queries."""


class _Desk:
    """Threads that answer, and the queues before them: one for each party, served in turn.

    While others wait, one party has at most half of the threads. It never has the last free thread, if there are
    several.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._count = threads
        self._lines: OrderedDict[str | None, deque[tuple[Callable[[], Any], asyncio.Future[Any]]]] = OrderedDict()
        self._busy: Counter[str | None] = Counter()

    async def ask(self, party: str | None, answer: Callable[[], T]) -> T:
        """Run ``answer`` in one of the threads, when it is the party's turn."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(party, deque()).append((answer, future))
        self._next()
        return await future

    def close(self) -> None:
        """Finish the running reads."""
        self._threads.shutdown()

    def _next(self) -> None:
        """Give free threads to the next parties."""
        while self._busy.total() < self._count and (found := self._whose_turn()):
            (party,) = found
            line = self._lines[party]
            answer, future = line.popleft()
            if line:
                self._lines.move_to_end(party)
            else:
                del self._lines[party]
            if future.done():
                continue
            self._busy[party] += 1
            asked = asyncio.get_running_loop().run_in_executor(self._threads, answer)
            asked.add_done_callback(partial(self._answered, party, future))

    def _whose_turn(self) -> tuple[str | None] | None:
        most = max(1, self._count // 2) if len(self._lines) > 1 else max(1, self._count - 1)
        return next(((party,) for party in self._lines if self._busy[party] < most), None)

    def _answered(self, party: str | None, future: asyncio.Future[Any], asked: asyncio.Future[Any]) -> None:
        self._busy[party] -= 1
        if not self._busy[party]:
            del self._busy[party]
        if asked.cancelled():
            future.cancel()
        elif (error := asked.exception()) is None:
            if not future.done():
                future.set_result(asked.result())
        elif not future.done():
            future.set_exception(error)
        self._next()


class Readers:
    """Answers queries. ``open_reader`` opens a connection with its queries; it may raise LostError later.

    ``readers`` is the number of threads for short reads; long reads have other threads, and connections by
    ``open_long``.
    """

    def __init__(self, open_reader: Open, readers: int, open_long: Open | None = None) -> None:
        self._open_reader = open_reader
        self._open_long = open_long or open_reader
        self._short = _Desk(readers, "read")
        self._long = _Desk(LONG, "read-long")
        self._monitors = _Desk(1, "read-monitor")
        self._local = threading.local()
        self._open: dict[int, Connection] = {}

    async def read(self, question: Callable[[ReadRepository], T], *, long: bool = False, party: str | None = None) -> T:
        """Answer a query off the event loop, on behalf of an account; None: for the service itself."""
        desk, opened = (self._long, self._open_long) if long else (self._short, self._open_reader)
        return await desk.ask(party, partial(self.ask, question, opened))

    @property
    def connections(self) -> list[Connection]:
        """Every connection that is open."""
        return list(self._open.values())

    async def glance(self, question: Callable[[ReadRepository], T]) -> T:
        """Answer a query of a monitor in a thread of its own."""
        return await self._monitors.ask(None, partial(self.ask, question))

    def ask(self, question: Callable[[ReadRepository], T], opened: Open | None = None) -> T:
        """Answer a query on this thread's connection; on a new one if that is lost.

        Raises LostError if that one is lost too, or cannot be opened.
        """
        queries: Queries | None = getattr(self._local, "queries", None)
        if queries is not None:
            try:
                return question(queries)
            except LostError as error:
                self._local.queries = None
                self._open.pop(threading.get_ident()).close()
                if error.since is not None:
                    raise
        self._open[threading.get_ident()], queries = (opened or self._open_reader)()
        self._local.queries = queries
        return question(queries)

    def close(self) -> None:
        """Finish the running reads, and close every connection."""
        self._short.close()
        self._long.close()
        self._monitors.close()
        for connection in self._open.values():
            connection.close()

"""A variant of the server for comparison: the whole transaction in a thread of its own, nothing of it on the loop.

python -m benchmarks.purchase --against "python -m benchmarks.writer_thread"
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from leasebook.cli.main import main
from leasebook.domain.book.book import Book
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.loads import Needed
from leasebook.store.sqlite import store as sqlite
from leasebook.store.sqlite.acknowledged import Acknowledged
from leasebook.store.sqlite.checkpointer import Checkpointer
from leasebook.store.sqlite.disk import Disk
from leasebook.store.sqlite.writer import Writer

_thread = ThreadPoolExecutor(1, thread_name_prefix="writer")


async def _there(call: Callable[[], Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(_thread, call)


def _finished(step: Any) -> Any:
    """Run a coroutine that never waits."""
    try:
        step.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("the step waited for something")


class ThreadedTransaction(sqlite.SqliteTransaction):
    """Hands every step to the thread."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        writer: Writer,
        disk: Disk,
        checkpointer: Checkpointer,
        acknowledged: Acknowledged,
    ) -> None:
        super().__init__(connection, writer, disk, checkpointer, acknowledged)

    async def load(self, needs: Iterable[Needed], book: Book) -> None:
        """Load in the thread."""
        wanted = list(needs)
        await _there(lambda: _finished(super(ThreadedTransaction, self).load(wanted, book)))

    async def save(self, changes: Changes) -> None:
        """Save in the thread."""
        await _there(lambda: _finished(super(ThreadedTransaction, self).save(changes)))

    async def commit(self, *, is_idle: bool = False) -> None:  # noqa: ARG002 - here nothing is done on the loop
        """Commit in the thread."""
        await _there(self._commit)


if __name__ == "__main__":
    sqlite.SqliteTransaction = ThreadedTransaction  # type: ignore[misc]
    main()

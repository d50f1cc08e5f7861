"""The checkpointer copies the log of the embedded store into its file: beside the batches, often and in small parts."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from leasebook.batch import NeedsRestart
from leasebook.store.sqlite.file_watch import FileWatch
from leasebook.store.sqlite.log_bound import LOST_WRITES, LogBound

CHECKPOINT_EVERY_S: Final = 0.05
"""Minimum time between two copies, in seconds: short, so that each copy is small and delays commits little."""


class Checkpointer:
    """Copies the log into the file on its own connection, while the writer goes on.

    If the writer copied, one commit in many would take the time of all those pages.
    """

    def __init__(self, bound: LogBound, files: FileWatch) -> None:
        self._bound = bound
        self._files = files
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._done_at = time.monotonic()
        self._is_running = False

    def soon(self) -> None:
        """Begin a copy after a commit, unless one is running or has just ended."""
        if not self._is_running and time.monotonic() - self._done_at > CHECKPOINT_EVERY_S:
            self._is_running = True
            self._thread.submit(self._run)

    async def catch_up(self) -> None:
        """Restart a log that is too long before the next batch; raises NeedsRestart if the file has lost writes."""
        if self._bound.has_lost_writes:
            raise NeedsRestart(LOST_WRITES)
        if self._bound.is_long(copying=self._is_running):
            await asyncio.get_running_loop().run_in_executor(self._thread, self._begin_anew)

    def _begin_anew(self) -> None:
        self._bound.begin_anew()
        self._files.look()

    def _run(self) -> None:
        if not self._bound.has_lost_writes and self._files.look() is None:
            self._bound.copy()
            # A file that grew, and that another program then makes shorter before a batch looks, is known to be cut.
            self._files.look()
        self._done_at = time.monotonic()
        self._is_running = False

    def finish(self) -> None:
        """Wait for the copy that is running or about to run. No copy begins after this.

        Call it before the writer's connection is closed: where no copy has been made yet, that is the last connection
        with the log, its end removes the log, and a copy would take that for a fault of the files.
        """
        self._thread.shutdown()

    def close(self) -> None:
        """Finish, and close the connection. Call it after all other connections of this process are closed."""
        self.finish()
        self._bound.close()

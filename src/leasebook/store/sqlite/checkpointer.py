"""When the log of the embedded store is copied into its file: beside the batches, a little and often."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from leasebook.batch import NeedsRestart
from leasebook.store.sqlite.file_watch import FileWatch
from leasebook.store.sqlite.log_bound import LOST_WRITES, LogBound

CHECKPOINT_EVERY_S: Final = 0.05
"""Often, and so little at a time that no commit behind it waits long for the disk."""


class Checkpointer:
    """Copies the log into the file on a connection of its own, while the writer goes on.

    Left to the writer, a commit every now and then would take the time of all those pages.
    """

    def __init__(self, bound: LogBound, files: FileWatch) -> None:
        self._bound = bound
        self._files = files
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._done_at = time.monotonic()
        self._is_running = False

    def soon(self) -> None:
        """Something was committed: begin, unless it was done a moment ago or is being done."""
        if not self._is_running and time.monotonic() - self._done_at > CHECKPOINT_EVERY_S:
            self._is_running = True
            self._thread.submit(self._run)

    async def catch_up(self) -> None:
        """Have a log that is long begun anew before the next batch; raises NeedsRestart where it must not be."""
        if self._bound.has_lost_writes:
            raise NeedsRestart(LOST_WRITES)
        if self._bound.is_long(copying=self._is_running):
            await asyncio.get_running_loop().run_in_executor(self._thread, self._bound.begin_anew)

    def _run(self) -> None:
        if not self._bound.has_lost_writes and self._files.look() is None:
            self._bound.copy()
        self._done_at = time.monotonic()
        self._is_running = False

    def close(self) -> None:
        """Finish, and close the connection, after every other of this process."""
        self._thread.shutdown()
        self._bound.close()

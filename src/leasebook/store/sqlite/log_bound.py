"""The log of the embedded store: kept short in spite of readers, and kept if the file has lost writes."""

from __future__ import annotations

import ctypes
import os
import sqlite3
import time
from pathlib import Path
from typing import Final

LOG_PAGES_MAX = 20_000
"""Upper bound of the log in pages (80 MiB): a longer log is restarted before the next batch."""
KEPT: Final = 2
"""A restarted log of this many times the bound is cut. Below that, letting it grow again costs more than the space."""
PAGE_BYTES: Final = 4096
PATIENCE_S, PATIENCE_MAX_S = 0.02, 4.0
"""How long a restart waits for readers of the log while no batch is written, in seconds.

A log of twice the length is worth four times the wait. A query ends within seconds, and one that begins meanwhile does
not need the log.
"""
REST = 10
"""After a wait without success, this many times its length passes before the next: an endless reader costs a tenth."""

LOST_WRITES: Final = (
    "the disk failed to sync the file of the store, and may have dropped what was copied into it. All that was "
    "answered is in the log beside it; see to the disk, and restart: the start copies it again"
)


def bytes_kept() -> int:
    """Return the size that the log's file keeps after a restart of the log, in bytes."""
    return KEPT * LOG_PAGES_MAX * PAGE_BYTES


class LogBound:
    """Copies the log into the file, and restarts the log when it is too long."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Take over a connection; one thread at a time uses it."""
        self._connection = connection
        self._log = path.with_name(f"{path.name}-wal")
        self._pages = 0
        self._rest_until = 0.0
        # The kernel reports to this descriptor every write to the file that has failed since it was opened.
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._is_synced = True
        self.has_lost_writes = False
        """Whether the file may lack pages that SQLite takes for copied."""

    def is_long(self, *, copying: bool) -> bool:
        """Whether the log should be restarted before the next batch, and it is time to try.

        ``copying``: a copy is running, and only its end shows how long the log is. If the disk is so slow that the log
        has grown far meanwhile, the batch waits for that end.
        """
        if time.monotonic() < self._rest_until:
            return False
        return self._pages >= LOG_PAGES_MAX or (copying and self._size() > bytes_kept())

    def _size(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0

    def copy(self) -> None:
        """Copy the pages that no reader needs, and wait for no reader."""
        self._checkpoint("PASSIVE")

    def begin_anew(self) -> None:
        """Copy all pages, so that the next batch is written to the start of the log. No batch may be open."""
        patience_s = min(PATIENCE_MAX_S, PATIENCE_S * (self._pages / LOG_PAGES_MAX) ** 2)
        began = time.monotonic()
        self._connection.execute(f"PRAGMA busy_timeout = {int(patience_s * 1000)}")
        if self._checkpoint("RESTART"):
            self._pages = 0
        else:
            now = time.monotonic()
            self._rest_until = now + REST * max(now - began, PATIENCE_S)

    def _checkpoint(self, how: str) -> bool:
        """Copy; returns whether all pages were copied. A fault here is a fault of the writer as well."""
        try:
            ((busy, pages, copied),) = self._connection.execute(f"PRAGMA wal_checkpoint({how})").fetchall()
        except sqlite3.Error as error:
            self._failed(error)
            return False
        self._pages = pages
        # SQLite syncs the file only after it has copied all of the log.
        self._is_synced = copied >= pages
        return not busy and self._is_synced

    def _failed(self, error: sqlite3.Error) -> None:
        """Record whether the copy can be tried again.

        Pages copied before and not synced are lost if the kernel could not write them: it reports that once, and then
        takes them for written. SQLite would not copy them again, and would then discard the log.
        """
        if error.sqlite_errorcode != sqlite3.SQLITE_IOERR_FSYNC or self._is_synced:
            return
        try:
            os.fdatasync(self._file)
        except OSError:
            self.has_lost_writes = True

    def close(self) -> None:
        """Close the connection, the last one of the process.

        SQLite removes the log when its last connection is closed. If the file has lost writes, this connection is never
        closed, and the log stays for the next start.
        """
        if self.has_lost_writes:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
        else:
            self._connection.close()
        os.close(self._file)

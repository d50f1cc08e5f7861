"""The log of the embedded store: kept short beside readers, and not trusted to a file that has lost writes."""

from __future__ import annotations

import ctypes
import os
import sqlite3
import time
from pathlib import Path
from typing import Final

LOG_PAGES_MAX = 20_000
"""80 MiB: a log that is longer is begun anew before the next batch."""
KEPT: Final = 2
"""What is so many times as long is cut once it is begun anew. Short of that, growing again costs more than space."""
PAGE_BYTES: Final = 4096
PATIENCE_S, PATIENCE_MAX_S = 0.02, 4.0
"""So long readers are waited for who look at the log, while nothing is written. A log of twice the length is worth four
times as long: a question is answered in seconds at most, and ends; another one that begins meanwhile needs no log."""
REST = 10
"""After waiting in vain, so many times as long passes before the next try: a reader who never ends costs a tenth."""

LOST_WRITES: Final = (
    "the disk failed to sync the file of the store, and may have dropped what was copied into it. All that was "
    "answered is in the log beside it; see to the disk, and restart: the start copies it again"
)


def bytes_kept() -> int:
    """Return how long the log's file stays once it has been begun anew."""
    return KEPT * LOG_PAGES_MAX * PAGE_BYTES


class LogBound:
    """Copies the log into the file, and has it begun anew where it is long."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Work on a connection of its own, from one thread at a time."""
        self._connection = connection
        self._log = path.with_name(f"{path.name}-wal")
        self._pages = 0
        self._rest_until = 0.0
        # It is told of every write to the file that the kernel could not do since it was opened.
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._is_synced = True
        self.has_lost_writes = False
        """Whether pages of the file may be missing that the log is thought to be rid of."""

    def is_long(self, *, copying: bool) -> bool:
        """Whether the log should be begun anew before more is written, and it is time to try.

        ``copying``: a copy is under way, and only its end will tell how long the log is. Where the disk is so slow that
        it has grown far meanwhile, that end is to be waited for.
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
        """Copy what nobody looks at any more, and wait for nobody."""
        self._checkpoint("PASSIVE")

    def begin_anew(self) -> None:
        """Copy everything, so that the next batch is written to the beginning of the log; nobody writes meanwhile."""
        patience_s = min(PATIENCE_MAX_S, PATIENCE_S * (self._pages / LOG_PAGES_MAX) ** 2)
        began = time.monotonic()
        self._connection.execute(f"PRAGMA busy_timeout = {int(patience_s * 1000)}")
        if self._checkpoint("RESTART"):
            self._pages = 0
        else:
            now = time.monotonic()
            self._rest_until = now + REST * max(now - began, PATIENCE_S)

    def _checkpoint(self, how: str) -> bool:
        """Copy; returns whether it was done to the end. What goes wrong here goes wrong for the writer too."""
        try:
            ((busy, pages, copied),) = self._connection.execute(f"PRAGMA wal_checkpoint({how})").fetchall()
        except sqlite3.Error as error:
            self._failed(error)
            return False
        self._pages = pages
        # SQLite syncs the file when all of the log is in it, and not before.
        self._is_synced = copied >= pages
        return not busy and self._is_synced

    def _failed(self, error: sqlite3.Error) -> None:
        """See whether it can be tried again.

        Pages that were copied before and not synced are lost where the kernel could not write them: it tells so once,
        and takes them for written from then on. SQLite would not copy them again, and then forget the log.
        """
        if error.sqlite_errorcode != sqlite3.SQLITE_IOERR_FSYNC or self._is_synced:
            return
        try:
            os.fdatasync(self._file)
        except OSError:
            self.has_lost_writes = True

    def close(self) -> None:
        """Close the connection, the last of the process.

        SQLite removes the log when its last connection is closed well. Where the file has lost writes, this one never
        is, and leaves the log to the next start.
        """
        if self.has_lost_writes:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
        else:
            self._connection.close()
        os.close(self._file)

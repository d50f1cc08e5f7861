"""The writing connection of the embedded store: how it takes the write lock, and how it handles a failed commit."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from leasebook.batch import Duplicate, Unavailable
from leasebook.domain.commands.store.write_probe import WRITTEN
from leasebook.store.errors import Unsure
from leasebook.store.sqlite.disk import DiskThread

T = TypeVar("T")

LOCK_WAIT_S: Final = 8.0
LOOK_S: Final = 0.1
"""How long later callers try for a lock that has been taken for long, in seconds."""
FIRST_WAIT_S, WAIT_MAX_S = 0.002, 0.05

_PLAIN: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_TROUBLE: Final = _PLAIN | {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL}
"""Error codes about the disk or other programs, independent of the statement."""
_TWICE: Final = frozenset({sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE})
_MARK: Final = (
    f"INSERT INTO facts (name, value) VALUES ('{WRITTEN}', '1') "
    "ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)"
)


def is_trouble(error: sqlite3.Error) -> bool:
    """Whether the machine or another program prevented a write."""
    return _primary(error) in _TROUBLE


def cannot_write(error: sqlite3.Error) -> Unavailable:
    """Return the refusal that says that the batch was not written, and why."""
    return Unavailable(f"the store cannot be written ({error}). Reads still work; the server's operator must act")


class _DiskErrors:
    """Turns disk errors into Unavailable; costs nothing without an error."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, sqlite3.OperationalError) and is_trouble(error):
            raise cannot_write(error) from None


DISK_ERRORS: Final = _DiskErrors()


class _NewKeys:
    """Turns the error about a new row whose key is there already into Duplicate; costs nothing without an error."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, sqlite3.IntegrityError) and error.sqlite_errorcode in _TWICE:
            raise Duplicate(str(error)) from None


NEW_KEYS: Final = _NewKeys()


def _without_waiting(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Make a connection fail at once if another program has the lock, because it is used on the event loop."""
    connection.execute("PRAGMA busy_timeout = 0")
    return connection


def _primary(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _is_busy(error: sqlite3.Error) -> bool:
    return _primary(error) == sqlite3.SQLITE_BUSY


def _is_sure(error: sqlite3.Error) -> bool:
    """Whether a commit that failed with this error left nothing that could reappear.

    Its frames are written to the log in order, and only the last one marks them as a transaction. If a frame could not
    be written, that last one is missing. If all were written and only their sync failed, it is there.
    """
    return _primary(error) in _PLAIN or getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_WRITE


class Writer:
    """Keeps the connection. The event loop never blocks: it polls for the lock, and a thread waits for the disk.

    **BEGIN and COMMIT always run in the thread.** Both write to the log's index, which is a mapped file: while a file
    system is frozen, this write waits in the kernel until it is thawed, and no signal ends that wait.

    **A commit whose sync failed** has its frames in the log, where SQLite does not count them: this process does not
    see them, and the next transaction overwrites them. But after a crash of this process, the next one to open the
    store takes them for a transaction like any other. So before the next batch, a small transaction is written in their
    place and synced. If that succeeds they are gone, and the batch was not done. Until it succeeds their state is
    unknown, and no batch begins.
    """

    def __init__(
        self, connection: sqlite3.Connection, open_: Callable[[], sqlite3.Connection], lock_wait_s: float
    ) -> None:
        """Take over a connection; ``open_`` opens another one like it."""
        self._open = open_
        self._lock_wait_s = lock_wait_s
        self._thread = DiskThread("commit")
        self._locked_since: float | None = None
        self._is_in_doubt = False
        self.connection = _without_waiting(connection)

    async def begin(self) -> sqlite3.Connection:
        """Begin a transaction with the write lock.

        Raises Unavailable if another program does not release the lock in time, or if the disk fails.
        """
        asked_at: float | None = None
        while True:
            try:
                if self._is_in_doubt or self.connection.in_transaction:
                    await self.off_loop(self._settle)
                await self.at_once(self._begin)
            except sqlite3.Error as error:
                if not _is_busy(error):
                    raise cannot_write(error) from None
                asked_at = asked_at or asyncio.get_running_loop().time()
                await self._wait(asked_at)
            else:
                self._locked_since = None
                return self.connection

    async def _wait(self, asked_at: float) -> None:
        """Wait a moment for the lock; raises Unavailable after ``lock_wait_s`` seconds."""
        now = asyncio.get_running_loop().time()
        if self._locked_since is None:
            self._locked_since = now
        if now >= max(self._locked_since + self._lock_wait_s, asked_at + LOOK_S):
            raise Unavailable(
                f"another program has held the write lock of the store for {now - self._locked_since:.0f} s. Reads "
                "still work; the server's operator must have it let go"
            )
        await asyncio.sleep(min(WAIT_MAX_S, max(FIRST_WAIT_S, (now - asked_at) / 4)))

    def _begin(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")

    async def at_once(self, work: Callable[[], T]) -> T:
        """Run a function in the thread, for work that takes a millisecond unless the disk does not answer."""
        result: T = await self._thread.at_once(work)
        return result

    async def off_loop(self, work: Callable[[], T]) -> T:
        """Run a function in the thread that waits for the disk."""
        result: T = await self._thread.off_loop(work)
        return result

    async def failed(self, error: sqlite3.Error) -> Unavailable:
        """Return the exception for a failed commit, after an attempt to overwrite its frames.

        It is Unsure if a restart may find the commit done or undone.
        """
        if _is_sure(error):
            self.rollback()
            return cannot_write(error)
        self._is_in_doubt = True
        with suppress(sqlite3.Error):
            await self.off_loop(self._settle)
        if self._is_in_doubt:
            return Unsure(f"the store failed in the act of committing ({error})")
        return cannot_write(error)

    def rollback(self) -> None:
        """Undo the transaction. A full disk may have ended it already, and a failing disk may prevent its end."""
        with suppress(sqlite3.Error):
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def _settle(self) -> None:
        """End the open transaction, and overwrite a failed commit's frames; raises sqlite3.Error if that fails."""
        self.rollback()
        if self.connection.in_transaction:
            # The transaction can be neither ended nor used. A new connection discards it.
            fresh = _without_waiting(self._open())
            self.connection.close()
            self.connection = fresh
        if self._is_in_doubt:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                self.connection.execute(_MARK)
                self.connection.execute("COMMIT")
            except BaseException:
                self.rollback()
                raise
            self._is_in_doubt = False

    def close(self) -> None:
        """Finish a running commit, and close the connection."""
        self._thread.close()
        self.connection.close()

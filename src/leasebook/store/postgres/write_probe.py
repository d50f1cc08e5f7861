"""A probe for writing: it takes a batch's locks and waits for the disk, without leaving a row."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

import psycopg

from leasebook.batch import Unavailable
from leasebook.domain.book.tables import TABLES
from leasebook.store.postgres.hosts import one_line
from leasebook.store.postgres.statements import trusted

# Every batch takes these locks, which conflict only with a session that locks a whole table. The message goes into the
# write-ahead log, so its commit waits for the disk, and for a standby where one is synchronous; no table has it.
_NAMES: Final = ", ".join(f'"{table.name}"' for table in TABLES)
_LOCK: Final = trusted(f"LOCK TABLE {_NAMES} IN ROW EXCLUSIVE MODE")
_MESSAGE: Final = "SELECT pg_logical_emit_message(true, 'leasebook', '')"


class Attempt:
    """Runs probes on a connection of its own, one at a time."""

    def __init__(self, connect: Callable[[], Awaitable[psycopg.AsyncConnection[Any]]]) -> None:
        """``connect`` opens a connection for writing; it is called for the first probe."""
        self._connect = connect
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()

    async def make(self, within_s: float) -> None:
        """Write; raises Unavailable if that fails within ``within_s`` seconds."""
        try:
            async with asyncio.timeout(within_s), self._turn:
                await self._write(int(within_s * 1000))
        except TimeoutError:
            await self.close()
            raise Unavailable("the database does not take writes in time") from None
        except psycopg.errors.LockNotAvailable as error:
            await self.close()
            raise Unavailable("another session holds a table that batches write to", one_line(error)) from None
        except psycopg.Error as error:
            await self.close()
            raise Unavailable("the database takes no writes now", one_line(error)) from None

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                await connection.close()

    async def _write(self, within_ms: int) -> None:
        if self._connection is None or self._connection.closed:
            self._connection = await self._connect()
        connection = self._connection
        patience = trusted(f"SET LOCAL lock_timeout = {max(1, within_ms * 3 // 4)}")
        for statement in ("BEGIN", patience, _LOCK, _MESSAGE, "COMMIT"):
            await connection.execute(statement)

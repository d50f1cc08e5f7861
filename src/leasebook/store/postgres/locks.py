"""The rows that other sessions of the database have locked: asked on a connection of its own, beside the batches."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final, LiteralString

import psycopg

from leasebook.domain.book.loads import (
    SUSPENDED_MAX,
    ChargedTags,
    KeysOfUser,
    Needed,
    OfferingsOfType,
    SuspendedInstances,
    UsageTotals,
    WholeAccount,
)
from leasebook.domain.book.store_queries import Asked
from leasebook.domain.book.tables import OFFERINGS, Table
from leasebook.store.postgres.hosts import Silent
from leasebook.store.postgres.statements import HALTED, LOAD, UNRENEWED, load_statement, trusted, written_keys
from leasebook.store.rows.codec import CODECS

Row = tuple[Any, ...]

QUEUED_MAX_MS: Final = 200
"""How long to queue for one row, in milliseconds. Without queueing, a popular row would hardly ever be found free."""


class RowLocks:
    """Locks rows and releases them at once. A row that it cannot lock is locked by another session."""

    def __init__(self, connect: Callable[[], Awaitable[psycopg.AsyncConnection[Any]]], silent_s: float) -> None:
        """``connect`` opens a connection; it is called for the first query.

        A connection that does not answer within ``silent_s`` seconds is closed.
        """
        self._connect = connect
        self._silent_s = silent_s
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def locked(self, needs: Collection[Needed], *, wait: bool) -> frozenset[Needed]:
        """Return the needs that another session has locked; ``wait``: after queueing for one of them.

        Raises psycopg.Error.
        """
        locked: set[Needed] = set()
        keys: dict[Table[Any], list[tuple[str, ...]]] = {}
        for need in needs:
            if isinstance(need, OfferingsOfType):
                if await self._lacks(*load_statement(OFFERINGS, [], [need.type])):
                    locked.add(need)
            elif isinstance(need, SuspendedInstances):
                account_id = need.account_id or await self._account_of(need.unit_id)
                for text in (HALTED, UNRENEWED) if account_id is not None else ():
                    if await self._lacks(trusted(text), [account_id, SUSPENDED_MAX]):
                        locked.add(need)
            elif not isinstance(need, UsageTotals | KeysOfUser | WholeAccount | ChargedTags | Asked):
                keys.setdefault(need[0], []).append(need[1])
        for table, wanted in keys.items():
            lacking = await self._lacking(table, wanted)
            if wait and lacking and await self._had(table, next(iter(lacking))):
                lacking = await self._lacking(table, sorted(lacking))
            locked.update((table, key) for key in lacking)
        return frozenset(locked)

    async def run(self, text: LiteralString) -> None:
        """Run another statement on the same connection."""
        await self._rows(text, ())

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                await self._connection.close()
            self._connection = None

    async def _lacking(self, table: Table[Any], wanted: list[tuple[str, ...]]) -> set[tuple[str, ...]]:
        """Return the keys of existing rows that cannot be locked."""
        text, params = LOAD[table], written_keys(table, wanted)
        read = CODECS[table].read
        try:
            free = {table.key_of(read(row)) for row in await self._rows(_skipping(text), params)}
        except psycopg.errors.LockNotAvailable:
            return set(wanted)  # another session has locked the whole table
        if len(free) == len(set(wanted)):
            return set()
        there = {table.key_of(read(row)) for row in await self._rows(_looking(text), params)}
        return there - free

    async def _account_of(self, unit_id: str | None) -> str | None:
        rows = await self._rows("SELECT account_id FROM units WHERE id = %s", (unit_id or "",))
        return str(rows[0][0]) if rows else None

    async def _lacks(self, text: LiteralString, params: Sequence[Any]) -> bool:
        """Whether a statement that locks rows finds some of them locked."""
        try:
            free = len(await self._rows(_skipping(text), params))
        except psycopg.errors.LockNotAvailable:
            return True
        return free < len(await self._rows(_looking(text), params))

    async def _had(self, table: Table[Any], key: tuple[str, ...]) -> bool:
        """Queue for a row; returns whether it was locked in time."""
        try:
            await self._rows(LOAD[table], written_keys(table, [key]))
        except psycopg.errors.LockNotAvailable:
            return False
        return True

    async def _rows(self, text: LiteralString, params: Sequence[Any]) -> list[Row]:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._silent_s):
                if self._connection is None or self._connection.closed:
                    self._connection = await self._connect()
                    await self._connection.execute(trusted(f"SET lock_timeout = {QUEUED_MAX_MS}"))
                cursor = await self._connection.execute(text, params)
                return await cursor.fetchall()
        except psycopg.errors.LockNotAvailable:
            raise
        except TimeoutError:
            await self.close()
            raise Silent(f"no answer in {self._silent_s:g} s", began) from None
        except BaseException:
            await self.close()
            raise


def _skipping(text: LiteralString) -> LiteralString:
    return trusted(f"{text} SKIP LOCKED")


def _looking(text: LiteralString) -> LiteralString:
    return trusted(text.removesuffix(" FOR UPDATE"))

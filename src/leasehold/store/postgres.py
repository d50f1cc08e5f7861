"""The shared store: PostgreSQL, for as many servers as wanted.

Every batch locks the rows it needs in one order, so batches of different servers can wait for each other but
never in a circle. No statement works on a single row: each takes arrays, one a column.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, TypeVar

import psycopg

from leasehold.domain.book import Needed
from leasehold.questions import Questions
from leasehold.sequencer import Conflict, Unavailable
from leasehold.store import revisions
from leasehold.store.errors import BadStore
from leasehold.store.postgres_locks import RowLocks
from leasehold.store.postgres_session import Session
from leasehold.store.postgres_transaction import FIRST_WAIT_S, RECONNECT_S, PostgresTransaction
from leasehold.store.queries import Queries
from leasehold.store.readers import Connection, LostError, Readers
from leasehold.store.statements import trusted

T = TypeVar("T")


VERSION_MIN: Final = 150000
READERS: Final = 4
MIGRATION_LOCK: Final = 0x1EA5E401D
PAUSED_MAX_MS: Final = 5000
"""A server that stops in the middle of a transaction, without dying, keeps its rows from the others this long."""
IN_THE_WAY_MAX_MS: Final = PAUSED_MAX_MS + 1000
"""So long is a row waited for, until whoever has it and stands still is sent away."""
# The rows are always found by their keys. Left to guess how long an array is, the planner sometimes reads
# whole tables instead; and it may keep its plans, since every batch has the same statements.
_WRITER: Final = (
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; "
    "SET plan_cache_mode = force_generic_plan; SET synchronous_commit = on; "
    f"SET idle_in_transaction_session_timeout = {PAUSED_MAX_MS}; SET lock_timeout = {IN_THE_WAY_MAX_MS}"
)
_READER: Final = "SET default_transaction_read_only = on; SET jit = off; SET statement_timeout = 60000"

# A session that waits for its client in the middle of a transaction has a server that stands still. Between two
# statements PostgreSQL sends it away by itself; in the middle of one it would wait for ever.
_CLEAR_THE_WAY: Final = trusted(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name = 'leasehold' AND pid <> pg_backend_pid() AND wait_event = 'ClientRead' "
    f"AND xact_start < clock_timestamp() - interval '{PAUSED_MAX_MS} milliseconds'"
)


def queries_on(connection: psycopg.Connection[Any]) -> Queries:
    """Ask questions of a connection; they raise LostError where it is gone."""

    def fetch(text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            return connection.execute(trusted(text.replace("?", "%s")), params).fetchall()
        except psycopg.OperationalError as error:
            if connection.closed or connection.broken:
                raise LostError(str(error)) from None
            raise

    return Queries(fetch)


def executor(connection: psycopg.Connection[Any]) -> Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]:
    """Run statements whose parameters are marked ``?``, and return the rows that they answer with."""

    def run(text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        cursor = connection.execute(trusted(text.replace("?", "%s")), params)
        return cursor.fetchall() if cursor.description is not None else []

    return run


def connect(url: str) -> psycopg.Connection[Any]:
    """Open a connection for reading; raises BadStore where the database does not let us in."""
    try:
        return _connect(url)
    except psycopg.Error as error:
        raise BadStore(f"PostgreSQL does not let us in: {_one_line(error)}") from None


def _connect(url: str) -> psycopg.Connection[Any]:
    connection = psycopg.connect(url, autocommit=True, application_name="leasehold", connect_timeout=10)
    if connection.info.server_version < VERSION_MIN:
        version = connection.info.server_version // 10000
        connection.close()
        raise BadStore(f"PostgreSQL 15 or newer is needed, and this is {version}.")
    connection.execute(trusted(_READER))
    return connection


def _open_reader(url: str) -> tuple[Connection, Queries]:
    try:
        connection = _connect(url)
    except psycopg.OperationalError as error:
        raise LostError(_one_line(error)) from None
    return connection, queries_on(connection)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def sqlalchemy_url(url: str) -> str:
    """Return the address as the toolkit wants it."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def upgrade(url: str) -> None:
    """Bring the schema up to date; several servers may start at once. Raises BadStore or NewerStore."""
    with connect(url) as connection:
        tables, name = revisions.POSTGRES_TABLES, "the database"
        revision = revisions.look(lambda text: connection.execute(trusted(text)).fetchall(), tables, name)
    if revision == revisions.latest():
        return
    # What only a store needs whose schema is not this version's: it takes a while to load.
    from sqlalchemy import create_engine

    from leasehold.store import migrate

    engine = create_engine(sqlalchemy_url(url))
    try:
        with engine.connect() as guard:
            guard.exec_driver_sql(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
            migrate.upgrade(engine, name)
            guard.exec_driver_sql(f"SELECT pg_advisory_unlock({MIGRATION_LOCK})")
    finally:
        engine.dispose()


class PostgresStore:
    """A database that any number of servers work on."""

    def __init__(self, url: str) -> None:
        """Open the database and bring its schema up to date.

        Raises BadStore where it cannot be used, and NewerStore where a newer version wrote it.
        """
        upgrade(url)
        self._url = url
        self._writer: Session | None = None
        self._is_stuck = False
        self._last = 0
        self._readers = Readers(lambda: _open_reader(url), READERS)
        self._locks = RowLocks(self.connect)

    async def begin(self, *, moves_clock: bool = False) -> PostgresTransaction:
        """Open the transaction of the next batch; waits a while for a database that restarts.

        Raises Unavailable where it does not come back.
        """
        wait, waited = FIRST_WAIT_S, 0.0
        while True:
            try:
                if self._writer is None or self._writer.is_closed:
                    self._writer = Session(await self.connect())
                if self._is_stuck:
                    await self._writer.run([(_CLEAR_THE_WAY, ())])
                    self._is_stuck = False
                return self._told(await PostgresTransaction.begin(self, self._writer, moves_clock=moves_clock))
            except psycopg.errors.LockNotAvailable as error:
                self.stuck()
                await self._drop()
                raise Conflict(f"another server has the clock: {error}") from None
            except psycopg.OperationalError as error:
                await self._drop()
                if waited >= RECONNECT_S:
                    raise Unavailable("the database does not answer", _one_line(error)) from None
                await asyncio.sleep(wait)
                waited += wait
                wait = min(wait * 2, 1.0)

    def _told(self, transaction: PostgresTransaction) -> PostgresTransaction:
        """Tell a transaction whether another one came between it and the last one of this server."""
        transaction.has_company = transaction.number != self._last + 1
        self._last = transaction.number
        return transaction

    async def locked(self, needs: Collection[Needed], *, wait: bool = False) -> frozenset[Needed]:
        """Return which of these rows another session holds now; ``wait``: queue for one of them for a moment.

        Whoever holds some and stands still, though it is one of our servers, is sent away. Raises psycopg.Error.
        """
        held = await self._locks.held(needs, wait=wait)
        if held:
            await self._locks.run(_CLEAR_THE_WAY)
        return held

    async def read(self, question: Callable[[Questions], T], *, long: bool = False, party: str | None = None) -> T:
        """Ask a question off the event loop; waits a while for a database that restarts.

        Raises Unavailable where it does not come back.
        """
        wait, waited = FIRST_WAIT_S, 0.0
        while True:
            try:
                return await self._readers.read(question, long=long, party=party)
            except LostError as error:
                if waited >= RECONNECT_S:
                    raise Unavailable("the database does not answer", str(error)) from None
                await asyncio.sleep(wait)
                waited += wait
                wait = min(wait * 2, 1.0)

    async def glance(self, question: Callable[[Questions], T]) -> T:
        """Ask a short question on behalf of monitors; raises Unavailable at once where the database does not answer."""
        try:
            return await self._readers.glance(question)
        except LostError as error:
            raise Unavailable("the database does not answer", str(error)) from None

    def ask(self, question: Callable[[Questions], T]) -> T:
        """Ask a question right here; for the start only. Raises BadStore where the database has gone meanwhile."""
        try:
            return self._readers.ask(question)
        except LostError as error:
            raise BadStore(f"PostgreSQL does not let us in: {error}") from None

    async def close(self) -> None:
        """Close every connection."""
        self._readers.close()
        await self._locks.close()
        await self._drop()

    def stuck(self) -> None:
        """Take note that a row could not be had: before the next batch, whoever stands still is sent away."""
        self._is_stuck = True

    async def connect(self) -> psycopg.AsyncConnection[Any]:
        """Open a connection for writing; raises psycopg.OperationalError."""
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, application_name="leasehold", client_encoding="utf8", connect_timeout=10
        )
        await connection.execute(trusted(_WRITER))
        return connection

    async def _drop(self) -> None:
        if self._writer is not None:
            with contextlib.suppress(psycopg.Error):
                await self._writer.close()
            self._writer = None

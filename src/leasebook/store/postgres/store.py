"""The shared store: PostgreSQL, for any number of servers.

Every batch locks its rows in one order, so batches of different servers wait for each other. A circle of waits, which
rows of the second pass can close, ends by ``lock_timeout``, and the batch is tried again.
Each statement works on many rows: its parameters are arrays, one a column.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg

from leasebook.batch import LockedOut, Outdated, Unavailable
from leasebook.domain.book.loads import Needed
from leasebook.ports.progress import Progress, unseen
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.store import revisions
from leasebook.store.errors import BadStore
from leasebook.store.newer import Schema
from leasebook.store.opening import Use
from leasebook.store.postgres.hosts import Hosts, is_doubtful, limits_statement, one_line, since_of
from leasebook.store.postgres.locks import RowLocks
from leasebook.store.postgres.presence import Presence
from leasebook.store.postgres.reading import ReadingConnection, executor, open_reading, queries_on
from leasebook.store.postgres.session import Session
from leasebook.store.postgres.statements import trusted
from leasebook.store.postgres.timeouts import LONG_MAX_S, Patience
from leasebook.store.postgres.transaction import PostgresTransaction
from leasebook.store.postgres.write_probe import Attempt
from leasebook.store.queries.read_repository import Queries
from leasebook.store.queries.readers import Connection, LostError, Readers
from leasebook.store.rows import epochs

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["PostgresStore", "connect", "engine_of", "executor", "queries_on", "sqlalchemy_url", "upgrade"]

T = TypeVar("T")

READERS: Final = 4
PAUSED_MAX_MS: Final = 5000
"""How long a server that stops during a transaction without dying keeps its locks, in milliseconds."""
BARRED_MIN_MS: Final = 200
"""Shortest wait for the locks that every batch needs, in milliseconds, after earlier batches have waited for them."""
# Rows are always found by their keys. The planner does not know the arrays' lengths and would sometimes read whole
# tables instead. It may keep its plans, because every batch has the same statements.
_WRITER: Final = (
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; "
    "SET plan_cache_mode = force_generic_plan; SET synchronous_commit = on; "
    f"SET idle_in_transaction_session_timeout = {PAUSED_MAX_MS}; "
)

# A session that waits for its client during a transaction belongs to a server that has stopped. Between two statements
# PostgreSQL terminates it by itself; during one it would wait for ever.
_CLEAR_THE_WAY: Final = trusted(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name = 'leasebook' AND pid <> pg_backend_pid() AND wait_event = 'ClientRead' "
    f"AND xact_start < clock_timestamp() - interval '{PAUSED_MAX_MS} milliseconds'"
)


def connect(url: str) -> ReadingConnection:
    """Open a connection for reading, to any of several hosts, without a bound on its statements.

    Raises BadStore if the database refuses the connection.
    """
    try:
        return open_reading(Hosts(url, Patience()), answer_s=None)
    except psycopg.Error as error:
        raise BadStore(f"PostgreSQL does not let us in: {one_line(error)}") from None


def sqlalchemy_url(url: str) -> str:
    """Return the address of one host in the toolkit's form."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def engine_of(url: str) -> Engine:
    """Return the toolkit's engine; its statements have no timeout, even if the role sets one."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    hosts = Hosts(url, Patience())

    def opened() -> psycopg.Connection[Any]:
        connection = psycopg.connect(hosts.address)
        connection.execute("SET statement_timeout = 0; SET lock_timeout = '60s'")
        connection.commit()
        return connection

    return create_engine("postgresql+psycopg://", creator=opened, poolclass=NullPool)


def upgrade(url: str, progress: Progress = unseen) -> None:
    """Migrate the schema; several servers may start at once. Raises BadStore or NewerStore."""
    name = "the database"
    with connect(url) as connection:
        try:
            look = lambda text: connection.execute(trusted(text)).fetchall()  # noqa: E731
            revision = revisions.look(look, revisions.POSTGRES_TABLES, name)
        except psycopg.Error as error:
            raise BadStore(f"The database cannot be read: {one_line(error)}") from None
    if revision == revisions.latest():
        return
    # Imported only for a store with another version's schema, because it takes a while.
    from sqlalchemy.exc import DBAPIError

    from leasebook.store import migrate

    engine = engine_of(url)
    try:
        migrate.upgrade(engine, name, progress)
    except DBAPIError as error:
        raise BadStore(f"The database cannot be brought up to date: {one_line(error.orig or error)}") from None
    finally:
        engine.dispose()


class PostgresStore:
    """A database that any number of servers work on."""

    def __init__(self, url: str, patience: Patience | None = None) -> None:
        """Open the database and migrate its schema.

        Raises BadStore if it cannot be used, and NewerStore if a newer version wrote it.
        """
        upgrade(url)
        self.schema: Final = Schema()
        self._patience = patience or Patience()
        self._hosts = Hosts(url, self._patience)
        self._setup = trusted(f"{_WRITER}SET lock_timeout = {self._patience.in_the_way_ms}; ") + limits_statement(
            self._patience.answer_s
        )
        self._writer: Session | None = None
        self._is_stuck = False
        self._barred_since: float | None = None
        self._last = 0
        self._writing = Presence("writing", self._try_to_write, self._patience.away_s)
        self._reading = Presence("reading", self._try_to_read, self._patience.away_s)
        self._readers = Readers(
            lambda: self._open_reader(self._patience.answer_s), READERS, lambda: self._open_reader(LONG_MAX_S)
        )
        self._locks = RowLocks(self.connect, self._patience.silent_s)
        self._attempt = Attempt(self.connect)

    # --- writing ------------------------------------------------------------------------------------------

    async def begin(self, *, moves_clock: bool = False) -> PostgresTransaction:
        """Open the transaction of the next batch; waits a while for a database that restarts, or for its successor.

        A session whose state is unknown is closed. Raises Unavailable if no database takes writes in time, and
        LockedOut if another session has the locks that every batch needs.
        """
        self.schema.require()
        until = time.monotonic() + self._patience.away_s
        while True:
            await self._writing.here()
            began, is_new = time.monotonic(), self._writer is None or self._writer.is_closed
            try:
                return self._with_concurrency(await self._seen(await self._begun(moves_clock=moves_clock)))
            except Outdated:
                raise
            except psycopg.errors.LockNotAvailable:
                await self._bar(began)
            except psycopg.Error as error:
                await self._drop()
                self._barred_since = None
                if not is_doubtful(error):
                    raise
                if isinstance(error, psycopg.errors.QueryCanceled):
                    raise Unavailable("the database did not do it in time", one_line(error)) from None
                if is_new and began >= until:
                    raise Unavailable("the database does not answer", one_line(error)) from None
                # An error of an old session says nothing about the database: the next attempt opens a new one.
                if is_new or since_of(error) is not None:
                    self._writing.lost(error, since_of(error) or began)
            except BaseException:
                await self._drop()
                raise

    async def _begun(self, *, moves_clock: bool) -> PostgresTransaction:
        writer = self._writer
        if writer is None or writer.is_closed:
            writer = self._writer = Session(await self.connect(), self._patience.silent_s)
            # The database may be another one than before: restored, or a standby without the last transactions.
            await writer.run([(text, ()) for text in ("BEGIN", *map(trusted, epochs.BEGIN), "COMMIT")])
        if self._is_stuck:
            # Without the right to terminate the session, the batch waits for it.
            with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
                await writer.run([(_CLEAR_THE_WAY, ())])
            self._is_stuck = False
        locks_ms = None
        if self._barred_since is not None:
            left_s = self._patience.lock_wait_s - (time.monotonic() - self._barred_since)
            locks_ms = max(BARRED_MIN_MS, min(self._patience.in_the_way_ms, int(left_s * 1000)))
        transaction = await PostgresTransaction.begin(self, writer, moves_clock=moves_clock, locks_ms=locks_ms)
        self._barred_since = None
        return transaction

    async def _bar(self, began: float) -> None:
        """Record that no batch can begin; raises LockedOut after ``lock_wait_s`` seconds."""
        self.stuck()
        await self._drop()
        if self._barred_since is None:
            self._barred_since = began
        if time.monotonic() - self._barred_since + BARRED_MIN_MS / 1000 >= self._patience.lock_wait_s:
            raise LockedOut

    async def _seen(self, transaction: PostgresTransaction) -> PostgresTransaction:
        """Return the transaction if no newer version has changed the schema. Raises Outdated."""
        try:
            self.schema.see(*transaction.schema)
        except Outdated:
            await transaction.rollback()
            raise
        return transaction

    def _with_concurrency(self, transaction: PostgresTransaction) -> PostgresTransaction:
        """Record on a transaction whether another server's came between it and this server's last one."""
        transaction.has_concurrent_writers = transaction.number != self._last + 1
        self._last = transaction.number
        return transaction

    async def locked(self, needs: Collection[Needed], *, wait: bool = False) -> frozenset[Needed]:
        """Return the needs that another session has locked; ``wait``: queue for one of them for a moment.

        Sessions of servers that have stopped and hold locks are terminated. Raises psycopg.Error.
        """
        found = await self._locks.locked(needs, wait=wait)
        if found:
            await self._locks.run(_CLEAR_THE_WAY)
        return found

    async def try_writing(self, within_s: float) -> None:
        """Write like a batch, without leaving a row; raises Unavailable if that fails within ``within_s`` seconds.

        After it returns, the write was on the disk, and no session had locked a table that batches write to.
        """
        await self._attempt.make(within_s)

    @property
    def patience(self) -> Patience:
        """The bounds of waiting."""
        return self._patience

    def stuck(self) -> None:
        """Record that a row could not be locked: the next batch first terminates sessions of stopped servers."""
        self._is_stuck = True

    def silent(self, error: psycopg.Error) -> None:
        """Record an error: if the database did not answer, the next batch need not wait to find that out."""
        if (since := since_of(error)) is not None:
            self._writing.lost(error, since)

    async def connect(self) -> psycopg.AsyncConnection[Any]:
        """Open a connection for writing; raises psycopg.OperationalError."""
        return await self._hosts.connect(self._setup, writing=True)

    async def look(self) -> psycopg.AsyncConnection[Any]:
        """Open a connection for reading committed rows, even if the database takes no writes; raises psycopg.Error."""
        return await self._hosts.connect(limits_statement(self._patience.answer_s), writing=False)

    async def _try_to_write(self) -> None:
        await (await self.connect()).close()

    async def _drop(self) -> None:
        if self._writer is not None:
            with contextlib.suppress(psycopg.Error):
                await self._writer.close()
            self._writer = None

    # --- reading ------------------------------------------------------------------------------------------

    async def read(self, question: Callable[[ReadRepository], T], *, long: bool = False, party: str | None = None) -> T:
        """Answer a query off the event loop; waits a while for a database that restarts.

        Raises Unavailable if it does not come back, or does not answer in time.
        """
        try:
            async with asyncio.timeout(None if long else self._patience.silent_s + 1):
                return await self._read(question, long=long, party=party)
        except TimeoutError:
            raise Unavailable(
                "the database did not answer in time", "too much is asked, or it takes too long"
            ) from None

    async def _read(self, question: Callable[[ReadRepository], T], *, long: bool, party: str | None) -> T:
        until = time.monotonic() + self._patience.away_s
        while True:
            await self._reading.here()
            began = time.monotonic()
            try:
                return await self._readers.read(question, long=long, party=party)
            except LostError as error:
                self._reading.lost(error, error.since)
                if error.since is not None:
                    # Other threads that wait for an answer wait for the same lost host.
                    for connection in self._readers.connections:
                        if isinstance(connection, ReadingConnection):
                            connection.is_given_up = True
                if began >= until:
                    raise self._reading.unavailable() from None

    async def glance(self, question: Callable[[ReadRepository], T]) -> T:
        """Answer a short query of a monitor; raises Unavailable at once if the database does not answer."""
        try:
            return await self._readers.glance(question)
        except LostError as error:
            raise Unavailable("the database does not answer", str(error)) from None

    def ask(self, question: Callable[[ReadRepository], T]) -> T:
        """Answer a query on the event loop; only for the start. Raises BadStore if the database is lost meanwhile."""
        try:
            return self._readers.ask(question)
        except LostError as error:
            raise BadStore(f"PostgreSQL does not let us in: {error}") from None
        except Unavailable as error:
            raise BadStore(f"PostgreSQL does not answer: {error} ({error.detail})") from None

    def _open_reader(self, answer_s: float) -> tuple[Connection, Queries]:
        if self._reading.is_given_up:
            raise LostError("the database is away")
        try:
            connection = open_reading(self._hosts, answer_s=answer_s)
        except psycopg.Error as error:
            raise LostError(one_line(error)) from None
        return connection, queries_on(connection)

    async def _try_to_read(self) -> None:
        await (await self.look()).close()

    # --- health -------------------------------------------------------------------------------------------

    def unready(self) -> str | None:
        """Return why the service cannot work now, if the database is the reason."""
        for presence, what in ((self._writing, "takes no writes"), (self._reading, "cannot be read")):
            if away_s := presence.away_s():
                return f"The database {what}, for {away_s:.0f} s; it is looked for all the time, and the log says why."
        if self._barred_since is not None:
            held_s = time.monotonic() - self._barred_since
            return (
                f"Another session of the database has held a lock for {held_s:.0f} s without which nothing is written."
            )
        return None

    def away(self) -> Mapping[Use, Callable[[], float]]:
        """Return, for each use, a function that returns how many seconds the database has been away; 0: it is there."""
        return {"writing": self._writing.away_s, "reading": self._reading.away_s}

    def broken(self) -> str | None:
        """Return None: no fault of the database requires a restart of this server."""
        return None

    async def close(self) -> None:
        """Close every connection."""
        await self._writing.close()
        await self._reading.close()
        for connection in self._readers.connections:
            # Do not wait for answers of a database that is away.
            if isinstance(connection, ReadingConnection) and self._reading.away_since is not None:
                connection.is_given_up = True
        self._readers.close()
        await self._locks.close()
        await self._attempt.close()
        await self._drop()

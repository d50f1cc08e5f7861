"""The shared store: PostgreSQL, for as many servers as wanted.

Every batch locks the rows it needs in one order, so batches of different servers can wait for each other but
never in a circle. No statement works on a single row: each takes arrays, one a column.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, LiteralString, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from leasehold.domain.agenda import Due, DueKind
from leasehold.domain.book import (
    HALTED_MAX,
    OFFERINGS,
    REMEMBERED,
    TABLES,
    UNITS,
    Book,
    Changes,
    Halted,
    Held,
    Needed,
    Shelf,
    Table,
)
from leasehold.domain.calendar import Instant
from leasehold.questions import Questions
from leasehold.sequencer import Conflict, OutcomeUnknown, Unavailable
from leasehold.store import revisions
from leasehold.store.codec import CODECS
from leasehold.store.errors import BadStore
from leasehold.store.outbox_queries import clearing
from leasehold.store.postgres_audit import AuditReads
from leasehold.store.queries import HELD_TEXT, SPENT_TEXT, Queries, held_of
from leasehold.store.readers import Connection, LostError, Readers
from leasehold.store.statements import (
    CLAIM,
    HALTED,
    LOAD,
    PRUNE,
    TOKENS_AGAIN,
    load_statement,
    saving,
    trusted,
    written_keys,
)

T = TypeVar("T")


VERSION_MIN: Final = 150000
READERS: Final = 4
MIGRATION_LOCK: Final = 0x1EA5E401D
CLOCK_LOCK: Final = 0x1EA5E401E
PAUSED_MAX_MS: Final = 5000
"""A server that stops in the middle of a transaction, without dying, keeps its rows from the others this long."""
IN_THE_WAY_MAX_MS: Final = PAUSED_MAX_MS + 1000
"""So long is a row waited for, until whoever has it and stands still is sent away."""
RECONNECT_S: Final = 10.0
"""How long a batch waits for a database that restarts before its callers are told to try again."""
_FIRST_WAIT_S: Final = 0.05

# The rows are always found by their keys. Left to guess how long an array is, the planner sometimes reads
# whole tables instead; and it may keep its plans, since every batch has the same statements.
_WRITER: Final = (
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; "
    "SET plan_cache_mode = force_generic_plan; SET synchronous_commit = on; "
    f"SET idle_in_transaction_session_timeout = {PAUSED_MAX_MS}; SET lock_timeout = {IN_THE_WAY_MAX_MS}"
)
_READER: Final = "SET default_transaction_read_only = on; SET jit = off; SET statement_timeout = 60000"

# What a batch must know of the store as a whole, in the round trip that it begins with. Under a virtual clock
# the time stays what it is until the batch is done: who moves it waits for the others, and they for that one.
_CLOCK: Final = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_BEGIN: Final = (
    f"SELECT pg_current_xact_id()::text, {_CLOCK}, (SELECT value FROM facts WHERE name = 'clock_at' FOR {{lock}}), "
    "(SELECT value FROM facts WHERE name = 'identity_epoch')"
)
_TIME: Final = trusted(f"SELECT {_CLOCK}")
_LOCK_CLOCK: Final = trusted(f"SELECT pg_advisory_xact_lock({CLOCK_LOCK})")
_BEGIN_WORK: Final = trusted(_BEGIN.format(lock="SHARE"))
_BEGIN_MOVE: Final = trusted(_BEGIN.format(lock="UPDATE"))
# A session that waits for its client in the middle of a transaction has a server that stands still. Between two
# statements PostgreSQL sends it away by itself; in the middle of one it would wait for ever.
_CLEAR_THE_WAY: Final = trusted(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name = 'leasehold' AND pid <> pg_backend_pid() AND wait_event = 'ClientRead' "
    f"AND xact_start < clock_timestamp() - interval '{PAUSED_MAX_MS} milliseconds'"
)
_AGAIN: Final = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.UniqueViolation,
    psycopg.errors.AdminShutdown,
    psycopg.errors.CrashShutdown,
    psycopg.errors.IdleInTransactionSessionTimeout,
)
"""After these nothing was done, and the same batch may well succeed."""


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
        self._writer: psycopg.AsyncConnection[Any] | None = None
        self._is_stuck = False
        self._readers = Readers(lambda: _open_reader(url), READERS)

    async def begin(self, *, moves_clock: bool = False) -> PostgresTransaction:
        """Open the transaction of the next batch; waits a while for a database that restarts.

        Raises Unavailable where it does not come back.
        """
        wait, waited = _FIRST_WAIT_S, 0.0
        while True:
            try:
                if self._writer is None or self._writer.closed:
                    self._writer = await self.connect()
                if self._is_stuck:
                    await self._writer.execute(_CLEAR_THE_WAY)
                    self._is_stuck = False
                return await PostgresTransaction.begin(self, self._writer, _BEGIN_MOVE if moves_clock else _BEGIN_WORK)
            except psycopg.errors.LockNotAvailable as error:
                self.stuck()
                await self._drop()
                raise Conflict(f"another server has the clock: {error}") from None
            except psycopg.OperationalError as error:
                await self._drop()
                if waited >= RECONNECT_S:
                    raise Unavailable(f"the database does not answer: {_one_line(error)}") from None
                await asyncio.sleep(wait)
                waited += wait
                wait = min(wait * 2, 1.0)

    async def read(self, question: Callable[[Questions], T], *, long: bool = False) -> T:
        """Ask a question off the event loop; waits a while for a database that restarts.

        Raises Unavailable where it does not come back.
        """
        wait, waited = _FIRST_WAIT_S, 0.0
        while True:
            try:
                return await self._readers.read(question, long=long)
            except LostError as error:
                if waited >= RECONNECT_S:
                    raise Unavailable(f"the database does not answer: {error}") from None
                await asyncio.sleep(wait)
                waited += wait
                wait = min(wait * 2, 1.0)

    def ask(self, question: Callable[[Questions], T]) -> T:
        """Ask a question right here; for the start only. Raises BadStore where the database has gone meanwhile."""
        try:
            return self._readers.ask(question)
        except LostError as error:
            raise BadStore(f"PostgreSQL does not let us in: {error}") from None

    async def close(self) -> None:
        """Close every connection."""
        self._readers.close()
        await self._drop()

    def stuck(self) -> None:
        """Take note that a row could not be had: before the next batch, whoever stands still is sent away."""
        self._is_stuck = True

    async def connect(self) -> psycopg.AsyncConnection[Any]:
        """Open a connection for writing; raises psycopg.OperationalError."""
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, application_name="leasehold", prepare_threshold=1, connect_timeout=10
        )
        await connection.execute(trusted(_WRITER))
        return connection

    async def _drop(self) -> None:
        if self._writer is not None:
            with contextlib.suppress(psycopg.Error):
                await self._writer.close()
            self._writer = None


class PostgresTransaction(AuditReads):
    """The transaction of one batch."""

    def __init__(
        self,
        store: PostgresStore,
        connection: psycopg.AsyncConnection[Any],
        facts: tuple[str, int, str | None, str | None],
    ) -> None:
        self._store = store
        self._connection = connection
        self._id, machine_now, virtual_now, self.identity_epoch = facts
        self._tokens: list[tuple[str, ...]] = []
        self._witness: tuple[Table[Any], tuple[str, ...]] | None = None
        self._is_virtual = virtual_now is not None
        self._now = Instant(machine_now if virtual_now is None else int(virtual_now))

    @classmethod
    async def begin(
        cls, store: PostgresStore, connection: psycopg.AsyncConnection[Any], question: LiteralString
    ) -> PostgresTransaction:
        """Begin; raises psycopg.OperationalError where the connection is gone."""
        async with connection.pipeline():
            await connection.execute("BEGIN")
            if question is _BEGIN_MOVE:
                # Before it is founded, a store has no clock that could be locked.
                await connection.execute(_LOCK_CLOCK)
            cursor = await connection.execute(question)
            facts = await cursor.fetchone()
        assert facts is not None  # noqa: S101 - a SELECT without FROM has one row
        return cls(store, connection, facts)

    def now(self) -> Instant | None:
        """Return the database's time: all servers agree on it (decision 6a)."""
        return self._now

    async def due(self, until: Instant, limit: int, *, wait: bool) -> list[Due]:
        """Claim work that is due by then: its instances are locked, and those locked elsewhere are skipped."""
        text = CLAIM if wait else f"{CLAIM} SKIP LOCKED"
        rows = await self._rows(text, (until, limit))
        return [Due(Instant(at), DueKind(kind), unit_id) for at, kind, unit_id in rows]

    async def load(self, needs: Iterable[Needed], book: Book) -> None:
        """Lock and read the needed rows, table by table in the one order, each table by key."""
        wanted, shelves, special = _by_table(needs)
        tables = [table for table in TABLES if table in wanted]
        self._tokens += wanted.get(REMEMBERED, ())
        statements = [load_statement(table, wanted[table], shelves) for table in tables]
        if self._tokens and tables != [REMEMBERED]:
            statements.append((TOKENS_AGAIN, written_keys(REMEMBERED, self._tokens)))
        with self._retried():
            async with self._connection.pipeline():
                cursors = [await self._connection.execute(*statement) for statement in statements]
                clock = await self._connection.execute(_TIME)
                found = [await cursor.fetchall() for cursor in cursors]
                # A moment that another server called past, while this one waited or stood still, is past here, too.
                ((machine_now,),) = await clock.fetchall()
        self._now = self._now if self._is_virtual else Instant(machine_now)
        answered = found.pop() if len(found) > len(tables) else []
        for table, rows in zip(tables, found, strict=True):
            for key in wanted[table]:
                book.load(table, key, None)
            loaded = [CODECS[table].read(row) for row in rows]
            for row in loaded:
                book.load(table, table.key_of(row), row)
            if table is OFFERINGS:
                for unit_type in shelves:
                    book.load_shelf(unit_type, [row for row in loaded if row.type == unit_type])
        for token in map(CODECS[REMEMBERED].read, answered):
            book.load(REMEMBERED, REMEMBERED.key_of(token), token)
        for need in special:
            if isinstance(need, Halted):
                await self._load_halted(need, book)
            else:
                await self._load_held(need, book)

    async def _load_held(self, need: Held, book: Book) -> None:
        """Sum up what an account holds. It is locked by now: who changes that waits, or was here before."""
        units = await self._rows(HELD_TEXT.replace("?", "%s"), (need.account_id,))
        spent = await self._rows(SPENT_TEXT.replace("?", "%s"), (need.account_id, need.since))
        book.load_held(need, *held_of(units, spent))

    async def _load_halted(self, need: Halted, book: Book) -> None:
        """Lock and read what stands still. It is rare, so it may cost a round trip of its own."""
        account_id = need.account_id
        if account_id is None:
            found = await self._rows("SELECT account_id FROM units WHERE id = %s", (need.unit_id,))
            if not found:
                return
            account_id = str(found[0][0])
        rows = await self._rows(HALTED, (account_id, HALTED_MAX))
        book.load_halted(account_id, [CODECS[UNITS].read(row) for row in rows])

    async def save(self, changes: Changes) -> None:
        """Write everything that the batch changed, in one round trip.

        Each statement is on its way before the next is put together, so that the database works meanwhile.
        """
        self._witness = next(((table, table.key_of(rows[0])) for table, rows in changes.inserted.items() if rows), None)
        with self._retried():
            async with self._connection.pipeline():
                for text, params in saving(changes):
                    await self._connection.execute(text, params)

    async def prune_tokens(self, before: Instant, limit: int) -> None:
        """Forget at most so many client tokens that are older; another server may be at it already."""
        await self._rows(PRUNE, (before, limit))

    async def clear_deliveries(self, now: Instant, limit: int) -> None:
        """Forget at most so many deliveries, and lanes in which nothing waits, but for what others have locked."""
        with self._retried():
            for text, params in clearing(now, limit, " FOR UPDATE SKIP LOCKED"):
                await self._connection.execute(trusted(text.replace("?", "%s")), params)

    async def commit(self, *, alone: bool = False) -> None:  # noqa: ARG002 - the database is another process
        """Make it durable.

        Where the connection is lost in the very act, the database is asked what became of the transaction:
        it knows, also after a crash. Raises Conflict where nothing was done.
        """
        try:
            await self._connection.execute("COMMIT")
        except psycopg.OperationalError as error:
            if not await self._was_committed():
                raise Conflict(f"the connection was lost before the commit: {error}") from None

    async def rollback(self) -> None:
        """Forget it. A connection that is gone has forgotten it already."""
        with contextlib.suppress(psycopg.Error):
            if self._connection.info.transaction_status is not TransactionStatus.IDLE:
                await self._connection.execute("ROLLBACK")

    async def _was_committed(self) -> bool:
        """Ask what became of the transaction; raises OutcomeUnknown where nobody can tell in time."""
        wait, waited = _FIRST_WAIT_S, 0.0
        while waited < RECONNECT_S * 3:
            try:
                connection = await self._store.connect()
                async with connection:
                    cursor = await connection.execute("SELECT pg_xact_status(%s::xid8)", (self._id,))
                    ((status,),) = await cursor.fetchall()
                    if status == "committed" and self._witness is not None:
                        # A database that crashed may have given the number to another transaction since.
                        table, key = self._witness
                        found = await connection.execute(LOAD[table], written_keys(table, [key]))
                        return bool(await found.fetchall())
                if status != "in progress":
                    return bool(status == "committed")
            except psycopg.errors.InvalidParameterValue:
                return False  # the database crashed and does not know that it ever gave that number away
            except psycopg.OperationalError:
                pass
            await asyncio.sleep(wait)
            waited += wait
            wait = min(wait * 2, 1.0)
        raise OutcomeUnknown(f"transaction {self._id} may or may not have been committed")

    async def _rows(self, text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._retried():
            cursor = await self._connection.execute(trusted(text), params)
            return await cursor.fetchall()

    @contextlib.contextmanager
    def _retried(self) -> Iterator[None]:
        """Turn what a second try may mend into Conflict, and a database that cannot write into Unavailable."""
        try:
            yield
        except psycopg.errors.LockNotAvailable as error:
            self._store.stuck()
            raise Conflict(f"another server is in the way: {error}") from None
        except _AGAIN as error:
            raise Conflict(f"{type(error).__name__}: {error}") from None
        except (psycopg.errors.DiskFull, psycopg.errors.ReadOnlySqlTransaction) as error:
            raise Unavailable(f"the database cannot write: {error}") from None
        except psycopg.OperationalError as error:
            raise Conflict(f"the connection was lost: {error}") from None


def _by_table(
    needs: Iterable[Needed],
) -> tuple[dict[Table[Any], list[tuple[str, ...]]], list[str], list[Halted | Held]]:
    """Return the needed keys by table, the shelves, and what is looked up after them."""
    wanted: dict[Table[Any], list[tuple[str, ...]]] = {}
    shelves: list[str] = []
    special: list[Halted | Held] = []
    for need in needs:
        if isinstance(need, Shelf):
            shelves.append(need.type)
            wanted.setdefault(OFFERINGS, [])
        elif isinstance(need, Halted | Held):
            special.append(need)
        else:
            wanted.setdefault(need[0], []).append(need[1])
    return wanted, shelves, sorted(special, key=repr)

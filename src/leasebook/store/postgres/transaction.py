"""The transaction of one batch on PostgreSQL, from its first lock to its commit."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

import psycopg

from leasebook.batch import Blocked, Conflict, OutcomeUnknown, Unavailable
from leasebook.domain.book.book import Book
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.loads import (
    SUSPENDED_MAX,
    KeysOfUser,
    Needed,
    OfferingsOfType,
    SuspendedInstances,
    UsageTotals,
)
from leasebook.domain.book.store_queries import Asked
from leasebook.domain.book.tables import ACCESS_KEYS, IDEMPOTENCY_RECORDS, INSTANCES, OFFERINGS, TABLES, Table
from leasebook.domain.record.agenda import Due
from leasebook.domain.values.calendar import Instant
from leasebook.store.newer import MIGRATION_LOCK, WRITABLE_FROM
from leasebook.store.postgres.audit_log import AuditReads
from leasebook.store.postgres.hosts import is_doubtful, one_line
from leasebook.store.postgres.session import Row, Session, Statement
from leasebook.store.postgres.statements import (
    CLAIM,
    CLAIM_TIE,
    HALTED,
    LOAD,
    NOTE_USES,
    PRUNE,
    TOKENS_AGAIN,
    UNRENEWED,
    USES,
    load_statement,
    saving,
    trusted,
    written_keys,
)
from leasebook.store.postgres.timeouts import Patience
from leasebook.store.queries.batch_queries import asking
from leasebook.store.queries.due import cut, in_order
from leasebook.store.queries.identities import KEYS_OF_TEXT
from leasebook.store.queries.read_repository import HELD_TEXT, SPENT_TEXT, held_of
from leasebook.store.queries.signatures import forgetting
from leasebook.store.queries.subscriptions import clearing
from leasebook.store.rows.codec import CODECS

CLOCK_LOCK: Final = 0x1EA5E401E
FIRST_WAIT_S: Final = 0.05

# What a batch must know of the store as a whole, in the round trip that it begins with. Under a virtual clock
# the time stays what it is until the batch is done: who moves it waits for the others, and they for that one.
_CLOCK: Final = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_BEGIN: Final = (
    f"SELECT pg_current_xact_id()::text, {_CLOCK}, (SELECT value FROM facts WHERE name = 'clock_at' FOR {{lock}}), "
    "(SELECT value FROM facts WHERE name = 'identity_epoch'), (SELECT max(version_num) FROM alembic_version), "
    f"(SELECT value FROM facts WHERE name = '{WRITABLE_FROM}'){{more}}"
)
LOCKED_AFTER_MS: Final = 500
"""So long a row is waited for in a batch. Other servers let go of theirs sooner; who does not is waited for aside."""
_TIME: Final = trusted(f"SELECT {_CLOCK}")
_LOCKS_WITHIN: Final = trusted("SELECT set_config('lock_timeout', %s::text, true)")
_KEEP_SCHEMA: Final = trusted(f"SELECT pg_advisory_xact_lock_shared({MIGRATION_LOCK})")
"""While a batch is under way nobody changes the schema, and while somebody does no batch begins."""
_LOCK_CLOCK: Final = trusted(f"SELECT pg_advisory_xact_lock({CLOCK_LOCK})")
_PATIENCE: Final = f", set_config('lock_timeout', '{LOCKED_AFTER_MS}', true)"
_BEGIN_WORK: Final = trusted(_BEGIN.format(lock="SHARE", more=_PATIENCE))
# Whoever moves the clock leaves nothing out, and so waits for whoever is in the way until that is sent away.
_BEGIN_MOVE: Final = trusted(_BEGIN.format(lock="UPDATE", more=""))
_AGAIN: Final = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.UniqueViolation,
    psycopg.errors.AdminShutdown,
    psycopg.errors.CrashShutdown,
    psycopg.errors.IdleInTransactionSessionTimeout,
)
"""After these nothing was done, and the same batch may well succeed."""


class Connections(Protocol):
    """Where a transaction goes once its own connection is of no use."""

    @property
    def patience(self) -> Patience:
        """How long it is waited for what."""
        ...

    async def look(self) -> psycopg.AsyncConnection[Any]:
        """Open a connection to look at what was written, also where nothing can be now; raises psycopg.Error."""
        ...

    def stuck(self) -> None:
        """Take note that a row could not be had."""

    def silent(self, error: psycopg.Error) -> None:
        """Take note of an error: where nobody answered, the next batch need not find that out anew."""


class PostgresTransaction(AuditReads):
    """The transaction of one batch."""

    def __init__(self, store: Connections, session: Session, facts: Row) -> None:
        self._store = store
        self.has_concurrent_writers = False
        self._session = session
        self._id, machine_now, virtual_now, self.identity_epoch = facts[:4]
        self.schema: tuple[str, str | None] = (facts[4], facts[5])
        self._tokens: list[tuple[str, ...]] = []
        self._witness: tuple[Table[Any], tuple[str, ...]] | None = None
        self._is_virtual = virtual_now is not None
        self._now = Instant(machine_now if virtual_now is None else int(virtual_now))

    @classmethod
    async def begin(
        cls, store: Connections, session: Session, *, moves_clock: bool, locks_ms: int | None
    ) -> PostgresTransaction:
        """Begin; waits so long for whoever has the clock, None: as long as the session does. Raises psycopg.Error."""
        statements: list[Statement] = [("BEGIN", ())]
        if locks_ms is not None:
            statements.append((_LOCKS_WITHIN, (locks_ms,)))
        # A statement of its own: what is read in the next one is read after a migration that was waited for.
        statements.append((_KEEP_SCHEMA, ()))
        if moves_clock:
            # Before it is founded, a store has no clock that could be locked.
            statements.append((_LOCK_CLOCK, ()))
        statements.append((_BEGIN_MOVE if moves_clock else _BEGIN_WORK, ()))
        *_, (facts,) = await session.run(statements)
        return cls(store, session, facts)

    @property
    def number(self) -> int:
        """Its place among all transactions of the database's cluster that wrote."""
        return int(self._id)

    def now(self) -> Instant | None:
        """Return the database's time: all servers agree on it (decision 6a)."""
        return self._now

    async def due(self, until: Instant, limit: int, *, wait: bool) -> list[Due]:
        """Claim work that is due by then: its instances are locked, and those locked elsewhere are skipped."""
        skip = "" if wait else " SKIP LOCKED"
        rows = await self._rows(CLAIM + skip, (until, limit))
        tie = cut(rows, limit)
        return in_order(rows, () if tie is None else await self._rows(CLAIM_TIE + skip, tie))

    async def load(self, needs: Iterable[Needed], book: Book) -> None:
        """Lock and read the needed rows, table by table in the one order, each table by key."""
        wanted, shelves, special = _by_table(needs)
        tables = [table for table in TABLES if table in wanted]
        self._tokens += wanted.get(IDEMPOTENCY_RECORDS, ())
        statements: list[Statement] = [load_statement(table, wanted[table], shelves) for table in tables]
        if self._tokens and tables != [IDEMPOTENCY_RECORDS]:
            statements.append((TOKENS_AGAIN, written_keys(IDEMPOTENCY_RECORDS, self._tokens)))
        statements.append((_TIME, ()))
        with self._retried():
            # A moment that another server called past, while this one waited or stood still, is past here, too.
            *found, ((machine_now,),) = await self._session.run(statements)
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
                    book.load_offerings(unit_type, [row for row in loaded if row.type == unit_type])
        for token in map(CODECS[IDEMPOTENCY_RECORDS].read, answered):
            book.load(IDEMPOTENCY_RECORDS, IDEMPOTENCY_RECORDS.key_of(token), token)
        for need in special:
            await self._load_special(need, book)

    async def _load_special(self, need: SuspendedInstances | UsageTotals | KeysOfUser | Asked, book: Book) -> None:
        """Look up what is asked for besides rows; what it depends on is locked by now."""
        match need:
            case SuspendedInstances():
                await self._load_suspended(need, book)
            case UsageTotals():
                await self._load_usage_totals(need, book)
            case KeysOfUser():
                # Whoever makes keys has the user's row, so that none comes meanwhile.
                rows = await self._rows(KEYS_OF_TEXT.replace("?", "%s") + " FOR UPDATE", (need.user_id,))
                book.load_keys(need.user_id, map(CODECS[ACCESS_KEYS].read, rows))
            case Asked():
                text, params = asking(need)
                book.answers.load(need, await self._rows(text.replace("?", "%s"), params))

    async def _load_usage_totals(self, need: UsageTotals, book: Book) -> None:
        """Sum up what an account holds. It is locked by now: who changes that waits, or was here before."""
        units = await self._rows(HELD_TEXT.replace("?", "%s"), (need.account_id,))
        spent = await self._rows(SPENT_TEXT.replace("?", "%s"), (need.account_id, need.since))
        book.load_usage_totals(need, *held_of(units, spent))

    async def _load_suspended(self, need: SuspendedInstances, book: Book) -> None:
        """Lock and read what stands still. It is rare, so it may cost a round trip of its own."""
        account_id = need.account_id
        if account_id is None:
            found = await self._rows("SELECT account_id FROM units WHERE id = %s", (need.unit_id or "",))
            if not found:
                return
            account_id = str(found[0][0])
        rows = await self._rows(HALTED, (account_id, SUSPENDED_MAX))
        rows += await self._rows(UNRENEWED, (account_id, SUSPENDED_MAX))
        book.load_suspended(account_id, [CODECS[INSTANCES].read(row) for row in rows])

    def save_part(self, changes: Changes) -> None:
        """Have the database write a part while the rest is decided. What goes wrong with it the next call raises."""
        self._witness = self._witness or _one_of(changes)
        with self._retried():
            self._session.send(saving(changes))

    async def save(self, changes: Changes) -> None:
        """Write everything that the batch changed, or the rest of it, in one round trip."""
        self._witness = self._witness or _one_of(changes)
        with self._retried():
            await self._session.run(saving(changes))

    async def prune_tokens(self, before: Instant, limit: int) -> None:
        """Forget at most so many client tokens that are older; another server may be at it already."""
        await self._rows(PRUNE, (before, limit))

    async def prune_signatures(self, nonces_before: Instant, refused_before: Instant, limit: int) -> None:
        """Forget at most so many used nonces, and old rows of refused calls; another server may be at it already."""
        with self._retried():
            found = forgetting(nonces_before, refused_before, limit, " FOR UPDATE SKIP LOCKED")
            await self._session.run((trusted(text.replace("?", "%s")), params) for text, params in found)

    async def note_uses(self, uses: Sequence[tuple[str, Instant]]) -> None:
        """Write when access keys were last used, but for those that others have locked."""
        with self._retried():
            await self._session.run([(NOTE_USES, USES.write(list(uses)))])

    async def clear_deliveries(self, now: Instant, limit: int) -> None:
        """Forget at most so many deliveries, and lanes in which nothing waits, but for what others have locked."""
        with self._retried():
            found = clearing(now, limit, " FOR UPDATE SKIP LOCKED")
            await self._session.run((trusted(text.replace("?", "%s")), params) for text, params in found)

    async def commit(self, *, is_idle: bool = False) -> None:  # noqa: ARG002 - the database is another process
        """Make it durable.

        Where the connection is lost in the very act, the database is asked what became of the transaction:
        it knows, also after a crash. Raises Conflict where nothing was done, and OutcomeUnknown where it does not say.
        """
        until = time.monotonic() + self._store.patience.doubt_s
        try:
            await self._session.run([("COMMIT", ())])
        except psycopg.Error as error:
            self._store.silent(error)
            if not await self._was_committed(until):
                raise Conflict(f"the commit failed: {one_line(error)}") from None

    async def rollback(self) -> None:
        """Forget it. A connection that is gone has forgotten it already; one that does not do as it is told goes."""
        session = self._session
        if session.is_closed:
            return
        with contextlib.suppress(psycopg.Error):
            if session.is_waited_for:
                # A part may have failed; what comes in the round trip of that is not done.
                with contextlib.suppress(psycopg.Error):
                    await session.run(())
            if not (session.is_closed or session.is_idle):
                await session.run([("ROLLBACK", ())])
        if not (session.is_closed or session.is_idle):
            with contextlib.suppress(psycopg.Error):
                await session.close()

    async def _was_committed(self, until: float) -> bool:
        """Ask what became of the transaction; raises OutcomeUnknown where nobody can tell in time."""
        wait = FIRST_WAIT_S
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                while True:
                    with contextlib.suppress(psycopg.Error):
                        status = await self._status()
                        if status is not None:
                            return status
                    await asyncio.sleep(wait)
                    wait = min(wait * 2, 1.0)
        except TimeoutError:
            raise OutcomeUnknown(f"transaction {self._id} may or may not have been committed") from None

    async def _status(self) -> bool | None:
        """Return whether the transaction was committed; None: nobody can tell yet. Raises psycopg.Error."""
        connection = await self._store.look()
        async with connection:
            cursor = await connection.execute("SELECT pg_is_in_recovery()")
            if (await cursor.fetchall())[0][0]:
                # What it does not know of may still be on its way to it.
                return None
            try:
                cursor = await connection.execute("SELECT pg_xact_status(%s::xid8)", (self._id,))
                ((status,),) = await cursor.fetchall()
            except psycopg.errors.InvalidParameterValue:
                return False  # the database crashed and does not know that it ever gave that number away
            if status == "committed" and self._witness is not None:
                # A database that crashed may have given the number to another transaction since.
                table, key = self._witness
                found = await connection.execute(LOAD[table].removesuffix(" FOR UPDATE"), written_keys(table, [key]))
                return bool(await found.fetchall())
            return None if status == "in progress" else bool(status == "committed")

    async def _rows(self, text: str, params: Sequence[str | int]) -> list[Row]:
        with self._retried():
            (rows,) = await self._session.run([(trusted(text), params)])
        return rows

    @contextlib.contextmanager
    def _retried(self) -> Iterator[None]:
        """Turn what a second try may mend into Conflict, and a database that cannot write into Unavailable."""
        try:
            yield
        except psycopg.errors.LockNotAvailable as error:
            self._store.stuck()
            raise Blocked(f"another session is in the way: {one_line(error)}") from None
        except _AGAIN as error:
            raise Conflict(f"{type(error).__name__}: {one_line(error)}") from None
        except (psycopg.errors.DiskFull, psycopg.errors.ReadOnlySqlTransaction) as error:
            raise Unavailable("the database cannot write now", one_line(error)) from None
        except psycopg.errors.QueryCanceled as error:
            raise Unavailable("the database did not do it in time", one_line(error)) from None
        except psycopg.Error as error:
            self._store.silent(error)
            if self._session.is_closed:
                raise Conflict(f"the connection was lost: {one_line(error)}") from None
            if is_doubtful(error):
                raise Unavailable("the database cannot write now", one_line(error)) from None
            raise


def _one_of(changes: Changes) -> tuple[Table[Any], tuple[str, ...]] | None:
    """Return where a row stands that is new: whoever finds it there knows that the batch was committed."""
    return next(((table, table.key_of(rows[0])) for table, rows in changes.inserted.items() if rows), None)


def _by_table(
    needs: Iterable[Needed],
) -> tuple[
    dict[Table[Any], list[tuple[str, ...]]], list[str], list[SuspendedInstances | UsageTotals | KeysOfUser | Asked]
]:
    """Return the needed keys by table, the shelves, and what is looked up after them."""
    wanted: dict[Table[Any], list[tuple[str, ...]]] = {}
    shelves: list[str] = []
    special: list[SuspendedInstances | UsageTotals | KeysOfUser | Asked] = []
    for need in needs:
        if isinstance(need, OfferingsOfType):
            shelves.append(need.type)
            wanted.setdefault(OFFERINGS, [])
        elif isinstance(need, SuspendedInstances | UsageTotals | KeysOfUser | Asked):
            special.append(need)
        else:
            wanted.setdefault(need[0], []).append(need[1])
    return wanted, shelves, sorted(special, key=repr)

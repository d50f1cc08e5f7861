"""The transaction of one batch on PostgreSQL, from its first lock to its commit."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

import psycopg

from leasebook.batch import Blocked, Conflict, Duplicate, OutcomeUnknown, Unavailable
from leasebook.domain.book.book import Book
from leasebook.domain.book.changes import Changes
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
from leasebook.domain.book.tables import (
    ACCESS_KEYS,
    IDEMPOTENCY_RECORDS,
    INSTANCES,
    OFFERINGS,
    TABLES,
    TOKEN_PACKAGES,
    Table,
)
from leasebook.domain.commands.store.bootstrap import ROOT_USER
from leasebook.domain.model.instance import Instance
from leasebook.domain.record.agenda import Due
from leasebook.domain.values.calendar import Instant
from leasebook.store.newer import MIGRATION_LOCK, WRITABLE_FROM
from leasebook.store.postgres.audit_log import AuditReads
from leasebook.store.postgres.hosts import is_doubtful, one_line
from leasebook.store.postgres.session import Row, Session, Statement
from leasebook.store.postgres.statements import (
    CLAIM,
    CLAIM_APPROVALS,
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
from leasebook.store.queries.account.usage import (
    HELD_TEXT,
    POSTINGS_TEXT,
    SPENT_TEXT,
    SUMS_TEXT,
    by_tags_of,
    load_tags,
    sums_params,
    tags_texts,
    usage_totals_of,
)
from leasebook.store.queries.batch_queries import FOUNDERS_TEXT, LIVING, ROWS_OF_ACCOUNT, asking, load_living
from leasebook.store.queries.due import due_of, heads_of
from leasebook.store.queries.identities import KEYS_OF_TEXT
from leasebook.store.queries.signatures import forgetting
from leasebook.store.queries.subscriptions import clearing
from leasebook.store.rows.codec import CODECS

_Special = SuspendedInstances | UsageTotals | KeysOfUser | WholeAccount | ChargedTags | Asked
"""Needs other than rows by their keys and shelves."""
CLOCK_LOCK: Final = 0x1EA5E401E
FIRST_WAIT_S: Final = 0.05

# A batch's first round trip reads the properties of the store as a whole. Under a virtual clock the time stays the same
# until the batch is done: a command that moves the clock waits for other batches, and they for it.
_CLOCK: Final = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_BEGIN: Final = (
    f"SELECT pg_current_xact_id()::text, {_CLOCK}, (SELECT value FROM facts WHERE name = 'clock_at' FOR {{lock}}), "
    "(SELECT value FROM facts WHERE name = 'identity_epoch'), (SELECT max(version_num) FROM alembic_version), "
    f"(SELECT value FROM facts WHERE name = '{WRITABLE_FROM}'){{more}}"
)
LOCKED_AFTER_MS: Final = 500
"""How long a batch waits for a row, in milliseconds.

Other servers release theirs sooner; rows that take longer are waited for outside the batch.
"""
_TIME: Final = trusted(f"SELECT {_CLOCK}")
_LOCKS_WITHIN: Final = trusted("SELECT set_config('lock_timeout', %s::text, true)")
_KEEP_SCHEMA: Final = trusted(f"SELECT pg_advisory_xact_lock_shared({MIGRATION_LOCK})")
"""Batches share this lock, and a migration takes it alone: neither runs during the other."""
_LOCK_CLOCK: Final = trusted(f"SELECT pg_advisory_xact_lock({CLOCK_LOCK})")
_PATIENCE: Final = f", set_config('lock_timeout', '{LOCKED_AFTER_MS}', true)"
_BEGIN_WORK: Final = trusted(_BEGIN.format(lock="SHARE", more=_PATIENCE))
# A command that moves the clock must not be skipped, so it waits for other sessions until they are terminated.
_BEGIN_MOVE: Final = trusted(_BEGIN.format(lock="UPDATE", more=""))
_AGAIN: Final = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.AdminShutdown,
    psycopg.errors.CrashShutdown,
    psycopg.errors.IdleInTransactionSessionTimeout,
)
"""After these errors the batch was not done, and a second attempt may succeed."""


class Connections(Protocol):
    """The store, as a transaction needs it when its own connection is lost."""

    @property
    def patience(self) -> Patience:
        """The bounds of waiting."""
        ...

    async def look(self) -> psycopg.AsyncConnection[Any]:
        """Open a connection for reading committed rows, even if the database takes no writes; raises psycopg.Error."""
        ...

    def stuck(self) -> None:
        """Record that a row could not be locked."""

    def silent(self, error: psycopg.Error) -> None:
        """Record an error: if the database did not answer, the next batch need not wait to find that out."""


class PostgresTransaction(AuditReads):
    """The transaction of one batch."""

    def __init__(self, store: Connections, session: Session, facts: Row) -> None:
        self._store = store
        self.has_concurrent_writers = False
        self._session = session
        self._id, machine_now, virtual_now, self.identity_epoch = facts[:4]
        self.schema: tuple[str, str | None] = (facts[4], facts[5])
        self._tokens: list[tuple[str, ...]] = []
        self._claimed: dict[str, Instance] = {}
        self._witness: tuple[Table[Any], tuple[str, ...]] | None = None
        self._is_virtual = virtual_now is not None
        self._now = Instant(machine_now if virtual_now is None else int(virtual_now))

    @classmethod
    async def begin(
        cls, store: Connections, session: Session, *, moves_clock: bool, locks_ms: int | None
    ) -> PostgresTransaction:
        """Begin; ``locks_ms``: wait for the clock's lock, None: as long as the session does. Raises psycopg.Error."""
        statements: list[Statement] = [("BEGIN", ())]
        if locks_ms is not None:
            statements.append((_LOCKS_WITHIN, (locks_ms,)))
        # A statement of its own: the next one then reads what a migration that was waited for has written.
        statements.append((_KEEP_SCHEMA, ()))
        if moves_clock:
            # Before it is created, a store has no clock row to lock.
            statements.append((_LOCK_CLOCK, ()))
        statements.append((_BEGIN_MOVE if moves_clock else _BEGIN_WORK, ()))
        *_, (facts,) = await session.run(statements)
        return cls(store, session, facts)

    @property
    def number(self) -> int:
        """Its number among all writing transactions of the database's cluster."""
        return int(self._id)

    def now(self) -> Instant | None:
        """Return the database's time, which all servers share (decision 6a)."""
        return self._now

    async def due(self, until: Instant, limit: int, *, wait: bool) -> list[Due]:
        """Claim due work: its instances and requests are locked. Those that others have locked are skipped.

        With ``wait`` they are waited for.
        """
        skip = "" if wait else " SKIP LOCKED"
        with self._retried():
            claims = [(trusted(text + skip), (until, limit)) for text in (CLAIM, CLAIM_APPROVALS)]
            units, requests = await self._session.run(claims)
        heads = heads_of(units)
        self._claimed = {unit.id: unit for *_, unit in heads}
        return due_of(heads, requests, until, limit)

    async def load(self, needs: Iterable[Needed], book: Book) -> None:
        """Lock and read the needed rows, table by table in the one order, each table by key."""
        wanted, shelves, special = _by_table(needs)
        self._load_claimed(wanted, book)
        tables = [table for table in TABLES if table in wanted]
        self._tokens += wanted.get(IDEMPOTENCY_RECORDS, ())
        statements: list[Statement] = [load_statement(table, wanted[table], shelves) for table in tables]
        if self._tokens and tables != [IDEMPOTENCY_RECORDS]:
            statements.append((TOKENS_AGAIN, written_keys(IDEMPOTENCY_RECORDS, self._tokens)))
        statements.append((_TIME, ()))
        with self._retried():
            # Read after the locks: an instant that another server treated as past, while this one waited, is past here
            # too.
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

    def _load_claimed(self, wanted: dict[Table[Any], list[tuple[str, ...]]], book: Book) -> None:
        """Load the instances that were locked and read with their due work, and take them out of ``wanted``."""
        keys = wanted.pop(INSTANCES, []) if self._claimed else []
        for key in keys:
            if key[0] in self._claimed:
                book.load(INSTANCES, key, self._claimed[key[0]])
            else:
                wanted.setdefault(INSTANCES, []).append(key)

    async def _load_special(self, need: _Special, book: Book) -> None:
        """Load a need other than rows; the rows that it depends on are locked already."""
        match need:
            case SuspendedInstances():
                await self._load_suspended(need, book)
            case UsageTotals():
                await self._load_usage_totals(need, book)
            case KeysOfUser():
                # Commands that make keys lock the user's row, so no key is added meanwhile.
                rows = await self._rows(KEYS_OF_TEXT.replace("?", "%s") + " FOR UPDATE", (need.user_id,))
                book.load_keys(need.user_id, map(CODECS[ACCESS_KEYS].read, rows))
            case WholeAccount():
                await self._load_whole(need, book)
            case ChargedTags():
                await self._load_tags(need, book)
            case Asked():
                text, params = asking(need)
                book.answers.load(need, await self._rows(text.replace("?", "%s"), params))

    async def _load_whole(self, need: WholeAccount, book: Book) -> None:
        """Load an account's rows in the order of locks. Those that it adds to are locked by way of its own row."""
        for table, text in ROWS_OF_ACCOUNT:
            lock = "" if table is TOKEN_PACKAGES else " FOR UPDATE"
            rows = await self._rows(text.replace("?", "%s") + lock, (need.account_id,))
            book.load_rows(table, map(CODECS[table].read, rows))
        found = {kind: await self._rows(text.replace("?", "%s"), (need.account_id,)) for kind, text in LIVING.items()}
        founders = await self._rows(FOUNDERS_TEXT.replace("?", "%s"), (ROOT_USER, need.account_id))
        load_living(need, book, found, founders)

    async def _load_usage_totals(self, need: UsageTotals, book: Book) -> None:
        """Sum an account's usage. The account is locked: a batch that changes the usage waits, or came before."""
        units = await self._rows(HELD_TEXT.replace("?", "%s"), (need.account_id,))
        spent = await self._rows(SPENT_TEXT.replace("?", "%s"), (need.account_id, need.since))
        usage = usage_totals_of(units, spent)
        if need.by_tags:
            usage.by_tags = by_tags_of(await self._rows(SUMS_TEXT.replace("?", "%s"), sums_params(need)))
            if usage.by_tags is None:
                found = await self._rows(POSTINGS_TEXT.replace("?", "%s"), (need.account_id, need.since))
                usage.by_tags = by_tags_of(found)
        book.load_usage_totals(need, usage)

    async def _load_tags(self, need: ChargedTags, book: Book) -> None:
        """Read the tags of instances. Each change of tags locks the instance first, so no lock is needed."""
        for text, params, former, former_params in tags_texts(need):
            with self._retried():
                rows, former_rows = await self._session.run(
                    [
                        (trusted(text.replace("?", "%s")), params),
                        (trusted(former.replace("?", "%s")), former_params),
                    ]
                )
            load_tags(need, book, rows, former_rows)

    async def _load_suspended(self, need: SuspendedInstances, book: Book) -> None:
        """Lock and read suspended instances. They are rare, so they may cost a round trip of their own."""
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
        """Send a part while the rest is decided. The next call raises its errors."""
        self._witness = self._witness or _one_of(changes)
        with self._retried():
            self._session.send(saving(changes))

    async def save(self, changes: Changes) -> None:
        """Write the batch's changes, or the rest of them, in one round trip."""
        self._witness = self._witness or _one_of(changes)
        with self._retried():
            await self._session.run(saving(changes))

    async def prune_tokens(self, before: Instant, limit: int) -> None:
        """Delete up to ``limit`` client tokens older than ``before``; rows locked by other servers are skipped."""
        await self._rows(PRUNE, (before, limit))

    async def prune_signatures(self, nonces_before: Instant, refused_before: Instant, limit: int) -> None:
        """Delete up to ``limit`` used nonces and old rows of refused calls, without those locked by other servers."""
        with self._retried():
            found = forgetting(nonces_before, refused_before, limit, " FOR UPDATE SKIP LOCKED")
            await self._session.run((trusted(text.replace("?", "%s")), params) for text, params in found)

    async def note_uses(self, uses: Sequence[tuple[str, Instant]]) -> None:
        """Record when access keys were last used; rows locked by other servers are skipped."""
        with self._retried():
            await self._session.run([(NOTE_USES, USES.write(list(uses)))])

    async def clear_deliveries(self, now: Instant, limit: int) -> None:
        """Delete up to ``limit`` expired deliveries, and empty queues; rows locked by other servers are skipped."""
        with self._retried():
            found = clearing(now, limit, " FOR UPDATE SKIP LOCKED")
            await self._session.run((trusted(text.replace("?", "%s")), params) for text, params in found)

    async def commit(self, *, is_idle: bool = False) -> None:  # noqa: ARG002 - the database is another process
        """Make the batch durable.

        If the connection is lost during the commit, the database is asked for the transaction's outcome: it knows it,
        even after a crash. Raises Conflict if the batch was not done, and OutcomeUnknown if the database does not
        answer. After an error of a part that was sent before, the database has not run the COMMIT.
        """
        until = time.monotonic() + self._store.patience.doubt_s
        try:
            await self._session.run([("COMMIT", ())])
        except psycopg.Error as error:
            if self._session.has_failed:
                with self._retried():
                    raise
            self._store.silent(error)
            if not await self._was_committed(until):
                raise Conflict(f"the commit failed: {one_line(error)}") from None

    async def rollback(self) -> None:
        """Undo the batch. A lost connection has undone it already; one that fails to is closed."""
        session = self._session
        if session.is_closed:
            return
        with contextlib.suppress(psycopg.Error):
            if session.is_waited_for:
                # A sent part may have failed; a statement in the same round trip would then not run.
                with contextlib.suppress(psycopg.Error):
                    await session.run(())
            if not (session.is_closed or session.is_idle):
                await session.run([("ROLLBACK", ())])
        if not (session.is_closed or session.is_idle):
            with contextlib.suppress(psycopg.Error):
                await session.close()

    async def _was_committed(self, until: float) -> bool:
        """Ask for the transaction's outcome; raises OutcomeUnknown if there is no answer in time."""
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
        """Return whether the transaction was committed; None: not known yet. Raises psycopg.Error."""
        connection = await self._store.look()
        async with connection:
            cursor = await connection.execute("SELECT pg_is_in_recovery()")
            if (await cursor.fetchall())[0][0]:
                # A standby may still receive the transaction.
                return None
            try:
                cursor = await connection.execute("SELECT pg_xact_status(%s::xid8)", (self._id,))
                ((status,),) = await cursor.fetchall()
            except psycopg.errors.InvalidParameterValue:
                return False  # the database crashed and has no record of the number
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
        """Turn errors that a second attempt may avoid into Conflict, and a database without writes into Unavailable."""
        try:
            yield
        except psycopg.errors.LockNotAvailable as error:
            self._store.stuck()
            raise Blocked(f"another session is in the way: {one_line(error)}") from None
        except psycopg.errors.UniqueViolation as error:
            raise Duplicate(f"{type(error).__name__}: {one_line(error)}") from None
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
    """Return the key of a row that the batch adds: if the row exists, the batch was committed."""
    return next(((table, table.key_of(rows[0])) for table, rows in changes.inserted.items() if rows), None)


def _by_table(
    needs: Iterable[Needed],
) -> tuple[
    dict[Table[Any], list[tuple[str, ...]]],
    list[str],
    list[_Special],
]:
    """Return the needed keys by table, the types whose offerings are all needed, and the other needs."""
    wanted: dict[Table[Any], list[tuple[str, ...]]] = {}
    shelves: list[str] = []
    special: list[_Special] = []
    for need in needs:
        if isinstance(need, OfferingsOfType):
            shelves.append(need.type)
            wanted.setdefault(OFFERINGS, [])
        elif isinstance(need, _Special):
            special.append(need)
        else:
            wanted.setdefault(need[0], []).append(need[1])
    return wanted, shelves, sorted(special, key=repr)

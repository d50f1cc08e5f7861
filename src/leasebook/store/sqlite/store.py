"""The embedded store: one SQLite file, one writer, readers beside it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from leasebook.batch import Outdated
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
from leasebook.domain.book.tables import ACCESS_KEYS, INSTANCES, OFFERINGS, Table
from leasebook.domain.model.instance import Instance
from leasebook.domain.record.agenda import Due
from leasebook.domain.record.event import EventPage
from leasebook.domain.values.calendar import Instant
from leasebook.ports.progress import Progress, unseen
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.security.private_files import create_private
from leasebook.store import revisions
from leasebook.store.errors import BadStore
from leasebook.store.newer import REVISION_NOW, WRITABLE_FROM, Schema
from leasebook.store.queries import audit_log as audit
from leasebook.store.queries.batch_queries import answer
from leasebook.store.queries.due import APPROVALS_DUE_TEXT, HEADS_TEXT, UNRENEWED_TEXT, due_of, heads_of
from leasebook.store.queries.identities import KEYS_OF_TEXT, USE_TEXT
from leasebook.store.queries.read_repository import HALTED_TEXT, Queries
from leasebook.store.queries.readers import Connection, Readers
from leasebook.store.queries.signatures import forgetting
from leasebook.store.queries.subscriptions import clearing
from leasebook.store.rows.codec import CODECS, EVENTS
from leasebook.store.sqlite.acknowledged import Acknowledged
from leasebook.store.sqlite.checkpointer import Checkpointer
from leasebook.store.sqlite.damage import UNREADABLE, check_header, unusable
from leasebook.store.sqlite.directory import LOCK, STORE, locked, take
from leasebook.store.sqlite.disk import Disk
from leasebook.store.sqlite.file_watch import FileWatch
from leasebook.store.sqlite.log_bound import LogBound, bytes_kept
from leasebook.store.sqlite.mark import Mark, Seals, position
from leasebook.store.sqlite.missing import make_ready
from leasebook.store.sqlite.reading import ReadPatience
from leasebook.store.sqlite.statements import (
    EVENT_PAGE,
    EVENT_UNITS,
    LAST_PAGE,
    LOAD,
    LOAD_ONE,
    SHELF,
    statements,
    written_keys,
)
from leasebook.store.sqlite.writer import DISK_ERRORS, LOCK_WAIT_S, NEW_KEYS, Writer

T = TypeVar("T")

FILE: Final = STORE
SQLITE_MIN: Final = (3, 38, 0)

# Each setting, with its effect and its price.
WRITER_PRAGMAS: Final = (
    # Readers never wait for the writer, and a commit is one append to one file.
    "PRAGMA journal_mode = WAL",
    # The commit returns once the log is on the disk. NORMAL would be faster and could lose the last
    # answered purchases when the power fails; in batches of a hundred it gains less than a tenth.
    "PRAGMA synchronous = FULL",
    # The log is copied into the file beside the writer (Checkpointer). If that is too slow, the next batch waits for it
    # at 80 MiB. A page that many batches change is therefore written to the file once. The log is reused from its
    # start, and cut only after it has grown far: growing costs a second write at every sync.
    "PRAGMA wal_autocheckpoint = 0",
    f"PRAGMA journal_size_limit = {bytes_kept()}",
    # 64 MiB of pages, so that the hot part of a million instances stays in memory.
    "PRAGMA cache_size = -65536",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA foreign_keys = ON",
)
READERS: Final = 1
"""Threads for reads.

The driver releases the interpreter at every row, and two threads would spend their time on taking it again: with four
of them a page of a hundred takes 1.6 times as long.
"""
# Milliseconds that a connection waits for the file. Only migrations and backups hold it for long, and less than this.
BUSY_MS: Final = 5000


def connect(path: Path, *, read_only: bool = False, begin: bool = False) -> sqlite3.Connection:
    """Open a connection that begins transactions only explicitly, or (``begin``) before its first change.

    Raises BadStore if the file cannot be opened.
    """
    mode = "ro" if read_only else "rwc"
    if not read_only:
        # SQLite gives the log and its index beside it the mode of the file.
        with suppress(OSError):  # If it cannot be created, opening it shows why.
            create_private(path)
    try:
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level="IMMEDIATE" if begin else None,
            check_same_thread=False,
            timeout=BUSY_MS / 1000,
            cached_statements=512,
        )
    except sqlite3.Error as error:
        raise BadStore(f"{path} cannot be opened: {error}") from None


def queries_on(connection: sqlite3.Connection) -> Queries:
    """Return the queries on a connection."""

    def fetch(text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        return connection.execute(text, params).fetchall()

    return Queries(fetch)


class SqliteStore:
    """A data directory that one server works on."""

    def __init__(
        self, directory: Path, lock_wait_s: float = LOCK_WAIT_S, *, read_wait_s: float = LOCK_WAIT_S, new: bool = False
    ) -> None:
        """Open the directory, create it or migrate its schema where needed.

        A batch waits ``lock_wait_s`` seconds for the write lock if another program has it, and a caller ``read_wait_s``
        seconds for a short read. Raises StoreInUse if another
        server has the directory, NewerStore if a newer version wrote it, and BadStore if it is damaged or cannot be
        written, or if a store is missing and ``new`` is not given; then no file is changed.
        """
        if sqlite3.sqlite_version_info < SQLITE_MIN:
            raise BadStore(f"SQLite {'.'.join(map(str, SQLITE_MIN))} or newer is needed, not {sqlite3.sqlite_version}.")
        self.path: Final = directory / FILE
        make_ready(directory, new=new)
        self._lock = take(directory)
        try:
            self.mark: Final = Mark(directory)
            if new:
                self.mark.set_aside()
            self._writer = Writer(_prepared(self.path), lambda: _opened(self.path), lock_wait_s)
            self.files: Final = FileWatch(self.path, directory / LOCK)
            self._acknowledged = self._acknowledging()
        except BaseException:
            os.close(self._lock)
            raise
        self.schema: Final = Schema()
        self._data_version = -1
        self._disk = Disk()
        self._checkpointer = Checkpointer(LogBound(connect(self.path), self.path), self.files)
        self._readers = Readers(self._open_reader, READERS)
        self._patience: Final = ReadPatience(read_wait_s)
        self.files.start()

    def _acknowledging(self) -> Acknowledged:
        try:
            return Acknowledged(self._writer.connection, self.mark, self.files)
        except sqlite3.Error as error:
            self._writer.close()
            raise unusable(self.path, error) from None

    def prove_mark(self, seals: Seals) -> None:
        """Check by the mark that no acknowledged page is missing, and move the mark from now on.

        Raises BadStore, also if the files were replaced during the start.
        """
        if (wrong := self.files.look()) is not None:
            raise BadStore(wrong)
        self._acknowledged.prove(seals)

    async def begin(self, *, moves_clock: bool = False) -> SqliteTransaction:  # noqa: ARG002 - there is one writer
        """Open the transaction of the next batch."""
        self.schema.require()
        self._acknowledged.begin()
        await self._checkpointer.catch_up()
        connection = await self._writer.begin()
        transaction = SqliteTransaction(connection, self._writer, self._disk, self._checkpointer, self._acknowledged)
        try:
            self._look_again(connection)
        except Outdated:
            await transaction.rollback()
            raise
        return transaction

    def _look_again(self, connection: sqlite3.Connection) -> None:
        """Read the file's schema if another program has written to it. Raises Outdated."""
        ((version,),) = connection.execute("PRAGMA data_version").fetchall()
        if version != self._data_version:
            ((revision, writable_from),) = connection.execute(REVISION_NOW, (WRITABLE_FROM,)).fetchall()
            self.schema.see(revision, writable_from)
            self._data_version = version

    async def locked(self, needs: Collection[Needed], *, wait: bool = False) -> frozenset[Needed]:  # noqa: ARG002
        """Return no rows: no other server locks rows of this store."""
        return frozenset()

    async def read(self, question: Callable[[ReadRepository], T], *, long: bool = False, party: str | None = None) -> T:
        """Answer a query on a connection of its own, off the event loop."""
        self.files.before_reading()
        return await self._patience.wait(self._readers.read(question, long=long, party=party), long=long)

    async def glance(self, question: Callable[[ReadRepository], T]) -> T:
        """Answer a short query of a monitor."""
        return await self._readers.glance(question)

    def ask(self, question: Callable[[ReadRepository], T]) -> T:
        """Answer a query on the event loop; only for the start. Raises BadStore if the rows read are damaged."""
        try:
            return self._readers.ask(question)
        except (sqlite3.Error, *UNREADABLE) as error:
            raise unusable(self.path, error) from None

    async def close(self) -> None:
        """Close every connection and unlock the directory."""
        # Both first, because closing the last connection removes the log, and that is no fault of the files.
        self.files.close()
        self._checkpointer.finish()
        self.mark.close()
        self._readers.close()
        self._writer.close()
        self._checkpointer.close()
        os.close(self._lock)

    def _open_reader(self) -> tuple[Connection, Queries]:
        reader = connect(self.path, read_only=True)
        reader.execute("PRAGMA query_only = ON")
        return reader, queries_on(reader)


def upgrade(directory: Path, progress: Progress = unseen) -> None:
    """Migrate the schema; raises the errors of opening the store."""
    make_ready(directory)
    with locked(directory):
        _prepared(directory / FILE, progress).close()


def _prepared(path: Path, progress: Progress = unseen) -> sqlite3.Connection:
    """Open the writer's connection, with this version's schema; a store that is refused is not changed."""
    _look_first(path)
    writer = connect(path)
    try:
        _prepare(writer, path, progress)
    except BaseException:
        writer.close()
        raise
    return writer


def _look_first(path: Path) -> None:
    """Check before any write that this version knows the schema and that no acknowledged page is missing.

    Raises NewerStore or BadStore.
    """
    if not path.exists() or not path.stat().st_size:
        return
    check_header(path)
    marked = Mark(path.parent).read()
    # A store that was closed cleanly has no log, and can be read without creating files beside it.
    has_log = path.resolve().with_name(f"{path.resolve().name}-wal").exists()
    uri = f"{path.absolute().as_uri()}?mode=ro" + ("" if has_log else "&immutable=1")
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            _look(connection, path)
            if marked is not None:
                marked.check(sum(position(lambda text: connection.execute(text).fetchall())))
    except sqlite3.DatabaseError as error:
        raise unusable(path, error) from None


def _look(connection: sqlite3.Connection, path: Path) -> str | None:
    return revisions.look(lambda text: connection.execute(text).fetchall(), revisions.SQLITE_TABLES, str(path))


def _opened(path: Path) -> sqlite3.Connection:
    """Open another connection with the writer's settings."""
    connection = connect(path)
    try:
        for pragma in WRITER_PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(writer: sqlite3.Connection, path: Path, progress: Progress) -> None:
    try:
        for pragma in WRITER_PRAGMAS:
            writer.execute(pragma)
        if _look(writer, path) != revisions.latest():
            _migrate(writer, path, progress)
    except sqlite3.DatabaseError as error:
        raise unusable(path, error) from None


def _migrate(writer: sqlite3.Connection, path: Path, progress: Progress) -> None:
    # Imported only for a store with another version's schema: it takes half a second.
    from sqlalchemy import create_engine
    from sqlalchemy.event import listen
    from sqlalchemy.exc import DatabaseError
    from sqlalchemy.pool import StaticPool

    from leasebook.store import migrate

    engine = create_engine("sqlite://", creator=lambda: writer, poolclass=StaticPool)
    # The driver begins no transaction for changes of the schema.
    listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        migrate.upgrade(engine, str(path), progress)
    except DatabaseError as error:
        raise unusable(path, error.orig or error) from None
    # The toolkit leaves its own transaction mode on the connection; this store begins transactions explicitly.
    writer.isolation_level = None


class SqliteTransaction(audit.AuditReads):
    """The transaction of one batch.

    The statements run here, on the event loop: each takes microseconds, less than handing it to a thread. Only BEGIN
    and COMMIT, which wait for the disk, run in a thread. If the disk is fast and no other call waits, the loop waits
    for the thread, because to be woken by it takes 0.1 ms.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        writer: Writer,
        disk: Disk,
        checkpointer: Checkpointer,
        acknowledged: Acknowledged,
    ) -> None:
        """``connection`` is the writer's, on which the transaction has begun."""
        self._connection = connection
        self._writer = writer
        self._disk = disk
        self._checkpointer = checkpointer
        self._acknowledged = acknowledged
        self._claimed: dict[str, Instance] = {}
        """Instances that were read with the due work, and are loaded without another look."""
        # There is one server, and its own code reports each change of a key.
        self.identity_epoch: str | None = None
        self.has_concurrent_writers = False

    def now(self) -> Instant | None:
        """Return None: there is one server, and its clock counts."""
        return None

    async def due(self, until: Instant, limit: int, *, wait: bool) -> list[Due]:  # noqa: ARG002 - there is one writer
        """Return work due by an instant, in order."""
        heads = heads_of(self._connection.execute(HEADS_TEXT, (until, limit)).fetchall())
        self._claimed = {unit.id: unit for *_, unit in heads}
        requests = self._connection.execute(APPROVALS_DUE_TEXT, (until, limit)).fetchall()
        return due_of(heads, requests, until, limit)

    async def load(self, needs: Iterable[Needed], book: Book) -> None:
        """Load the needed rows into the book. No other server writes while this transaction is open."""
        wanted: dict[Table[Any], list[tuple[str, ...]]] = {}
        for need in needs:
            if isinstance(need, OfferingsOfType):
                rows = self._connection.execute(SHELF, (need.type,)).fetchall()
                book.load_offerings(need.type, [CODECS[OFFERINGS].read(row) for row in rows])
            elif isinstance(need, KeysOfUser):
                rows = self._connection.execute(KEYS_OF_TEXT, (need.user_id,)).fetchall()
                book.load_keys(need.user_id, map(CODECS[ACCESS_KEYS].read, rows))
            elif isinstance(need, UsageTotals | WholeAccount | ChargedTags | Asked):
                answer(need, book, lambda text, params: self._connection.execute(text, params).fetchall())
            elif isinstance(need, SuspendedInstances):
                self._load_suspended(need, book)
            else:
                wanted.setdefault(need[0], []).append(need[1])
        for table, keys in wanted.items():
            self._load_rows(table, keys, book)

    def _load_rows(self, table: Table[Any], keys: list[tuple[str, ...]], book: Book) -> None:
        if table is INSTANCES and self._claimed:
            for key in keys:
                if key[0] in self._claimed:
                    book.load(INSTANCES, key, self._claimed[key[0]])
            keys = [key for key in keys if key[0] not in self._claimed]
        if not keys:
            return
        codec = CODECS[table]
        # One key is looked up directly; many keys share one statement, whose text never changes.
        found = (
            self._connection.execute(LOAD_ONE[table], keys[0])
            if len(keys) == 1
            else self._connection.execute(LOAD[table], (written_keys(keys),))
        )
        for row in found:
            loaded = codec.read(row)
            book.load(table, table.key_of(loaded), loaded)
        for key in keys:
            if not book.has(table, key):
                book.load(table, key, None)

    def _load_suspended(self, need: SuspendedInstances, book: Book) -> None:
        account_id = need.account_id
        if account_id is None:
            found = self._connection.execute("SELECT account_id FROM units WHERE id = ?", (need.unit_id,)).fetchone()
            if found is None:
                return
            account_id = found[0]
        rows = self._connection.execute(HALTED_TEXT, (account_id, SUSPENDED_MAX)).fetchall()
        rows += self._connection.execute(UNRENEWED_TEXT, (account_id, SUSPENDED_MAX)).fetchall()
        book.load_suspended(account_id, [CODECS[INSTANCES].read(row) for row in rows])

    async def save(self, changes: Changes) -> None:
        """Write all changes of the batch, or the rest of them."""
        self.save_part(changes)

    def save_part(self, changes: Changes) -> None:
        """Write a part, table by table, at once: the same processor decides and writes here."""
        with DISK_ERRORS, NEW_KEYS:
            self._save_events(changes.events)
            for text, rows in statements(changes):
                self._connection.executemany(text, rows)
            if changes.audit:
                self._acknowledged.audit_until(audit.write(self._connection, changes.audit))

    def _save_events(self, pages: Sequence[EventPage]) -> None:
        """Write pages of events and their index, numbered here: there is one writer, and it takes two statements."""
        if not pages:
            return
        ((last,),) = self._connection.execute(LAST_PAGE)
        first = max((last or 0) + 1, self._acknowledged.epoch)
        self._acknowledged.events_until(first + len(pages) - 1)
        self._connection.executemany(
            EVENT_PAGE, [(number, *EVENTS.values(page)) for number, page in enumerate(pages, first)]
        )
        units = [
            (unit_id, number)
            for number, page in enumerate(pages, first)
            for unit_id in {event.unit_id for event in page.events}
            if unit_id is not None
        ]
        self._connection.executemany(EVENT_UNITS, units)

    async def prune_tokens(self, before: Instant, limit: int) -> None:
        """Delete up to ``limit`` client tokens older than ``before``."""
        with DISK_ERRORS:
            self._connection.execute(
                "DELETE FROM tokens WHERE (account_id, value) IN "
                "(SELECT account_id, value FROM tokens WHERE created_at < ? ORDER BY created_at LIMIT ?)",
                (before, limit),
            )

    async def prune_signatures(self, nonces_before: Instant, refused_before: Instant, limit: int) -> None:
        """Delete up to ``limit`` used nonces, and as many old rows of refused calls."""
        with DISK_ERRORS:
            for text, params in forgetting(nonces_before, refused_before, limit):
                self._connection.execute(text, params)

    async def note_uses(self, uses: Sequence[tuple[str, Instant]]) -> None:
        """Record when access keys were last used."""
        with DISK_ERRORS:
            self._connection.executemany(USE_TEXT, [(at, key, at) for key, at in uses])

    async def clear_deliveries(self, now: Instant, limit: int) -> None:
        """Delete up to ``limit`` expired deliveries, and empty queues."""
        with DISK_ERRORS:
            for text, params in clearing(now, limit):
                self._connection.execute(text, params)

    async def commit(self, *, is_idle: bool = False) -> None:
        """Make the batch durable; raises Unavailable, with the batch undone, if the disk refuses.

        Raises Unsure if the disk failed during the commit and a restart may find it done or undone, and OutcomeUnknown
        if the store's files were replaced meanwhile, so that no reply is sent.
        """
        try:
            if is_idle and self._disk.is_quick:
                await self._writer.at_once(self._commit)
            else:
                await self._writer.off_loop(self._commit)
        except sqlite3.OperationalError as error:
            raise await self._writer.failed(error) from None
        self._checkpointer.soon()

    def _commit(self) -> None:
        self._disk.timed(self._connection.commit)
        self._acknowledged.committed()

    async def rollback(self) -> None:
        """Undo the batch."""
        self._writer.rollback()

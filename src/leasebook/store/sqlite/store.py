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
    KeysOfUser,
    Needed,
    OfferingsOfType,
    SuspendedInstances,
    UsageTotals,
)
from leasebook.domain.book.store_queries import Asked
from leasebook.domain.book.tables import ACCESS_KEYS, INSTANCES, OFFERINGS, Table
from leasebook.domain.record.agenda import Due
from leasebook.domain.record.event import EventPage
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.security.private_files import create_private
from leasebook.store import revisions
from leasebook.store.errors import BadStore
from leasebook.store.newer import REVISION_NOW, WRITABLE_FROM, Schema
from leasebook.store.queries import audit_log as audit
from leasebook.store.queries.batch_queries import answer
from leasebook.store.queries.due import UNRENEWED_TEXT
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
from leasebook.store.sqlite.writer import LOCK_WAIT_S, TOLD, Writer

T = TypeVar("T")

FILE: Final = STORE
SQLITE_MIN: Final = (3, 38, 0)

# Each setting with what it buys and what it costs.
WRITER_PRAGMAS: Final = (
    # Readers never wait for the writer, and a commit is one append to one file.
    "PRAGMA journal_mode = WAL",
    # The commit returns once the log is on the disk. NORMAL would be faster and could lose the last
    # answered purchases when the power fails; in batches of a hundred it gains less than a tenth.
    "PRAGMA synchronous = FULL",
    # The log is copied into the file beside the writer (Checkpointer). Where that does not keep up, the next batch
    # waits for the rest of it at 80 MiB: a page that many batches change is so written to the file once. The log is
    # used again from its start, and cut only where it has grown far: growing costs a second write at every sync.
    "PRAGMA wal_autocheckpoint = 0",
    f"PRAGMA journal_size_limit = {bytes_kept()}",
    # 64 MiB of pages, so that the hot part of a million instances stays in memory.
    "PRAGMA cache_size = -65536",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA foreign_keys = ON",
)
READERS: Final = 1
"""The driver lets go of the interpreter at every row, and two threads would spend their time taking it again: with
four of them a page of a hundred takes 1.6 times as long."""
# Only migrations and backups can hold the file for long; five seconds see them through.
BUSY_MS: Final = 5000


def connect(path: Path, *, read_only: bool = False, begin: bool = False) -> sqlite3.Connection:
    """Open a connection that begins transactions only when told to, or (``begin``) before it changes something.

    Raises BadStore where the file cannot be opened.
    """
    mode = "ro" if read_only else "rwc"
    if not read_only:
        # The log and its index, which SQLite makes beside it, get the mode of the file.
        with suppress(OSError):  # Where it cannot be made, opening it says why.
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
    """Ask questions of a connection."""

    def fetch(text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        return connection.execute(text, params).fetchall()

    return Queries(fetch)


class SqliteStore:
    """A data directory that one server works on."""

    def __init__(self, directory: Path, lock_wait_s: float = LOCK_WAIT_S, *, new: bool = False) -> None:
        """Open the directory, creating it and bringing its schema up to date where needed.

        A batch waits for the write lock for ``lock_wait_s`` where another program has it.

        Raises StoreInUse where another server has it, NewerStore where a newer version wrote it, and
        BadStore where it is damaged or cannot be written, and where it is gone and not to be founded ``new``; then
        nothing is touched.
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
        self.files.start()

    def _acknowledging(self) -> Acknowledged:
        try:
            return Acknowledged(self._writer.connection, self.mark, self.files)
        except sqlite3.Error as error:
            self._writer.close()
            raise unusable(self.path, error) from None

    def prove_mark(self, seals: Seals) -> None:
        """See that nothing acknowledged is missing, by the mark beside the store, and move it from now on.

        Raises BadStore, also where the files were exchanged during the start.
        """
        if (wrong := self.files.look()) is not None:
            raise BadStore(wrong)
        self._acknowledged.prove(seals)

    async def begin(self, *, moves_clock: bool = False) -> SqliteTransaction:  # noqa: ARG002 - nobody else writes
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
        """See which schema the file has, where somebody else has written to it. Raises Outdated."""
        ((version,),) = connection.execute("PRAGMA data_version").fetchall()
        if version != self._data_version:
            ((revision, writable_from),) = connection.execute(REVISION_NOW, (WRITABLE_FROM,)).fetchall()
            self.schema.see(revision, writable_from)
            self._data_version = version

    async def locked(self, needs: Collection[Needed], *, wait: bool = False) -> frozenset[Needed]:  # noqa: ARG002
        """Return nothing: rows of this store are nobody else's."""
        return frozenset()

    async def read(self, question: Callable[[ReadRepository], T], *, long: bool = False, party: str | None = None) -> T:
        """Ask a question on a connection of its own, off the event loop."""
        self.files.before_reading()
        return await self._readers.read(question, long=long, party=party)

    async def glance(self, question: Callable[[ReadRepository], T]) -> T:
        """Ask a short question on behalf of monitors."""
        return await self._readers.glance(question)

    def ask(self, question: Callable[[ReadRepository], T]) -> T:
        """Ask a question right here; for the start only. Raises BadStore where what is read is damaged."""
        try:
            return self._readers.ask(question)
        except (sqlite3.Error, *UNREADABLE) as error:
            raise unusable(self.path, error) from None

    async def close(self) -> None:
        """Close every connection and give the directory free."""
        # Whoever closes the last connection takes the log away, and that is no alarm.
        self.files.close()
        self.mark.close()
        self._readers.close()
        self._writer.close()
        self._checkpointer.close()
        os.close(self._lock)

    def _open_reader(self) -> tuple[Connection, Queries]:
        reader = connect(self.path, read_only=True)
        reader.execute("PRAGMA query_only = ON")
        return reader, queries_on(reader)


def upgrade(directory: Path) -> None:
    """Bring the schema up to date; raises what opening the store raises."""
    make_ready(directory)
    with locked(directory):
        _prepared(directory / FILE).close()


def _prepared(path: Path) -> sqlite3.Connection:
    """Open the writer's connection, on this version's schema; what is refused is not touched."""
    _look_first(path)
    writer = connect(path)
    try:
        _prepare(writer, path)
    except BaseException:
        writer.close()
        raise
    return writer


def _look_first(path: Path) -> None:
    """See that this version knows the schema, and that nothing acknowledged is missing, before anything is written.

    Raises NewerStore or BadStore.
    """
    if not path.exists() or not path.stat().st_size:
        return
    check_header(path)
    marked = Mark(path.parent).read()
    # A store that was closed well has no log, and can be looked at without leaving a trace beside it.
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
    """Open a connection that writes as the writer does."""
    connection = connect(path)
    try:
        for pragma in WRITER_PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(writer: sqlite3.Connection, path: Path) -> None:
    try:
        for pragma in WRITER_PRAGMAS:
            writer.execute(pragma)
        if _look(writer, path) != revisions.latest():
            _migrate(writer, path)
    except sqlite3.DatabaseError as error:
        raise unusable(path, error) from None


def _migrate(writer: sqlite3.Connection, path: Path) -> None:
    # What only a store needs whose schema is not this version's: it takes half a second to load.
    from sqlalchemy import create_engine
    from sqlalchemy.event import listen
    from sqlalchemy.exc import DatabaseError
    from sqlalchemy.pool import StaticPool

    from leasebook.store import migrate

    engine = create_engine("sqlite://", creator=lambda: writer, poolclass=StaticPool)
    # The driver begins no transaction for what changes the schema.
    listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        migrate.upgrade(engine, str(path))
    except DatabaseError as error:
        raise unusable(path, error.orig or error) from None
    # The toolkit leaves its own idea of transactions on the connection; ours are begun by hand.
    writer.isolation_level = None


class SqliteTransaction(audit.AuditReads):
    """The transaction of one batch.

    The statements run here, on the event loop: each takes microseconds, and handing them to a thread costs
    more than they do. Only the COMMIT, which waits for the disk, runs in a helper; and not even that where
    the disk is quick and nobody else waits, because the way to the helper and back takes 0.1 ms.
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
        # There is one server: whoever changes a key tells it here.
        self.identity_epoch: str | None = None
        self.has_concurrent_writers = False

    def now(self) -> Instant | None:
        """There is one server, and its clock counts."""
        return None

    async def due(self, until: Instant, limit: int, *, wait: bool) -> list[Due]:  # noqa: ARG002 - nobody else writes
        """Return work that is due by then, in order."""
        return queries_on(self._connection).due(until, limit)

    async def load(self, needs: Iterable[Needed], book: Book) -> None:
        """Put the needed rows into the book. Nobody else writes while this transaction is open."""
        wanted: dict[Table[Any], list[tuple[str, ...]]] = {}
        for need in needs:
            if isinstance(need, OfferingsOfType):
                rows = self._connection.execute(SHELF, (need.type,)).fetchall()
                book.load_offerings(need.type, [CODECS[OFFERINGS].read(row) for row in rows])
            elif isinstance(need, KeysOfUser):
                rows = self._connection.execute(KEYS_OF_TEXT, (need.user_id,)).fetchall()
                book.load_keys(need.user_id, map(CODECS[ACCESS_KEYS].read, rows))
            elif isinstance(need, UsageTotals | Asked):
                answer(need, book, lambda text, params: self._connection.execute(text, params).fetchall())
            elif isinstance(need, SuspendedInstances):
                self._load_suspended(need, book)
            else:
                wanted.setdefault(need[0], []).append(need[1])
        for table, keys in wanted.items():
            codec = CODECS[table]
            # One key is looked up directly; for many there is one statement, whose text never changes.
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
        """Write everything that the batch changed, or the rest of it."""
        self.save_part(changes)

    def save_part(self, changes: Changes) -> None:
        """Write a part, table by table, at once: the same processor decides and writes here."""
        with TOLD:
            self._save_events(changes.events)
            for text, rows in statements(changes):
                self._connection.executemany(text, rows)
            if changes.audit:
                self._acknowledged.audit_until(audit.write(self._connection, changes.audit))

    def _save_events(self, pages: Sequence[EventPage]) -> None:
        """Write pages of events and their index, numbered here: nobody else writes, and it takes two statements."""
        if not pages:
            return
        ((last,),) = self._connection.execute(LAST_PAGE)
        first = max((last or 0) + 1, self._acknowledged.epoch)
        self._acknowledged.events_until(first + len(pages) - 1)
        self._connection.executemany(
            EVENT_PAGE, [(number, *EVENTS.values(page)) for number, page in enumerate(pages, first)]
        )
        told = [
            (unit_id, number)
            for number, page in enumerate(pages, first)
            for unit_id in {event.unit_id for event in page.events}
            if unit_id is not None
        ]
        self._connection.executemany(EVENT_UNITS, told)

    async def prune_tokens(self, before: Instant, limit: int) -> None:
        """Forget at most so many client tokens that are older."""
        with TOLD:
            self._connection.execute(
                "DELETE FROM tokens WHERE (account_id, value) IN "
                "(SELECT account_id, value FROM tokens WHERE created_at < ? ORDER BY created_at LIMIT ?)",
                (before, limit),
            )

    async def prune_signatures(self, nonces_before: Instant, refused_before: Instant, limit: int) -> None:
        """Forget at most so many used nonces, and old rows of refused calls."""
        with TOLD:
            for text, params in forgetting(nonces_before, refused_before, limit):
                self._connection.execute(text, params)

    async def note_uses(self, uses: Sequence[tuple[str, Instant]]) -> None:
        """Write when access keys were last used."""
        with TOLD:
            self._connection.executemany(USE_TEXT, [(at, key, at) for key, at in uses])

    async def clear_deliveries(self, now: Instant, limit: int) -> None:
        """Forget at most so many deliveries, and lanes in which nothing waits."""
        with TOLD:
            for text, params in clearing(now, limit):
                self._connection.execute(text, params)

    async def commit(self, *, is_idle: bool = False) -> None:
        """Make it durable; raises Unavailable, with everything taken back, where the disk refuses.

        Raises Unsure where the disk failed in the act, and nobody can say what a restart would find, and
        OutcomeUnknown where the store's files were exchanged meanwhile, so that nobody is answered.
        """
        try:
            if is_idle and self._disk.is_quick:
                self._disk.timed(self._connection.commit)
                self._acknowledged.committed()
            else:
                await self._writer.off_loop(self._commit)
        except sqlite3.OperationalError as error:
            raise await self._writer.failed(error) from None
        self._checkpointer.soon()

    def _commit(self) -> None:
        self._disk.timed(self._connection.commit)
        self._acknowledged.committed()

    async def rollback(self) -> None:
        """Forget it."""
        self._writer.rollback()

"""Stores opened beside the service: for filling, for questions, and for the sizes of their tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import psycopg

from leasebook.domain.record.ledger import Order, Posting
from leasebook.security.audit_keys import AuditKeys
from leasebook.store.opening import Target
from leasebook.store.postgres import statements
from leasebook.store.postgres import store as postgres
from leasebook.store.queries.read_repository import Queries
from leasebook.store.rows import orders
from leasebook.store.rows import postings as rows
from leasebook.store.rows.codec import ORDERS
from leasebook.store.sqlite import store as sqlite
from leasebook.store.sqlite.directory import locked

POSTED_AT_ONCE: Final = 10_000
"""Orders or postings that one statement writes on PostgreSQL."""


def master_key_of(where: Target) -> bytes:
    """Return the master key of a store that was founded."""
    return bytes.fromhex((where.directory / "master.key").read_text().strip())


class Sink:
    """Takes rows, table by table. ``keys`` seal the audit log and the log of identities."""

    def __init__(self, keys: AuditKeys) -> None:
        self.keys = keys

    def insert(self, table: str, names: str, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows."""
        raise NotImplementedError

    def order(self, placed: Sequence[Order]) -> None:
        """Add orders; their accounts and instances must be there."""
        raise NotImplementedError

    def post(self, postings: Sequence[Posting]) -> None:
        """Add postings; their accounts and instances must be there."""
        raise NotImplementedError

    def run(self, text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement, its parameters marked ``?``."""
        raise NotImplementedError

    def commit(self) -> None:
        """Make durable what was added, at leisure."""
        raise NotImplementedError


class _SqliteSink(Sink):
    def __init__(self, connection: sqlite3.Connection, keys: AuditKeys) -> None:
        super().__init__(keys)
        self._connection = connection

    def insert(self, table: str, names: str, rows: Sequence[Sequence[Any]]) -> None:
        marks = ", ".join("?" for _ in rows[0])
        self._connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)

    def order(self, placed: Sequence[Order]) -> None:
        self._connection.executemany(orders.INSERT, map(ORDERS.values, placed))

    def post(self, postings: Sequence[Posting]) -> None:
        self._connection.executemany(rows.INSERT, map(rows.values, postings))

    def run(self, text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(text, params).fetchall()

    def commit(self) -> None:
        self._connection.commit()


class _PostgresSink(Sink):
    def __init__(self, connection: psycopg.Connection[Any], keys: AuditKeys) -> None:
        super().__init__(keys)
        self._connection = connection
        self._run = postgres.executor(connection)

    def insert(self, table: str, names: str, rows: Sequence[Sequence[Any]]) -> None:
        text = cast("Any", f"COPY {table} ({names}) FROM STDIN")
        with self._connection.cursor() as cursor, cursor.copy(text) as copy:
            for row in rows:
                copy.write_row(row)

    def order(self, placed: Sequence[Order]) -> None:
        for begin in range(0, len(placed), POSTED_AT_ONCE):
            text, params = statements.order(placed[begin : begin + POSTED_AT_ONCE])
            self._connection.execute(text, params)

    def post(self, postings: Sequence[Posting]) -> None:
        for begin in range(0, len(postings), POSTED_AT_ONCE):
            text, params = statements.posting(postings[begin : begin + POSTED_AT_ONCE])
            self._connection.execute(text, params)

    def run(self, text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._run(text, params)

    def commit(self) -> None:
        self._connection.commit()


@contextmanager
def sink(where: Target, *, tidy: bool = True) -> Iterator[Sink]:
    """Open a store for filling, while no server has it open; ``tidy`` does its upkeep at once."""
    keys = AuditKeys(master_key_of(where))
    if where.url is None:
        with locked(where.directory):
            connection = sqlite.connect(where.directory / sqlite.FILE, begin=True)
            for pragma in ("synchronous = OFF", "cache_size = -1000000", "temp_store = MEMORY"):
                connection.execute(f"PRAGMA {pragma}")
            try:
                yield _SqliteSink(connection, keys)
                connection.commit()
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()
        return
    with psycopg.connect(where.url) as database:
        database.execute("SET synchronous_commit = off")
        yield _PostgresSink(database, keys)
    if tidy:
        with psycopg.connect(where.url, autocommit=True) as database:
            database.execute("VACUUM ANALYZE")
            database.execute("CHECKPOINT")


def _asked_of(connection: sqlite3.Connection) -> Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]:
    def run(text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return connection.execute(text, params).fetchall()

    return run


@contextmanager
def asking(where: Target) -> Iterator[tuple[Queries, Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]]]:
    """Open a store for reading, beside its server: the questions that the service asks, and any other."""
    if where.url is None:
        connection = sqlite.connect(where.directory / sqlite.FILE, read_only=True)
        try:
            yield sqlite.queries_on(connection), _asked_of(connection)
        finally:
            connection.close()
        return
    database = postgres.connect(where.url)
    try:
        yield postgres.queries_on(database), postgres.executor(database)
    finally:
        database.close()


def bytes_of(where: Target, table: str) -> tuple[int, int]:
    """Return the bytes that a table takes, and those of its indexes. The embedded store must not be served."""
    if where.url is not None:
        with psycopg.connect(where.url) as database:
            found_row = database.execute("SELECT pg_table_size(%s), pg_indexes_size(%s)", (table, table)).fetchone()
        assert found_row is not None
        return int(found_row[0]), int(found_row[1])
    return _sqlite_bytes(where.directory / sqlite.FILE, table)


def _sqlite_bytes(path: Path, table: str) -> tuple[int, int]:
    """Have the pages counted, where SQLite was built with what counts them."""
    connection = sqlite.connect(path, read_only=True)
    try:
        rows = connection.execute(
            "SELECT s.type, sum(d.pgsize) FROM dbstat d JOIN sqlite_schema s ON s.name = d.name "
            "WHERE s.tbl_name = ? AND d.aggregate = TRUE GROUP BY s.type",
            (table,),
        ).fetchall()
    finally:
        connection.close()
    sizes = dict(rows)
    return int(sizes.get("table", 0)), int(sizes.get("index", 0))

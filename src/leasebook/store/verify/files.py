"""Checks below the rows: the database's own files are consistent, and the tables are those of this version.

For the embedded store SQLite's ``integrity_check`` examines every page, every row against its constraints, and every
index against its table. For a shared store PostgreSQL's ``amcheck`` does the same, if that extension is installed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Boolean, Float, LargeBinary, Text

from leasebook.store.revisions import VERSIONS, latest
from leasebook.store.rows.schema import VIEWS, metadata

if TYPE_CHECKING:
    import psycopg

    from leasebook.store.queries.read_repository import Fetch

FOUND_MAX: Final = 100
AFFINITIES: Final = {Text: "TEXT", LargeBinary: "BLOB", Float: "FLOAT", Boolean: "BOOLEAN"}
"""SQLite's names for types of columns; all other columns are numbers."""
POSTGRES_TYPES: Final = {Text: "text", LargeBinary: "bytea", Float: "double precision", Boolean: "boolean"}
NUMBERS: Final = frozenset({"INTEGER", "BIGINT", "SMALLINT", "bigint", "integer", "smallint"})

Schema = dict[str, dict[str, tuple[str, bool]]]
"""By table and column: its type, and whether it may be null."""


def text_of(raw: bytes) -> Any:
    """Return bytes as text; the bytes themselves if they are not UTF-8, so that the check of the row reports them."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def embedded(connection: sqlite3.Connection) -> Fetch:
    """Return a function that queries an embedded store, even if text in it is damaged."""

    def fetch(text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            return connection.execute(text, params).fetchall()
        except sqlite3.OperationalError as error:
            if connection.text_factory is text_of or "decode" not in str(error):
                raise
        # Used only after an error, because it takes a call for each value.
        connection.text_factory = text_of
        return connection.execute(text, params).fetchall()

    return fetch


def integrity(connection: sqlite3.Connection) -> Iterator[str]:
    """Check the file of an embedded store."""
    for (line,) in connection.execute(f"PRAGMA integrity_check({FOUND_MAX})").fetchall():
        if line != "ok":
            yield f"file: {line}"


def embedded_schema(fetch: Fetch) -> Iterator[str]:
    """Compare the tables and indexes of an embedded store with this version's schema."""
    found: Schema = {}
    for table, column, kind, not_null in fetch(
        'SELECT m.name, c.name, c.type, c."notnull" FROM sqlite_master m, pragma_table_info(m.name) c '
        "WHERE m.type = 'table'",
        (),
    ):
        found.setdefault(table, {})[column] = (kind, not not_null)
    views: dict[str, str] = dict(fetch("SELECT name, sql FROM sqlite_master WHERE type = 'view'", ()))
    for name, text in VIEWS.items():
        if name not in views:
            yield f"view {name} is missing"
        elif views[name] != text:
            yield f"view {name} is another one than this version's"
    indexes = fetch("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL", ())
    yield from _schema(fetch, found, {name for (name,) in indexes}, AFFINITIES)


_HERE: Final = "JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()"


def shared_schema(fetch: Fetch) -> Iterator[str]:
    """Compare the tables and indexes of a shared store with this version's schema."""
    found: Schema = {}
    # The information schema says the same in more than twice the time: it asks for each column who may see it.
    for table, column, kind, not_null in fetch(
        "SELECT c.relname, a.attname, format_type(a.atttypid, NULL), a.attnotnull FROM pg_attribute a "
        f"JOIN pg_class c ON c.oid = a.attrelid {_HERE} AND c.relkind IN ('r', 'p') "
        "WHERE a.attnum > 0 AND NOT a.attisdropped",
        (),
    ):
        found.setdefault(table, {})[column] = (kind, not not_null)
    indexes = fetch(f"SELECT c.relname FROM pg_class c {_HERE} WHERE c.relkind IN ('i', 'I')", ())
    views = {name for (name,) in fetch(f"SELECT c.relname FROM pg_class c {_HERE} WHERE c.relkind = 'v'", ())}
    yield from (f"view {name} is missing" for name in VIEWS if name not in views)
    yield from _schema(fetch, found, {name for (name,) in indexes}, POSTGRES_TYPES)


def _schema(fetch: Fetch, found: Schema, indexes: set[str], types: dict[Any, str]) -> Iterator[str]:
    revisions = [revision for (revision,) in fetch(f"SELECT version_num FROM {VERSIONS}", ())]
    if revisions != [latest()]:
        yield f"the store says that its schema is {' and '.join(map(str, revisions)) or 'none'}, not {latest()}"
    for table in metadata.sorted_tables:
        if table.name not in found:
            yield f"table {table.name} is missing"
            continue
        for column in table.columns:
            kind, nullable = found[table.name].get(column.name, (None, False))
            wanted = next((name for of, name in types.items() if isinstance(column.type, of)), None)
            if kind is None:
                yield f"table {table.name} has no column {column.name}"
            elif kind != wanted if wanted is not None else kind not in NUMBERS:
                yield f"column {column.name} of table {table.name} is {kind}, which it is not to be"
            elif not column.primary_key and nullable is not bool(column.nullable):
                yield f"column {column.name} of table {table.name} {'may' if nullable else 'may not'} be empty"
        for index in table.indexes:
            if index.name not in indexes:
                yield f"index {index.name} of table {table.name} is missing"


class Amcheck:
    """PostgreSQL's own check of its tables and indexes."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self.summary = "amcheck is not installed in this database, so its own files were not checked"

    def findings(self) -> Iterator[str]:
        """Check every table and index; must run outside a transaction."""
        import psycopg

        rows = self._rows(
            "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace "
            "WHERE e.extname = 'amcheck'"
        )
        if not rows:
            return
        schema = '"{}".'.format(rows[0][0].replace('"', '""'))
        try:
            yield from self._relations(schema)
        except psycopg.errors.InsufficientPrivilege as error:
            self.summary = f"amcheck is installed and may not be used by this role ({error.diag.message_primary})"

    def _relations(self, schema: str) -> Iterator[str]:
        import psycopg

        tables = indexes = 0
        for oid, name, kind in self._rows(
            "SELECT c.oid::bigint, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "LEFT JOIN pg_am a ON a.oid = c.relam WHERE n.nspname = current_schema() "
            "AND (c.relkind = 'r' OR (c.relkind = 'i' AND a.amname = 'btree')) ORDER BY c.relname"
        ):
            try:
                if kind in ("r", b"r"):
                    tables += 1
                    for block, offset, column, text in self._rows(
                        f"SELECT blkno, offnum, attnum, msg FROM {schema}verify_heapam(relation => {oid}::oid) "
                        f"LIMIT {FOUND_MAX}"
                    ):
                        yield f"table {name}: block {block}, row {offset}, column {column}: {text}"
                else:
                    indexes += 1
                    self._rows(f"SELECT {schema}bt_index_check(index => {oid}::oid, heapallindexed => true)")
            except psycopg.errors.InsufficientPrivilege:
                raise
            except psycopg.Error as error:
                if self._connection.closed:
                    raise
                yield f"{'table' if kind in ('r', b'r') else 'index'} {name}: {' '.join(str(error).split())[:300]}"
        self.summary = f"amcheck looked at {tables} tables and {indexes} indexes"

    def _rows(self, text: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(text.encode()).fetchall()

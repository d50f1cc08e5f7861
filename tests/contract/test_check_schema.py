"""The check compares the tables, columns and indexes of a store with those that this version makes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import psycopg

from leasebook.store.opening import Target
from leasebook.store.revisions import POSTGRES_TABLES
from leasebook.store.rows.schema import metadata
from leasebook.store.sqlite.store import FILE
from leasebook.store.verify.files import embedded, embedded_schema, shared_schema
from tests.copies import empty

INDEX: Final = next(str(index.name) for index in metadata.tables["units"].indexes)
EITHER: Final = {
    "DROP TABLE quotes": "table quotes is missing",
    "ALTER TABLE services DROP COLUMN description": "table services has no column description",
    f"DROP INDEX {INDEX}": f"index {INDEX} of table units is missing",
    "DROP VIEW postings": "view postings is missing",
}
SHARED: Final = {
    **EITHER,
    "ALTER TABLE accounts ALTER COLUMN name TYPE varchar(9)": (
        "column name of table accounts is character varying, which it is not to be"
    ),
    "ALTER TABLE packages ALTER COLUMN used TYPE numeric": (
        "column used of table packages is numeric, which it is not to be"
    ),
    "ALTER TABLE order_rows ALTER COLUMN amount DROP NOT NULL": "column amount of table order_rows may be empty",
    "ALTER TABLE units ALTER COLUMN release_at SET NOT NULL": "column release_at of table units may not be empty",
}


def test_other_tables_columns_or_indexes_of_a_store_are_named(migrated: Target) -> None:
    if migrated.url is None:
        with closing(sqlite3.connect(migrated.directory / FILE)) as file:
            assert [*embedded_schema(embedded(file))] == []
            for text in EITHER:
                file.execute(text)
            assert {*embedded_schema(embedded(file))} == {*EITHER.values()}
        return
    with psycopg.connect(migrated.url) as connection:
        assert [*shared_schema(lambda text, _: connection.execute(text.encode()).fetchall())] == []
        for text in SHARED:
            connection.execute(text.encode())
        assert {*shared_schema(lambda text, _: connection.execute(text.encode()).fetchall())} == {*SHARED.values()}


def test_views_sequences_and_the_tables_of_other_schemas_are_no_tables_of_a_store(tmp_path: Path) -> None:
    with empty("postgres", tmp_path / "data", migrated=True) as where, psycopg.connect(str(where.url)) as connection:
        connection.execute("CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.another (number int)")
        connection.execute("CREATE VIEW seen AS SELECT 1 AS number; CREATE SEQUENCE counted")
        named = {name for (name,) in connection.execute(POSTGRES_TABLES).fetchall()}
    assert named == {*metadata.tables, "alembic_version"}

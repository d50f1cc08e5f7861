"""The chain of migrations makes the tables that the code works with, and never touches a newer store."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect
from sqlalchemy.pool import NullPool

from leasebook.store import migrate, revisions
from leasebook.store.errors import NewerStore, StoreInUse
from leasebook.store.opening import Target, open_store, upgrade
from leasebook.store.postgres import store as postgres
from leasebook.store.rows.schema import metadata
from leasebook.store.sqlite.directory import locked
from leasebook.store.sqlite.store import FILE, SqliteStore
from tests.copies import give_tables


@contextmanager
def connected(target: Target) -> Iterator[Connection]:
    url = f"sqlite:///{target.directory / FILE}" if target.url is None else postgres.sqlalchemy_url(target.url)
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def everything(target: Target) -> object:
    """All rows of the version table, and the names of all tables and columns."""
    with connected(target) as connection:
        found = inspect(connection)
        columns = {name: [column["name"] for column in found.get_columns(name)] for name in found.get_table_names()}
        return columns, connection.exec_driver_sql("SELECT version_num FROM alembic_version").fetchall()


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index posting_rows_unit")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_the_migrations_make_the_tables_that_the_code_works_with(target: Target) -> None:
    upgrade(target)
    with connected(target) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}
        assert migrate.current(connection, "it") == revisions.latest()


def test_the_partial_indexes_are_partial_and_the_pruned_tables_are_stored_by_key(migrated: Target) -> None:
    if migrated.url is not None:
        with psycopg.connect(migrated.url) as connection:
            found = connection.execute(
                "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'units'"
            ).fetchall()
    else:
        with closing(sqlite3.connect(migrated.directory / FILE)) as reading:
            found = reading.execute("SELECT name, sql FROM sqlite_master WHERE tbl_name = 'units'").fetchall()
            for table in ("tokens", "placements"):
                ((text,),) = reading.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchall()
                assert text.rstrip().endswith("WITHOUT ROWID")
    texts: dict[str, str] = dict(found)
    assert "WHERE" in texts["units_live_kinds"]
    assert "Released" in texts["units_live_kinds"]
    assert "WHERE" in texts["units_service"]
    assert "due_at IS NOT NULL" in texts["units_due"].partition("WHERE")[2]
    assert "auto_renew" in texts["units_renewed"].partition("WHERE")[2]
    assert "UNIQUE" in texts["units_id"]


def test_the_revisions_that_are_known_are_those_of_the_chain_of_migrations() -> None:
    chain = ScriptDirectory.from_config(migrate._config())
    assert revisions.known() == tuple(sorted(script.revision for script in chain.walk_revisions()))
    assert revisions.latest() == chain.get_current_head()


@pytest.mark.parametrize("module", ["alembic", "sqlalchemy"])
def test_a_store_that_is_up_to_date_is_opened_without_what_changes_schemas(tmp_path: Path, module: str) -> None:
    give_tables(tmp_path)
    code = (
        "import sys; from pathlib import Path; from leasebook.store.opening import Target, open_store;"
        f"open_store(Target(Path(sys.argv[1]))); print({module!r} in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code, tmp_path], check=True, capture_output=True, text=True)
    assert found.stdout == "False\n"


def test_upgrading_again_changes_nothing(target: Target) -> None:
    assert upgrade(target) == revisions.latest()
    before = everything(target)
    assert upgrade(target) == revisions.latest()
    assert everything(target) == before


def test_an_empty_store_has_no_revision(target: Target) -> None:
    with connected_to_nothing(target) as connection:
        assert migrate.current(connection, "it") is None


@contextmanager
def connected_to_nothing(target: Target) -> Iterator[Connection]:
    target.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with connected(target) as connection:
        yield connection


def test_a_store_of_a_newer_version_is_refused_and_its_tables_are_left_alone(migrated: Target) -> None:
    with connected(migrated) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.exec_driver_sql("ALTER TABLE facts ADD COLUMN of_the_future TEXT")
        connection.commit()
    before = everything(migrated)
    for attempt in (upgrade, open_store):
        with pytest.raises(NewerStore, match="written by a newer version of leasebook") as caught:
            attempt(migrated)
        assert "9999" in str(caught.value)
        assert revisions.latest() in str(caught.value)
        assert "\n" not in str(caught.value)
    assert everything(migrated) == before


def digest(directory: Path) -> str:
    return hashlib.sha256((directory / FILE).read_bytes()).hexdigest()


def newer(directory: Path) -> None:
    give_tables(directory)
    with closing(sqlite3.connect(directory / FILE)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()


def test_the_file_of_a_newer_version_is_the_same_to_the_byte_afterwards(tmp_path: Path) -> None:
    newer(tmp_path)
    before = digest(tmp_path)
    with pytest.raises(NewerStore):
        SqliteStore(tmp_path)
    assert digest(tmp_path) == before


def test_a_directory_that_could_not_be_opened_is_free_for_others(tmp_path: Path) -> None:
    newer(tmp_path)
    with pytest.raises(NewerStore):
        SqliteStore(tmp_path)
    with locked(tmp_path), pytest.raises(StoreInUse, match="Another server works on the data directory"):
        SqliteStore(tmp_path)

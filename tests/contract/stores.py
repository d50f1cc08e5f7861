"""Every kind of store, empty: what the contract is tested on."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import psycopg

from leasebook.store.opening import OpenStore
from leasebook.store.postgres.store import PostgresStore
from leasebook.store.rows.schema import metadata
from leasebook.store.sqlite.store import SqliteStore
from tests.copies import put_tables
from tests.postgres import shared_server
from tests.simulation.memory_store import MemoryStore

Opener = Callable[[], OpenStore]
"""Opens the store, and later opens the same one again."""


@contextmanager
def memory() -> Iterator[Opener]:
    """A store that lives as long as the test."""
    store = MemoryStore()
    yield lambda: store


@contextmanager
def sqlite() -> Iterator[Opener]:
    """A data directory: a copy of an empty one, since migrating takes longer than most tests."""
    with tempfile.TemporaryDirectory(prefix="leasebook-test-") as parent:
        directory = Path(shutil.copytree(_empty_directory(), Path(parent) / "data"))
        yield lambda: SqliteStore(directory)


@cache
def _empty_directory() -> Path:
    _parents.append(tempfile.TemporaryDirectory(prefix="leasebook-test-"))
    directory = Path(_parents[-1].name) / "empty"
    put_tables(directory)
    return directory


_parents: list[tempfile.TemporaryDirectory[str]] = []
"""Removed when the process ends."""


@contextmanager
def postgres() -> Iterator[Opener]:
    """A database of the server of this test process, always the same one, emptied."""
    url, facts, connection = _empty_database()
    # Tables of a few rows: this takes a tenth of the time of a TRUNCATE.
    deletes = "; ".join(f"DELETE FROM {table.name}" for table in metadata.sorted_tables)
    connection.execute(deletes.encode())
    # Those that the migrations wrote are in every store.
    connection.cursor().executemany("INSERT INTO facts (name, value) VALUES (%s, %s)", facts)
    yield lambda: PostgresStore(url)


@cache
def _empty_database() -> tuple[str, list[tuple[str, str]], psycopg.Connection[Any]]:
    """Return a database with the tables, the facts in it, and a connection, whose session knows all tables by now."""
    # Kept open as long as the process: the server is removed with all of its databases then.
    _databases.append(shared_server().database(migrated=True))
    url = _databases[-1].__enter__()
    connection: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True)
    atexit.register(connection.close)
    return url, connection.execute("SELECT name, value FROM facts").fetchall(), connection


_databases: list[AbstractContextManager[str]] = []

KINDS: Final[dict[str, Callable[[], AbstractContextManager[Opener]]]] = {
    "memory": memory,
    "sqlite": sqlite,
    "postgres": postgres,
}

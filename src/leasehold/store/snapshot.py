"""Many questions, all answered from one consistent view of a store, also while servers work on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from leasehold.questions import Questions
from leasehold.store import sqlite
from leasehold.store.errors import BadStore
from leasehold.store.opening import Target
from leasehold.store.queries import Fetch, Queries
from leasehold.store.revisions import latest


@contextmanager
def snapshot(where: Target) -> Iterator[Questions]:
    """Look at a store as it is at one moment; nothing is written.

    Raises BadStore where there is none, it cannot be read, or its schema is not this version's.
    """
    with _embedded(where) if where.url is None else _shared(where.url) as fetch:
        revision = str(fetch("SELECT max(version_num) FROM alembic_version", ())[0][0])
        if revision != latest():
            raise BadStore(
                f"{where.name} is at schema {revision}, and this version works with {latest()}. Bring it up to date "
                "with leasehold migrate, or use the version that wrote it."
            )
        yield Queries(fetch)


@contextmanager
def _embedded(where: Target) -> Iterator[Fetch]:
    path = where.directory / sqlite.FILE
    if not path.exists():
        raise BadStore(f"There is no store in {where.directory}: {path} does not exist.")
    connection = sqlite.connect(path, read_only=True)

    def fetch(text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        return connection.execute(text, params).fetchall()

    try:
        connection.execute("BEGIN")
        yield fetch
    except sqlite3.Error as error:
        raise BadStore(f"{path} cannot be read: {error}") from None
    finally:
        connection.close()


@contextmanager
def _shared(url: str) -> Iterator[Fetch]:
    import psycopg

    from leasehold.store import postgres

    connection = postgres.connect(url)
    try:
        connection.execute("SET statement_timeout = 0")
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield postgres.executor(connection)
    except psycopg.Error as error:
        raise BadStore(f"The database cannot be read: {error}") from None
    finally:
        connection.close()

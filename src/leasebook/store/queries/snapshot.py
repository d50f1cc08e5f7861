"""Many queries answered from one consistent snapshot of a store, even while servers work on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.store.errors import BadStore
from leasebook.store.maintenance.still_copy import still
from leasebook.store.opening import Target
from leasebook.store.queries.account.excerpt import Excerpt
from leasebook.store.queries.read_repository import Fetch, Queries
from leasebook.store.revisions import latest
from leasebook.store.sqlite import store as sqlite
from leasebook.store.sqlite.there import store_in

Around = Callable[[], AbstractContextManager[Any]]


@contextmanager
def snapshot(where: Target) -> Iterator[ReadRepository]:
    """Read a store as of one instant, for any length of time; nothing is written.

    Raises BadStore if there is none, if it cannot be read, or if its schema is not this version's.
    """
    with _look(where, still) as ask:
        yield ask


@contextmanager
def glimpse(where: Target) -> Iterator[ReadRepository]:
    """Read a store briefly: the log of an embedded store grows meanwhile. Otherwise like `snapshot`."""
    with _look(where, _opened) as ask:
        yield ask


@contextmanager
def excerpt(where: Target, wanted: Excerpt, around: Around) -> Iterator[ReadRepository]:
    """Read what some accounts spent in a period, as of one instant, for any length of time, beside a server.

    ``around`` is entered around each query, the copying of an embedded store included. Otherwise like `snapshot`.
    """
    with _look(where, wanted.of, around) as ask:
        yield ask


@contextmanager
def rows_of(where: Target) -> Iterator[Fetch]:
    """Run queries on a store briefly, as of one instant, whatever its schema is.

    Raises BadStore if there is none, or if it cannot be read.
    """
    with _fetching(where, _opened, nullcontext) as fetch:
        yield fetch


@contextmanager
def _fetching(where: Target, open_: Callable[[Path], sqlite3.Connection], around: Around) -> Iterator[Fetch]:
    with ExitStack() as parts:
        with around():
            run = parts.enter_context(_embedded(where, open_) if where.url is None else _shared(where.url))

        def fetch(text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
            with around():
                return run(text, params)

        yield fetch


@contextmanager
def _look(
    where: Target, open_: Callable[[Path], sqlite3.Connection], around: Around = nullcontext
) -> Iterator[ReadRepository]:
    with _fetching(where, open_, around) as fetch:
        revision = str(fetch("SELECT max(version_num) FROM alembic_version", ())[0][0])
        if revision != latest():
            raise BadStore(
                f"{where.name} is at schema {revision}, and this version works with {latest()}. Bring it up to date "
                "with leasebook migrate, or use the version that wrote it."
            )
        yield Queries(fetch)


@contextmanager
def _embedded(where: Target, open_: Callable[[Path], sqlite3.Connection]) -> Iterator[Fetch]:
    path = where.directory / sqlite.FILE
    connection = open_(path)

    def fetch(text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        return connection.execute(text, params).fetchall()

    try:
        connection.execute("BEGIN")
        yield fetch
    except sqlite3.Error as error:
        raise BadStore(f"{path} cannot be read: {error}") from None
    finally:
        connection.close()


def _opened(path: Path) -> sqlite3.Connection:
    store_in(path.parent)
    return sqlite.connect(path, read_only=True)


@contextmanager
def _shared(url: str) -> Iterator[Fetch]:
    import psycopg

    from leasebook.store.postgres import store as postgres

    connection = postgres.connect(url)
    try:
        connection.execute("SET statement_timeout = 0")
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield postgres.executor(connection)
    except psycopg.Error as error:
        raise BadStore(f"The database cannot be read: {error}") from None
    finally:
        connection.close()

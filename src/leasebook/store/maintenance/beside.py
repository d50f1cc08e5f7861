"""Writing to a store beside its servers, in transactions so short that servers hardly wait."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from leasebook.store.opening import Target
from leasebook.store.postgres import store as postgres
from leasebook.store.postgres.hosts import Hosts
from leasebook.store.postgres.timeouts import Patience
from leasebook.store.sqlite import store as sqlite
from leasebook.store.sqlite.there import store_in

Run = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]


@contextmanager
def beside(where: Target, what: str) -> Iterator[tuple[Run, Callable[[], Any]]]:
    """Open a store for short transactions beside its servers; ``what`` names the program to the database."""
    if where.url is None:
        path = store_in(where.directory, writing=True)
        connection = sqlite.connect(path)
        connection.execute("PRAGMA synchronous = FULL")
        try:
            yield _sqlite_run(connection), lambda: _begun(connection.execute, "BEGIN IMMEDIATE")
        finally:
            connection.close()
        return
    address = Hosts(where.url, Patience()).address
    with psycopg.connect(address, autocommit=True, application_name=f"leasebook {what}") as database:
        execute = postgres.executor(database)
        yield execute, lambda: _begun(lambda text: execute(text, ()), "BEGIN")


def _sqlite_run(connection: sqlite3.Connection) -> Run:
    def run(text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        return connection.execute(text, params).fetchall()

    return run


@contextmanager
def _begun(execute: Callable[[str], Any], begin: str) -> Iterator[None]:
    execute(begin)
    try:
        yield
    except BaseException:
        # A broken connection fails here as well; the first error is the one to report.
        with suppress(sqlite3.Error, psycopg.Error):
            execute("ROLLBACK")
        raise
    execute("COMMIT")

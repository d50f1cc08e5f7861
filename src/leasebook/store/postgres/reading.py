"""Connections for reading, each used by one thread, with a bound on the wait for an answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

import psycopg

from leasebook.batch import LockedOut, Unavailable
from leasebook.store.errors import BadStore
from leasebook.store.postgres.hosts import (
    HISTORY,
    UNTOLD,
    Hosts,
    Silent,
    history_of,
    is_doubtful,
    limits_statement,
    one_line,
    since_of,
)
from leasebook.store.postgres.statements import trusted
from leasebook.store.postgres.timeouts import GRACE_S
from leasebook.store.postgres.walks import PostgresQueries
from leasebook.store.queries.read_repository import Queries
from leasebook.store.queries.readers import LostError

T = TypeVar("T")

VERSION_MIN: Final = 150000
LOCK_MAX_MS: Final = 2000
"""Upper bound of a read's wait for a lock, in milliseconds. Only a session that locks a whole table blocks reads."""
_READER: Final = "SET default_transaction_read_only = on; SET jit = off; SET lock_timeout = "


class ReadingConnection(psycopg.Connection[Any]):
    """A connection that is closed if no answer comes."""

    answer_s: float | None = None
    """Seconds to wait for an answer; None: until the connection is lost."""
    is_given_up = False
    """Whether another thread has found that the host does not answer."""

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        """Wait for an answer; raises Silent if none comes."""
        return super().wait(self._watched(gen), *args, **options)

    def _watched(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        # The driver's wait resumes this several times a second, with an empty result while no answer is ready.
        began = time.monotonic()
        try:
            asked = next(gen)
            while True:
                ready = yield asked
                if not ready:
                    self._look(began)
                asked = gen.send(ready)
        except StopIteration as end:
            found: T = end.value
            return found

    def _look(self, began: float) -> None:
        if self.is_given_up:
            self.pgconn.finish()
            raise psycopg.OperationalError("the database does not answer")
        if self.answer_s is not None and time.monotonic() - began > self.answer_s:
            self.pgconn.finish()
            raise Silent(f"no answer in {self.answer_s:g} s", began)


def open_reading(hosts: Hosts, *, answer_s: float | None) -> ReadingConnection:
    """Open a connection for reading; a statement may take ``answer_s`` seconds, None: any time.

    Raises psycopg.Error, including Replaced, and BadStore for a PostgreSQL that is too old.
    """
    connection = ReadingConnection.connect(hosts.address, autocommit=True)
    version = connection.info.server_version
    if version < VERSION_MIN:
        connection.close()
        raise BadStore(f"PostgreSQL 15 or newer is needed, and this is {version // 10000}.")
    try:
        with suppress(*UNTOLD):
            hosts.check_not_replaced(history_of(connection.execute(HISTORY).fetchall()))
        if answer_s is not None:
            connection.answer_s = answer_s + GRACE_S
            connection.execute(limits_statement(answer_s))
        # Shorter than the statement timeout, so that the error names the lock and not the timeout.
        locks_ms = LOCK_MAX_MS if answer_s is None else min(LOCK_MAX_MS, int(answer_s * 500))
        connection.execute(trusted(f"{_READER}{locks_ms}"))
    except BaseException:
        connection.close()
        raise
    return connection


def queries_on(connection: psycopg.Connection[Any]) -> Queries:
    """Return the queries on a connection. They raise LostError if it is lost, and Unavailable if it does not answer.

    They raise LockedOut if another session has locked a whole table.
    """

    def fetch(text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        if getattr(connection, "is_given_up", False):
            connection.close()
            raise LostError("the connection was given up")
        try:
            found = connection.execute(trusted(text.replace("?", "%s")), params)
            return found.fetchall() if found.description is not None else []
        except psycopg.errors.LockNotAvailable:
            raise LockedOut from None
        except psycopg.Error as error:
            if connection.closed or connection.broken:
                raise LostError(one_line(error), since_of(error)) from None
            if is_doubtful(error):
                connection.close()
                raise Unavailable("the database did not answer in time", one_line(error)) from None
            raise

    return PostgresQueries(fetch)


def executor(connection: psycopg.Connection[Any]) -> Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]:
    """Return a function that runs statements with ``?`` for each parameter, and returns their rows."""

    def run(text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        cursor = connection.execute(trusted(text.replace("?", "%s")), params)
        return cursor.fetchall() if cursor.description is not None else []

    return run

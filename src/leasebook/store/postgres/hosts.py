"""The hosts of a PostgreSQL address: which of them takes writes, and how long to wait for each."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from typing import Any, Final, LiteralString, NamedTuple

import psycopg
from psycopg import waiting
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from leasebook.store.postgres.statements import trusted
from leasebook.store.postgres.timeouts import GRACE_S, Patience

NAME: Final = "leasebook"
_PRIMARY: Final = frozenset({"read-write", "primary"})
_PROBES: Final = 3
"""Keepalive probes without an answer after which a connection counts as lost."""
WATCH_S: Final = 0.1
"""Seconds between two checks of whether a wait should go on."""
_CAN_WRITE: Final = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'"
HISTORY: Final = trusted(
    "SELECT (SELECT system_identifier::text FROM pg_control_system()), "
    "substr(pg_walfile_name(CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_lsn() END), 1, 8)"
)
"""Selects the cluster's name and the timeline that it writes on, in hexadecimal: each promotion begins another."""
UNTOLD: Final = (psycopg.ProgrammingError, psycopg.NotSupportedError)
"""Errors of a database that does not let every role read its history, such as some that resemble PostgreSQL."""
OTHERS_S: Final = 1.0
"""How long the first connection waits for other hosts, in seconds, to find the newer of two that take writes."""


class Silent(psycopg.OperationalError):
    """The database did not answer in time; the connection is closed. ``since``: when it was asked (monotonic s)."""

    def __init__(self, message: str, since: float) -> None:
        super().__init__(message)
        self.since = since


class ReadOnly(psycopg.OperationalError):
    """The database accepts the connection and takes no writes."""


class Replaced(psycopg.OperationalError):
    """The database takes writes although a standby was promoted in its place, and was written to since."""


class History(NamedTuple):
    """The identity of a database's history: the cluster's name, and the timeline, which each promotion increases."""

    cluster: str
    timeline: int


DOUBTFUL: Final = (psycopg.OperationalError, psycopg.InternalError, psycopg.InterfaceError)
"""Errors that say nothing about the statement. The session may be unusable after them."""
_OURS: Final = (psycopg.ProgrammingError, psycopg.DataError, psycopg.IntegrityError, psycopg.NotSupportedError)


def is_doubtful(error: psycopg.Error) -> bool:
    """Whether the session must be closed after this error, because the statement is not its cause."""
    return isinstance(error, DOUBTFUL) or not isinstance(error, _OURS)


def since_of(error: BaseException) -> float | None:
    """Return when the database was asked, if the error is that it did not answer; None for another error."""
    return error.since if isinstance(error, Silent) else None


def one_line(error: BaseException) -> str:
    """Return a driver's message on one line."""
    return " ".join(str(error).split())


class PromptConnection(psycopg.AsyncConnection[Any]):
    """A connection that does not wait for the end of a cancelled statement.

    The driver would ask the database to cancel it and wait for that: ten seconds if the host is gone.
    """

    history: History | None = None
    """The database's history, if it takes writes and reveals it."""

    async def wait(self, gen: Any, interval: float = WATCH_S, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - as the driver has it
        """Wait for an answer; a cancelled wait closes the connection."""
        del timeout
        try:
            return await waiting.wait_async(gen, self.pgconn.socket, interval=interval)
        except asyncio.CancelledError:
            self.pgconn.finish()
            raise


class Hosts:
    """Opens connections to one of an address's hosts; if there are several, to the one that takes writes."""

    def __init__(self, url: str, patience: Patience) -> None:
        """``url`` may set any parameter of libpq; ``patience`` gives those that it leaves out.

        Raises psycopg.Error for an address that libpq cannot parse.
        """
        given = conninfo_to_dict(url)
        beat_s = patience.keepalive_s
        defaults: dict[str, Any] = {
            "connect_timeout": max(1, math.ceil(patience.connect_s)),
            "keepalives_idle": beat_s,
            "keepalives_interval": max(1, beat_s // _PROBES),
            "keepalives_count": _PROBES,
            "tcp_user_timeout": int(patience.unacknowledged_s * 1000),
            "application_name": NAME,
        }
        names = str(given.get("host") or given.get("hostaddr") or "").split(",")
        if len(names) > 1:
            defaults["target_session_attrs"] = "read-write"
        self._params: dict[str, Any] = {**defaults, **given}
        self.count: Final = len(names)
        self._at_once = self.count > 1 and self._params.get("target_session_attrs") in _PRIMARY
        each_s = max(patience.connect_s, float(given.get("connect_timeout") or 0))
        self._connect_s = each_s * (1 if self._at_once else self.count) + GRACE_S / 2
        self._best = 0
        self._newest: History | None = None

    def _single(self, number: int) -> str:
        """Return libpq's parameters for one host."""
        params = dict(self._params)
        for name in ("host", "hostaddr", "port"):
            parts = str(params.get(name) or "").split(",")
            if len(parts) > 1:
                params[name] = parts[number]
        return make_conninfo("", **params)

    @property
    def address(self) -> str:
        """The parameters of libpq for all hosts, with the host that last took writes first."""
        params = dict(self._params)
        for name in ("host", "hostaddr", "port"):
            parts = str(params.get(name) or "").split(",")
            if len(parts) > 1:
                params[name] = ",".join([parts[self._best], *parts[: self._best], *parts[self._best + 1 :]])
        return make_conninfo("", **params)

    async def connect(self, setup: LiteralString = "", *, writing: bool) -> psycopg.AsyncConnection[Any]:
        """Open a connection and run ``setup`` on it; if only one host takes writes, ask all hosts at once.

        Raises psycopg.Error: ReadOnly if ``writing`` and the database takes no writes, Silent if no host answers.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._connect_s):
                if self._at_once:
                    return await self._first(setup, writing=writing)
                opened = await self._opened(self.address, setup, writing=writing)
                self._newest = opened.history or self._newest
                return opened
        except TimeoutError:
            raise Silent("the database does not let us in in time", began) from None

    async def _first(self, setup: LiteralString, *, writing: bool) -> PromptConnection:
        """Ask every host at once: a host that is gone must not delay the one that took its place."""
        tasks = [
            asyncio.create_task(self._opened(self._single(number), setup, writing=writing))
            for number in range(self.count)
        ]
        waiting = set(tasks)
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                good = [task for task in done if task.exception() is None]
                if good and self._newest is None and waiting:
                    done, waiting = await asyncio.wait(waiting, timeout=OTHERS_S)
                    good += [task for task in done if task.exception() is None]
                if good:
                    found = max(good, key=lambda task: getattr(task.result().history, "timeline", 0))
                    self._best = tasks.index(found)
                    for spare in good:
                        if spare is not found:
                            await spare.result().close()
                    self._newest = found.result().history or self._newest
                    return found.result()
        finally:
            for task in waiting:
                task.cancel()
            for end in await asyncio.gather(*waiting, return_exceptions=True):
                if isinstance(end, psycopg.AsyncConnection):
                    await end.close()
        raise psycopg.OperationalError(
            "; ".join(
                f"host {number}: {one_line(task.exception() or ValueError())}" for number, task in enumerate(tasks, 1)
            )
        )

    def check_not_replaced(self, history: History | None) -> None:
        """Raise Replaced for a primary that came back after another one took its place.

        Work that it lacks would be done a second time. A cluster of another name is another database, for example a
        restored one.
        """
        newest = self._newest
        if history is None or newest is None or history.cluster != newest.cluster:
            return
        if history.timeline < newest.timeline:
            raise Replaced(
                f"it was replaced: it writes on timeline {history.timeline}, and this server has worked on timeline "
                f"{newest.timeline}. Stop it, and make a standby of it. If it is the one to go on with, restart this "
                "server"
            )

    async def _opened(self, address: str, setup: LiteralString, *, writing: bool) -> PromptConnection:
        connection = await PromptConnection.connect(address, autocommit=True, client_encoding="utf8")
        try:
            connection.history = await _history(connection)
            self.check_not_replaced(connection.history)
            if writing:
                cursor = await connection.execute(trusted(_CAN_WRITE))
                ((stands_by, read_only),) = await cursor.fetchall()
                _check_writable(stands_by=stands_by, read_only=read_only)
            if setup:
                await connection.execute(setup)
        except BaseException:
            with suppress(psycopg.Error):
                await connection.close()
            raise
        return connection


async def _history(connection: PromptConnection) -> History | None:
    """Return a database's history; None if it is a standby, or does not reveal it."""
    with suppress(*UNTOLD):
        cursor = await connection.execute(HISTORY)
        return history_of(await cursor.fetchall())
    return None


def history_of(rows: list[tuple[Any, ...]]) -> History | None:
    """Return the history in HISTORY's result."""
    ((cluster, timeline),) = rows
    return None if timeline is None else History(str(cluster), int(timeline, 16))


def _check_writable(*, stands_by: bool, read_only: bool) -> None:
    if stands_by or read_only:
        raise ReadOnly("it is a standby" if stands_by else "it is read-only")


def limits_statement(answer_s: float) -> LiteralString:
    """Return the statement that sets the statement timeout, in seconds; a shorter one of the role or database stays."""
    most = int(answer_s * 1000)
    # Not from pg_settings, a view that makes a row of every setting there is for each new connection.
    return trusted(
        "SELECT set_config('statement_timeout', least(nullif(extract(epoch FROM current_setting("
        f"'statement_timeout')::interval) * 1000, 0), {most})::bigint::text, false)"
    )

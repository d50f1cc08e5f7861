"""A session with PostgreSQL that sends many statements in one round trip.

It uses libpq directly. The driver's pipeline does the same in general, and takes a hundred microseconds of the
interpreter for each statement; a batch has a dozen, and a single caller waits for all of them.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import count
from typing import Any, Final, LiteralString

import psycopg
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from leasebook.store.postgres.hosts import Silent
from leasebook.store.postgres.timeouts import Patience

Row = tuple[Any, ...]
Statement = tuple[LiteralString, Sequence[str | int]]
"""A text with ``%s`` for each parameter, and the parameters."""

PREPARED_MAX: Final = 400
"""Upper bound of prepared statements.

A text is prepared when it comes a second time, and the database keeps it until the session ends. Further texts are
parsed each time.
"""
REPLAN_S: Final = 1.0
"""Seconds for which a plan is kept.

A plan made for an empty table, or one that autovacuum has just found empty, reads the whole table, and would go on
doing so while thousands of rows are added. Making all plans again takes the database 1.3 ms.
"""
FLUSH_BYTES: Final = 4096
"""Bytes that are sent before the rest is prepared: worth a call of the kernel and a wake-up of the database."""
_REPLAN: Final = "DISCARD PLANS"
_FAILED: Final = (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE)


class Session:
    """A connection for writing with a single user. It has one round trip under way at a time."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], silent_s: float = Patience().silent_s) -> None:
        """Take over a connection that is open and idle; a round trip of more than ``silent_s`` seconds closes it."""
        self._connection = connection
        self._silent_s = silent_s
        self._libpq = connection.pgconn
        self._libpq.enter_pipeline_mode()
        self._loader = Transformer(connection)
        self._seen: set[LiteralString] = set()
        self._prepared: dict[LiteralString, bytes] = {}
        self._names = count()
        self._planned_at = time.monotonic()
        self._sent: deque[LiteralString | None] = deque()
        """The answers expected, in order: the text of a statement that is prepared, or None for one that is run."""
        self._is_talking = False

    @property
    def is_closed(self) -> bool:
        """Whether the connection is lost or closed."""
        return self._connection.closed

    @property
    def is_idle(self) -> bool:
        """Whether no transaction is open."""
        return self._libpq.transaction_status == TransactionStatus.IDLE

    @property
    def has_failed(self) -> bool:
        """Whether an open transaction has failed, so that only ROLLBACK ends it."""
        return self._libpq.transaction_status == TransactionStatus.INERROR

    async def close(self) -> None:
        """Close the connection; an open transaction is undone."""
        await self._connection.close()

    @property
    def is_waited_for(self) -> bool:
        """Whether statements were sent whose answers are not read yet."""
        return bool(self._sent)

    def send(self, statements: Iterable[Statement]) -> None:
        """Send statements without waiting: the database works while the caller goes on.

        The next ``run`` reads their answers and raises their errors; their rows are dropped. Raises
        ``psycopg.OperationalError`` if the connection is lost, and ``psycopg.DataError`` for a text that the database
        cannot hold.
        """
        self._put(statements)
        self._libpq.flush()

    async def run(self, statements: Iterable[Statement]) -> list[list[Row]]:
        """Run statements in one round trip; returns the rows of each.

        Statements after a failed one are not run. Raises the first error (``psycopg.Error``),
        ``psycopg.OperationalError`` if the connection is lost, and Silent if no answer comes in time.
        """
        self._is_talking, began = True, time.monotonic()
        try:
            async with asyncio.timeout(self._silent_s):
                return await self._run(statements)
        except TimeoutError:
            raise Silent(f"no answer in {self._silent_s:g} s", began) from None
        except psycopg.Error as error:
            if self.is_closed and not isinstance(error, psycopg.OperationalError):
                raise psycopg.OperationalError(str(error)) from None
            raise
        finally:
            if self._is_talking:
                # Interrupted between statements and answers: later answers could not be matched any more.
                await self.close()

    async def _run(self, statements: Iterable[Statement]) -> list[list[Row]]:
        libpq = self._libpq
        before = self._sent.count(None)
        self._replan()
        self._put(statements)
        libpq.pipeline_sync()
        while libpq.flush():
            await self._ready(writing=True)
            libpq.consume_input()
        return (await self._answers())[before:]

    def _replan(self) -> None:
        """Discard plans that are older than ``REPLAN_S``."""
        now = time.monotonic()
        # Not in a transaction: in a failed one this would fail too, and so would the ROLLBACK after it.
        if now - self._planned_at < REPLAN_S or not (self._prepared and self.is_idle):
            return
        self._planned_at = now
        self._libpq.send_query_params(_REPLAN.encode(), [])
        self._sent.append(_REPLAN)

    def _put(self, statements: Iterable[Statement]) -> None:
        """Queue statements; long ones are sent while the next are prepared."""
        waiting = 0
        for text, params in statements:
            written = [*map(_written, params)]
            self._send(text, written)
            waiting += sum(map(len, written))
            if waiting > FLUSH_BYTES:
                self._libpq.flush()
                waiting = 0

    def _send(self, text: LiteralString, params: Sequence[bytes]) -> None:
        libpq = self._libpq
        name = self._prepared.get(text)
        if name is not None:
            libpq.send_query_prepared(name, params)
            self._sent.append(None)
            return
        # Most texts that come once never come again.
        if text not in self._seen or len(self._prepared) >= PREPARED_MAX:
            self._seen.add(text)
            libpq.send_query_params(_numbered(text), params)
            self._sent.append(None)
            return
        # The name shows the kind of statement to operators who inspect sessions or traffic.
        name = f"{text.split(maxsplit=1)[0]} {next(self._names)}".encode()
        libpq.send_prepare(name, _numbered(text))
        self._sent.append(text)
        # If preparing fails, the entry is removed again.
        self._prepared[text] = name
        libpq.send_query_prepared(name, params)
        self._sent.append(None)

    async def _answers(self) -> list[list[Row]]:
        sent = self._sent
        found: list[list[Row]] = []
        error: psycopg.Error | None = None
        while (result := await self._result()) is None or result.status != ExecStatus.PIPELINE_SYNC:
            if result is None:
                if self.is_closed:
                    raise error or psycopg.OperationalError(self._libpq.get_error_message())
                continue
            text = sent.popleft() if sent else None
            if result.status in _FAILED:
                error = error or psycopg.errors.error_from_result(result)
            if text is not None:
                if result.status != ExecStatus.COMMAND_OK:
                    self._prepared.pop(text, None)
            elif result.status == ExecStatus.TUPLES_OK:
                self._loader.set_pgresult(result)
                found.append(self._loader.load_rows(0, result.ntuples, tuple))
            else:
                found.append([])
        self._is_talking = False
        if error is not None:
            raise error
        return found

    async def _result(self) -> PGresult | None:
        """Return the next answer; None at the end of a statement's answers, and after the connection is lost."""
        libpq = self._libpq
        while libpq.is_busy():
            await self._ready()
            libpq.consume_input()
        return libpq.get_result()

    async def _ready(self, *, writing: bool = False) -> None:
        """Wait until the socket can be read, or written if ``writing``."""
        loop = asyncio.get_running_loop()
        number = self._libpq.socket
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(number, _wake, ready)
        if writing:
            loop.add_writer(number, _wake, ready)
        try:
            await ready
        finally:
            loop.remove_reader(number)
            if writing:
                loop.remove_writer(number)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _written(param: str | int) -> bytes:
    written = str(param).encode()
    if b"\0" in written:
        # libpq takes strings that end with a NUL.
        raise psycopg.DataError("PostgreSQL has no text with a NUL in it")
    return written


@lru_cache(maxsize=4096)
def _numbered(text: str) -> bytes:
    """Return a text with numbered parameters, the form that the database needs."""
    first, *rest = text.split("%s")
    return "".join([first, *(f"${number}{part}" for number, part in enumerate(rest, 1))]).encode()

"""Many statements in one round trip, and everything that can go wrong on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast

import psycopg
import pytest

from leasebook.store.postgres import session as postgres_session
from leasebook.store.postgres.session import Session, Statement
from leasebook.store.postgres.store import PostgresStore
from tests.postgres import PostgresServer, shared_server

SELECTED = ("SELECT %s::text", ["one"])
BROKEN: Statement = ("SELECT 1 / %s::int", [0])
MADE: Statement = ("CREATE TABLE things (name text PRIMARY KEY)", ())
BIG = 3_000_000
"""Characters: more than what the kernel keeps of a connection, in both directions together."""


@pytest.fixture(scope="module")
def server() -> PostgresServer:
    return shared_server()


@asynccontextmanager
async def session_on(url: str) -> AsyncIterator[Session]:
    session = Session(await psycopg.AsyncConnection.connect(url, autocommit=True, client_encoding="utf8"))
    try:
        yield session
    finally:
        await session.close()


def played(server: PostgresServer, scene: Callable[[Session], Awaitable[None]]) -> None:
    """Play a scene with a session on a database of its own; it must be over soon."""

    async def play(url: str) -> None:
        async with session_on(url) as session, asyncio.timeout(60):
            await scene(session)

    with server.database() as url:
        asyncio.run(play(url))


def test_each_statement_has_its_rows_in_the_order_in_which_it_was_asked(server: PostgresServer) -> None:
    async def scene(session: Session) -> None:
        for _ in range(3):  # as it comes, prepared, and then by name
            found = await session.run(
                [
                    ("SELECT %s::bigint + 1, %s::text", [41, "fünf"]),
                    ("SELECT n, NULL FROM generate_series(1, %s) AS n", [2]),
                    ("SELECT 1 WHERE false", ()),
                    ("SET work_mem = '8MB'", ()),
                    ("SELECT %s::text[]", ['{"a b",NULL}']),
                ]
            )
            assert found == [[(42, "fünf")], [(1, None), (2, None)], [], [], [(["a b", None],)]]

    played(server, scene)


def test_nothing_after_a_statement_that_fails_is_done_and_the_session_goes_on(server: PostgresServer) -> None:
    async def scene(session: Session) -> None:
        await session.run([MADE])
        for _ in range(2):
            with pytest.raises(psycopg.errors.DivisionByZero):
                await session.run(
                    [
                        ("INSERT INTO things VALUES (%s)", ["before"]),
                        BROKEN,
                        ("INSERT INTO things VALUES (%s || '!')", ["after"]),
                    ]
                )
        assert not session.is_closed
        assert session.is_idle
        # A statement that was not prepared is prepared now, and the failure of many together undid nothing else.
        await session.run([("INSERT INTO things VALUES (%s || '!')", ["later"])])
        assert await session.run([("SELECT name FROM things", ())]) == [[("later!",)]]

    played(server, scene)


def test_a_transaction_is_open_until_its_end_also_after_a_failure(server: PostgresServer) -> None:
    async def scene(session: Session) -> None:
        await session.run([("BEGIN", ()), MADE])
        assert not session.is_idle
        with pytest.raises(psycopg.errors.UndefinedTable):
            await session.run([("SELECT * FROM nowhere", ())])
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            await session.run([SELECTED])
        assert not session.is_idle
        await session.run([("ROLLBACK", ())])
        assert session.is_idle
        assert await session.run([("SELECT to_regclass('things')::text", ())]) == [[(None,)]]

    played(server, scene)


def test_much_goes_both_ways_at_once(server: PostgresServer) -> None:
    """The database stops reading while its answers are not read."""

    async def scene(session: Session) -> None:
        texts = [f"{number}" * BIG for number in range(5)]
        found = await session.run([("SELECT %s::text", [text]) for text in texts])
        assert found == [[(text,)] for text in texts]

    played(server, scene)


async def test_the_database_is_at_work_while_the_rest_is_put_together(server: PostgresServer) -> None:
    async def play(url: str) -> None:
        async with session_on(url) as session:
            with psycopg.connect(url, autocommit=True) as other:

                def statements() -> Iterator[Statement]:
                    yield "SELECT pg_advisory_lock(1), %s::text", ["x" * 10_000]
                    until = time.monotonic() + 30
                    held = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"
                    while not other.execute(held).fetchall():
                        assert time.monotonic() < until, "it is only sent with the rest"
                    yield SELECTED

                assert len(await session.run(statements())) == 2

    with server.database() as url:
        await play(url)


def test_a_plan_that_was_made_of_an_empty_table_is_not_kept(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads all of the table, and would do so still when thousands of rows have come."""

    async def scene(session: Session) -> None:
        for setting in ("enable_seqscan = off", "enable_hashjoin = off", "enable_mergejoin = off"):
            await session.run([(cast("Any", f"SET {setting}"), ())])
        await session.run([("SET plan_cache_mode = force_generic_plan", ()), MADE])
        await session.run([("VACUUM ANALYZE things", ())])
        lookup = "SELECT name FROM things WHERE (name) IN (SELECT * FROM unnest(%s::text[])) ORDER BY name FOR UPDATE"

        async def plan() -> str:
            for _ in range(2):  # as it comes, and prepared
                await session.run([(lookup, ["{17}"])])
            named = "SELECT name FROM pg_prepared_statements WHERE statement LIKE 'SELECT name FROM things%'"
            ((name,),) = (await session.run([(cast("Any", named), ())]))[0]
            explained = cast("Any", f"EXPLAIN EXECUTE \"{name}\"('{{17}}')")
            return "\n".join(line for (line,) in (await session.run([(explained, ())]))[0])

        by_key = "Index Cond: (name = unnest"
        assert by_key not in await plan()
        await session.run([("INSERT INTO things SELECT n::text FROM generate_series(1, 5000) AS n", ())])
        assert by_key not in await plan(), "the database thinks it over by itself"
        monkeypatch.setattr(postgres_session, "REPLAN_S", 0)
        assert by_key in await plan()

        # It stays out of the way of a transaction that has failed.
        with pytest.raises(psycopg.errors.DivisionByZero):
            await session.run([("BEGIN", ()), BROKEN])
        await session.run([("ROLLBACK", ())])
        assert session.is_idle
        assert await session.run([(lookup, ["{17}"])]) == [[("17",)]]

    played(server, scene)


def test_more_texts_than_are_prepared_are_parsed_anew(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_session, "PREPARED_MAX", 3)

    async def scene(session: Session) -> None:
        texts = [cast("Any", f"SELECT {number} + %s") for number in range(6)]
        for _ in range(2):
            found = await session.run([(text, [1]) for text in texts])
            assert found == [[(number + 1,)] for number in range(6)]
        ((prepared,),) = (await session.run([("SELECT count(*) FROM pg_prepared_statements", ())]))[0]
        assert prepared == 3

    played(server, scene)


def test_what_is_sent_is_not_waited_for_and_its_rows_are_not_those_of_the_next_call(server: PostgresServer) -> None:
    async def scene(session: Session) -> None:
        await session.run([MADE])
        for _ in range(3):  # as it comes, prepared, and then by name
            assert not session.is_waited_for
            session.send([SELECTED, ("INSERT INTO things VALUES (%s) ON CONFLICT DO NOTHING", ["early"])])
            session.send([("SELECT 7", ())])
            assert session.is_waited_for
            assert await session.run([("SELECT name FROM things", ()), SELECTED]) == [[("early",)], [("one",)]]
        session.send([SELECTED])
        assert await session.run(()) == []

    played(server, scene)


async def test_what_is_sent_waits_for_a_lock_while_the_caller_goes_on(server: PostgresServer) -> None:
    async def play(url: str) -> None:
        lock: Statement = ("SELECT pg_advisory_lock(7)", ())
        async with session_on(url) as holder, session_on(url) as session, asyncio.timeout(60):
            await holder.run([lock])
            session.send([lock])
            assert session.is_waited_for
            await holder.run([("SELECT pg_advisory_unlock(7)", ())])
            assert await session.run([SELECTED]) == [[("one",)]]

    with server.database() as url:
        await play(url)


def test_what_fails_among_what_was_sent_is_raised_by_the_next_call_which_does_nothing_then(
    server: PostgresServer,
) -> None:
    async def scene(session: Session) -> None:
        await session.run([MADE])
        await session.run([("BEGIN", ())])
        session.send([("INSERT INTO things VALUES ('before')", ()), BROKEN])
        with pytest.raises(psycopg.errors.DivisionByZero):
            await session.run([("INSERT INTO things VALUES ('after')", ())])
        assert not session.is_waited_for
        await session.run([("ROLLBACK", ())])
        assert await session.run([("SELECT name FROM things", ())]) == [[]]
        # A statement before a text that cannot be sent is on its way, and its answer is read.
        with pytest.raises(psycopg.DataError, match="NUL"):
            session.send([SELECTED, ("SELECT %s::text", ["a\0b"])])
        assert await session.run([SELECTED]) == [[("one",)]]

    played(server, scene)


def test_a_text_with_a_nul_is_refused_and_not_cut_off(server: PostgresServer) -> None:
    async def scene(session: Session) -> None:
        with pytest.raises(psycopg.DataError, match="NUL"):
            await session.run([SELECTED, ("SELECT %s::text", ["a\0b"])])
        # The first of the two was sent already, and its answer is not waited for any more.
        assert session.is_closed

    played(server, scene)


def test_what_cannot_be_put_together_ends_the_session(server: PostgresServer) -> None:
    async def scene(session: Session) -> None:
        def statements() -> Iterator[Statement]:
            yield MADE
            raise ValueError("a row that cannot be written")

        with pytest.raises(ValueError, match="cannot be written"):
            await session.run(statements())
        assert session.is_closed
        with pytest.raises(psycopg.OperationalError):
            await session.run([SELECTED])

    played(server, scene)


def test_who_is_cancelled_in_the_middle_leaves_no_answer_to_the_next(server: PostgresServer) -> None:
    async def scene(session: Session) -> None:
        asking = asyncio.create_task(session.run([("SELECT pg_sleep(30)", ())]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert session.is_closed

    played(server, scene)


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_a_session_that_the_database_ends_says_so(server: PostgresServer, when: str) -> None:
    async def play(url: str) -> None:
        async with session_on(url) as session, session_on(url) as other, asyncio.timeout(60):
            ((pid,),) = (await session.run([("SELECT pg_backend_pid()", ())]))[0]
            end = ("SELECT pg_terminate_backend(%s, 10000)", [pid])
            if when == "before":
                await other.run([end])
                with pytest.raises(psycopg.OperationalError):
                    await session.run([SELECTED, SELECTED])
            else:
                asking = asyncio.create_task(session.run([SELECTED, ("SELECT pg_sleep(60)", ()), SELECTED]))
                await asyncio.sleep(0)
                while not (await other.run([("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'", ())]))[0]:
                    pass
                await other.run([end])
                with pytest.raises(psycopg.OperationalError):
                    await asking
            assert session.is_closed

    with server.database() as url:
        await play(url)


async def test_whoever_writes_beside_us_is_company(server: PostgresServer) -> None:
    """Two servers on one database take turns on its rows; one alone has it to itself, whatever it reads meanwhile."""

    async def play(url: str) -> None:
        ours, other = PostgresStore(url), PostgresStore(url)

        async def is_in_company() -> bool:
            transaction = await ours.begin()
            await transaction.rollback()
            return transaction.has_concurrent_writers

        try:
            await is_in_company()
            assert not await is_in_company()
            await other.read(lambda ask: ask.fact("a"))
            assert not await is_in_company()
            await (await other.begin()).commit()
            assert await is_in_company()
            assert not await is_in_company()
        finally:
            await ours.close()
            await other.close()

    with server.database(migrated=True) as url:
        await play(url)

"""How long PostgreSQL is waited for: by sessions, by readers, and by a search for its host."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from leasebook.batch import Unavailable
from leasebook.store.postgres.hosts import Hosts, PromptConnection, Silent
from leasebook.store.postgres.presence import Presence
from leasebook.store.postgres.reading import open_reading, queries_on
from leasebook.store.postgres.session import Session
from leasebook.store.postgres.store import PostgresStore
from leasebook.store.postgres.timeouts import Patience
from leasebook.store.queries.readers import LostError
from tests.postgres import shared_server

SLEEP = "SELECT pg_sleep(20)"
SOON_S = 5.0


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with shared_server().database(migrated=True) as found:
        yield found


async def test_a_session_that_gets_no_answer_is_given_up(url: str) -> None:
    session = Session(await Hosts(url, Patience()).connect(writing=True), silent_s=0.2)
    began = time.monotonic()
    with pytest.raises(Silent) as caught:
        await session.run([(SLEEP, ())])
    assert began <= caught.value.since < began + 0.2
    assert time.monotonic() - began < SOON_S
    assert session.is_closed


def test_a_reader_that_gets_no_answer_says_since_when(url: str) -> None:
    connection = open_reading(Hosts(url, Patience()), answer_s=15)
    connection.answer_s = 0.2
    began = time.monotonic()
    with pytest.raises(LostError) as caught:
        queries_on(connection)._fetch(SLEEP, ())
    assert caught.value.since is not None
    assert began <= caught.value.since < began + 1
    assert time.monotonic() - began < SOON_S
    assert connection.closed


def test_a_reader_that_is_given_up_by_others_waits_no_longer(url: str) -> None:
    connection = open_reading(Hosts(url, Patience()), answer_s=60)
    threading.Timer(0.3, lambda: setattr(connection, "is_given_up", True)).start()
    began = time.monotonic()
    with pytest.raises(LostError) as caught:
        queries_on(connection)._fetch(SLEEP, ())
    assert caught.value.since is None, "it may be asked again elsewhere"
    assert time.monotonic() - began < SOON_S


async def test_a_statement_that_is_given_up_is_not_waited_for(url: str) -> None:
    connection = await Hosts(url, Patience()).connect(writing=False)
    assert isinstance(connection, PromptConnection)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await connection.execute(SLEEP)
    assert connection.closed
    assert time.monotonic() - began < SOON_S


def _parameters(url: str, **seconds: Any) -> dict[str, Any]:
    return dict(conninfo_to_dict(Hosts(url, Patience(**seconds)).address))


def test_libpq_gets_the_times_to_wait_and_an_address_may_have_others() -> None:
    one = _parameters("postgresql://u@h/d", connect_s=4, keepalive_s=9, unacknowledged_s=6)
    assert one["connect_timeout"] == "4"
    assert (one["keepalives_idle"], one["keepalives_interval"], one["keepalives_count"]) == ("9", "3", "3")
    assert one["tcp_user_timeout"] == "6000"
    assert "target_session_attrs" not in one
    own = _parameters("postgresql://u@h/d?connect_timeout=11&tcp_user_timeout=5&keepalives_idle=77")
    assert (own["connect_timeout"], own["tcp_user_timeout"], own["keepalives_idle"]) == ("11", "5", "77")


def test_of_several_hosts_the_one_is_worked_with_that_takes_writes() -> None:
    several = _parameters("postgresql://u@a:1,b:2/d")
    assert several["target_session_attrs"] == "read-write"
    assert (several["host"], several["port"]) == ("a,b", "1,2")
    assert _parameters("postgresql://u@a,b/d?target_session_attrs=any")["target_session_attrs"] == "any"


async def test_the_host_that_answers_is_found_however_many_do_not(url: str) -> None:
    """The first of them takes no connection at all: it must not be waited for."""

    async def play(silent_port: int) -> None:
        real = url.partition("@")[2].partition("/")[0]
        hosts = Hosts(url.replace(real, f"127.0.0.1:{silent_port},{real}"), Patience(connect_s=20))
        began = time.monotonic()
        for _ in range(2):
            await (await hosts.connect(writing=True)).close()
        assert time.monotonic() - began < SOON_S
        # The next connection begins with the host that was found.
        assert conninfo_to_dict(hosts.address)["port"] == f"{real.partition(':')[2]},{silent_port}"

    with socket.create_server(("127.0.0.1", 0)) as silent:
        await play(silent.getsockname()[1])


async def test_a_statement_timeout_of_the_database_counts_where_it_is_shorter(url: str) -> None:
    name = url.rpartition("/")[2]

    async def limit() -> str:
        store = PostgresStore(url)
        try:
            async with await store.connect() as connection:
                rows = await (await connection.execute("SHOW statement_timeout")).fetchall()
                return str(rows[0][0])
        finally:
            await store.close()

    with psycopg.connect(url, autocommit=True) as operator:
        try:
            for own, seen in (("300ms", "300ms"), ("1h", "7s"), ("0", "7s")):
                operator.execute(f"ALTER DATABASE {name} SET statement_timeout = '{own}'".encode())
                assert await limit() == seen
        finally:
            operator.execute(f"ALTER DATABASE {name} RESET statement_timeout".encode())


async def test_a_transaction_that_failed_leaves_no_session_in_it(url: str) -> None:
    store = PostgresStore(url)
    try:
        for _ in range(2):
            transaction = await store.begin()
            with pytest.raises(psycopg.errors.UndefinedTable):
                await transaction._rows("SELECT * FROM nowhere", ())
            # It is not rolled back: the next transaction must not find itself in it.
            with pytest.raises(Unavailable):
                await transaction._rows("SELECT 1", ())
            await (await store.begin()).rollback()
    finally:
        await store.close()


async def test_callers_wait_for_a_database_from_when_it_went_and_are_answered_soon_after_that() -> None:
    comes = asyncio.Event()

    async def attempt() -> None:
        if not comes.is_set():
            raise psycopg.OperationalError("nobody is there")

    presence = Presence("writing", attempt, away_s=0.3)
    await presence.here()
    presence.lost(psycopg.OperationalError("gone"), time.monotonic() - 10)
    assert presence.away_s() >= 10
    began = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer") as caught:
        await presence.here()
    assert "nobody is there" in caught.value.detail
    assert time.monotonic() - began < SOON_S
    waiting = asyncio.create_task(presence.here())
    comes.set()
    await waiting
    assert presence.away_s() == 0
    await presence.close()

"""A foreign session keeps a table or a row: callers and monitors get answers in time, and a timeout one log line."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import psycopg
import pytest

from leasebook.batch import Unavailable
from leasebook.store.opening import Target
from leasebook.store.postgres.store import PostgresStore
from tests.crash.fleet import ACCOUNT, CATALOG, ROUNDS, UNITS, environment, postpaid
from tests.faults.databases import need_postgres, patient
from tests.forked import run
from tests.harness import Client, a_service
from tests.postgres import shared_server

LOCK_WAIT_S = 1
ANSWERED_S = 60.0
"""Seconds until a test gives up. The lock is held until all answers are there: who waited for it would have none."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    need_postgres()
    with shared_server().database(migrated=True) as found:
        yield found


@contextmanager
def locked(url: str, statement: str) -> Iterator[None]:
    """Hold what a statement locks, in a session that is none of ours."""
    with psycopg.connect(url, application_name="psql") as session:
        session.execute(statement.encode())
        yield
        session.rollback()


async def _ready(desk: Client) -> int:
    return (await desk.send("/readyz", "", b"", method="GET")).status


async def _sells_again(desk: Client) -> None:
    """Wait until a purchase is done and the service is ready: these settings wait a second, a busy machine longer."""

    async def bought() -> bool:
        return (await desk.call(UNITS, "PurchaseComputeUnit", postpaid("gpu-1"))).status == HTTPStatus.OK

    async with asyncio.timeout(ANSWERED_S):
        while not (await bought() and await _ready(desk) == HTTPStatus.OK):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.05)


LOCKS = {
    "what nothing begins without": "LOCK TABLE facts IN EXCLUSIVE MODE",
    "the accounts, from readers, too": "LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE",
}


async def test_who_needs_rows_that_another_session_locked_is_refused_in_time_and_monitors_see_it(
    url: str, tmp_path: Path
) -> None:
    async def play() -> None:
        async with a_service(Target(tmp_path, url), clock="real", environment=patient()) as desk:
            store = desk.service.store
            assert isinstance(store, PostgresStore)
            offering = {"region": "bj", "type": "gpu-1", "pricePerMinute": "0.5", "stockTotal": 999}
            assert (await desk.call(CATALOG, "SetOffering", offering)).status == HTTPStatus.OK
            assert (await desk.call(ACCOUNT, "TopUpAccount", {"amount": "100000"})).status == HTTPStatus.OK
            await store.try_writing(5)
            for name, statement in [*LOCKS.items()] * ROUNDS:
                with locked(url, statement):
                    await _refused_in_time(desk, store, name)
                await _sells_again(desk)
                await store.try_writing(5)

    async def _refused_in_time(desk: Client, store: PostgresStore, name: str) -> None:
        calls = [desk.call(UNITS, "PurchaseComputeUnit", postpaid("gpu-1")) for _ in range(6)]
        if "readers" in name:
            calls.append(desk.call(ACCOUNT, "DescribeAccount"))
        answers = await asyncio.wait_for(asyncio.gather(*calls), ANSWERED_S)
        for answer in answers:
            assert (answer.status, answer.code) == (HTTPStatus.SERVICE_UNAVAILABLE, "RowsLocked"), name
            assert int(answer.headers["retry-after"]) > 0
        if name == "what nothing begins without":
            assert await _ready(desk) == HTTPStatus.SERVICE_UNAVAILABLE
        said: list[str] = []
        while not any("another session holds a table" in text for text in said):
            # A busy machine may not come to the lock in time. The session's own timeout is at one second.
            assert len(said) < 20, said
            with pytest.raises(Unavailable) as refused:
                await store.try_writing(1.2)
            said.append(str(refused.value))

    await play()


async def test_an_attempt_to_write_fails_where_nothing_can_be_written_and_leaves_nothing_behind(url: str) -> None:
    store = PostgresStore(url)
    try:
        await store.try_writing(5)
        with psycopg.connect(url, autocommit=True) as operator:
            operator.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET default_transaction_read_only = on".encode())
            try:
                await store._attempt.close()
                with pytest.raises(Unavailable, match="takes no writes"):
                    await store.try_writing(5)
            finally:
                operator.execute("SET default_transaction_read_only = off")
                operator.execute(
                    f"ALTER DATABASE {url.rpartition('/')[2]} RESET default_transaction_read_only".encode()
                )
        await store.try_writing(5)
    finally:
        await store.close()


# --- statement timeouts that the role or the database sets -------------------------------------------------


async def test_a_statement_timeout_of_the_database_is_an_answer_and_a_line_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_postgres()

    async def play(url: str) -> None:
        async with a_service(Target(tmp_path, url), clock="real", environment=patient(answer=5, lock_wait=5)) as desk:
            capsys.readouterr()
            with locked(url, "LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE"):
                for path, action in ((UNITS, "PurchaseComputeUnit"), (ACCOUNT, "DescribeAccount")):
                    answer = await desk.call(path, action, postpaid("gpu-1") if path is UNITS else {})
                    assert (answer.status, answer.code) == (HTTPStatus.SERVICE_UNAVAILABLE, "StoreUnavailable")
            assert (await desk.call(ACCOUNT, "DescribeAccount")).status == HTTPStatus.OK

    with shared_server().database(migrated=True) as url, psycopg.connect(url, autocommit=True) as operator:
        await _founded(url, tmp_path)
        operator.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET statement_timeout = '300ms'".encode())
        await play(url)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        for tables, commands in _commands(url, tmp_path).items():
            with locked(url, f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"), ThreadPoolExecutor() as threads:
                done = list(threads.map(lambda command: run(command, env=environment() | patient()), commands))
            for command in done:
                said = command.stderr
                assert command.returncode != 0, command.args
                assert "Traceback" not in said, (command.args, said[-2000:])
                assert len(said.strip().splitlines()) == 1, (command.args, said)


async def _founded(url: str, folder: Path) -> None:
    async with a_service(Target(folder, url), clock="real"):
        pass


def _commands(url: str, folder: Path) -> dict[str, list[list[str]]]:
    """Return commands by the tables that they meet locked: for check one that it reads a few times only."""
    archived = ["--before", "2026-01-01 00:00:00", "--to", str(folder / "charges.gz")]
    return {
        "facts, postings": [["archive", "--store", url, *archived], ["serve", "--store", url, "--port", "0"]],
        "quotes": [["check", "--store", url]],
    }

"""Servers on a PostgreSQL whose clock is set: it is the one that counts, and so the one that is watched."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psycopg
import pytest

from leasebook.domain.values.calendar import MINUTE_US, SECOND_US
from leasebook.ports.clock import RealClock
from leasebook.store.opening import Target
from tests.crash.fleet import ACCOUNT, CATALOG, CLOCK, MASTER_KEY, UNITS, books, eventually, moment, postpaid
from tests.faults.moved_clock import MovedClock, a_moved_database
from tests.harness import Client, a_service
from tests.postgres import PostgresServer

HOUR_S = 3600
SHARED = {"LEASEBOOK_MASTER_KEY": MASTER_KEY}


@pytest.fixture(scope="module")
def clock() -> Iterator[MovedClock]:
    """The clock of the database, where the user who runs that can read it."""
    with tempfile.TemporaryDirectory(prefix="leasebook-clock-") as folder:
        Path(folder).chmod(0o755)
        yield MovedClock(Path(folder))


@pytest.fixture(scope="module")
def server(clock: MovedClock) -> Iterator[PostgresServer]:
    """A database server under it."""
    with a_moved_database(clock) as server:
        yield server


def ahead_s(url: str) -> float:
    """How far the database is ahead of this machine: a process that was started with a clock reads it once a second."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
    assert row is not None
    return float(row[0]) - time.time()


@pytest.fixture
def url(server: PostgresServer, clock: MovedClock) -> Iterator[str]:
    """A database whose clock is right, until it is set."""
    clock.move_to(0)
    with server.database(migrated=True) as url:
        eventually("the database has the time of the machine", lambda: abs(ahead_s(url)) < 60)
        yield url
    clock.move_to(0)


@asynccontextmanager
async def a_desk(url: str, folder: Path) -> AsyncIterator[Client]:
    async with a_service(Target(folder, url), clock="real", environment=SHARED) as desk:
        yield desk


async def stock(desk: Client) -> None:
    offering = {"region": "bj", "type": "gpu-1", "pricePerMinute": "0.5", "stockTotal": 9}
    assert (await desk.call(CATALOG, "SetOffering", offering)).status == HTTPStatus.OK
    assert (await desk.call(ACCOUNT, "TopUpAccount", {"amount": "1000"})).status == HTTPStatus.OK


async def bought(desk: Client, ahead_s: float) -> str:
    answer = await desk.call(UNITS, "PurchaseComputeUnit", postpaid("gpu-1", moment(ahead_s)))
    return str(answer.result["instanceId"])


async def status(desk: Client, unit_id: str) -> str:
    answer = await desk.call(UNITS, "DescribeComputeUnit", {"instanceId": unit_id})
    return str(answer.result["computeUnitInstance"]["status"])


async def now(desk: Client) -> str:
    return str((await desk.call(CLOCK, "DescribeClock")).result["now"])


async def reasons(desk: Client) -> str:
    page = await desk.service.health.page("/readyz")
    assert page is not None
    return page.body.decode()


async def becomes(desk: Client, words: str) -> None:
    """Wait until /readyz says so."""
    for _ in range(200):
        said = await reasons(desk)
        if words in said:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(said)


async def released(desk: Client, unit_id: str) -> None:
    """Wait until it is."""
    for _ in range(200):
        if await status(desk, unit_id) == "Released":
            return
        await asyncio.sleep(0.05)
    raise AssertionError(await status(desk, unit_id))


def rows(url: str, text: str) -> list[Any]:
    with books(url) as seen:
        return seen.rows(text)


async def test_a_database_set_two_hours_ahead_releases_nothing_until_one_operator_confirms_for_all_servers(
    url: str, clock: MovedClock, tmp_path: Path
) -> None:
    async with a_desk(url, tmp_path / "1") as first, a_desk(url, tmp_path / "2") as second:
        await stock(first)
        due, by_hand = await bought(first, HOUR_S), await bought(second, HOUR_S)
        clock.move_to(2 * HOUR_S)
        for desk in (first, second):
            await becomes(desk, "The database's clock jumped 7")
        await second.call(UNITS, "ReleaseComputeUnit", {"instanceId": by_hand})
        # A server that starts now has not seen it jump.
        async with a_desk(url, tmp_path / "3") as third:
            await becomes(third, "The database's clock jumped 7")
            await asyncio.sleep(1.2)
            assert await status(third, due) == "Running"
            assert (await third.call(CLOCK, "ConfirmClock")).status == HTTPStatus.OK
            for desk in (first, second, third):
                await becomes(desk, '"ready"')
            await released(first, due)
    minutes = dict(rows(url, "SELECT unit_id, sum(minutes) FROM postings WHERE kind = 'Usage' GROUP BY unit_id"))
    assert minutes == {due: 60, by_hand: 1}


async def test_a_database_set_back_an_hour_is_seen_by_all_and_goes_on_when_it_comes_back(
    url: str, clock: MovedClock, tmp_path: Path
) -> None:
    async with a_desk(url, tmp_path / "1") as first, a_desk(url, tmp_path / "2") as second:
        await stock(first)
        # Both servers see the clock go back before that, within a second or two, and the payment then is earlier.
        unit, before = await bought(first, 6), await now(second)
        clock.move_to(-HOUR_S)
        for desk in (first, second):
            await becomes(desk, "The database's clock was set 3")
            assert await now(desk) > before
        await second.call(ACCOUNT, "TopUpAccount", {"amount": "1"})
        async with a_desk(url, tmp_path / "3") as third:
            await becomes(third, "The database's clock was set 3")
            assert await now(third) > before
        await asyncio.sleep(6)
        assert await status(first, unit) == "Running"
        clock.move_to(0)
        for desk in (first, second):
            await becomes(desk, '"ready"')
        await released(first, unit)
    times = [at for (at,) in rows(url, "SELECT at FROM postings ORDER BY seq")]
    assert times == sorted(times)


@pytest.mark.parametrize("minutes", [20, -300])
async def test_a_server_whose_own_clock_is_set_holds_nothing_and_counts_by_the_database(
    url: str, tmp_path: Path, minutes: int
) -> None:
    async with a_desk(url, tmp_path / "1") as desk:
        await stock(desk)
        unit, before, real = await bought(desk, 2), await now(desk), desk.service.clock
        assert isinstance(real, RealClock)
        was = real._wall
        real._wall = lambda: was() + minutes * MINUTE_US
        assert abs(real.apart_us() - minutes * MINUTE_US) < 5 * SECOND_US
        assert real.pause_reason() is None
        assert '"ready"' in await reasons(desk)
        assert before[:10] <= (await now(desk))[:10]
        await released(desk, unit)
    ((late,),) = rows(url, f"SELECT ended_at - release_at FROM units WHERE id = '{unit}'")
    assert late == 0

"""Several servers have one time: the database's, or the store's virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from leasebook.batch import BatchLimits, Sequencer
from leasebook.config.load import load_settings
from leasebook.domain.values.calendar import HOUR_US, SECOND_US
from leasebook.engines.instant import InstantEngine
from leasebook.observability.metrics import Metrics
from leasebook.ports.clock import RealClock, wall_us
from leasebook.scheduler.worker import Scheduler
from leasebook.server.bootstrap import found
from leasebook.server.factories import rules_of
from leasebook.store.opening import Target
from leasebook.store.postgres.store import PostgresStore
from leasebook.store.verify.check import check_store
from tests.crash.fleet import (
    ACCOUNT,
    CATALOG,
    CLOCK,
    MASTER_KEY,
    ROUNDS,
    UNITS,
    books,
    moment,
    postpaid,
)
from tests.depth import few
from tests.harness import Client, a_service
from tests.postgres import shared_server

SHARED = {"LEASEBOOK_MASTER_KEY": MASTER_KEY}


@asynccontextmanager
async def _late_shift(url: str, wall: Callable[[], int]) -> AsyncIterator[None]:
    """Do due work as a process does whose own clock shows something else."""
    store = PostgresStore(url)
    clock, metrics = RealClock(300 * SECOND_US, wall=wall), Metrics()
    sequencer = Sequencer(
        store, clock, rules_of(load_settings(None, {})), engine=InstantEngine(), limits=BatchLimits(), meter=metrics
    )
    scheduler = Scheduler(store, sequencer, clock, metrics)
    sequencer.watch(scheduler)
    sequencer.start()
    scheduler.start()
    try:
        yield
    finally:
        await scheduler.stop()
        await sequencer.close()
        await store.close()


@pytest.mark.parametrize("hours", [5, -5], ids=["ahead", "behind"])
async def test_a_server_whose_clock_is_hours_off_releases_by_the_clock_of_the_database(
    tmp_path: Path, hours: int
) -> None:
    async def scene(url: str) -> None:
        async with a_service(Target(tmp_path / "data", url), clock="real", environment=SHARED) as desk:
            offering = {"region": "bj", "type": "gpu-1", "pricePerMinute": "0.5", "stockTotal": 4}
            assert (await desk.call(CATALOG, "SetOffering", offering)).status == HTTPStatus.OK
            assert (await desk.call(ACCOUNT, "TopUpAccount", {"amount": "1000"})).status == HTTPStatus.OK
            bought = await desk.call(UNITS, "PurchaseComputeUnit", postpaid("gpu-1", moment(1.5)))
            assert bought.status == HTTPStatus.OK
        text = (
            "SELECT status, release_at - (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, "
            "ended_at = release_at FROM units"
        )
        with books(url) as seen:
            async with _late_shift(url, lambda: wall_us() + hours * HOUR_US):
                ((status, ahead_us, _),) = seen.rows(text)
                assert (status, ahead_us > 0) == ("Running", True), "the machine is too slow for this test"
                while status == "Running":
                    await asyncio.sleep(0.01)
                    ((status, ahead_us, on_time),) = seen.rows(text)
                    assert ahead_us > -4 * SECOND_US, "late"
            assert ahead_us <= 0, "early"
            assert (status, on_time) == ("Released", True)

    with shared_server().database(migrated=True) as url:
        await scene(url)


@asynccontextmanager
async def _two_desks(url: str, folder: Path) -> AsyncIterator[tuple[Client, Client]]:
    """Two services on one store under the virtual clock."""
    async with (
        a_service(Target(folder / "a", url), environment=SHARED) as first,
        a_service(Target(folder / "b", url), environment=SHARED) as second,
    ):
        yield first, second


START = "2030-01-15T00:00:00Z"


async def _stock(desk: Client) -> None:
    await desk.advance(START)
    offering = {"region": "bj", "type": "gpu-1", "pricePerMinute": "0.5", "stockTotal": 1000}
    assert (await desk.call(CATALOG, "SetOffering", offering)).status == HTTPStatus.OK
    assert (await desk.call(ACCOUNT, "TopUpAccount", {"amount": "100000"})).status == HTTPStatus.OK


async def _lease(desk: Client, release_time: str | None) -> str:
    bought = await desk.call(UNITS, "PurchaseComputeUnit", postpaid("gpu-1", release_time))
    return str(bought.result["instanceId"])


async def _now(desk: Client) -> str:
    return str((await desk.call(CLOCK, "DescribeClock")).result["now"])


async def _shown(desk: Client, unit_id: str) -> dict[str, Any]:
    answer = await desk.call(UNITS, "DescribeComputeUnit", {"instanceId": unit_id})
    return dict(answer.result["computeUnitInstance"])


def _check_order(url: str) -> None:
    """Fail unless everything was charged in the order in which it fell due, and ended on time."""
    with books(url) as seen:
        charged = [at for (at,) in seen.rows("SELECT at FROM postings WHERE kind = 'Usage' ORDER BY seq")]
        assert charged == sorted(charged)
        assert seen.value("SELECT count(*) FROM units WHERE ended_at IS DISTINCT FROM release_at") == 0
    assert check_store(Target(Path(), url)).findings == []


async def test_a_virtual_clock_moved_at_one_server_stands_there_at_the_other_and_all_is_done_in_order(
    tmp_path: Path,
) -> None:
    async def scene(url: str) -> None:
        async with _two_desks(url, tmp_path) as (first, second):
            await _stock(first)
            assert await _now(second) == await _now(first) == "2030-01-15T08:00:00+08:00"
            times = [f"2030-01-15T{hour:02}:{minute:02}:00Z" for hour in range(1, 5) for minute in (0, 7, 30)]
            units = [await _lease((first, second)[number % 2], time) for number, time in enumerate(times)]
            await first.advance("2030-01-15T03:00:00Z")
            assert await _now(second) == "2030-01-15T11:00:00+08:00"
            for unit_id, time_ in zip(units, times, strict=True):
                shown = await _shown(second, unit_id)
                assert shown == await _shown(first, unit_id)
                assert shown["status"] == ("Released" if time_ <= "2030-01-15T03:00:00Z" else "Running")
            await second.advance("2030-01-15T06:00:00Z")
            assert await _now(first) == "2030-01-15T14:00:00+08:00"
            assert {(await _shown(first, unit_id))["status"] for unit_id in units} == {"Released"}
        _check_order(url)

    with shared_server().database(migrated=True) as url:
        await scene(url)


async def test_a_virtual_clock_never_goes_back_whichever_server_is_asked(tmp_path: Path) -> None:
    async def scene(url: str) -> None:
        async with _two_desks(url, tmp_path) as (first, second):
            await _stock(first)
            await first.advance("2030-01-15T05:00:00Z")
            back = await second.call(CLOCK, "AdvanceClock", {"to": "2030-01-15T03:00:00Z"})
            assert back.code == "InappropriateJSON"
            assert await _now(first) == await _now(second) == "2030-01-15T13:00:00+08:00"
        with books(url) as seen:
            assert seen.value("SELECT to_timestamp(value::bigint / 1000000) FROM facts WHERE name = 'clock_at'") == (
                datetime(2030, 1, 15, 5, tzinfo=UTC)
            )

    with shared_server().database(migrated=True) as url:
        await scene(url)


async def test_two_servers_that_move_the_virtual_clock_at_once_do_everything_once_and_in_order(tmp_path: Path) -> None:
    async def scene(url: str) -> None:
        async with _two_desks(url, tmp_path) as (first, second):
            await _stock(first)
            for round_ in range(1, few(2, 4) * ROUNDS + 1):
                for minute in range(0, 60, 3):
                    await _lease(first, f"2030-01-{15 + round_}T01:{minute:02}:00Z")
                shorter, longer = f"2030-01-{15 + round_}T01:30:00Z", f"2030-01-{15 + round_}T02:30:00Z"
                answers = await asyncio.gather(
                    first.call(CLOCK, "AdvanceClock", {"to": longer}),
                    second.call(CLOCK, "AdvanceClock", {"to": shorter}),
                )
                assert answers[0].status == HTTPStatus.OK, answers[0].body
                # The other one may have gone past it.
                assert answers[1].status == HTTPStatus.OK or answers[1].code == "InappropriateJSON", answers[1].body
                assert await _now(first) == await _now(second) == f"2030-01-{15 + round_}T10:30:00+08:00"
        _check_order(url)

    with shared_server().database(migrated=True) as url:
        await scene(url)


async def test_servers_that_found_a_store_together_show_one_virtual_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = count(1_900_000_000, 100)
    monkeypatch.setattr("leasebook.server.composition.wall_us", lambda: next(seconds) * SECOND_US)

    async def scene(url: str) -> None:
        async with AsyncExitStack() as stack:
            desks = await asyncio.gather(
                *(
                    stack.enter_async_context(a_service(Target(tmp_path / str(number), url), environment=SHARED))
                    for number in range(4)
                )
            )
            assert len({await _now(desk) for desk in desks}) == 1

    with shared_server().database(migrated=True) as url:
        await scene(url)


async def test_a_server_that_another_one_forestalls_takes_over_the_time_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It made its clock while the store was empty, and finds it founded."""
    seconds = count(1_900_000_000, 100)
    monkeypatch.setattr("leasebook.server.composition.wall_us", lambda: next(seconds) * SECOND_US)

    async def scene(url: str) -> None:
        async with AsyncExitStack() as stack:
            quicker: list[Client] = []
            times: list[int] = []
            calls = count()

            async def forestalled(*arguments: Any) -> Any:
                if next(calls) == 0:
                    other = a_service(Target(tmp_path / "quicker", url), environment=SHARED)
                    quicker.append(await stack.enter_async_context(other))
                root = await found(*arguments)
                times.append(arguments[4].now())
                return root

            monkeypatch.setattr("leasebook.server.composition.found", forestalled)
            slower = await stack.enter_async_context(a_service(Target(tmp_path / "slower", url), environment=SHARED))
            # Also before its first batch, which may come late.
            assert times[0] == times[1]
            assert await _now(slower) == await _now(quicker[0])

    with shared_server().database(migrated=True) as url:
        await scene(url)

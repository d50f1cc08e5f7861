"""Adding postings to the sums of costs: exactly once, by any number of servers; and the check of the sums."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from typing import Any

import psycopg
import pytest

from leasebook.domain.rules.statement import month_of
from leasebook.domain.values.calendar import HOUR_US, Instant, parse_time
from leasebook.ports.clock import VirtualClock
from leasebook.ports.queries.costs import MonthMoney, Span
from leasebook.scheduler import cost_sums
from leasebook.scheduler.cost_sums import CostSums, command_of
from leasebook.store.maintenance.archive import archive
from leasebook.store.queries import months
from leasebook.store.queries.snapshot import snapshot
from leasebook.store.verify.check import check_store
from tests.api.conftest import a_copy
from tests.api.scene import ACCOUNT, UNITS, Caller, ServiceHarness, order

ASKED = {"from": "2030-01-01 00:00:00", "to": "2030-03-01 00:00:00"}


def behind(scene: ServiceHarness) -> int:
    """Count the numbers of postings that are not yet part of the sums."""
    with snapshot(scene.where) as ask:
        return ask.posting_edge().last - ask.costs_summed()


def spend(scene: ServiceHarness) -> Caller:
    """Have an account spend money for two days, and no job sum it."""
    scene.runner.run(scene.running.costs.stop())
    caller = scene.customer("5000")
    for number in range(3):
        caller.do(UNITS, "PurchaseComputeUnit", {**order(), "tags": {"job": f"{number}"}})
    caller.do(UNITS, "PurchaseComputeUnit", order(months=1))
    scene.advance("2030-01-17T08:30:00+08:00")
    return caller


def months_agree(scene: ServiceHarness) -> None:
    """Compare each account's months by the sums with its postings, read one by one."""
    with snapshot(scene.where) as ask:
        for account, month in product(ask.accounts(), (1, 2)):
            since, until = month_of(2030, month, account.time_zone)
            turnover = ask.turnover(account.id, since, until)
            expected = MonthMoney(ask.balance_at(account.id, since), *turnover)
            assert ask.month_money(account, since, until) == expected, (account.id, month)
            assert ask.charged_in_month(account, since, until) == expected.charged
            # A span that is no month has no sums.
            assert ask.charged_in_month(account, since, Instant(until - HOUR_US)) >= 0


def total(caller: Caller) -> Any:
    return caller.do(ACCOUNT, "DescribeCosts", ASKED)["total"]


def test_two_servers_add_the_same_postings_once(either: ServiceHarness) -> None:
    caller = spend(either)
    before = total(caller)
    sequencer = either.running.sequencer

    async def both() -> list[bool]:
        with snapshot(either.where) as ask:
            span = Span(ask.costs_summed(), ask.posting_edge().last)
            commands = [command_of(ask, span, 100) for _ in range(2)]
        return [await sequencer.submit(command) for command in commands]

    assert either.runner.run(both()) == [True, False]
    assert behind(either) == 0
    assert total(caller) == before
    assert check_store(either.where).findings == []


def test_sums_are_made_a_part_at_a_time(either: ServiceHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = spend(either)
    monkeypatch.setattr(cost_sums, "POSTINGS_MAX", 30)
    monkeypatch.setattr(cost_sums, "PARTS_MAX", 20)
    running = either.running
    sums = CostSums(running.store, running.sequencer, running.clock, running.metrics.costs, groups_max=2)
    seen: list[int] = []

    async def look() -> None:
        while await sums.look():
            with snapshot(either.where) as ask:
                seen.append(ask.costs_summed())
            months_agree(either)

    months_agree(either)
    either.advance("2030-02-01T02:30:00+08:00")
    left = behind(either)
    for most in (10**6, 0):
        # Far behind, an account's postings of the month are read instead, if they are fewer than those not summed.
        monkeypatch.setattr(months, "BEHIND_MAX", most)
        months_agree(either)
    before = total(caller)
    either.runner.run(look())
    months_agree(either)
    assert len(seen) > left // 30 + 1
    assert seen == sorted(set(seen))
    assert behind(either) == 0
    assert total(caller) == before
    # Of three jobs two have groups of their own, and the rest is one group.
    rows = caller.do(ACCOUNT, "DescribeCosts", {**ASKED, "groupBy": ["tag:job"], "filter": {"kind": "Usage"}})["costs"]
    assert [row["group"]["tag:job"] for row in rows] == ["0", "1", None]
    assert check_store(either.where).findings == []


def test_sums_wait_while_due_work_is_late(either: ServiceHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = spend(either)
    monkeypatch.setattr(cost_sums, "LOOK_EVERY_S", 0.001)
    running = either.running
    clock = VirtualClock(running.clock.now())
    sums = CostSums(running.store, running.sequencer, clock, running.metrics.costs)

    async def work() -> None:
        asked, is_late = 0, sums.is_work_late
        enough = asyncio.Event()

        async def counted() -> bool:
            nonlocal asked
            asked += 1
            if asked == 5:
                enough.set()
            return await is_late()

        # By this clock the next charge is an hour late: the first part is added, and the rest waits.
        assert not await is_late()
        clock.moved(Instant(clock.now() + 2 * HOUR_US))
        assert await is_late()
        monkeypatch.setattr(cost_sums, "POSTINGS_MAX", 30)
        monkeypatch.setattr(sums, "is_work_late", counted)
        sums.start()
        async with asyncio.timeout(60):
            await enough.wait()

    before = behind(either)
    either.runner.run(work())
    waiting = behind(either)
    assert 0 < waiting < before
    monkeypatch.setattr(cost_sums, "WAIT_MAX_S", 0.0)
    either.runner.run(_until_summed(either))
    either.runner.run(sums.stop())
    assert behind(either) == 0
    assert total(caller)["billed"] != "0.00"


async def _until_summed(scene: ServiceHarness) -> None:
    async with asyncio.timeout(60):
        while behind(scene):  # noqa: ASYNC110 - the sums are added beside
            await asyncio.sleep(0.001)


@pytest.fixture(params=["postgres"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHarness]:
    """A service on PostgreSQL."""
    with a_copy(request, tmp_path_factory.mktemp("costs") / "data") as scene:
        yield scene


def test_a_posting_waits_for_transactions_that_may_have_a_lower_number(database: ServiceHarness) -> None:
    caller = spend(database)
    with psycopg.connect(database.where.url or "") as other:
        other.execute("SELECT pg_current_xact_id()")
        caller.buy()
        before = behind(database)
        database.sum_costs()
        assert behind(database) == before > 0
        assert total(caller)["billed"] != "0.00"
    database.sum_costs()
    assert behind(database) == 0


SPOILT = (
    ("UPDATE costs SET sums = replace(sums, ':', ':1') WHERE level = 'Hour'", "by day"),
    ("DELETE FROM costs WHERE level = 'Day'", "by day"),
    ("DELETE FROM costs", "by month"),
    ("UPDATE costs SET sums = replace(sums, ':0', ':3') WHERE level = 'Month'", "what was paid in advance"),
    ("UPDATE cost_groups SET type = 'gpu-2' WHERE kind = 'Usage'", "by month"),
    ("DELETE FROM cost_groups WHERE kind = 'Usage'", "which it has not got"),
    ("UPDATE facts SET value = CAST(value - 1 AS TEXT) WHERE name = 'costs_summed'", "by month"),
    ("DELETE FROM tag_history", "by month"),
    ("UPDATE cost_groups SET rest = 1", "properties that are not its own"),
)


@pytest.mark.parametrize(("spoils", "finding"), SPOILT)
def test_the_check_finds_every_sum_that_postings_do_not_make(fresh: ServiceHarness, spoils: str, finding: str) -> None:
    caller = spend(fresh)
    unit = caller.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"][0]["instanceId"]
    caller.do("/v2/tag", "TagResource", {"resourceId": unit, "tags": {"job": "9"}})
    caller.buy(months=1)
    fresh.advance("2030-01-17T10:00:00+08:00")
    fresh.sum_costs()
    assert check_store(fresh.where).findings == []
    with closing(sqlite3.connect(fresh.directory / "leasebook.db")) as store, store:
        assert store.execute(spoils).rowcount > 0
    found = [line for line in check_store(fresh.where).findings if "costs of account" in line]
    assert any(finding in line for line in found), found


def test_an_archived_month_keeps_its_costs_and_its_sums_are_proved(either: ServiceHarness, tmp_path: Any) -> None:
    caller = spend(either)
    either.sum_all_costs()
    either.advance("2030-02-01T09:00:00+08:00")
    either.sum_all_costs()
    rows = {**ASKED, "granularity": "day", "groupBy": ["tag:job", "kind"], "maxKeys": 1000}
    before = caller.do(ACCOUNT, "DescribeCosts", rows)
    done = archive(either.where, parse_time("2030-02-01T00:00:00+08:00", "UTC"), tmp_path / "charges.jsonl.gz")
    assert done.hourly > 200
    assert caller.do(ACCOUNT, "DescribeCosts", rows) == before
    assert check_store(either.where).findings == []

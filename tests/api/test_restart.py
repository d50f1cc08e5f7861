"""A restart keeps everything, and a service that was down when work fell due does it first."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from leasebook.batch import BatchLimits, Sequencer
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import INSTANCES as UNIT_ROWS
from leasebook.domain.model.instance import Instance
from leasebook.domain.record.ledger import Posting
from leasebook.domain.values.calendar import Instant, parse_time, rfc3339
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from leasebook.ports.clock import VirtualClock
from leasebook.scheduler.worker import Scheduler
from leasebook.store.sqlite.store import SqliteStore
from leasebook.store.verify.check import check_directory
from tests.api.scene import CLOCK, SERVICE, UNITS, Caller, ServiceHarness, a_scene, order, rows
from tests.harness import play

ZONE = "Asia/Shanghai"


@pytest.fixture
def data(opened: Path, tmp_path: Path) -> Path:
    """A data directory of the test's own."""
    return shutil.copytree(opened, tmp_path / "data")


def again(scene: ServiceHarness, caller: Caller) -> Caller:
    """The same caller, at the service that runs now."""
    desk = caller.desk
    return scene.caller({"accessKeyId": desk.access_key, "secretAccessKey": desk.secret_key})


def seen(caller: Caller) -> list[Any]:
    return [
        caller.do(UNITS, "DescribeComputeUnits"),
        caller.do(SERVICE, "DescribeServices"),
        caller.do("/v2/account", "DescribeAccount"),
        caller.do("/v2/account", "DescribeOrders"),
        caller.do("/v2/account", "DescribePostings"),
        caller.do("/v2/catalog", "DescribeOfferings"),
        caller.do("/v2/iam", "DescribeUsers"),
        caller.do(CLOCK, "DescribeClock"),
    ]


def test_a_restart_changes_nothing_that_can_be_seen(data: Path) -> None:
    with a_scene(data) as scene:
        caller = scene.customer()
        service = caller.create_service("GPU-1-2")
        caller.buy_replicas(service, 2)
        caller.buy(months=2)
        unit = caller.buy(release="2030-01-15 12:00:00")
        user = scene.user(caller, "QianfanReadAccessPolicy")
        scene.advance("2030-01-15 09:20:00")
        before = seen(caller)
    stored = rows(data)
    with a_scene(data) as scene:
        assert rows(data) == stored
        caller, user = again(scene, caller), again(scene, user)
        assert seen(caller) == before
        assert user.do(UNITS, "DescribeComputeUnits") == before[0]
        scene.advance("2030-01-15 12:00:00")
        assert caller.unit(unit)["status"] == "Released"
    assert check_directory(data).findings == []


def test_the_virtual_clock_goes_on_where_it_stood_and_never_back(data: Path) -> None:
    for time in ("2031-02-03T04:05:06.789000+08:00", "2031-02-03T04:05:06.789000+08:00", "2033-01-01T00:00:00+08:00"):
        with a_scene(data) as scene:
            scene.advance(time)
        with a_scene(data) as scene:
            assert scene.operator.do(CLOCK, "DescribeClock")["now"] == time
            assert scene.operator.field_refused(CLOCK, "AdvanceClock", {"to": "2031-01-01 00:00:00"}) == "to"


def test_a_client_token_is_remembered_over_a_restart(data: Path) -> None:
    with a_scene(data) as scene:
        caller = scene.customer()
        first = caller.do(UNITS, "PurchaseComputeUnit", order(), query="&clientToken=t-1")
        refused = caller.ask(UNITS, "PurchaseComputeUnit", order(count=10), query="&clientToken=t-2")
    with a_scene(data) as scene:
        caller = again(scene, caller)
        assert caller.do(UNITS, "PurchaseComputeUnit", order(), query="&clientToken=t-1") == first
        repeated = caller.ask(UNITS, "PurchaseComputeUnit", order(count=10), query="&clientToken=t-2")
        assert repeated.body["message"] == refused.body["message"]
        assert scene.operator.free() == 9


def test_a_disabled_key_stays_disabled(data: Path) -> None:
    with a_scene(data) as scene:
        root = scene.customer()
        user = scene.user(root, "QianfanFullControlAccessPolicy")
        root.do("/v2/iam", "DisableAccessKey", {"accessKeyId": user.desk.access_key})
    with a_scene(data) as scene:
        assert again(scene, user).refused(CLOCK, "DescribeClock") == "InvalidAccessKeyId"
        assert again(scene, root).do(CLOCK, "DescribeClock")


# --- down while work fell due ----------------------------------------------------------------------------


class RecordedMeter:
    """A meter that keeps the counts."""

    def __init__(self) -> None:
        self.done: list[tuple[str, float]] = []

    def due_done(self, kind: str, lateness_seconds: float) -> None:
        self.done.append((kind, lateness_seconds))

    def batch_done(self, size: int, seconds: float, commit_seconds: float) -> None:
        del size, seconds, commit_seconds


class Awaited:
    """Waits until all of some instances are released; keeps the postings made on the way."""

    def __init__(self, units: set[str]) -> None:
        self.left = set(units)
        self.postings: list[Posting] = []
        self.over = asyncio.Event()

    def committed(self, changes: Changes) -> None:
        self.postings += changes.postings
        for row in changes.updated.get(UNIT_ROWS, []):
            if row.status == "Released":
                self.left.discard(row.id)
        if not self.left:
            self.over.set()


class Late(VirtualClock):
    """A clock that was not moved: it simply shows a later time, as a machine does that was off."""

    def __init__(self, shown: str) -> None:
        super().__init__(parse_time(shown, ZONE))


@asynccontextmanager
async def started(
    data: Path, clock: VirtualClock, awaited: Awaited, meter: RecordedMeter
) -> AsyncIterator[SqliteStore]:
    """Start the parts of a service that do due work, and wait for the work."""
    store = SqliteStore(data)
    sequencer = Sequencer(store, clock, Rules(), engine=InstantEngine(), limits=BatchLimits(), meter=meter)
    scheduler = Scheduler(store, sequencer, clock, meter)
    sequencer.watch(scheduler)
    sequencer.watch(awaited)
    sequencer.start()
    scheduler.start()
    try:
        await asyncio.wait_for(awaited.over.wait(), 10)
        yield store
    finally:
        await scheduler.stop()
        await sequencer.close()
        await store.close()


async def released(store: SqliteStore, unit: str) -> Instance:
    found = await store.read(lambda ask: ask.unit(unit))
    assert found is not None
    assert found.status == "Released"
    return found


def shown(at: Instant | None) -> str:
    assert at is not None
    return rfc3339(at, ZONE)[11:19]


def test_overdue_releases_are_done_at_the_start_and_the_bill_ends_at_the_scheduled_moment(data: Path) -> None:
    with a_scene(data) as scene:
        caller = scene.customer()
        late = caller.buy(count=2, release="2030-01-15 09:30:30")
        later = caller.buy(release="2030-01-15 10:59:59")
        kept = caller.buy(release="2030-01-15 11:00:01")
    meter = RecordedMeter()

    async def whole() -> None:
        awaited = Awaited({late, later})
        async with started(data, Late("2030-01-15 11:00:00"), awaited, meter) as store:
            assert shown((await released(store, late)).ended_at) == "09:30:30"
            assert shown((await released(store, later)).ended_at) == "10:59:59"
        charges = [(shown(posting.at), posting.unit_id, posting.minutes) for posting in awaited.postings]
        assert [charge for charge in charges if charge[1] == late] == [("09:00:00", late, 60), ("09:30:30", late, 31)]
        assert [charge for charge in charges if charge[1] == later] == [
            ("09:00:00", later, 60),
            ("10:00:00", later, 60),
            ("10:59:59", later, 60),
        ]
        assert charges == sorted(charges, key=lambda charge: charge[0])

    play(whole)
    lateness = sorted(seconds for kind, seconds in meter.done if kind == "release")
    assert lateness == [1.0, 5370.0]
    with a_scene(data) as scene:
        caller = again(scene, caller)
        assert caller.unit(kept)["status"] == "Running"
        assert caller.unit(late)["expiredTime"] == "2030-01-15T09:30:30+08:00"


def test_a_service_that_was_down_for_months_charges_every_hour_and_ends_every_term_in_its_order(data: Path) -> None:
    with a_scene(data) as scene:
        caller = scene.customer("100000")
        prepaid = caller.buy(months=1)
        postpaid = caller.buy(release="2030-01-17 08:00:00")
    meter = RecordedMeter()

    async def whole() -> None:
        awaited = Awaited({prepaid, postpaid})
        async with started(data, Late("2030-06-01 00:00:00"), awaited, meter) as store:
            assert (await released(store, postpaid)).metered_minutes == 48 * 60
            assert (await released(store, prepaid)).end_reason == "Expiry"
        times = [posting.at for posting in awaited.postings]
        assert times == sorted(times)
        assert len(times) == 48

    play(whole)
    # Reminders of ends that are past by now were due too, and were not sent.
    kinds = [kind for kind, _ in meter.done if kind != "remind"]
    assert kinds == ["charge"] * 47 + ["release", "expire", "retire"]
    assert check_directory(data).findings == []


def test_nothing_is_released_before_its_time(data: Path) -> None:
    with a_scene(data) as scene:
        caller = scene.customer()
        due, not_yet = caller.buy(release="2030-01-15 10:00:00"), caller.buy(release="2030-01-15T10:00:00.000001+08:00")

    async def whole() -> None:
        async with started(data, Late("2030-01-15 10:00:00"), Awaited({due}), RecordedMeter()) as store:
            assert (await released(store, due)).ended_at == parse_time("2030-01-15 10:00:00", ZONE)
            kept = await store.read(lambda ask: ask.unit(not_yet))
            assert kept is not None
            assert kept.status == "Running"

    play(whole)

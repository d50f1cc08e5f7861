"""DescribeDueWork: late and coming work by kind, how late a server was, and the servers of the store."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leasebook.api.server_work import LEFT_OUT_S, Peers
from leasebook.domain.commands.store.clock import MoveClock
from leasebook.domain.model.lease import Worker
from leasebook.domain.values.calendar import parse_time
from leasebook.observability.metrics import Metrics
from tests.api.scene import ACCOUNT, CLOCK, ServiceHarness, a_scene
from tests.copies import STORES, empty

RELEASED = "2030-01-15T08:30:00+08:00"
LATE = "2030-01-15T08:31:40+08:00"


def report(scene: ServiceHarness) -> Any:
    return scene.operator.do(CLOCK, "DescribeDueWork")


def kind(found: Any, name: str) -> Any:
    (one,) = [one for one in found["kinds"] if one["kind"] == name]
    return one


def test_what_comes_is_counted_then_what_is_late_and_then_what_was_done(either: ServiceHarness) -> None:
    customer = either.customer("10000")
    before = report(either)
    unit = customer.buy(release=RELEASED)
    customer.buy(months=1)
    found = report(either)
    assert kind(found, "release")["dueWithinHour"] == kind(before, "release")["dueWithinHour"] + 1
    assert (found["oldestReleaseLateSeconds"], "oldestReleaseTime" in found) == (0, False)

    async def time_goes_on_and_nobody_works() -> None:
        await either.running.scheduler.stop()
        await either.running.sequencer.submit(MoveClock(to=parse_time(LATE, "UTC")))
        either.running.clock.moved(parse_time(LATE, "UTC"))

    either.play(time_goes_on_and_nobody_works)
    found = report(either)
    assert (found["oldestReleaseTime"], found["oldestReleaseLateSeconds"], found["now"]) == (RELEASED, 100, LATE)
    late = kind(found, "release")
    assert (late["overdue"], late["oldestTime"], late["lateSeconds"]) == (1, RELEASED, 100)
    assert late["dueWithinHour"] == 0
    assert customer.unit(unit)["status"] == "Running"

    either.advance("2030-01-15T08:32:00+08:00")
    found = report(either)
    done = kind(found, "release")
    assert (done["overdue"], done["lateSeconds"], "oldestTime" in done) == (0, 0, False)
    assert done["done"] == kind(before, "release")["done"] + 1
    assert sum(one["releases"] for one in found["lateness"]) == sum(one["releases"] for one in before["lateness"]) + 1
    assert [one["kind"] for one in found["kinds"]][:2] == ["renew", "release"]
    (server,) = [one for one in found["servers"] if one["isAnswering"]]
    assert server["silentSeconds"] == 0


@pytest.mark.parametrize("store", [store for store in STORES if store == "postgres"])
def test_servers_of_one_store_agree_on_the_work_and_count_their_own_releases(store: str, tmp_path: Path) -> None:
    with empty(store, tmp_path / "data", migrated=True) as where, a_scene(where) as first, a_scene(where) as second:
        first.sell()
        first.operator.do(ACCOUNT, "TopUpAccount", {"amount": "1000"})
        first.operator.buy(release=(first.now() + timedelta(minutes=20)).isoformat())
        before, there = report(first), report(second)
        assert kind(before, "release")["dueWithinHour"] == kind(there, "release")["dueWithinHour"] == 1
        first.advance((first.now() + timedelta(minutes=30)).isoformat())
        reports = [report(scene) for scene in (first, second)]
        assert [kind(one, "release")["done"] for one in reports] == [1, 0]
        assert [sum(count["releases"] for count in one["lateness"]) for one in reports] == [1, 0]
        ids = [{server["serverId"] for server in one["servers"]} for one in reports]
        assert ids[0] == ids[1]
        assert len(ids[0]) == 2
        answering = [[one["serverId"] for one in found["servers"] if one["isAnswering"]] for found in reports]
        assert len({name for (name,) in answering}) == 2


def test_a_server_counts_each_release_once_by_how_late_it_was() -> None:
    metrics = Metrics()
    for late in (0.0, 0.005, 0.3, 0.4, 59.0, 3600.0, 99_999.0):
        metrics.due_done("release", late)
    metrics.due_done("charge", 5.0)
    counted = dict(metrics.release_lateness())
    assert {bound: count for bound, count in counted.items() if count} == {0.01: 2, 0.5: 2, 60.0: 1, 3600.0: 1, None: 1}
    assert metrics.done_by_kind() == {"release": 7, "charge": 1}


def test_a_server_lives_while_its_beat_moves_and_is_left_out_after_a_long_silence() -> None:
    now = 0.0
    peers = Peers(lambda: now)

    def seen(**beats: int) -> dict[str, float | None]:
        workers = [Worker(name, "node", beat, 10) for name, beat in beats.items()]
        return {one.worker.id: one.silent_s for one in peers.look(workers)}

    assert seen(a=5, b=7) == {"a": None, "b": None}
    now = 4.0
    assert seen(a=6, b=7) == {"a": 0.0, "b": 4.0}
    now = 4.0 + LEFT_OUT_S
    assert seen(a=6, b=7, c=1) == {"a": LEFT_OUT_S, "c": None}
    now += 1
    assert seen(a=7, b=8, c=1) == {"a": 0.0, "b": 0.0, "c": 1.0}
    assert [one.worker.id for one in peers.look([Worker("x", "n", 1, 10), Worker("y", "n", 1, 20)])] == ["y", "x"]

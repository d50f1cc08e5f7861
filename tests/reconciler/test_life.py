"""A replica's life from purchase to release, on an engine with every trouble, under a clock that is moved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from leasebook.domain.commands.instance.release import Release
from leasebook.domain.commands.service.service import ModifyService, ScaleService, SwitchService
from leasebook.domain.record.event import ENGINE_TROUBLE
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.ports.queries.read_repository import EventFilter
from tests.harness import play
from tests.reconciler.acts import ACCOUNT, Install, Runs, StopUnit, buying
from tests.reconciler.house import World
from tests.reconciler.scene import service

Scene = Callable[[World], Awaitable[None]]


def lived(scene: Scene, *, hands: int = 1, local: bool = False) -> World:
    """Play a scene in a house; everything is checked after every step."""
    house = World(hands=hands, local=local)

    async def whole() -> None:
        await house.found()
        await scene(house)

    play(whole)
    return house


async def bought(house: World, replicas: int = 2, **billing: int | Instant) -> None:
    _ = (await house.say(buying("unit-1", "svco-1", replicas, **billing))).result()  # type: ignore[arg-type]


async def released(house: World) -> None:
    _ = (await house.say(Release(account_id=ACCOUNT, unit_id="unit-1", service_id=None))).result()


def states(house: World) -> list[str]:
    return [row.state for row in house.replicas()]


def troubles(house: World) -> list[str]:
    wanted = EventFilter(account_id=ACCOUNT, types=(ENGINE_TROUBLE,))
    events = house.store.ask(lambda ask: ask.events(wanted, after=None, limit=1000, oldest_first=True))
    return [event.data["message"] for _, event in events]


def test_an_instance_runs_once_its_replicas_are_healthy_and_is_released_once_they_are_gone() -> None:
    async def scene(house: World) -> None:
        house.world.script("*", start_s=30, stop_s=3)
        await bought(house)
        await house.live(25)
        assert house.unit("unit-1").status == "Creating"
        assert states(house) == ["Starting", "Starting"]
        await house.live(10)
        assert house.unit("unit-1").status == "Running"
        assert house.store.ask(lambda ask: [one.state for one in ask.targets("svco-1")]) == ["Ready", "Ready"]
        await released(house)
        await house.live(2)
        assert house.unit("unit-1").status == "Releasing"
        assert house.store.ask(lambda ask: ask.targets("svco-1")) == []
        await house.live(4)
        assert house.unit("unit-1").status == "Released"
        assert house.world.here() == []

    lived(scene)


def test_capacity_alone_is_there_in_the_batch_that_buys_it() -> None:
    async def scene(house: World) -> None:
        await house.say(Install(services=(service("svco-9", runs=False),)))
        runs = buying("unit-1", "svco-9", 1)
        assert isinstance(runs, Runs)
        _ = (await house.say(runs.inner)).result()
        assert house.unit("unit-1").status == "Running"
        assert house.store.ask(lambda ask: ask.jobs(["unit-1"])) == []

    lived(scene)


@pytest.mark.parametrize("how", [{"cannot_run": "no such image"}, {"no_room": True}, {"start_s": 3600.0}])
def test_what_cannot_be_had_is_given_back_after_nothing_of_it_is_left(how: dict[str, object]) -> None:
    async def scene(house: World) -> None:
        house.world.script("*-svco-1-1-*", **how)
        await bought(house)
        await house.live(700, step=5)
        unit = house.unit("unit-1")
        assert unit.status == "CreateFailed"
        assert unit.failure is not None
        assert (unit.reserved, unit.charged) == (0, 0)
        assert house.world.here() == []

    lived(scene)


def test_a_creation_that_failed_keeps_its_units_until_its_engine_can_be_asked() -> None:
    async def scene(house: World) -> None:
        house.world.script("*-svco-1-0-*", stop_s=3)
        house.world.script("*-svco-1-1-*", cannot_run="no such image")
        await bought(house)
        await house.live(0.01)
        house.world.cut()
        await house.live(60)
        unit = house.unit("unit-1")
        assert (unit.status, unit.reserved, unit.failure) == ("Creating", 2, "it cannot run: no such image")
        house.world.mend()
        await house.live(10)
        assert house.unit("unit-1").status == "CreateFailed"

    lived(scene)


def test_a_replica_that_dies_comes_back_under_another_name_and_later_each_time() -> None:
    async def scene(house: World) -> None:
        house.world.script("*", exits_after_s=5)
        await bought(house, 1)
        await house.live(600)
        names = [run.wanted.name for run in house.world.runs]
        assert len(set(names)) == len(names)
        gaps = [
            later.started_at - earlier.started_at
            for earlier, later in zip(house.world.runs, house.world.runs[1:], strict=False)
        ]
        assert gaps == sorted(gaps)
        assert gaps[0] < 10
        assert gaps[-1] > 100
        (row,) = house.replicas()
        assert row.reason == "it ended with code 1"

    lived(scene)


def test_what_its_engine_lost_is_started_again() -> None:
    async def scene(house: World) -> None:
        await bought(house)
        await house.live(3)
        house.world.lose("*-svco-1-0-*")
        await house.live(10)
        assert states(house) == ["Ready", "Ready"]

    lived(scene)


def test_an_engine_that_cannot_be_asked_loses_nothing_and_is_logged_once() -> None:
    async def scene(house: World) -> None:
        await bought(house)
        await house.live(3)
        house.world.cut()
        await house.live(120)
        assert len(house.world.here()) == 2
        assert states(house) == ["Ready", "Ready"]
        assert troubles(house) == ["fake: The fake engine is cut off."] * 2
        await released(house)
        await house.live(3600, step=10)
        assert house.unit("unit-1").status == "Releasing"
        assert len(troubles(house)) == 2
        house.world.mend()
        await house.live(12)
        assert house.unit("unit-1").status == "Released"

    lived(scene)


def test_an_answer_that_is_lost_starts_nothing_twice() -> None:
    async def scene(house: World) -> None:
        house.world.cut(until=house.now / SECOND_US + 20, answers_only=True)
        await bought(house)
        await house.live(40)
        assert states(house) == ["Ready", "Ready"]
        assert len(house.world.runs) == 2

    lived(scene)


def test_a_stopped_instance_keeps_its_units_and_runs_nothing_until_it_is_resumed() -> None:
    async def scene(house: World) -> None:
        await bought(house)
        await house.live(3)
        await house.say(StopUnit(unit_id="unit-1", stops=True))
        assert house.store.ask(lambda ask: ask.targets("svco-1")) == []
        await house.live(10)
        assert states(house) == ["Gone", "Gone"]
        assert house.unit("unit-1").reserved == 2
        await house.say(StopUnit(unit_id="unit-1", stops=False))
        await house.live(5)
        assert states(house) == ["Ready", "Ready"]

    lived(scene)


def test_a_service_is_scaled_switched_and_given_another_model() -> None:
    async def scene(house: World) -> None:
        async def live() -> list[tuple[int, str]]:
            await house.live(20)
            return [(row.number, row.model_id) for row in house.replicas() if row.state == "Ready"]

        async def scaled(replicas: int) -> None:
            scale = ScaleService(account_id=ACCOUNT, service_id="svco-1", unit_id="unit-1", replicas=replicas)
            _ = (await house.say(Runs(inner=scale))).result()

        async def switched(*, active: bool) -> None:
            _ = (await house.say(SwitchService(account_id=ACCOUNT, service_id="svco-1", active=active))).result()

        await bought(house, 3)
        assert await live() == [(0, "amv-1"), (1, "amv-1"), (2, "amv-1")]
        await scaled(1)
        assert await live() == [(0, "amv-1")]
        await scaled(2)
        assert await live() == [(0, "amv-1"), (1, "amv-1")]
        await house.say(ModifyService(account_id=ACCOUNT, service_id="svco-1", model_set_id="am-1", model_id="amv-2"))
        await house.live(30)
        assert await live() == [(0, "amv-2"), (1, "amv-2")]
        await switched(active=False)
        assert await live() == []
        await switched(active=True)
        assert await live() == [(0, "amv-2"), (1, "amv-2")]

    lived(scene)


def test_an_orphan_is_ended_by_whoever_sees_it() -> None:
    async def scene(house: World) -> None:
        await bought(house, 1)
        await house.live(3)
        (run,) = house.world.runs
        house.world.start(msgspec.structs.replace(run.wanted, name="unit-1-svco-1-9-99"))
        await house.hands[0].turn()
        await house.live(10)
        assert house.meter.orphans >= 1
        assert [one.wanted.name for one in house.world.here()] == [run.wanted.name]

    lived(scene)


def test_the_engine_ends_by_itself_what_nobody_is_there_to_end() -> None:
    async def scene(house: World) -> None:
        end = Instant(house.now + 60 * SECOND_US)
        await bought(house, 1, release_at=end)
        await house.live(3)
        house.hands[0].wire.is_dead = True
        house.hands.clear()
        house.now = Instant(end + 310 * SECOND_US)
        house.world.settle()
        assert [run.state(house.now / SECOND_US) for run in house.world.runs] == ["Exited"]

    lived(scene)


def test_of_two_workers_one_takes_over_the_leases_of_the_other_within_the_bound() -> None:
    async def scene(house: World) -> None:
        house.world.script("*", exits_after_s=20)
        await bought(house, 1)
        await house.live(3)
        lease = house.store.ask(lambda ask: ask.jobs(None))[0].lease
        assert lease is not None
        holder = next(hand for hand in house.hands if hand.worker_id == lease.holder)
        house.hands.remove(holder)
        await house.live(16)
        before = len(house.world.runs)
        await house.live(10)
        assert len(house.world.runs) == before + 1
        lease = house.store.ask(lambda ask: ask.jobs(None))[0].lease
        assert lease is not None
        assert lease.holder == house.hands[0].worker_id

    lived(scene, hands=2)


def test_what_runs_on_a_machine_that_is_gone_is_not_started_elsewhere_by_an_engine_that_cannot_see_it() -> None:
    async def scene(house: World) -> None:
        await bought(house, 1)
        await house.live(3)
        (row,) = house.replicas()
        holder = next(hand for hand in house.hands if hand.node == row.node)
        house.hands.remove(holder)
        await released(house)
        await house.live(120)
        assert house.unit("unit-1").status == "Releasing"
        house.hire(int(row.node.removeprefix("node-")))
        await house.live(30)
        assert house.unit("unit-1").status == "Released"

    lived(scene, hands=2, local=True)

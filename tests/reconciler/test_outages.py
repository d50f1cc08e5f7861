"""A paid instance with no healthy replica of a service for some minutes is a crash loop: reported once, ended once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from leasebook.domain.model.instance import Placement
from leasebook.domain.model.replica import Replica
from leasebook.domain.record.event import Event
from leasebook.domain.replicas.planner import Job, Observation, Run, Start, Write, plan
from leasebook.domain.values.calendar import MINUTE_US, SECOND_US
from tests.reconciler.acts import Install, StopUnit, buying
from tests.reconciler.house import World
from tests.reconciler.scene import LIMITS, NOW, SERVICE, job, replica, service, shows, unit
from tests.reconciler.test_plan import LOST, NOTHING

LOOP_US = 5 * MINUTE_US
LONG_AGO = NOW - LOOP_US
WAITS: dict[str, Any] = {"reason": "code 1", "not_before": NOW + SECOND_US}
DOWN = replica("Failed", outage="Down", down_since=LONG_AGO, **WAITS)
REPORTED = msgspec.structs.replace(DOWN, outage="Reported")
SECOND = replica("Failed", 1, **WAITS)


def outage(
    work: Job, sight: Observation | None = NOTHING, loop_us: int = LOOP_US, at: int = NOW
) -> tuple[str, int | None]:
    """Return the outage in the row of replica 0 after the plan of an instance, at ``at`` of the service's clock."""
    limits = msgspec.structs.replace(LIMITS, loop_us=loop_us)
    planned = plan(work, {} if sight is None else {"fake": sight}, NOW, limits, "fake", at)
    rows = {row.number: row for row in work.replicas}
    for step in planned.steps:
        if isinstance(step, (Write, Start)):
            assert step.before == (rows.get(step.after.number) if step.before is not None else None)
            rows[step.after.number] = step.after
    return rows[0].outage, rows[0].down_since


FRESH = replica("Failed", **WAITS)
READY, UNHEALTHY = replica("Ready"), replica("Unhealthy", outage="Down", down_since=LONG_AGO)
FLEETING = replica("Ready", restarts=1, outage="Down", down_since=LONG_AGO)
LASTING = msgspec.structs.replace(FLEETING, since=NOW - 5 * MINUTE_US)
RISEN = msgspec.structs.replace(REPORTED, state="Starting")


@pytest.mark.parametrize(
    ("work", "sight", "said"),
    [
        # It is down as soon as no replica is healthy, also before its first one ever was.
        (job(unit(), FRESH), NOTHING, ("Down", NOW)),
        (job(unit()), NOTHING, ("Down", NOW)),
        (job(unit(), READY), shows((READY, "Exited")), ("Down", NOW)),
        # It is reported at the end of the time, whether a step writes the row or not.
        (job(unit(), msgspec.structs.replace(DOWN, down_since=LONG_AGO + 1)), NOTHING, ("Down", LONG_AGO + 1)),
        (job(unit(), DOWN), NOTHING, ("Reported", LONG_AGO)),
        (job(unit(), msgspec.structs.replace(DOWN, not_before=NOW)), NOTHING, ("Reported", LONG_AGO)),
        (job(unit(), UNHEALTHY), shows((UNHEALTHY, "Unhealthy")), ("Reported", LONG_AGO)),
        # A new start, or a new version, goes on with what the row says.
        (job(unit(), DOWN, services=(service(model_id="amv-2"),)), NOTHING, ("Reported", LONG_AGO)),
        (job(unit(), msgspec.structs.replace(REPORTED, not_before=NOW)), None, ("Reported", LONG_AGO)),
        # One healthy replica is enough, also a spare one.
        (job(unit(2), FRESH, replica("Ready", 1)), shows((replica("Ready", 1), "Ready")), ("None", None)),
        (job(unit(2), REPORTED, replica("Ready", 1)), shows((replica("Ready", 1), "Ready")), ("None", None)),
        (job(unit(2), DOWN, SECOND), NOTHING, ("Reported", LONG_AGO)),
        (job(unit(), RISEN), shows((RISEN, "Ready")), ("None", None)),
        (job(unit(), RISEN), shows((RISEN, "Starting")), ("Reported", LONG_AGO)),
        # A replica that failed counts once it has been healthy for a while; until then nothing is reported either.
        (job(unit(), FLEETING), shows((FLEETING, "Ready")), ("Down", LONG_AGO)),
        (job(unit(), LASTING), shows((LASTING, "Ready")), ("None", None)),
        # An engine that cannot be asked may have healthy replicas, and proves nothing.
        (job(unit(), DOWN), LOST, ("Down", LONG_AGO)),
        (job(unit(), UNHEALTHY), LOST, ("Down", LONG_AGO)),
        (job(unit(), DOWN), None, ("Down", LONG_AGO)),
        # An instance that is not paid, or has not to run, does not count; a reported loop ends without a recovery.
        (job(unit(status="Creating"), FRESH), NOTHING, ("None", None)),
        (job(unit(status="Stopped"), DOWN), NOTHING, ("None", None)),
        (job(unit(status="Stopped"), REPORTED), NOTHING, ("Unwanted", None)),
        (job(unit(status="Releasing"), REPORTED), NOTHING, ("Unwanted", None)),
        (job(unit(), REPORTED, services=(service(active=False),)), NOTHING, ("Unwanted", None)),
        (job(unit(), msgspec.structs.replace(FRESH, outage="Unwanted")), NOTHING, ("Down", NOW)),
    ],
)
def test_the_row_of_replica_0_says_whether_the_service_is_down(
    work: Job, sight: Observation | None, said: tuple[str, int | None]
) -> None:
    assert outage(work, sight) == said


def test_without_the_setting_nothing_is_counted_and_what_was_reported_still_recovers() -> None:
    assert outage(job(unit(), FRESH), loop_us=0) == ("None", None)
    assert outage(job(unit(), DOWN), loop_us=0) == ("Down", LONG_AGO)
    assert outage(job(unit(), RISEN), shows((RISEN, "Ready")), loop_us=0) == ("None", None)


def test_the_minutes_are_those_of_the_service_s_clock_and_the_plan_is_made_again_at_their_end() -> None:
    fresh = msgspec.structs.replace(DOWN, down_since=1000, not_before=NOW + 2 * LOOP_US)
    assert outage(job(unit(), fresh), at=999 + LOOP_US) == ("Down", 1000)
    assert outage(job(unit(), fresh), at=1000 + LOOP_US) == ("Reported", 1000)
    limits = msgspec.structs.replace(LIMITS, loop_us=LOOP_US)
    planned = plan(job(unit(), fresh), {"fake": NOTHING}, NOW, limits, "fake", 900 + LOOP_US)
    assert planned.again_at == NOW + 100


def test_two_services_on_an_instance_have_a_loop_each() -> None:
    other = msgspec.structs.replace(replica("Ready"), service_id="svco-2", generation=9)
    both = unit(placements=(Placement(SERVICE, 1, 1, runs=True), Placement("svco-2", 1, 1, runs=True)))
    work = job(both, DOWN, other, services=(service(), service("svco-2")))
    limits = msgspec.structs.replace(LIMITS, loop_us=LOOP_US)
    (step,) = plan(work, {"fake": shows((other, "Ready"))}, NOW, limits, "fake").steps
    assert isinstance(step, Write)
    assert step.after == REPORTED


def test_a_request_to_an_engine_that_may_write_the_row_waits_for_the_row_to_say_it() -> None:
    starting = replica("Starting", outage="Down", down_since=LONG_AGO)
    limits = msgspec.structs.replace(LIMITS, loop_us=LOOP_US)
    (write,) = plan(job(unit(), starting), {"fake": NOTHING}, NOW, limits, "fake").steps
    assert isinstance(write, Write)
    (run,) = plan(job(unit(), write.after), {"fake": NOTHING}, NOW, limits, "fake").steps
    assert isinstance(run, Run)


# --- a house with workers ---------------------------------------------------------------------------------


def reported(house: World) -> list[Event]:
    kinds = ("replica.crashLoop", "replica.recovered")
    return [event for page in house.store.events for event in page.events if event.type in kinds]


def kinds(house: World) -> list[str]:
    return [event.type.removeprefix("replica.") for event in reported(house)]


async def a_house(replicas: int = 1, **more: Any) -> World:
    """A house with an instance that runs."""
    house = World(**more)
    await house.found()
    _ = (await house.say(buying("unit-1", "svco-1", replicas))).result()
    await house.live(5)
    assert house.unit("unit-1").status == "Running"
    return house


def crash(house: World) -> None:
    """From now on every replica exits after a second."""
    house.world.script("*", exits_after_s=1.0, start_s=9.0)
    house.world.end("*")


def mend(house: World) -> None:
    house.world.script("*", exits_after_s=None)


@pytest.mark.parametrize("replicas", [1, 3])
async def test_each_loop_is_an_event_once_and_so_is_its_end(replicas: int) -> None:
    house = await a_house(replicas)
    crash(house)
    began = house.now
    await house.live(290, step=5)
    assert kinds(house) == []
    await house.live(20, step=5)
    (event,) = reported(house)
    assert (event.type, event.unit_id) == ("replica.crashLoop", "unit-1")
    since = event.data["downSince"]
    assert began < since < began + 10 * SECOND_US
    assert since + LOOP_US <= event.at < since + LOOP_US + 10 * SECOND_US
    assert event.data == {"engine": "fake", "serviceId": "svco-1", "downSince": since, "message": event.data["message"]}
    assert event.data["message"]
    await house.live(1800, step=20)
    assert kinds(house) == ["crashLoop"]
    mend(house)
    await house.live(650, step=10)
    assert kinds(house) == ["crashLoop", "recovered"]
    assert reported(house)[1].data == {"engine": "fake", "serviceId": "svco-1", "downSince": since}
    crash(house)
    await house.live(400, step=10)
    mend(house)
    await house.live(600, step=10)
    assert kinds(house) == ["crashLoop", "recovered"] * 2


async def test_replicas_that_are_healthy_for_a_moment_after_each_start_are_one_loop() -> None:
    house = await a_house()
    house.world.script("*", exits_after_s=20.0)
    house.world.end("*")
    await house.live(3000, step=5)
    assert kinds(house) == ["crashLoop"]
    mend(house)
    await house.live(700, step=10)
    assert kinds(house) == ["crashLoop", "recovered"]


async def test_a_new_version_that_becomes_healthy_ends_the_loop_at_once() -> None:
    house = await a_house()
    crash(house)
    await house.live(310, step=5)
    mend(house)
    _ = (await house.say(Install(services=(service("svco-1", region="bj", model_id="amv-2"),)))).result()
    await house.live(10)
    assert kinds(house) == ["crashLoop", "recovered"]


async def test_a_worker_that_dies_or_begins_counts_on_and_reports_nothing_twice() -> None:
    house = await a_house()
    crash(house)
    for _ in range(4):
        await house.live(100, step=5)
        house.hands.clear()
        house.hire()
    assert kinds(house) == ["crashLoop"]
    mend(house)
    await house.live(650, step=10)
    house.hands.clear()
    house.hire()
    await house.live(20)
    assert kinds(house) == ["crashLoop", "recovered"]


async def test_of_a_stopped_instance_nothing_is_reported_and_its_next_loop_is_another() -> None:
    house = await a_house()
    crash(house)
    await house.live(310, step=5)
    assert kinds(house) == ["crashLoop"]
    _ = (await house.say(StopUnit(unit_id="unit-1", stops=True))).result()
    await house.live(900, step=20)
    assert house.unit("unit-1").status == "Stopped"
    assert kinds(house) == ["crashLoop"]
    _ = (await house.say(StopUnit(unit_id="unit-1", stops=False))).result()
    await house.live(200, step=5)
    assert kinds(house) == ["crashLoop"]
    await house.live(200, step=5)
    assert kinds(house) == ["crashLoop", "crashLoop"]


async def test_while_its_engine_is_away_no_loop_is_reported() -> None:
    house = await a_house()
    house.world.script("*", exits_after_s=1.0, start_s=9.0)
    house.world.end("*")
    await house.live(60, step=2)
    house.world.cut()
    await house.live(600, step=10)
    assert kinds(house) == []
    house.world.mend()
    await house.live(60, step=2)
    assert kinds(house) == ["crashLoop"]


async def test_several_workers_report_a_loop_once() -> None:
    house = await a_house(2, hands=3)
    crash(house)
    for _ in range(4):
        await house.live(100, step=5)
        house.hands.pop(0)
        house.hire()
    assert kinds(house) == ["crashLoop"]


def test_a_row_without_replica_0_says_nothing() -> None:
    rows: list[Replica] = [SECOND]
    limits = msgspec.structs.replace(LIMITS, loop_us=LOOP_US)
    steps = plan(job(unit(2, count=1), *rows), {"fake": NOTHING}, NOW, limits, "fake").steps
    assert all(step.after.outage == "None" for step in steps if isinstance(step, Write))

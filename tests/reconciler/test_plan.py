"""The plan: from what the books want and what an engine shows, the next steps. Each row of a table is a sentence."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from leasebook.domain.model.instance import Placement
from leasebook.domain.model.replica import Replica, Seen
from leasebook.domain.replicas.planner import (
    INSTANT,
    GiveUp,
    Halt,
    Job,
    MoveDeadline,
    Observation,
    Run,
    Settle,
    Start,
    Write,
    orphans,
    plan,
)
from leasebook.domain.values.calendar import MINUTE_US, SECOND_US, Instant
from tests.reconciler.scene import (
    LIMITS,
    NOW,
    SERVICE,
    job,
    lease,
    planned,
    replica,
    service,
    shows,
    unit,
)

LOST = Observation(None, "no route", NOW - MINUTE_US)
NOTHING = Observation({})
OLD = NOW - 11 * MINUTE_US


def steps_of(job: Job, sight: Observation | None = None, **more: Any) -> list[str]:
    """The steps in a few words: what to do to which number, and the state that it is in then."""
    words = []
    for step in planned(job, sight, **more).steps:
        match step:
            case Write(before, after):
                words.append(f"{before.number}: {before.state} -> {after.state}")
            case Start(_, after):
                words.append(f"{after.number}: start {after.model_id}")
            case Run(row):
                words.append(f"{row.number}: run")
            case Halt(row):
                words.append(f"{row.number}: halt")
            case MoveDeadline(_, after):
                words.append(f"{after.number}: deadline {after.deadline}")
            case GiveUp(reason):
                words.append(f"give up: {reason}")
            case Settle(report):
                words.append(report)
    return sorted(words)


STARTING, READY, STOPPING = replica("Starting"), replica("Ready"), replica("Stopping")
UNHEALTHY, FAILED, GONE = replica("Unhealthy"), replica("Failed", not_before=NOW), replica("Gone")


@pytest.mark.parametrize(
    ("row", "sight", "steps"),
    [
        # A missing replica that is wanted is started; a failed one waits for its time.
        (None, None, ["0: start amv-1"]),
        (GONE, None, ["0: start amv-1"]),
        (FAILED, None, ["0: start amv-1"]),
        (replica("Failed", not_before=NOW + 1), NOTHING, []),
        # The same name is asked for again until it shows, and given up in the end.
        (STARTING, NOTHING, ["0: run"]),
        (STARTING, shows((STARTING, "Starting")), []),
        (STARTING, shows((STARTING, "Ready")), ["0: Starting -> Ready"]),
        (STARTING, shows((STARTING, "Unhealthy")), ["0: Starting -> Unhealthy"]),
        (replica("Starting", since=OLD), NOTHING, ["0: Starting -> Stopping"]),
        (replica("Starting", since=OLD), shows((STARTING, "Starting")), ["0: Starting -> Stopping"]),
        # A replica that ran and does not show any more, or shows as ended, is cleared away first.
        (READY, shows((READY, "Ready")), []),
        (READY, shows((READY, "Starting")), ["0: Ready -> Starting"]),
        (READY, shows((READY, "Unhealthy")), ["0: Ready -> Unhealthy"]),
        (READY, shows((READY, "Exited")), ["0: Ready -> Stopping"]),
        (READY, shows((READY, "Stopping")), ["0: Ready -> Stopping"]),
        (READY, NOTHING, ["0: Ready -> Stopping"]),
        (UNHEALTHY, shows((UNHEALTHY, "Unhealthy")), []),
        (replica("Unhealthy", since=OLD), shows((UNHEALTHY, "Unhealthy")), ["0: Unhealthy -> Stopping"]),
        (replica("Unhealthy", since=OLD), shows((UNHEALTHY, "Ready")), ["0: Unhealthy -> Ready"]),
        # A replica that has to end is stopped again and again, until it does not show.
        (STOPPING, shows((STOPPING, "Ready")), ["0: halt"]),
        (STOPPING, shows((STOPPING, "Exited")), ["0: halt"]),
        (replica("Stopping", reason="code 1"), NOTHING, ["0: Stopping -> Failed"]),
        (STOPPING, NOTHING, ["0: Stopping -> Gone"]),
        (replica("Stopping", since=OLD), shows((STOPPING, "Ready")), ["0: Stopping -> Stopping", "0: halt"]),
        # An engine that cannot be seen says nothing.
        (STARTING, None, []),
        (READY, None, []),
        (STOPPING, None, []),
        (replica("Ready", since=OLD, trouble="told"), LOST, []),
        (replica("Stopping", since=OLD, trouble="told"), LOST, []),
        (replica("Starting", since=OLD, trouble="told"), LOST, []),
        # But it is reported once, where it lasts.
        (replica("Ready", since=OLD), LOST, ["0: Ready -> Ready"]),
        (READY, LOST, []),
    ],
)
def test_a_replica_that_is_wanted_is_brought_up_and_kept_up(
    row: Replica | None, sight: Observation | None, steps: list[str]
) -> None:
    assert steps_of(job(unit(), *([] if row is None else [row])), sight) == steps


@pytest.mark.parametrize("state", ["Starting", "Ready", "Unhealthy"])
@pytest.mark.parametrize(
    "wish",
    [
        job(unit(0)),
        job(unit(status="Stopped")),
        job(unit(status="Creating", failure="no")),
        job(unit(), services=(service(active=False),)),
        job(unit(), services=(service(deleted_at=Instant(1)),)),
        job(unit(placements=(Placement(SERVICE, 1, 1, runs=False),))),
    ],
)
def test_what_nobody_wants_ends_whether_or_not_its_engine_can_be_asked(wish: Job, state: str) -> None:
    row = replica(state)
    for sight in (None, LOST, shows((row, "Ready"))):
        assert steps_of(msgspec.structs.replace(wish, replicas=(row,)), sight) == [f"0: {state} -> Stopping"]


def test_what_failed_and_nobody_wants_any_more_is_gone() -> None:
    assert steps_of(job(unit(0), FAILED)) == ["0: Failed -> Gone"]
    assert steps_of(job(unit(0), GONE)) == []


def test_an_instance_on_the_instant_engine_runs_nothing_and_what_runs_there_ends() -> None:
    assert plan(job(unit()), {}, NOW, LIMITS, INSTANT).steps == ()
    (step,) = plan(job(unit(), READY), {}, NOW, LIMITS, INSTANT).steps
    assert isinstance(step, Write)
    assert step.after.state == "Stopping"


@pytest.mark.parametrize(
    ("status", "changed", "rows", "steps"),
    [
        ("Creating", {}, (READY,), ["Running"]),
        ("Creating", {"placements": ()}, (), ["Running"]),
        ("Creating", {"failure": "no"}, (GONE,), ["CreateFailed"]),
        ("Creating", {"failure": "no"}, (STOPPING,), []),
        ("Releasing", {"placements": ()}, (GONE,), ["Released"]),
        ("Releasing", {"placements": ()}, (STOPPING,), []),
        ("Releasing", {"placements": ()}, (), ["Released"]),
        ("Reconfiguring", {"target_count": 8}, (READY,), ["Resized"]),
        ("Reconfiguring", {"target_count": 1}, (READY,), ["Resized"]),
        # Units are not given back while something that was taken off still uses them.
        ("Reconfiguring", {"target_count": 1}, (READY, replica("Stopping", 1)), []),
        ("Running", {}, (READY,), []),
    ],
)
def test_an_instance_is_settled_only_when_all_of_its_replicas_are(
    status: str, changed: dict[str, Any], rows: tuple[Replica, ...], steps: list[str]
) -> None:
    assert steps_of(job(unit(status=status, **changed), *rows)) == steps


def test_a_creation_is_given_up_after_its_time_with_what_was_last_said() -> None:
    slow = job(unit(status="Creating"), replica("Starting", reason="loading"), lease=lease(NOW - LIMITS.start_us))
    assert steps_of(slow) == ["give up: its replicas were not healthy within 600 s: loading"]
    early = msgspec.structs.replace(slow, lease=lease(NOW - LIMITS.start_us + 1))
    assert planned(early) == msgspec.structs.replace(planned(early), steps=(), again_at=NOW + 1)


def test_a_creation_without_its_model_is_given_up_at_once() -> None:
    assert steps_of(job(unit(status="Creating"), models={})) == [
        f"give up: the model of {SERVICE} is not in the repository"
    ]


def test_a_failure_is_tried_again_after_twice_the_time_up_to_a_bound_and_a_long_life_forgives() -> None:
    waits = []
    row = READY
    for _ in range(12):
        (step,) = planned(job(unit(), msgspec.structs.replace(row, state="Ready", since=NOW - 1)), NOTHING).steps
        assert isinstance(step, Write)
        row = step.after
        assert row.not_before is not None
        waits.append((row.not_before - NOW) // SECOND_US)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    (step,) = planned(
        job(unit(), msgspec.structs.replace(row, state="Ready", since=NOW - LIMITS.well_us)), NOTHING
    ).steps
    assert isinstance(step, Write)
    assert step.after.restarts == 1


def test_no_more_units_are_used_than_were_bought_also_while_others_still_end() -> None:
    full = unit(2, count=2)
    rows = [replica("Ready", 0), replica("Stopping", 7)]
    assert "1: start amv-1" not in steps_of(job(full, *rows))
    assert steps_of(job(full, rows[0], replica("Gone", 7))) == ["1: start amv-1"]


def test_what_is_scaled_down_ends_from_the_last_number_on() -> None:
    rows = [replica("Ready", number) for number in range(3)]
    assert steps_of(job(unit(1), *rows)) == ["1: Ready -> Stopping", "2: Ready -> Stopping"]


def test_the_time_at_which_an_engine_ends_a_replica_by_itself_follows_the_release_time() -> None:
    ends = Instant(NOW + MINUTE_US)
    released = unit(release_at=ends)
    (start,) = planned(job(released)).steps
    assert isinstance(start, Start)
    assert start.after.deadline == ends + 5 * MINUTE_US
    sight = shows((READY, "Ready"))
    assert steps_of(job(released, READY), sight) == [f"0: deadline {ends + 5 * MINUTE_US}"]
    assert steps_of(job(unit(), replica("Ready", deadline=1)), sight) == ["0: deadline None"]
    # A prepaid term that ends may be renewed; and a clock that does not move ends nothing.
    assert steps_of(job(unit(release_at=ends, payment_timing="Prepaid"), READY), sight) == []
    assert steps_of(job(released, READY), sight, deadman_us=None) == []


def test_what_is_looked_at_again_and_when() -> None:
    assert planned(job(unit(), replica("Failed", not_before=NOW + 7)), NOTHING).again_at == NOW + 7
    starting = shows((STARTING, "Starting"))
    assert planned(job(unit(), STARTING), starting).again_at == STARTING.since + LIMITS.start_us
    assert planned(job(unit(), READY), LOST).again_at == READY.since + LIMITS.trouble_us
    assert planned(job(unit(), READY), shows((READY, "Ready"))).again_at is None


def rolled(replicas: int, count: int) -> tuple[list[int], list[str]]:
    """Let another model be wanted, take the planned steps, and return how many were healthy after each step."""
    wish = unit(replicas, count=count)
    rows = {number: replica("Ready", number) for number in range(replicas)}
    services = (service(model_id="amv-2"),)
    healthy: list[int] = []
    for generation in range(10, 200):
        seen = Observation(
            {
                row.name: Seen(name=row.name, state="Ready")
                for row in rows.values()
                if row.is_live and row.state != "Stopping"
            }
        )
        steps = planned(job(wish, *(rows[number] for number in sorted(rows)), services=services), seen).steps
        if not steps:
            return healthy, [row.model_id for _, row in sorted(rows.items()) if row.is_live]
        step = steps[0]
        assert isinstance(step, Write | Start)
        after = step.after
        rows[after.number] = msgspec.structs.replace(after, generation=generation) if isinstance(step, Start) else after
        healthy.append(sum(row.state == "Ready" for row in rows.values()))
        assert sum(row.units for row in rows.values() if row.is_live) <= count
    raise AssertionError("it never comes to an end")


@pytest.mark.parametrize(("replicas", "count", "least"), [(1, 2, 1), (3, 4, 3), (3, 8, 3), (1, 1, 0), (3, 3, 2)])
def test_another_model_replaces_one_replica_at_a_time_and_with_room_for_one_more_none_is_missed(
    replicas: int, count: int, least: int
) -> None:
    healthy, models = rolled(replicas, count)
    assert min(healthy) == least
    assert models == ["amv-2"] * replicas


def test_a_new_model_that_does_not_come_up_ends_none_of_the_old() -> None:
    rows = [replica("Ready", 0), replica("Ready", 1)]
    wish = {"services": (service(model_id="amv-2"),)}
    sight = shows(*((row, "Ready") for row in rows))
    for spare in (
        replica("Starting", 2, model_id="amv-2"),
        replica("Failed", 2, model_id="amv-2", not_before=NOW + 1),
        replica("Unhealthy", 2, model_id="amv-2"),
    ):
        shown = Observation({**sight.seen, spare.name: Seen(name=spare.name, state="Unhealthy")})  # type: ignore[dict-item]
        steps = steps_of(job(unit(2), *rows, spare, **wish), shown)
        assert not [step for step in steps if step.startswith(("0", "1"))], steps


def test_a_replica_that_is_not_healthy_anyway_is_replaced_at_once() -> None:
    rows = [replica("Ready", 0), replica("Unhealthy", 1)]
    steps = steps_of(job(unit(2, count=2), *rows, services=(service(model_id="amv-2"),)), shows((rows[0], "Ready")))
    assert steps == ["1: Unhealthy -> Stopping"]


def test_orphans_are_what_shows_and_no_live_row_bears() -> None:
    seen = {name: Seen(name=name, state="Ready") for name in ("a", "b")}
    assert orphans({"b", "c"}, seen) == ["a"]

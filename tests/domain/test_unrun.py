"""Instances that are paid and never run, said in words; and the event of a replica that fails again and again."""

from __future__ import annotations

import msgspec

from leasebook.domain.model.instance import Placement
from leasebook.domain.model.replica import Replica
from leasebook.domain.record.event import FAILURES_REPORTED, REASON_MAX, replica_events
from leasebook.domain.replicas.engine_route import parse_routes
from leasebook.domain.replicas.unrun import RunPlace, idle, unrun
from tests.contract.rows import unit

ROUTES = parse_routes("gpu-*=process, bj/gpu-1=instant")
REPLICA = Replica("unit-1", "svco-1", 0, "acc-1", "amv-1", "process", "here", 1, 1, "Failed", 0)


def failing(failures: int, reason: str | None = "it ended with exit code 3") -> Replica:
    return msgspec.structs.replace(REPLICA, restarts=failures, reason=reason)


def test_places_that_no_engine_serves_are_distinguished_from_others() -> None:
    places = [RunPlace("bj", "gpu-1", 1, 1), RunPlace("bd", "gpu-1", 2, 3), RunPlace("bd", "cpu", 1, 1)]
    assert unrun(ROUTES, places) == [places[0], places[2]]


def test_an_instance_says_what_stands_on_it_and_never_runs() -> None:
    placed = (Placement("svco-1", 1, 1, True), Placement("svco-2", 1, 1, False))
    at_bj = unit("unit-1", status="Running", region="bj", type="gpu-1", placements=placed)
    first, second = idle(at_bj, ROUTES)
    assert first.startswith("Nothing runs of svco-1 on it. No engine runs gpu-1 in bj:")
    assert second == "Nothing runs of svco-2 on it: that service is only counted."
    (alone,) = idle(msgspec.structs.replace(at_bj, region="bd"), ROUTES)
    assert alone == second
    assert list(idle(msgspec.structs.replace(at_bj, status="Stopped"), ROUTES)) == []


def test_a_replica_that_fails_in_a_row_is_one_event() -> None:
    told = []
    for failures in range(1, 9):
        told += list(replica_events(failing(failures - 1), failing(failures)))
        told += list(replica_events(failing(failures), msgspec.structs.replace(failing(failures), state="Starting")))
    ((kind, data),) = told
    assert kind == "replica.failing"
    assert data == {
        "engine": "process",
        "serviceId": "svco-1",
        "replica": 0,
        "failures": FAILURES_REPORTED,
        "message": "it ended with exit code 3",
    }
    again = [*replica_events(failing(9), failing(1)), *replica_events(failing(2), failing(3))]
    assert [kind for kind, _ in again] == ["replica.failing"], "it was well in between"


def test_what_an_engine_cannot_do_is_its_trouble_and_no_loop_and_a_long_log_is_cut() -> None:
    trouble = msgspec.structs.replace(failing(3), trouble="no room")
    assert [kind for kind, _ in replica_events(failing(2), trouble)] == ["engine.trouble"]
    ((_, data),) = replica_events(failing(2), failing(3, "x" * 10_000))
    assert len(data["message"]) == REASON_MAX

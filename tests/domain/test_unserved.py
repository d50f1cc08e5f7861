"""Instances that no engine of a server would run, and the setting that serves them."""

from __future__ import annotations

import msgspec
import pytest

from leasebook.domain.model.instance import Instance
from leasebook.domain.model.replica import Replica, ReplicaState
from leasebook.domain.replicas.engine_route import engine_for, parse_routes
from leasebook.domain.replicas.planner import Job
from leasebook.domain.replicas.unserved import Gone, Left, parse_gone, serving, unserved, written
from tests.reconciler.scene import unit as a_unit

HERE, AWAY = "here", "away"


def replica(engine: str = "process", node: str = HERE, state: ReplicaState = "Ready", number: int = 0) -> Replica:
    return Replica("unit-1", "svco-1", number, "acc-1", "m-1", engine, node, 1, number + 1, state, 0)


def job(*rows: Replica, unit: Instance | None = None) -> Job:
    return Job(unit or a_unit(), None, {}, {}, rows)


def left(
    text: str, *rows: Replica, alone: bool = True, gone: str = "", unit: Instance | None = None
) -> dict[Left, int]:
    routes = parse_routes(text)
    engines = {route.engine for route in routes} - {"instant"}
    return dict(unserved([job(*rows, unit=unit)], routes, engines, here=HERE, alone=alone, gone=parse_gone(gone)))


def test_what_an_engine_runs_that_this_server_has_not_is_left_and_what_is_over_is_not() -> None:
    rows = [replica(number=0), replica(state="Stopping", number=1), replica(state="Gone", number=2)]
    assert left("*=process", *rows) == {}
    assert left("*=instant", *rows, unit=releasing()) == {Left("engine", "process", HERE, "bj", "gpu-1"): 2}
    assert left("*=ray", replica(state="Failed")) == {}, "it is started again where it is to run now"


def releasing() -> Instance:
    return msgspec.structs.replace(a_unit(), status="Releasing")


def test_a_type_that_is_only_counted_from_now_on_is_left_though_the_engine_is_there() -> None:
    assert left("cpu=process, *=instant", replica()) == {Left("type", "process", HERE, "bj", "gpu-1"): 1}
    assert left("cpu=process, *=instant", replica(state="Failed")) == {Left("type", "process", HERE, "bj", "gpu-1"): 1}
    assert left("cpu=process, *=instant", replica(state="Stopping"), unit=releasing()) == {}


def test_what_runs_on_another_machine_is_left_only_by_a_server_that_is_alone() -> None:
    assert left("*=process", replica(node=AWAY)) == {Left("node", "process", AWAY, "bj", "gpu-1"): 1}
    assert left("*=process", replica(node=AWAY), alone=False) == {}
    assert left("*=ray", replica("ray", AWAY)) == {}, "every machine reaches it"


def test_what_an_operator_gave_up_is_not_left_but_what_runs_here_is_never_given_up() -> None:
    assert left("*=process", replica(node=AWAY), gone=f"process@{AWAY}") == {}
    assert left("*=instant", replica(node=HERE), gone=f"process@{HERE}", unit=releasing()) != {}
    assert left("*=instant", replica("ray"), gone="ray", unit=releasing()) == {}
    assert left("*=instant", replica("ray"), gone="process@there", unit=releasing()) != {}


@pytest.mark.parametrize("text", ["process", "docker@a", "process@", "process@a b", "instant@a"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"engine|machine"):
        parse_gone(text)


def test_what_is_gone_is_read_as_it_is_written() -> None:
    assert parse_gone(" process@old-host , ray@head:6379,ray ") == (
        Gone("process", "old-host"),
        Gone("ray", "head:6379"),
        Gone("ray", None),
    )


@pytest.mark.parametrize(
    ("routes", "lost", "line"),
    [
        ("*=instant", [("process", "bj", "gpu-1")], "gpu-1=process, *=instant"),
        ("bj/gpu-1=instant, *=ray", [("process", "bj", "gpu-1")], "bj/gpu-1=process, gpu-1=process, *=ray"),
        ("gpu-1=instant", [("process", "bj", "gpu-1"), ("process", "gz", "gpu-1")], "gpu-1=process"),
        ("gpu-1=ray, *=instant", [("process", "bj", "gpu-1")], "gpu-1=ray, *=instant, no-type-on-process=process"),
    ],
)
def test_the_suggested_line_serves_everything(routes: str, lost: list[tuple[str, str, str]], line: str) -> None:
    rows = [Left("engine", engine, HERE, region, unit_type) for engine, region, unit_type in lost]
    made = serving(parse_routes(routes), rows)
    assert written(made) == line
    assert parse_routes(line) == made
    assert {row.engine for row in rows} <= {route.engine for route in made}
    assert all(engine_for(made, row.region, row.type) != "instant" for row in rows)

"""Replicas that no server looks after: counted, said once, and only a foreign engine makes a server not ready."""

from __future__ import annotations

from collections.abc import Mapping

from structlog.testing import capture_logs

from leasebook.domain.replicas.planner import Job, Limits, Write, write_off
from leasebook.reconciler.unserved import LeftBehind
from tests.reconciler.house import Silent
from tests.reconciler.scene import NOW, job, replica, unit

AFTER_S = 10.0


class Gauge(Silent):
    """Keeps the last figures."""

    def __init__(self) -> None:
        super().__init__()
        self.last: Mapping[str, int] = {}

    def unserved(self, by_engine: Mapping[str, int]) -> None:
        self.last = dict(by_engine)


def left(meter: Gauge) -> LeftBehind:
    return LeftBehind({"process"}, "here", meter, after_s=AFTER_S)


def free(_job: Job) -> bool:
    return True


def blocked(_job: Job) -> bool:
    return False


AWAY = job(unit(), replica("Ready", engine="process", node="away"))
HERE = job(unit(), replica("Ready", engine="process", node="here"))
FOREIGN = job(unit(), replica("Ready", engine="ray", node="away"))


def test_what_runs_here_or_is_in_somebodys_hands_is_not_left() -> None:
    meter = Gauge()
    one = left(meter)
    with capture_logs() as lines:
        for seconds in (0.0, 2 * AFTER_S):
            one.look([HERE], free, seconds)
            assert meter.last == {}
            one.look([AWAY], blocked, seconds)
            assert meter.last == {}
    assert (lines, one.unready(), one.broken()) == ([], None, None)


def test_what_runs_on_a_machine_without_a_server_is_said_once_after_a_while_and_this_one_stays_ready() -> None:
    meter = Gauge()
    one = left(meter)
    with capture_logs() as lines:
        one.look([AWAY], free, 0.0)
        assert (meter.last, lines) == ({}, [])
        for seconds in (AFTER_S, AFTER_S + 1, AFTER_S + 2):
            one.look([AWAY], free, seconds)
            assert meter.last == {"process": 1}
        assert one.unready() is None
        assert [(line["node"], line["replicas"]) for line in lines] == [("away", 1)]
        one.look([], free, AFTER_S + 3)
        assert meter.last == {}
        one.look([AWAY], free, AFTER_S + 4)
        assert meter.last == {}, "it counts again"


def test_what_runs_on_an_engine_that_this_server_has_not_makes_it_not_ready_whoever_looks_after_it() -> None:
    one = left(Gauge())
    one.look([FOREIGN, HERE], blocked, 0.0)
    assert one.unready() == (
        "Other servers run 1 live replica on engine ray. This server's setting engines does not have that engine: "
        "give all servers the same setting."
    )
    one.look([HERE], blocked, 1.0)
    assert one.unready() is None


def test_what_an_operator_gave_up_fails_and_what_ends_already_goes_on_to_its_end() -> None:
    rows = [replica("Ready"), replica("Starting", 1), replica("Stopping", 2)]
    made = write_off(rows, NOW, Limits())
    assert made is not None
    steps = [(step.before.number, step.after.state) for step in made.steps if isinstance(step, Write)]
    assert steps == [(0, "Stopping"), (1, "Stopping")]
    assert write_off(rows[2:], NOW, Limits()) is None

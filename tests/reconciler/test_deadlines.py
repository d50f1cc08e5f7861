"""Deadlines reach engines as durations, and again when the clock of the store was set or is not trusted."""

from __future__ import annotations

import msgspec
import pytest

from leasebook.domain.model.replica import Replica, ReplicaState, Seen
from leasebook.domain.replicas.planner import MoveDeadline, Observation
from leasebook.domain.values.calendar import HOUR_US, MINUTE_US, SECOND_US
from leasebook.reconciler.deadlines import Deadlines
from leasebook.reconciler.ports import Time

START = 1_900_000_000 * SECOND_US


class StoreTime(Time):
    """The clock of a store, which may be set, and the time since boot, which may not."""

    def __init__(self) -> None:
        self.now, self.booted, self.paused = START, 7 * HOUR_US, False

    def wall(self) -> int:
        return self.now

    def boot_us(self) -> int:
        return self.booted

    def is_paused(self) -> bool:
        return self.paused

    def steady(self) -> float:
        return self.booted / SECOND_US

    def wait(self, us: int) -> None:
        self.now += us
        self.booted += us


def row(deadline: int | None = START + HOUR_US, state: ReplicaState = "Ready") -> Replica:
    return Replica("u", "s", 0, "a", "m", "fake", "n", 1, 1, state, START, deadline=deadline)


def shown(one: Replica) -> dict[str, Observation]:
    return {"fake": Observation({one.name: Seen(name=one.name, state="Ready")})}


class ReplicaReports:
    """The deadlines sent for one replica."""

    def __init__(self) -> None:
        self.time = StoreTime()
        self.deadlines = Deadlines(self.time, 5 * MINUTE_US)

    def sent(self, one: Replica) -> float | str | None:
        """Send the deadline if it is due; returns the duration, and a dash if there was nothing to send."""
        steps = list(self.deadlines.stale([one], shown(one)))
        assert steps in ([], [MoveDeadline(one, one)])
        if not steps:
            return "-"
        left_s = self.deadlines.left_s(one.deadline)
        self.deadlines.set_in_engine(one.name, left_s)
        return left_s


def test_it_is_sent_once_and_stays_right_while_both_clocks_go_alike() -> None:
    scene = ReplicaReports()
    assert scene.sent(row()) == 3600
    for _ in range(50):
        scene.time.wait(MINUTE_US)
        assert scene.sent(row()) == "-"


@pytest.mark.parametrize("far", [20 * MINUTE_US, -20 * MINUTE_US])
def test_it_is_sent_again_where_the_clock_of_the_store_was_set(far: int) -> None:
    scene = ReplicaReports()
    assert scene.sent(row()) == 3600
    scene.time.now += far
    assert scene.sent(row()) == 3600 - far / SECOND_US
    assert scene.sent(row()) == "-"


def test_while_the_clock_is_in_doubt_it_is_moved_on_in_time_and_not_all_the_time() -> None:
    scene = ReplicaReports()
    one = row(deadline=START + MINUTE_US)
    assert scene.sent(one) == 60
    scene.time.paused = True
    sent = []
    for _ in range(60):
        scene.time.wait(30 * SECOND_US)
        sent.append(scene.sent(one))
    assert set(sent) == {"-", 300}
    assert sent.count(300) <= 13
    # It never had less than half of it.
    assert max(len(gap) for gap in "".join("x" if word == "-" else " " for word in sent).split()) <= 5
    scene.time.paused = False
    assert scene.sent(one) == 60 - 60 * 30, "it is ended now"


def test_it_is_not_sent_for_replicas_that_the_engine_does_not_show_or_that_end() -> None:
    deadlines = Deadlines(StoreTime())
    assert not list(deadlines.stale([row()], {}))
    assert not list(deadlines.stale([row()], {"fake": Observation(None, "cut")}))
    assert not list(deadlines.stale([row()], {"fake": Observation({})}))
    ending = row(state="Stopping")
    assert not list(deadlines.stale([ending], shown(ending)))


def test_the_end_of_a_deadline_is_sent_where_there_was_one() -> None:
    scene = ReplicaReports()
    endless = row(deadline=None)
    assert scene.sent(endless) == "-"
    scene.sent(row())
    assert scene.sent(endless) is None
    assert scene.sent(endless) == "-"
    scene.deadlines.forget(endless.name)
    assert scene.sent(msgspec.structs.replace(endless, deadline=START)) == 0

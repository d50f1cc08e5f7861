"""Each transition of the state of a Ray Serve application, and the report of it. It takes no Ray."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from leasebook.engines.ray.application_state import ApplicationState as State

Move = Callable[[State], State]

FINE: Move = lambda state: state.check(None, misses_max=2)  # noqa: E731
SICK: Move = lambda state: state.check("503", misses_max=2)  # noqa: E731
LOST: Move = lambda state: state.check("UNHEALTHY", misses_max=2, at_once=True)  # noqa: E731
FAIL: Move = lambda state: state.fail("no module")  # noqa: E731
FOLLOW: Move = lambda state: state.follow(10.0)  # noqa: E731
LATE: Move = lambda state: state.finish("its deadline passed", 30.0)  # noqa: E731
FULL: Move = lambda state: state.finish("too much memory", 20.0)  # noqa: E731
STOP: Move = lambda state: state.stop(25.0)  # noqa: E731
END: Move = State.end
DIED = "its guard died, or the node was lost"


@pytest.mark.parametrize(
    ("moves", "phase", "reported", "reason", "kill_at"),
    [
        ([], "Up", "Starting", None, None),
        ([SICK, SICK, SICK], "Up", "Starting", "503", None),
        ([FINE], "Up", "Ready", None, None),
        ([FINE, SICK], "Up", "Ready", None, None),
        ([FINE, SICK, SICK], "Up", "Unhealthy", "503", None),
        ([FINE, SICK, FINE, SICK], "Up", "Ready", None, None),
        ([FINE, LOST], "Up", "Unhealthy", "UNHEALTHY", None),
        ([FINE, LOST, FINE], "Up", "Ready", None, None),
        ([LOST], "Up", "Starting", "UNHEALTHY", None),
        # An end of its own shows the health until all is gone; the first reason and the earliest time count.
        ([FINE, LATE], "Ending", "Ready", None, 30.0),
        ([FINE, LATE, FULL], "Ending", "Ready", None, 20.0),
        ([FINE, FULL, LATE], "Ending", "Ready", None, 20.0),
        ([FINE, LATE, FULL, END], "Ended", "Exited", "its deadline passed", 20.0),
        # An end that was asked for.
        ([FINE, STOP], "Ending", "Stopping", None, 25.0),
        ([SICK, STOP], "Ending", "Stopping", "503", 25.0),
        ([FINE, STOP, END], "Ended", "Stopped", "it was told to end", 25.0),
        ([FINE, LATE, STOP, END], "Ended", "Stopped", "its deadline passed", 25.0),
        ([FINE, STOP, FULL, END], "Ended", "Stopped", "too much memory", 20.0),
        ([FINE, LATE, END, STOP], "Ended", "Stopped", "its deadline passed", 30.0),
        # A guard that follows one that died.
        ([FOLLOW], "Following", "Exited", DIED, 10.0),
        ([FOLLOW, LATE], "Following", "Exited", DIED, 10.0),
        ([FOLLOW, STOP], "Following", "Stopping", DIED, 10.0),
        ([FOLLOW, STOP, END], "Ended", "Stopped", DIED, 10.0),
        # A node that can never run it: nothing is left to kill.
        ([FAIL], "Failed", "Exited", "no module", None),
        ([FAIL, LATE], "Failed", "Exited", "no module", None),
        ([FAIL, STOP], "Failed", "Stopped", "no module", None),
    ],
)
def test_the_state_follows_from_what_happened(
    moves: list[Move], phase: str, reported: str, reason: str | None, kill_at: float | None
) -> None:
    state = State()
    for move in moves:
        state = move(state)
    assert (state.phase, *state.report(), state.kill_at) == (phase, reported, reason, kill_at)
    assert state.must_end is (kill_at is not None)

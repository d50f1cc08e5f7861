"""The fake makes every trouble that it promises, at the time that it promises, and the same way each time."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.model.replica import RunSpec, SeenState, Wanted
from leasebook.engines.contract import CannotRun, NoRoom, Unreachable
from leasebook.testing.fake_engine import FakeEngine, FakeWorld


class FakeEngineHarness:
    """A world under a clock that is at zero until it is moved."""

    def __init__(self, **how: Any) -> None:
        self.now = 0.0
        self.world = FakeWorld(lambda: self.now, {"cpu-1": 4})
        self.engine = FakeEngine(self.world)
        self.engine.script("*", **how)

    async def start(self, name: str = "a", ends_in_s: float | None = None, **spec: Any) -> None:
        run = RunSpec(command=("x",), **spec)
        await self.engine.start(
            Wanted(name=name, unit_id="u", service_id="s", unit_type="cpu-1", units=1, spec=run, ends_in_s=ends_in_s)
        )

    async def at(self, now: float, name: str = "a") -> SeenState | None:
        self.now = now
        seen = (await self.engine.observe()).get(name)
        return seen.state if seen is not None else None


async def test_an_application_is_refused_in_words() -> None:
    scene = FakeEngineHarness()
    with pytest.raises(CannotRun, match="application shop:app needs Ray"):
        await scene.start(application="shop:app")
    assert await scene.at(1) is None


async def test_a_slow_replica_starts_and_stops_slowly() -> None:
    scene = FakeEngineHarness(start_s=30, stop_s=5)
    await scene.start()
    assert [await scene.at(now) for now in (0, 29, 30)] == ["Starting", "Starting", "Ready"]
    await scene.engine.stop("a", 60)
    assert [await scene.at(now) for now in (30, 34, 35)] == ["Stopping", "Stopping", None]


async def test_a_grace_that_is_shorter_than_its_end_takes_kills_it() -> None:
    scene = FakeEngineHarness(stop_s=50)
    await scene.start()
    await scene.engine.stop("a", 60)
    await scene.engine.stop("a", 10)
    await scene.engine.stop("a", 100)
    assert [await scene.at(now) for now in (9, 10)] == ["Stopping", None]


async def test_one_that_dies_is_seen_until_it_is_cleared_away() -> None:
    scene = FakeEngineHarness(exits_after_s=60, exit_reason="it ran out of memory")
    await scene.start()
    assert [await scene.at(now) for now in (59, 60, 1000)] == ["Ready", "Exited", "Exited"]
    assert (await scene.engine.observe())["a"].reason == "it ran out of memory"
    assert scene.world.running("a") == 0
    await scene.engine.stop("a", 0)
    assert await scene.at(1000) is None


async def test_every_try_of_a_crash_loop_dies() -> None:
    scene = FakeEngineHarness()
    scene.engine.script("loop-*", exits_after_s=1)
    await scene.start("other")
    for number in range(5):
        await scene.start(f"loop-{number}")
        assert await scene.at(scene.now + 1, f"loop-{number}") == "Exited"
        await scene.engine.stop(f"loop-{number}", 0)
    assert list(await scene.engine.observe()) == ["other"]


async def test_a_refused_start_leaves_nothing_and_may_succeed_later() -> None:
    scene = FakeEngineHarness(no_room=True)
    with pytest.raises(NoRoom):
        await scene.start()
    scene.engine.script("a", cannot_run="There is no such command.")
    with pytest.raises(CannotRun, match="no such command"):
        await scene.start()
    assert await scene.engine.observe() == {}
    scene.engine.script("a")
    await scene.start()
    assert await scene.at(0) == "Ready"


async def test_things_go_on_behind_a_partition() -> None:
    scene = FakeEngineHarness(start_s=5)
    await scene.start(ends_in_s=20)
    scene.world.cut(until=10)
    with pytest.raises(Unreachable):
        await scene.start("b")
    assert scene.world.running("b") == 0
    assert await scene.at(10) == "Ready"
    scene.world.cut()
    with pytest.raises(Unreachable):
        await scene.at(20)
    assert scene.world.running("a") == 0
    scene.world.mend()
    assert await scene.at(20) == "Exited"


async def test_what_was_asked_for_is_done_though_the_answer_is_lost() -> None:
    scene = FakeEngineHarness()
    scene.world.cut(until=10, answers_only=True)
    with pytest.raises(Unreachable):
        await scene.start()
    assert scene.world.running("a") == 1
    with pytest.raises(Unreachable):
        await scene.engine.stop("a", 0)
    assert scene.world.running("a") == 0
    assert await scene.at(10) is None


async def test_what_a_lost_worker_ran_is_gone_without_a_trace_and_its_room_is_free() -> None:
    scene = FakeEngineHarness()
    for number in range(4):
        await scene.start(f"w{number % 2}-{number}")
    scene.world.lose("w1-*")
    assert sorted(await scene.engine.observe()) == ["w0-0", "w0-2"]
    await scene.start("w1-1")
    assert await scene.at(0, "w1-1") == "Ready"


async def test_one_that_is_hidden_runs_and_one_that_is_shown_ready_is_not() -> None:
    scene = FakeEngineHarness(hidden=True)
    await scene.start()
    assert await scene.at(0) is None
    assert scene.world.running("a") == 1
    scene.engine.script("b", shown_ready=True, start_s=math.inf)
    await scene.start("b")
    assert await scene.at(1000, "b") == "Ready"


async def test_an_old_state_is_repeated_until_the_lag_is_over() -> None:
    scene = FakeEngineHarness(lag_s=10, start_s=5)
    await scene.start()
    scene.now = 20.0
    await scene.engine.stop("a", 0)
    assert scene.world.running("a") == 0
    assert [await scene.at(now) for now in (20, 29.9, 30)] == ["Ready", "Ready", None]


async def test_a_double_start_gives_two_of_one_name() -> None:
    scene = FakeEngineHarness(doubles=True)
    await scene.start()
    await scene.start()
    assert scene.world.running("a") == 2
    assert list(await scene.engine.observe()) == ["a"]


async def test_what_ignores_its_deadline_or_its_stop_goes_on() -> None:
    scene = FakeEngineHarness(deathless=True, deaf=True)
    await scene.start(ends_in_s=5)
    await scene.engine.stop("a", 0)
    assert await scene.at(1000) == "Ready"
    assert scene.world.running("a") == 1


async def test_a_deadline_counts_as_it_was_when_it_passed() -> None:
    scene = FakeEngineHarness(ignores_term=True)
    await scene.start(ends_in_s=5, grace_s=3)
    scene.now = 6.0
    await scene.engine.end_in("a", None)
    assert [await scene.at(now) for now in (7, 8)] == ["Stopping", "Exited"]
    assert (await scene.engine.observe())["a"].reason == "its deadline passed; it ended with code 1"


STEP = st.tuples(
    st.floats(0, 20),
    st.sampled_from(["start", "stop", "deadline", "cut", "answers", "mend", "lose", "end", "forget"]),
    st.sampled_from(["a", "b"]),
)
HOW = st.fixed_dictionaries(
    {},
    optional={
        "start_s": st.floats(0, 30),
        "stop_s": st.floats(0, 30),
        "exits_after_s": st.floats(0, 30),
        "ignores_term": st.booleans(),
    },
)


async def play(how: dict[str, Any], steps: list[tuple[float, str, str]]) -> list[Any]:
    """Do these steps, and return everything that was seen."""
    scene = FakeEngineHarness(**how)
    history: list[Any] = []
    for wait_s, what, name in steps:
        scene.now += wait_s
        try:
            match what:
                case "start":
                    await scene.start(name, ends_in_s=15)
                case "stop":
                    await scene.engine.stop(name, 4)
                case "deadline":
                    await scene.engine.end_in(name, 3)
                case "cut" | "answers":
                    scene.world.cut(scene.now + 10, answers_only=what == "answers")
                case "mend":
                    scene.world.mend()
                case "lose":
                    scene.world.lose(name)
                case "end":
                    scene.world.end(name)
                case "forget":
                    scene.engine = FakeEngine(scene.world)
            seen = await scene.engine.observe()
        except Unreachable:
            history.append(("Unreachable", [scene.world.running(name) for name in "ab"]))
            continue
        running = [scene.world.running(name) for name in "ab"]
        # Without a script that breaks it, the contract holds: a replica seen to run runs once, and one not seen does
        # not run.
        for one, count in zip("ab", running, strict=True):
            state = seen[one].state if one in seen else None
            assert count == (0 if state in (None, "Exited") else 1)
        history.append((seen, running))
    return history


@given(how=HOW, steps=st.lists(STEP, max_size=25))
def test_the_same_script_gives_the_same_history_and_what_is_seen_is_so(
    how: dict[str, Any], steps: list[tuple[float, str, str]]
) -> None:
    assert run(play(how, steps)) == run(play(how, steps))


def run(history: Any) -> list[Any]:
    """Drive a coroutine that waits for nothing: the fake has no loop of its own."""
    try:
        history.send(None)
    except StopIteration as done:
        found: list[Any] = done.value
        return found
    raise AssertionError("the fake waited for something")

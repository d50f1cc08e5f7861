"""The contract of engines, check by check. Each gets an empty bench; ``test_contract`` runs all of them on every kind.

They are functions of their own so that engines which break the contract can be shown to fail them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

import pytest

from leasebook.domain.model.replica import Seen, SeenState
from leasebook.engines.contract import CannotRun, LogPlace, NoRoom, ReplicaEngine, Unreachable
from tests.engines.kinds import CPU, GPU, UNITS, Behaviour, Bench

Check = Callable[[Bench], Awaitable[None]]
CHECKS: Final[list[Check]] = []

PLAIN = Behaviour()
WAITS = Behaviour(waits=True)
STUBBORN = Behaviour(stubborn=True)


def check(function: Check) -> Check:
    CHECKS.append(function)
    return function


async def see(
    bench: Bench,
    engine: ReplicaEngine,
    name: str,
    states: tuple[SeenState | None, ...],
    *,
    but: tuple[SeenState, ...] = (),
) -> Seen | None:
    """Look until a replica is in one of these states (None: not there), and never in one of those on the way."""
    give_up = bench.now() + bench.patience_s
    while True:
        seen = (await engine.observe()).get(name)
        state = seen.state if seen is not None else None
        if state in states:
            return seen
        assert state not in but, seen
        assert bench.now() < give_up, f"{name} is {seen}, and not {states}"
        await bench.wait(bench.step_s)


async def ready(bench: Bench, engine: ReplicaEngine, *names: str) -> dict[str, Seen]:
    """Look until replicas are ready."""
    for name in names:
        await see(bench, engine, name, ("Ready",), but=("Exited", "Stopping", "Unhealthy"))
    return {name: seen for name, seen in (await engine.observe()).items() if name in names}


async def gone(bench: Bench, engine: ReplicaEngine, *names: str) -> None:
    """Look until replicas are not seen any more; then nothing of them may be left."""
    for name in names:
        await see(bench, engine, name, (None,), but=("Ready", "Starting", "Unhealthy"))
        assert bench.running(name) == 0, f"{name} is not seen any more, and runs"


async def past(bench: Bench, moment: float) -> None:
    """Let time pass until the clock of deadlines shows more than this."""
    while bench.now() <= moment:
        await bench.wait(bench.step_s)


# --- starting --------------------------------------------------------------------------------------------


@check
async def a_started_replica_gets_ready_and_has_an_address(bench: Bench) -> None:
    engine = bench.engine()
    assert await engine.observe() == {}
    await engine.start(bench.wanted("a"))
    assert list(await engine.observe()) == ["a"]
    seen = (await ready(bench, engine, "a"))["a"]
    place = urlsplit(f"//{seen.address or ''}")
    assert place.hostname
    assert (place.port or 0) > 0
    assert (seen.name, seen.devices) == ("a", ())
    assert bench.running("a") == 1


@check
async def a_replica_is_starting_until_it_is_healthy(bench: Bench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("slow", WAITS))
    for _ in range(5):
        assert (await engine.observe())["slow"].state == "Starting"
        await bench.wait(bench.step_s)
    bench.tell("slow", "go")
    await ready(bench, engine, "slow")


@check
async def a_replica_that_listens_nowhere_is_ready_while_it_runs(bench: Bench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("mute", Behaviour(listens=False)))
    assert (await ready(bench, engine, "mute"))["mute"].address is None


@check
async def to_start_twice_is_to_start_once(bench: Bench) -> None:
    engine = bench.engine()
    wanted = bench.wanted("a")
    await engine.start(wanted)
    await engine.start(wanted)
    await ready(bench, engine, "a")
    await engine.start(wanted)
    assert bench.running("a") == 1
    await bench.wait(bench.short_s)
    assert bench.running("a") == 1
    assert list(await engine.observe()) == ["a"]


@check
async def to_start_from_many_sides_at_once_is_to_start_once(bench: Bench) -> None:
    first, second = bench.engine(), bench.engine()
    wanted = bench.wanted("a")
    await asyncio.gather(*(engine.start(wanted) for engine in (first, second, first, second)))
    await ready(bench, first, "a")
    await bench.wait(bench.short_s)
    assert bench.running("a") == 1


@check
async def what_can_never_run_is_refused_and_leaves_nothing(bench: Bench) -> None:
    engine = bench.engine()
    for _ in range(2):
        with pytest.raises(CannotRun, match=r"\w"):
            await engine.start(bench.hopeless("a"))
    assert await engine.observe() == {}
    with pytest.raises(CannotRun):
        await engine.start(bench.wanted("b", units=UNITS[CPU] + 1))
    assert await engine.observe() == {}
    assert bench.running("a") + bench.running("b") == 0


# --- many ------------------------------------------------------------------------------------------------


@check
async def many_replicas_run_beside_each_other_and_each_ends_alone(bench: Bench) -> None:
    engine = bench.engine()
    names = [f"many-{number}" for number in range(10)]
    await asyncio.gather(*(engine.start(bench.wanted(name)) for name in names))
    seen = await ready(bench, engine, *names)
    assert len({one.address for one in seen.values()}) == len(names)
    ending, staying = names[::2], names[1::2]
    for name in ending:
        await engine.stop(name, 10)
    await gone(bench, engine, *ending)
    assert {name: one.state for name, one in (await engine.observe()).items()} == dict.fromkeys(staying, "Ready")
    assert [bench.running(name) for name in staying] == [1] * len(staying)


@check
async def capacity_is_what_there_is_and_what_is_full_has_no_room(bench: Bench) -> None:
    engine = bench.engine()
    assert (await engine.capacity())[CPU] == UNITS[CPU]
    await engine.start(bench.wanted("big", units=UNITS[CPU] - 1))
    with pytest.raises(NoRoom):
        await engine.start(bench.wanted("second", units=2))
    await engine.start(bench.wanted("third", units=1))
    assert (await engine.capacity())[CPU] == UNITS[CPU], "used units count too"
    await engine.start(bench.wanted("big", units=UNITS[CPU] - 1))
    await ready(bench, engine, "big", "third")
    assert sorted(await engine.observe()) == ["big", "third"]
    await engine.stop("big", 10)
    await gone(bench, engine, "big")
    await engine.start(bench.wanted("second", units=2))
    await ready(bench, engine, "second")


@check
async def an_accelerator_has_one_owner(bench: Bench) -> None:
    if not bench.has_devices:
        pytest.skip("this engine has no accelerators here")
    engine = bench.engine()
    total = UNITS[GPU]
    assert (await engine.capacity())[GPU] == total
    await asyncio.gather(*(engine.start(bench.wanted(f"gpu-{n}", accelerators=1)) for n in range(total - 1)))
    with pytest.raises(NoRoom):
        await engine.start(bench.wanted("two", units=2, accelerators=2))
    await engine.start(bench.wanted("last", accelerators=1))
    seen = await engine.observe()
    owned = [device for one in seen.values() for device in one.devices]
    assert len(owned) == len(set(owned)) == total
    with pytest.raises(CannotRun):
        await engine.start(bench.wanted("never", units=total + 1, accelerators=total + 1))
    freed = seen["gpu-0"].devices
    await engine.stop("gpu-0", 10)
    await gone(bench, engine, "gpu-0")
    later = bench.engine()
    await later.start(bench.wanted("heir", accelerators=1))
    assert (await later.observe())["heir"].devices == freed


# --- health and ends -------------------------------------------------------------------------------------


@check
async def a_replica_that_was_ready_and_does_not_answer_is_unhealthy_until_it_does(bench: Bench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("ill"))
    await ready(bench, engine, "ill")
    bench.tell("ill", "sick")
    seen = await see(bench, engine, "ill", ("Unhealthy",), but=("Starting", "Exited", "Stopping"))
    assert seen is not None
    assert seen.address is not None
    bench.tell("ill", "well")
    await see(bench, engine, "ill", ("Ready",), but=("Starting", "Exited", "Stopping"))


@check
async def a_replica_that_ends_by_itself_is_seen_with_its_reason_until_it_is_stopped(bench: Bench) -> None:
    engine = bench.engine()
    wanted = bench.wanted("dead")
    await engine.start(wanted)
    await ready(bench, engine, "dead")
    bench.tell("dead", "die")
    seen = await see(bench, engine, "dead", ("Exited",), but=("Starting", "Stopping"))
    assert seen is not None
    assert "3" in (seen.reason or ""), "the exit code"
    assert bench.running("dead") == 0
    await engine.start(wanted)
    assert (await bench.engine().observe())["dead"].state == "Exited", "a name is not run a second time"
    await engine.stop("dead", 10)
    await gone(bench, engine, "dead")


@check
async def what_is_stopped_ends_within_its_grace_and_leaves_nothing(bench: Bench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("a"))
    await ready(bench, engine, "a")
    before = bench.now()
    await engine.stop("a", 20)
    await engine.stop("a", 20)
    await gone(bench, engine, "a")
    assert bench.now() < before + 15, "it ended when it was asked to, not when its grace was over"
    await engine.stop("a", 20)
    await engine.stop("never-was", 20)
    assert await engine.observe() == {}


@check
async def what_ignores_that_it_is_to_end_is_killed_after_the_grace_and_not_before(bench: Bench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("stubborn", STUBBORN))
    await ready(bench, engine, "stubborn")
    grace_s = 2 * bench.short_s
    told = bench.now()
    await engine.stop("stubborn", grace_s)
    assert (await engine.observe())["stubborn"].state == "Stopping"
    assert bench.running("stubborn") == 1
    await gone(bench, engine, "stubborn")
    assert bench.now() >= told + grace_s - 0.01


@check
async def a_shorter_grace_hastens_an_end_that_is_under_way(bench: Bench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("stubborn", STUBBORN))
    await ready(bench, engine, "stubborn")
    await engine.stop("stubborn", 1000)
    await see(bench, engine, "stubborn", ("Stopping",))
    await engine.stop("stubborn", 0)
    await gone(bench, engine, "stubborn")


@check
async def what_is_stopped_while_it_starts_is_gone(bench: Bench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("early", WAITS))
    await engine.stop("early", 10)
    await gone(bench, engine, "early")


# --- the control plane comes and goes --------------------------------------------------------------------


@check
async def a_restarted_control_plane_finds_what_runs(bench: Bench) -> None:
    before = bench.engine()
    wanted = bench.wanted("a")
    await before.start(wanted)
    found = await ready(bench, before, "a")
    await before.close()
    after = bench.engine()
    await after.start(wanted)
    assert await ready(bench, after, "a") == found
    assert bench.running("a") == 1
    await after.stop("a", 10)
    await gone(bench, after, "a")


@check
async def what_nobody_remembers_is_seen_all_the_same(bench: Bench) -> None:
    stranger, engine = bench.engine(), bench.engine()
    await stranger.start(bench.wanted("orphan"))
    await stranger.close()
    await ready(bench, engine, "orphan")
    await engine.stop("orphan", 10)
    await gone(bench, engine, "orphan")


@check
async def a_stop_goes_on_without_the_control_plane(bench: Bench) -> None:
    before = bench.engine()
    await before.start(bench.wanted("stubborn", STUBBORN))
    await ready(bench, before, "stubborn")
    await before.stop("stubborn", bench.short_s)
    await before.close()
    give_up = bench.now() + bench.patience_s
    while bench.running("stubborn"):
        assert bench.now() < give_up
        await bench.wait(bench.step_s)
    await gone(bench, bench.engine(), "stubborn")


# --- deadlines -------------------------------------------------------------------------------------------


async def ends(bench: Bench, name: str) -> None:
    """Let time pass, without an engine, until a replica does not run any more."""
    give_up = bench.now() + bench.patience_s
    while bench.running(name):
        assert bench.now() < give_up, f"{name} outlives its deadline"
        await bench.wait(bench.step_s)


@check
async def a_replica_ends_at_its_deadline_though_the_control_plane_is_gone(bench: Bench) -> None:
    engine = bench.engine()
    deadline = bench.now() + 5 * bench.short_s
    await engine.start(bench.wanted("leased", ends_in_s=5 * bench.short_s, grace_s=bench.short_s))
    await engine.close()
    assert bench.running("leased") == 1
    await ends(bench, "leased")
    assert bench.now() >= deadline, "not before"
    # It ended by itself, and so it is seen until it is cleared away.
    await see(bench, bench.engine(), "leased", ("Exited",), but=("Starting", "Ready", "Unhealthy"))
    await bench.engine().stop("leased", 0)
    await gone(bench, bench.engine(), "leased")


@check
async def a_deadline_kills_what_ignores_that_it_is_to_end(bench: Bench) -> None:
    engine = bench.engine()
    wanted = bench.wanted("leased", STUBBORN, grace_s=bench.short_s)
    await engine.start(wanted)
    await ready(bench, engine, "leased")
    deadline = bench.now() + bench.short_s
    await engine.end_in("leased", bench.short_s)
    await engine.close()
    await ends(bench, "leased")
    assert bench.now() >= deadline + bench.short_s - 0.01, "it had its grace"


@check
async def a_deadline_that_is_moved_or_cleared_counts_as_it_is_now(bench: Bench) -> None:
    engine = bench.engine()
    soon = bench.now() + 5 * bench.short_s
    for name in ("moved", "cleared"):
        await engine.start(bench.wanted(name, ends_in_s=5 * bench.short_s))
    await engine.end_in("moved", 1000)
    await engine.end_in("cleared", None)
    await engine.start(bench.wanted("moved", ends_in_s=5 * bench.short_s))
    assert bench.now() < soon, "this machine is too slow for this test to say anything"
    await past(bench, soon + bench.short_s)
    assert {name: seen.state for name, seen in (await ready(bench, engine, "moved", "cleared")).items()} == {
        "moved": "Ready",
        "cleared": "Ready",
    }
    await engine.end_in("moved", -1)
    await see(bench, engine, "moved", ("Exited",))
    await engine.end_in("moved", None)
    await engine.end_in("never-was", 0)
    assert sorted(await engine.observe()) == ["cleared", "moved"]


# --- logs, and a place that cannot be reached ------------------------------------------------------------


@check
async def logs_are_the_last_lines_of_both_streams_oldest_first(bench: Bench) -> None:
    engine = bench.engine()
    await engine.start(bench.wanted("talks", Behaviour(prints=20)))
    await ready(bench, engine, "talks")
    expected = [f"line {number}" for number in range(20)]
    give_up = bench.now() + bench.patience_s
    while (lines := await engine.logs("talks", 100)) != expected:
        assert bench.now() < give_up, lines
        await bench.wait(bench.step_s)
    assert await engine.logs("talks", 3) == expected[-3:]
    assert await engine.logs("talks", 0) == []
    assert await engine.logs("never-was", 10) == []
    await engine.stop("talks", 10)
    await gone(bench, engine, "talks")
    assert await engine.logs("talks", 3) == expected[-3:], "the last log stays for a while"


@check
async def a_log_comes_in_parts_each_line_once_also_when_its_replica_is_gone(bench: Bench) -> None:
    engine = bench.engine()
    if not engine.has_log_parts:
        part = await engine.log_part("never-was", None, 100)
        assert (part.lines, part.is_over) == ((), True)
        pytest.skip("this engine gives no log parts")
    await engine.start(bench.wanted("talks", Behaviour(prints=20)))
    await ready(bench, engine, "talks")
    expected = [f"line {number}" for number in range(20)]
    got: list[str] = []
    place: LogPlace | None = None
    give_up = bench.now() + bench.patience_s
    while len(got) < 10:
        part = await engine.log_part("talks", place, 40)
        assert len("\n".join(part.lines)) < 40
        assert not part.is_over
        got, place = [*got, *part.lines], part.place
        assert bench.now() < give_up, got
        await bench.wait(bench.step_s)
    assert place is not None
    await engine.log_sent("talks", place)
    await engine.stop("talks", 10)
    await gone(bench, engine, "talks")
    engine = bench.engine()
    part = await engine.log_part("talks", None, 1000)
    assert [*got, *part.lines] == expected
    assert (part.lost, part.place.lines) == (0, 20)
    part = await engine.log_part("talks", part.place, 1000)
    assert (part.lines, part.is_over) == ((), True)
    part = await engine.log_part("never-was", None, 1000)
    assert (part.lines, part.is_over) == ((), True)


def _questions(bench: Bench, engine: ReplicaEngine) -> Iterator[Awaitable[object]]:
    yield engine.start(bench.wanted("b"))
    yield engine.stop("a", 1)
    yield engine.end_in("a", None)
    yield engine.observe()
    yield engine.logs("a", 10)
    if engine.has_log_parts:
        yield engine.log_part("a", None, 10)
    yield engine.capacity()


@check
async def what_cannot_be_reached_says_so_and_goes_on(bench: Bench) -> None:
    if not bench.can_be_cut:
        pytest.skip("this engine cannot be cut off here")
    engine = bench.engine()
    await engine.start(bench.wanted("a"))
    await ready(bench, engine, "a")
    bench.cut()
    for question in _questions(bench, engine):
        with pytest.raises(Unreachable):
            await question
    assert bench.running("a") == 1
    bench.mend()
    await ready(bench, engine, "a")
    assert list(await engine.observe()) == ["a"]
    await engine.stop("a", 10)
    await gone(bench, engine, "a")

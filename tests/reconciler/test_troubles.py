"""Any history of purchases and troubles, with workers that die between any two steps: nothing is lost, nothing is left.

Invariants of every moment are in ``World.check``; those of the end are here.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leasebook.domain.book.tables import OFFERINGS
from leasebook.domain.commands.command import Command
from leasebook.domain.commands.instance.release import Release, ScheduleRelease
from leasebook.domain.commands.instance.resize import Resize
from leasebook.domain.commands.service.service import ModifyService, ScaleService, SwitchService
from leasebook.domain.model.instance import GONE
from leasebook.domain.values.calendar import SECOND_US, Instant
from tests.depth import ROUNDS, few
from tests.reconciler.acts import ACCOUNT, USER, EndUnit, Runs, StopUnit, buying
from tests.reconciler.house import World

SERVICES = st.sampled_from(["svco-1", "svco-2", "svco-3"])
UNITS = st.integers(0, 3)
EVERY = 7 if ROUNDS > 1 else few(29, 19)
"""Every seventh, nineteenth or twenty-ninth thing that a worker does is its last. The steps between are of the same
kinds, in other numbers. All of it takes over a minute, and the random histories die anywhere."""
PARTS = 4
"""Tests that share them."""
SECONDS = st.sampled_from([0.5, 2, 5, 17, 40, 130, 700])
NUMBERS = st.sampled_from(["*", "*-0-*", "*-svco-1-*", "*-svco-2-1-*"])
HOW = st.fixed_dictionaries(
    {},
    optional={
        "start_s": st.sampled_from([0.0, 3.0, 45.0, 5000.0]),
        "stop_s": st.sampled_from([0.0, 1.0, 30.0]),
        "ignores_term": st.booleans(),
        "exits_after_s": st.sampled_from([None, 1.0, 20.0]),
        "cannot_run": st.sampled_from([None, "no such image"]),
        "no_room": st.booleans(),
        "shown_ready": st.booleans(),
    },
)
ACTS = st.one_of(
    st.tuples(st.just("buy"), SERVICES, st.integers(1, 3), st.sampled_from([None, 30, 400]), st.booleans()),
    st.tuples(st.just("release"), UNITS),
    st.tuples(st.just("schedule"), UNITS, st.sampled_from([None, 10, 900])),
    st.tuples(st.just("scale"), UNITS, SERVICES, st.integers(0, 3)),
    st.tuples(st.just("resize"), UNITS, st.integers(1, 5)),
    st.tuples(st.just("switch"), SERVICES, st.booleans()),
    st.tuples(st.just("modify"), SERVICES, st.sampled_from(["amv-1", "amv-2", "amv-none"])),
    st.tuples(st.just("stop"), UNITS, st.booleans()),
    st.tuples(st.just("script"), NUMBERS, HOW),
    st.tuples(st.just("cut"), SECONDS, st.booleans()),
    st.tuples(st.just("mend")),
    st.tuples(st.just("lose"), NUMBERS),
    st.tuples(st.just("end"), NUMBERS),
    st.tuples(st.just("sicken"), NUMBERS),
    st.tuples(st.just("heal"), NUMBERS),
    st.tuples(st.just("die"), st.integers(0, 1), st.integers(0, 25)),
    st.tuples(st.just("live"), SECONDS),
    st.tuples(st.just("live"), SECONDS),
)


def wish(house: World, act: tuple[Any, ...]) -> Command | None:
    """The command of a user; None: the act is none of a user, or has no instance to act on."""
    ids = [unit.id for unit in house.units()]
    match act:
        case ("buy", service, replicas, lead, prepaid):
            release_at = None if lead is None or prepaid else Instant(house.now + lead * SECOND_US)
            return buying(f"unit-{len(ids)}", service, replicas, release_at, months=int(prepaid))
        case (_, int(number), *_) if number >= len(ids):
            return None
        case ("release", number):
            return Release(account_id=ACCOUNT, unit_id=ids[number], service_id=None)
        case ("schedule", number, lead):
            at = None if lead is None else Instant(house.now + lead * SECOND_US)
            return ScheduleRelease(account_id=ACCOUNT, unit_id=ids[number], service_id=None, release_at=at)
        case ("scale", number, service, replicas):
            scale = ScaleService(account_id=ACCOUNT, service_id=service, unit_id=ids[number], replicas=replicas)
            return Runs(inner=scale)
        case ("resize", number, count):
            order = f"order-{house.now}"
            return Resize(account_id=ACCOUNT, by=USER, unit_id=ids[number], order_id=order, count=count)
        case ("switch", service, active):
            return SwitchService(account_id=ACCOUNT, service_id=service, active=active)
        case ("modify", service, model_id):
            return ModifyService(account_id=ACCOUNT, service_id=service, model_set_id="am-1", model_id=model_id)
        case ("stop", number, stops):
            return StopUnit(unit_id=ids[number], stops=stops)
        case _:
            return None


async def happen(house: World, act: tuple[Any, ...]) -> None:
    """Let it happen."""
    match act:
        case ("script", pattern, how):
            house.world.script(pattern, **how)
        case ("cut", seconds, answers_only):
            house.world.cut(until=house.now / SECOND_US + seconds, answers_only=answers_only)
        case ("mend",):
            house.world.mend()
        case ("lose", pattern):
            house.world.lose(pattern)
        case ("end", pattern):
            house.world.end(pattern)
        case ("sicken", pattern):
            house.world.sicken(pattern)
        case ("heal", pattern):
            house.world.heal(pattern)
        case ("die", number, steps):
            house.hands[number % len(house.hands)].wire.left = steps
        case ("live", seconds):
            await house.live(seconds, step=max(0.5, seconds / 20))
        case _:
            command = wish(house, act)
            if command is not None:
                await house.say(command)
    house.check()


async def lived(acts: list[tuple[Any, ...]], hands: int, *, local: bool, rest: float = 1000) -> World:
    """Let everything happen, then let everything be well and be released."""
    house = World(hands=hands, local=local)
    await house.found()
    for act in acts:
        await happen(house, act)
        await house.live(1.5, step=0.5)
    house.world.mend()
    house.world.script("*")
    for hand in house.hands:
        hand.wire.left = None
    await house.live(rest, step=20)
    for unit in house.units():
        await house.say(EndUnit(unit_id=unit.id))
    await house.live(100, step=5)
    return house


def check_end(house: World) -> None:
    """Nothing runs, nothing is held, and nothing waits."""
    assert {unit.status for unit in house.units()} <= GONE, [(unit.id, unit.status) for unit in house.units()]
    assert house.world.here() == []
    assert {row.state for row in house.replicas()} <= {"Gone", "Failed"}
    (offering,) = [row for row in house.store.rows[OFFERINGS].values() if (row.region, row.type) == ("bj", "gpu-1")]
    assert offering.stock_free == offering.stock_total
    assert house.store.ask(lambda ask: ask.jobs(None)) == []


@settings(max_examples=few(8, 50) * ROUNDS, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ACTS, max_size=25), st.sampled_from([(1, False), (2, False), (2, True)]))
def test_whatever_happens_nothing_is_started_twice_and_nothing_is_left(
    acts: list[tuple[Any, ...]], kind: tuple[int, bool]
) -> None:
    hands, local = kind
    check_end(asyncio.run(lived(acts, hands, local=local)))


@pytest.mark.parametrize("first", range(0, PARTS * EVERY, EVERY))
async def test_a_worker_may_die_before_and_after_whatever_it_does(first: int) -> None:
    acts: list[tuple[Any, ...]] = [
        ("script", "*-svco-2-*", {"cannot_run": "no"}),
        ("buy", "svco-1", 2, None, False),
        ("buy", "svco-2", 1, None, True),
        ("live", 2),
        ("end", "*-0-*"),
        ("live", 5),
        ("modify", "svco-1", "amv-2"),
        ("live", 17),
        ("schedule", 0, 900),
        ("live", 2),
        ("stop", 0, True),
        ("live", 2),
        ("stop", 0, False),
        ("live", 5),
        ("release", 0),
        ("live", 5),
    ]
    steps = first
    while True:
        house = await lived([("die", 0, steps), *acts], 1, local=False, rest=100)
        check_end(house)
        if house.made == 1:
            break
        steps += PARTS * EVERY
    assert steps > 100

"""Room for bodies: no more memory than there is, accounts in turns, and no caller waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from leasebook.api.body.budget import SMALL, Bodies, Room
from leasebook.batch import Overloaded
from tests.api.scene import CLOCK, a_scene
from tests.api.test_refusing import MovedLoop


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class OpenBodies:
    """Bodies that come, and have room or wait."""

    def __init__(self, most: int = 100, wait_s: float = 1000) -> None:
        self.bodies = Bodies(most, wait_s)
        self.inside: list[tuple[str, Room]] = []
        self.refused: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def come(self, party: str, size: int) -> None:
        try:
            self.inside.append((party, await self.bodies.room(party, size)))
        except Overloaded:
            self.refused.append(party)

    async def all_come(self, *wanted: tuple[str, int]) -> list[str]:
        for party, size in wanted:
            self.tasks.append(asyncio.create_task(self.come(party, size)))
            await settle()
        return self.has()

    def has(self) -> list[str]:
        return [party for party, _ in self.inside]

    async def leave(self, party: str) -> list[str]:
        place = self.has().index(party)
        self.inside.pop(place)[1].leave()
        await settle()
        return self.has()


def with_desk(act: Callable[[OpenBodies], Awaitable[None]], *, wait_s: float = 1000) -> None:
    async def whole() -> None:
        desk = OpenBodies(wait_s=wait_s)
        await act(desk)
        for task in desk.tasks:
            task.cancel()
        await settle()
        while desk.inside:
            await desk.leave(desk.has()[0])
        assert (desk.bodies.used, desk.bodies.waiting) == (0, 0)

    loop = MovedLoop()
    try:
        loop.run_until_complete(whole())
    finally:
        loop.close()


def test_there_is_never_more_than_there_is_room_for() -> None:
    async def act(desk: OpenBodies) -> None:
        assert await desk.all_come(("a", 40), ("b", 40), ("c", 30)) == ["a", "b"]
        assert (desk.bodies.used, desk.bodies.waiting) == (80, 1)
        assert await desk.leave("a") == ["b", "c"]

    with_desk(act)


def test_one_account_has_at_most_half_and_the_others_pass_by() -> None:
    async def act(desk: OpenBodies) -> None:
        assert await desk.all_come(("a", 30), ("a", 30), ("a", 30), ("b", 30)) == ["a", "b"]
        assert await desk.leave("a") == ["b", "a"]

    with_desk(act)


def test_a_large_body_is_not_passed_by_for_ever_by_small_ones() -> None:
    async def act(desk: OpenBodies) -> None:
        assert await desk.all_come(("a", 40), ("b", 40), ("c", 50), ("d", 10), ("e", 10)) == ["a", "b"]
        assert await desk.leave("a") == ["b", "c", "d"]
        assert await desk.leave("b") == ["c", "d", "e"]

    with_desk(act)


def test_a_body_larger_than_all_room_comes_alone() -> None:
    async def act(desk: OpenBodies) -> None:
        assert await desk.all_come(("a", 500), ("b", 1)) == ["a"]
        assert await desk.leave("a") == ["b"]
        assert await desk.all_come(("a", 500)) == ["b"]
        assert await desk.leave("b") == ["a"]

    with_desk(act)


def test_accounts_take_turns() -> None:
    async def act(desk: OpenBodies) -> None:
        came = await desk.all_come(("x", 50), ("y", 50), *[("a", 45)] * 3, ("b", 45), ("c", 45))
        assert came == ["x", "y"]
        assert await desk.leave("x") == ["y", "a"]
        assert await desk.leave("y") == ["a", "b"]
        assert await desk.leave("a") == ["b", "c"]

    with_desk(act)


def test_who_waits_for_long_is_to_come_again_and_who_goes_makes_way() -> None:
    async def act(desk: OpenBodies) -> None:
        assert await desk.all_come(("a", 50), ("b", 50), ("c", 50), ("d", 10)) == ["a", "b"]
        desk.tasks[2].cancel()
        await settle()
        await asyncio.sleep(11)
        assert desk.refused == ["d"]
        assert await desk.leave("a") == ["b"]

    with_desk(act, wait_s=10)


def test_a_call_gives_its_room_back_with_its_answer_and_small_bodies_need_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []
    room = Bodies.room

    async def noted(self: Bodies, party: str, size: int) -> Room:
        asked.append((party, size))
        held.append(self)
        return await room(self, party, size)

    held: list[Bodies] = []
    monkeypatch.setattr(Bodies, "room", noted)
    with a_scene(tmp_path) as scene:
        caller = scene.customer()
        for size in (SMALL, SMALL + 1, 100_000):
            body = b"{" + b" " * (size - 2) + b"}"
            headers = [*caller.desk.signed(CLOCK, "Action=DescribeClock", body), (b"content-length", b"%d" % size)]
            answer = scene.runner.run(caller.desk.send(CLOCK, "Action=DescribeClock", body, headers=headers))
            assert answer.status == 200
        assert asked == [(caller.account_id(), SMALL + 1), (caller.account_id(), 100_000)]
        assert {bodies.used for bodies in held} == {0}

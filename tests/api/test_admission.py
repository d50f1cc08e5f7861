"""Turns: a crowd of one account has a few at a time while others call, and strangers are not believed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from leasebook.api.auth import admission
from leasebook.api.auth.admission import ALONE_MAX, AT_ONCE, Admission, AdmissionLimits, Turn, claimed_key
from leasebook.batch import Overloaded

HERE, THERE = "192.0.2.1", "192.0.2.2"


class OpenCalls:
    """Calls that come in and stay until the test lets them go."""

    def __init__(self, in_flight_max: int = 4, waiting_max: int = 1000) -> None:
        self.admission = Admission(AdmissionLimits(in_flight_max, waiting_max))
        self.inside: dict[str, list[Turn]] = {}
        self.refused: list[str] = []

    async def call(self, address: str, key: str, account: str | None, *, writes: bool = True) -> None:
        """Come in; with the key of an account, or with none that is anybody's."""
        try:
            turn = await self.admission.enter(address, key, writes=writes)
            if account is not None:
                await turn.proved(account)
        except Overloaded:
            self.refused.append(key)
            return
        self.inside.setdefault(account or "", []).append(turn)

    def crowd(self, count: int, key: str, account: str | None, *, address: str = HERE, writes: bool = True) -> None:
        calls = (self.call(address, key, account, writes=writes) for _ in range(count))
        _tasks.extend(map(asyncio.create_task, calls))

    def count(self, account: str) -> int:
        return len(self.inside.get(account, ()))

    async def out(self, account: str, count: int = 1) -> None:
        for _ in range(count):
            self.inside[account].pop(0).leave()
        await settle()


_tasks: list[asyncio.Task[None]] = []


async def settle() -> None:
    for _ in range(400):
        await asyncio.sleep(0)


def play(act: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await act()
        for task in _tasks:
            task.cancel()
        _tasks.clear()

    asyncio.run(whole())


def test_alone_an_account_has_many_turns_and_while_another_calls_a_few() -> None:
    desk = OpenCalls()

    async def act() -> None:
        desk.crowd(ALONE_MAX + 50, "ka", "a")
        await settle()
        assert desk.count("a") == ALONE_MAX
        await desk.call(THERE, "kb", "b")
        assert desk.count("b") == 1
        await desk.out("a", ALONE_MAX)
        assert desk.count("a") == 4
        # One goes, and one comes.
        await desk.out("a")
        assert desk.count("a") == 4

    play(act)


def test_who_comes_beside_a_crowd_does_not_wait() -> None:
    desk = OpenCalls()

    async def act() -> None:
        await desk.call(THERE, "kb", "b")
        desk.crowd(600, "ka", "a")
        await settle()
        assert desk.count("a") == 4
        for _ in range(4):
            await asyncio.wait_for(desk.call(THERE, "kb", "b"), 1)
            assert desk.count("b") == 2
            await desk.out("b")

    play(act)


def test_calls_that_look_have_a_lane_of_their_own_and_fewer_turns() -> None:
    desk = OpenCalls(in_flight_max=8)

    async def act() -> None:
        await desk.call(THERE, "kb", "b")
        desk.crowd(20, "ka", "a", writes=False)
        await settle()
        assert desk.count("a") == 2
        desk.crowd(20, "ka", "a")
        await settle()
        assert desk.count("a") == 2 + 8

    play(act)


def test_after_a_while_without_calls_there_is_no_company(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = OpenCalls()

    async def act() -> None:
        await desk.call(THERE, "kb", "b")
        await desk.out("b")
        monkeypatch.setattr(admission, "PRESENT_S", -1.0)
        desk.crowd(50, "ka", "a")
        await settle()
        assert desk.count("a") == 50
        assert len(desk.admission._lanes) <= 3

    play(act)


def test_calls_that_are_answered_at_once_take_turns_with_the_loop() -> None:
    desk = OpenCalls()
    turns: list[int] = []

    async def forge() -> None:
        turn = await desk.admission.enter(HERE, "kx", writes=True)
        turns.append(here[0])
        turn.leave()

    here = [0]

    async def act() -> None:
        await desk.call(THERE, "kb", "b")
        _tasks.extend(asyncio.create_task(forge()) for _ in range(200))
        for number in range(400):
            here[0] = number
            await asyncio.sleep(0)
        assert len(turns) == 200
        each = [turns.count(number) for number in set(turns)]
        assert sorted(each)[-2] <= 2 * AT_ONCE
        assert max(each) <= 4 + 2 * AT_ONCE

    play(act)


def test_who_claims_a_key_waits_among_strangers_until_it_is_proved_from_there() -> None:
    desk = OpenCalls()

    async def act() -> None:
        await desk.call(THERE, "kb", "b")
        # They name the key of b, and never prove it; from elsewhere.
        desk.crowd(300, "kb", None)
        await settle()
        assert desk.count("") == 4
        await asyncio.wait_for(desk.call(THERE, "kb", "b"), 1)
        assert desk.count("b") == 2

    play(act)


def test_strangers_wait_address_by_address() -> None:
    desk = OpenCalls()

    async def act() -> None:
        await desk.call(THERE, "kb", "b")
        desk.crowd(300, "kx", None)
        await settle()
        desk.crowd(1, "kc", "c", address="192.0.2.9")
        await settle()
        assert desk.count("c") == 0
        await desk.out("", 2)
        assert desk.count("c") == 1

    play(act)


def test_strangers_are_nobodys_company() -> None:
    desk = OpenCalls()

    async def act() -> None:
        desk.crowd(3, "kx", None)
        desk.crowd(60, "ka", "a")
        await settle()
        assert desk.count("a") == 60

    play(act)


def test_of_too_many_who_wait_the_last_of_the_longest_line_is_refused() -> None:
    desk = OpenCalls(waiting_max=5)

    async def act() -> None:
        await desk.call(THERE, "kb", "b")
        await desk.call(HERE, "k1", "a")
        await desk.call(HERE, "k2", "a")
        desk.crowd(20, "k1", "a")
        await settle()
        assert desk.count("a") == 4
        refused = len(desk.refused)
        assert refused == 20 - 2 - 5
        desk.crowd(1, "k2", "a")
        await settle()
        assert desk.refused[refused:] == ["k1"]
        assert desk.admission.waiting == 5

    play(act)


def test_who_has_gone_while_waiting_takes_no_turn() -> None:
    desk = OpenCalls()

    async def act() -> None:
        await desk.call(THERE, "kb", "b")
        desk.crowd(4, "ka", "a")
        await settle()
        gone = asyncio.create_task(desk.call(HERE, "ka", "a"))
        desk.crowd(1, "ka", "a")
        await settle()
        gone.cancel()
        await settle()
        await desk.out("a")
        assert desk.count("a") == 4

    play(act)


def test_what_is_proved_is_remembered_for_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "PROVED_MAX", 10)
    desk = OpenCalls()
    for number in range(50):
        desk.admission.remember((f"192.0.2.{number}", "k"), "a")
    assert len(desk.admission._proved) == 10


@pytest.mark.parametrize(
    ("header", "query", "key"),
    [
        (b"bce-auth-v1/AK/2030-01-01T00:00:00Z/1800/host/ab", None, "AK"),
        (b"bce-auth-v1", None, ""),
        (b"Bearer x/y/z", None, ""),
        (b"", "bce-auth-v1/AKQ/2030/1800//ab", "AKQ"),
        (b"", "nonsense", ""),
    ],
)
def test_the_key_that_a_call_names_is_found_whoever_names_it(header: bytes, query: str | None, key: str) -> None:
    headers = [(b"host", b"x"), *([(b"authorization", header)] if header else [])]
    assert claimed_key(headers, query) == key

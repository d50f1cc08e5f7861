"""Refusals are given at once while they are few, and at a measured pace while they are many."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from leasebook.api.auth.admission import ALONE_MAX, Admission, AdmissionLimits
from leasebook.api.auth.callers import Callers
from leasebook.api.auth.overload import AT_ONCE, WAIT_S, Refuser
from leasebook.batch import Overloaded
from tests.api.scene import ACCOUNT, UNITS, a_scene, order


class MovedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer instead of waiting for it."""

    moved = 0.0

    def time(self) -> float:
        return self.moved

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self.moved = max(self.moved, self._scheduled[0].when())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


def play(act: Callable[[], Awaitable[None]]) -> None:
    loop = MovedLoop()
    try:
        loop.run_until_complete(act())
    finally:
        loop.close()


def call(refuser: Refuser) -> asyncio.Future[float]:
    """Have a call refused; returns when it was."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[float] = loop.create_future()
    future: asyncio.Future[None] = loop.create_future()

    def done(one: asyncio.Future[None]) -> None:
        assert isinstance(one.exception(), Overloaded)
        told.set_result(loop.time())

    future.add_done_callback(done)
    refuser.refuse(future)
    return told


def test_a_few_are_refused_at_once_and_more_evenly() -> None:
    async def act() -> None:
        refuser = Refuser(at_once=10, a_second=100)
        times = await asyncio.gather(*(call(refuser) for _ in range(60)))
        assert times == sorted(times), "who came first is answered first"
        assert times[:10] == [0.0] * 10
        by_tenth = Counter(int(at * 10 + 1e-6) for at in times[10:])
        assert all(count <= 11 for count in by_tenth.values())
        assert len(refuser) == 0
        # After a rest there is room again.
        await asyncio.sleep(1)
        began = asyncio.get_running_loop().time()
        assert await asyncio.gather(*(call(refuser) for _ in range(10))) == [began] * 10

    play(act)


def test_nobody_waits_longer_however_many_there_are() -> None:
    async def act() -> None:
        refuser = Refuser(at_once=10, a_second=100)
        first = [call(refuser) for _ in range(20_000)]
        # And as many come again as are refused.
        times = [await one for one in first[:200]]
        again = [call(refuser) for _ in times]
        assert max(await asyncio.gather(*first)) < 5 * WAIT_S
        await asyncio.gather(*again)
        assert sorted(times)[100] < WAIT_S

    play(act)


def test_who_has_gone_is_passed_over() -> None:
    async def act() -> None:
        refuser = Refuser(at_once=0, a_second=100)
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        refuser.refuse(gone)
        gone.cancel()
        assert await call(refuser) < 1

    play(act)


def test_those_for_whom_there_is_no_place_are_refused_at_that_pace() -> None:
    async def act() -> None:
        desk = Admission(AdmissionLimits(in_flight_max=4, waiting_max=10))
        refused: list[float] = []

        async def come() -> None:
            try:
                await desk.enter("192.0.2.1", "key", writes=True)
            except Overloaded:
                refused.append(asyncio.get_running_loop().time())

        calls = [asyncio.create_task(come()) for _ in range(ALONE_MAX + 10 + AT_ONCE + 200)]
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(refused) == AT_ONCE
        await asyncio.sleep(WAIT_S)
        assert len(refused) == AT_ONCE + 200
        for one in calls:
            one.cancel()

    play(act)


def test_an_overload_is_refused_before_a_signature_is_looked_at_and_counted_instead_of_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[str] = []
    admit = Callers.admit

    async def noted(self: Callers, *given: object) -> object:
        looked_at.append("one")
        return await admit(self, *given)  # type: ignore[arg-type]

    with a_scene(tmp_path, environment={"LEASEBOOK_QUEUE_LENGTH_MAX": "150"}) as scene:
        scene.sell(stock=1000)
        caller = scene.customer("100000")
        assert caller.buy()
        monkeypatch.setattr(Callers, "admit", noted)
        answers = []

        async def crowd() -> None:
            calls = (caller.desk.call(UNITS, "PurchaseComputeUnit", order()) for _ in range(400))
            answers.extend(await asyncio.gather(*calls))

        scene.play(crowd)
        refused = [answer.status for answer in answers].count(503)
        assert refused > 200
        assert {answer.headers["retry-after"] for answer in answers if answer.status == 503} == {"1"}
        assert len(looked_at) == 400 - refused, "a refused call is refused before that"
        monkeypatch.undo()
        scene.play(scene.running.app._context.refusals.stop)
        (row,) = scene.operator.do(ACCOUNT, "DescribeRefusedCalls", {"accessKeyId": caller.desk.access_key})["rows"]
        assert (row["calls"], row["accountId"]) == (refused, caller.account_id())
        audited = caller.do(ACCOUNT, "DescribeAuditLog", {"maxKeys": 1000})["entries"]
        assert not [entry for entry in audited if entry["code"] == "Overloaded" and entry["action"] != "RefusedCalls"]
        assert [entry["message"] for entry in audited if entry["action"] == "RefusedCalls"]

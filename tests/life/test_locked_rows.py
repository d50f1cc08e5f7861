"""Rows that another session has locked: callers that need them wait, and no others do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from leasebook.batch import BatchLimits, Closed, DueRequest, LockedOut, Overloaded, Sequencer
from leasebook.domain.book.loads import Needed
from leasebook.domain.book.tables import ACCOUNTS, INSTANCES
from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.commands.account.identity import CreateAccount, NewKey
from leasebook.domain.record.agenda import Due, DueKind
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from leasebook.ports.clock import VirtualClock
from tests.life.lives import ACCOUNT, BillingOracle, opening
from tests.life.test_moving import START, ZONE, Sizes
from tests.simulation.memory_store import MemoryStore
from tests.simulation.office import StoreHarness

OTHER = "acc-2"
LONG_S, SHORT_S, PATIENCE_S = 60.0, 0.12, 5.0
ROW: Needed = (ACCOUNTS, (ACCOUNT,))
MINUTE = 60_000_000


class LockedRows:
    """Two accounts, a sequencer, and a session that locks rows."""

    def __init__(self, wait_s: float, **limits: Any) -> None:
        self.store = MemoryStore()
        self.clock = VirtualClock(START)
        self.sequencer = Sequencer(
            self.store,
            self.clock,
            Rules(),
            engine=InstantEngine(),
            limits=BatchLimits(lock_wait_s=wait_s, **limits),
            meter=Sizes(),
        )
        self.life = BillingOracle(self.store, StoreHarness(self.store, Rules(), InstantEngine()), ZONE, START)

    async def open(self) -> None:
        other = CreateAccount(account_id=OTHER, user_id="user-2", name="b", time_zone=ZONE, key=NewKey("key-2", b"s"))
        funds = [TopUp(account_id=name, amount=Micro(10**12)) for name in (ACCOUNT, OTHER)]
        await self.life.office.say([*opening(ZONE, START), other, *funds], START)
        self.sequencer.start()

    def call(self, account_id: str) -> asyncio.Task[Any]:
        command = TopUp(account_id=account_id, amount=Micro(1))
        return asyncio.create_task(self.sequencer.submit(command, party=account_id))

    def balance(self, account_id: str) -> int:
        return int(self.store.rows[ACCOUNTS][account_id,].balance)


def play(scene: LockedRows, act: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await scene.open()
        await act()
        await scene.sequencer.close()

    asyncio.run(whole())


async def soon(call: asyncio.Task[Any]) -> Any:
    return await asyncio.wait_for(asyncio.shield(call), PATIENCE_S)


def test_others_go_on_while_the_rows_of_one_account_are_locked_and_its_calls_come_after() -> None:
    scene = LockedRows(LONG_S)

    async def act() -> None:
        scene.store.locked_elsewhere = {ROW}
        held = [scene.call(ACCOUNT), scene.call(ACCOUNT)]
        for _ in range(5):
            await soon(scene.call(OTHER))
            held.append(scene.call(ACCOUNT))
        await asyncio.sleep(0)
        assert not any(call.done() for call in held)
        assert scene.balance(ACCOUNT) == 10**12
        scene.store.locked_elsewhere = set()
        await asyncio.gather(*map(soon, held))
        assert scene.balance(ACCOUNT) == 10**12 + len(held)
        assert scene.balance(OTHER) == 10**12 + 5
        assert scene.sequencer.aside_length == 0

    play(scene, act)


def test_a_call_waits_for_locked_rows_no_longer_than_the_limit_and_nothing_is_done() -> None:
    scene = LockedRows(SHORT_S)

    async def act() -> None:
        scene.store.locked_elsewhere = {ROW}
        with pytest.raises(LockedOut):
            await soon(scene.call(ACCOUNT))
        assert scene.balance(ACCOUNT) == 10**12
        scene.store.locked_elsewhere = set()
        await soon(scene.call(ACCOUNT))
        assert scene.balance(ACCOUNT) == 10**12 + 1

    play(scene, act)


def test_rows_that_have_been_locked_for_long_are_not_waited_for_again() -> None:
    scene = LockedRows(1.0)

    async def act() -> None:
        scene.store.locked_elsewhere = {ROW}
        with pytest.raises(LockedOut):
            await soon(scene.call(ACCOUNT))
        began = time.monotonic()
        for _ in range(5):
            with pytest.raises(LockedOut):
                await soon(scene.call(ACCOUNT))
        # Each would have waited for a second.
        assert time.monotonic() - began < 3

    play(scene, act)


def test_where_too_many_wait_for_locked_rows_the_next_is_refused_at_once() -> None:
    scene = LockedRows(LONG_S, queue_max=2)

    async def act() -> None:
        scene.store.locked_elsewhere = {ROW}
        held = []
        for _ in range(3):
            held.append(scene.call(ACCOUNT))
            await soon(scene.call(OTHER))
        with pytest.raises(LockedOut):
            await soon(held[2])
        assert scene.sequencer.aside_length == 2
        scene.store.locked_elsewhere = set()
        await asyncio.gather(*map(soon, held[:2]))

    play(scene, act)


def test_who_waits_for_locked_rows_is_refused_when_the_service_stops() -> None:
    scene = LockedRows(LONG_S)
    held: list[asyncio.Task[Any]] = []

    async def act() -> None:
        scene.store.locked_elsewhere = {ROW}
        held.append(scene.call(ACCOUNT))
        await soon(scene.call(OTHER))
        await scene.sequencer.close()
        with pytest.raises(Closed):
            await soon(held[0])
        assert scene.balance(ACCOUNT) == 10**12

    play(scene, act)


@pytest.mark.parametrize("what", ["the account", "the instance"])
def test_due_work_whose_rows_are_locked_keeps_no_other_late_and_is_done_once_when_they_are_free(what: str) -> None:
    scene = LockedRows(LONG_S)
    life = scene.life
    at = Instant(START + 10 * MINUTE)

    async def buy(account_id: str) -> str:
        asked = life.buying(release_at=at)
        purchase = replace(asked.purchase, account_id=account_id)
        return str((await life.ask(replace(asked, purchase=purchase))).unit_id)

    async def act() -> None:
        mine, others = await buy(ACCOUNT), await buy(OTHER)
        scene.store.locked_elsewhere = {ROW if what == "the account" else (INSTANCES, (mine,))}
        scene.clock.moved(at)
        late: set[Due] = set()
        released: list[str] = []

        async def look() -> None:
            for item in await scene.sequencer.do_due(DueRequest(resting=frozenset(late))):
                if item.error is not None:
                    assert isinstance(item.error, LockedOut)
                    late.add(item.due)
                elif item.outcome is not None and item.outcome.answer and item.due.kind is DueKind.RELEASE:
                    released.append(item.due.unit_id)

        for _ in range(3):
            await look()
        assert released == [others]
        assert {due.unit_id for due in late} == {mine}
        scene.store.locked_elsewhere = set()
        late.clear()
        while scene.sequencer._locked_rows.barred:  # noqa: ASYNC110 - it is looked for from outside
            await asyncio.sleep(0.01)
        for _ in range(3):
            await look()
        assert released == [others, mine]
        assert life.unit(mine).released_at == life.unit(others).released_at == at

    play(scene, act)


def test_a_queue_that_one_account_has_filled_takes_the_call_of_another() -> None:
    scene = LockedRows(LONG_S, queue_max=4)

    async def act() -> None:
        crowd = [scene.call(ACCOUNT) for _ in range(6)]
        late = scene.call(OTHER)
        await soon(late)
        results = await asyncio.gather(*crowd, return_exceptions=True)
        assert sum(isinstance(result, Overloaded) for result in results) == 3
        assert scene.balance(ACCOUNT) == 10**12 + 3

    play(scene, act)

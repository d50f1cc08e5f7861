"""When answers leave: after their commit, beside the next batch where one follows, and never long after."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from leasebook.batch import BatchLimits, Sequencer, Unavailable, replies, sizing
from leasebook.batch.sizing import CALLERS_MIN
from leasebook.domain.book.book import Book
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.loads import Needed
from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from leasebook.ports.clock import VirtualClock
from tests.life.lives import ACCOUNT, PER_MONTH, BillingOracle, opening
from tests.life.test_moving import START, ZONE, Sizes
from tests.simulation.memory_store import MemoryStore, MemoryTransaction
from tests.simulation.office import StoreHarness

PATIENCE_S, LONG_S = 5.0, 60.0


class Gate:
    """A place where a coroutine waits until it is let in."""

    def __init__(self, *, is_open: bool) -> None:
        self.reached = asyncio.Event()
        self._opened = asyncio.Event()
        if is_open:
            self._opened.set()

    def open(self) -> None:
        self._opened.set()

    async def pass_through(self) -> None:
        self.reached.set()
        await self._opened.wait()


class GatedTransaction(MemoryTransaction):
    """Of a store whose rows, and whose writing, are waited for."""

    loading: Gate
    saving: Gate

    async def load(self, needs: Iterable[Needed], book: Book) -> None:
        await self.loading.pass_through()
        await super().load(needs, book)

    async def save(self, changes: Changes) -> None:
        await self.saving.pass_through()
        await super().save(changes)

    async def commit(self, *, is_idle: bool = False) -> None:
        # A lone command is written on the way to its commit, without ``save``.
        await self.saving.pass_through()
        await super().commit(is_idle=is_idle)


class GatedStore(MemoryStore):
    """Begins gated transactions; the gates of each are made before, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.gates: list[tuple[Gate, Gate] | Unavailable] = []

    async def begin(self, *, moves_clock: bool = False) -> MemoryTransaction:
        if not self.gates:
            return await super().begin(moves_clock=moves_clock)
        gates = self.gates.pop(0)
        if isinstance(gates, Unavailable):
            raise gates
        self.open = transaction = GatedTransaction(self)
        transaction.loading, transaction.saving = gates
        return transaction


class TwoCallers:
    """Two callers, one batch each: the second comes while the first is being written."""

    def __init__(self, *second: Gate, fails: Unavailable | None = None) -> None:
        self.store = GatedStore()
        self.first = Gate(is_open=True), Gate(is_open=False)
        self.second = second
        self.fails = fails

    async def play(self) -> tuple[asyncio.Task[object], asyncio.Task[object]]:
        """Let both call, up to where the first is committed."""
        office = StoreHarness(self.store, Rules(), InstantEngine())
        life = BillingOracle(self.store, office, ZONE, START)
        await office.say([*opening(ZONE, START), TopUp(account_id=ACCOUNT, amount=Micro(PER_MONTH))], START)
        self.store.gates = [self.first, self.fails or (self.second[0], self.second[1])]
        self.sequencer = Sequencer(
            self.store, VirtualClock(START), Rules(), engine=InstantEngine(), limits=BatchLimits(), meter=Sizes()
        )
        self.sequencer.start()
        calls = []
        for reached in (self.first[1].reached, None):
            calls.append(asyncio.create_task(self.sequencer.submit(life.buying(1))))
            if reached is not None:
                await reached.wait()
        await asyncio.sleep(0)
        self.first[1].open()
        return calls[0], calls[1]


async def answered(call: asyncio.Task[object]) -> object:
    return await asyncio.wait_for(asyncio.shield(call), PATIENCE_S)


async def test_answers_leave_when_the_next_batch_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "DEFER_MAX_S", LONG_S)
    scene = TwoCallers(Gate(is_open=False), Gate(is_open=False))
    first, second = await scene.play()
    loading, saving = scene.second
    await loading.reached.wait()
    assert not first.done(), "it could, and takes time in which the store has nothing to do"
    loading.open()
    await saving.reached.wait()
    assert await answered(first)
    assert not second.done(), "it is not committed"
    saving.open()
    assert await answered(second), "no other batch follows"
    await scene.sequencer.close()


async def test_answers_do_not_wait_for_rows_that_another_server_has_locked() -> None:
    scene = TwoCallers(Gate(is_open=False), Gate(is_open=True))
    first, second = await scene.play()
    await scene.second[0].reached.wait()
    assert await answered(first)
    assert not second.done()
    scene.second[0].open()
    assert await answered(second)
    await scene.sequencer.close()


async def test_answers_leave_where_the_next_batch_cannot_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "DEFER_MAX_S", LONG_S)
    scene = TwoCallers(fails=Unavailable("the disk is full"))
    first, second = await scene.play()
    assert await answered(first)
    with pytest.raises(Unavailable):
        await answered(second)
    await scene.sequencer.close()


@pytest.mark.parametrize(
    ("parts", "callers", "batches"),
    [
        pytest.param(1, 100, [100], id="all together where the store is no other process"),
        pytest.param(2, 100, [50, 50], id="half of a crowd, and then the other half"),
        pytest.param(2, 101, [51, 50], id="an odd one out"),
        pytest.param(2, CALLERS_MIN, [CALLERS_MIN], id="too few to be two"),
        pytest.param(2, CALLERS_MIN + 1, [CALLERS_MIN, 1], id="one too many for one"),
    ],
)
async def test_a_crowd_is_taken_in_parts(parts: int, callers: int, batches: list[int]) -> None:
    store = MemoryStore()
    office = StoreHarness(store, Rules(), InstantEngine())
    payment = TopUp(account_id=ACCOUNT, amount=Micro(PER_MONTH))
    await office.say(opening(ZONE, START), START)
    sizes = Sizes()
    sequencer = Sequencer(
        store,
        VirtualClock(START),
        Rules(),
        engine=InstantEngine(),
        limits=BatchLimits(backlog_parts=parts),
        meter=sizes,
    )
    calls = [asyncio.create_task(sequencer.submit(payment)) for _ in range(callers)]
    await asyncio.sleep(0)
    sequencer.start()
    await asyncio.gather(*calls)
    await sequencer.close()
    assert sizes.sizes == batches


class SharedStore(MemoryStore):
    """One that another server writes to, too."""

    async def begin(self, *, moves_clock: bool = False) -> MemoryTransaction:
        transaction = await super().begin(moves_clock=moves_clock)
        transaction.has_concurrent_writers = True
        return transaction


@pytest.mark.parametrize(("waited_s", "batches"), [(-1.0, [50, 100, 50]), (60.0, [50, 50, 50, 50])])
async def test_while_another_server_has_the_rows_all_of_a_crowd_is_taken(
    waited_s: float, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is time for all of them to be answered and to ask again, and two servers share what a batch costs."""
    monkeypatch.setattr(sizing, "ROW_WAIT_S", waited_s)
    store = SharedStore()
    await StoreHarness(store, Rules(), InstantEngine()).say(opening(ZONE, START), START)
    payment, sizes = TopUp(account_id=ACCOUNT, amount=Micro(PER_MONTH)), Sizes()
    limits = BatchLimits(backlog_parts=2)
    shop = Sequencer(store, VirtualClock(START), Rules(), engine=InstantEngine(), limits=limits, meter=sizes)

    async def twice() -> None:
        await shop.submit(payment)
        await shop.submit(payment)

    calls = [asyncio.create_task(twice()) for _ in range(100)]
    await asyncio.sleep(0)
    shop.start()
    await asyncio.gather(*calls)
    await shop.close()
    assert sizes.sizes == batches


class CommitWatcher:
    """Takes note of the instances of each commit, and of the work that they make due."""

    def __init__(self) -> None:
        self.units: list[set[str]] = []
        self.due: list[set[str]] = []

    def committed(self, changes: Changes) -> None:
        rows = (*changes.inserted.get(INSTANCES, ()), *changes.updated.get(INSTANCES, ()))
        self.units.append({unit.id for unit in rows})
        self.due.append({due.unit_id for due in changes.due_new})


@pytest.mark.parametrize("part", [None, 1, 2])
async def test_watchers_are_called_once_with_all_that_a_batch_changed(part: int | None) -> None:
    """Else the agenda would sleep on beyond a release that was written with an early part."""
    store = MemoryStore()
    office = StoreHarness(store, Rules(), InstantEngine())
    await office.say([*opening(ZONE, START), TopUp(account_id=ACCOUNT, amount=Micro(PER_MONTH))], START)
    life, told = BillingOracle(store, office, ZONE, START), CommitWatcher()
    limits = BatchLimits(part_size=part)
    shop = Sequencer(store, VirtualClock(START), Rules(), engine=InstantEngine(), limits=limits, meter=Sizes())
    shop.watch(told)
    calls = [asyncio.create_task(shop.submit(life.buying(1))) for _ in range(3)]
    await asyncio.sleep(0)
    shop.start()
    bought = {(await call).unit_id for call in calls}
    await shop.close()
    assert told.units == told.due == [bought]

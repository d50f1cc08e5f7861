"""A store that lets a batch neither end nor fail: its callers and all others get an answer, and it is true."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from leasebook.batch import BatchLimits, DueRequest, OutcomeUnknown, Sequencer, Unavailable
from leasebook.domain.book.changes import Changes
from leasebook.domain.commands.store.write_probe import ProveWriting
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from leasebook.ports.clock import VirtualClock
from tests.batch.pieces import LostEntries, SayCommand, audit_writer, line, written
from tests.life.test_moving import START, Sizes
from tests.simulation.memory_store import MemoryStore, MemoryTransaction

STALL_S = 0.02


class HangingStore(MemoryStore):
    """Waits before a transaction, and before its commit, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begins, self.is_open, self.commits = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def begin(self, *, moves_clock: bool = False) -> MemoryTransaction:
        await self.begins.wait()
        transaction = await super().begin(moves_clock=moves_clock)
        self.is_open.set()
        commit = transaction.commit

        async def waits(**options: Any) -> None:
            await self.commits.wait()
            await commit(**options)

        transaction.commit = waits  # type: ignore[method-assign]
        return transaction


class SeenChanges:
    """Learns of commits."""

    def __init__(self) -> None:
        self.count = 0

    def committed(self, changes: Changes) -> None:
        self.count += bool(changes)


class StallBench:
    def __init__(self) -> None:
        self.store, self.seen = HangingStore(), SeenChanges()
        self.sequencer = Sequencer(
            self.store,
            VirtualClock(START),
            Rules(),
            engine=InstantEngine(),
            limits=BatchLimits(stall_s=STALL_S),
            meter=Sizes(),
            watchers=[self.seen],
            audit=audit_writer(LostEntries()),
        )

    def go_on(self) -> None:
        self.store.begins.set()
        self.store.commits.set()

    async def takes_again(self) -> None:
        """Fail unless commands are decided again."""
        for _ in range(200):
            try:
                assert await self.sequencer.submit(SayCommand(number=7)) == 7
            except Unavailable:
                await asyncio.sleep(0.005)
            else:
                return
        raise AssertionError("the queue stays shut")


@asynccontextmanager
async def stalling() -> AsyncIterator[StallBench]:
    bench = StallBench()
    bench.sequencer.start()
    yield bench
    bench.go_on()
    await asyncio.wait_for(bench.sequencer.close(), 5.0)


async def test_what_a_transaction_that_does_not_begin_was_to_do_is_refused_and_is_never_done() -> None:
    async with stalling() as bench:
        with pytest.raises(Unavailable, match="frozen") as refused:
            await bench.sequencer.submit(ProveWriting())
        assert not isinstance(refused.value, OutcomeUnknown)
        assert "frozen" in str(bench.sequencer.writing.unready())
        # Later callers wait for nothing.
        for _ in range(3):
            with pytest.raises(Unavailable):
                await asyncio.wait_for(bench.sequencer.submit(SayCommand()), STALL_S / 2)
        with pytest.raises(Unavailable):
            await bench.sequencer.do_due(DueRequest())
        bench.go_on()
        await bench.takes_again()
        assert bench.seen.count == 0, "they were told that nothing was done"


async def test_what_a_commit_that_does_not_end_has_done_is_unknown_and_the_service_learns_of_it_when_it_ends() -> None:
    async with stalling() as bench:
        bench.store.begins.set()
        bench.sequencer.note(line("noted"))
        with pytest.raises(OutcomeUnknown):
            await bench.sequencer.submit(ProveWriting())
        assert bench.seen.count == 0
        bench.go_on()
        await bench.takes_again()
        assert bench.seen.count == 1
        assert bench.sequencer.writing.unready() is None
        assert written(bench.store) == ["noted"], "once, though its batch was called unsure"


async def test_callers_and_due_work_behind_a_batch_that_does_not_end_are_refused_with_it() -> None:
    async with stalling() as bench:
        bench.store.begins.set()
        first = asyncio.create_task(bench.sequencer.submit(ProveWriting()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        behind = asyncio.create_task(bench.sequencer.submit(SayCommand()))
        due = asyncio.create_task(bench.sequencer.do_due(DueRequest()))
        found = await asyncio.wait_for(asyncio.gather(first, behind, due, return_exceptions=True), 50 * STALL_S)
        assert [type(one) for one in found] == [OutcomeUnknown, Unavailable, Unavailable]


async def test_batches_that_end_in_time_stall_nothing_however_many_there_are() -> None:
    async with stalling() as bench:
        bench.go_on()
        for _ in range(10):
            assert await bench.sequencer.submit(SayCommand(number=1)) == 1
            await asyncio.sleep(STALL_S / 4)
        assert bench.sequencer.writing.unready() is None


async def test_a_batch_that_ended_while_the_whole_process_was_paused_has_not_stalled() -> None:
    async with stalling() as bench:
        bench.store.begins.set()
        call = asyncio.create_task(bench.sequencer.submit(SayCommand(number=1)))
        await bench.store.is_open.wait()
        # As a thread does whose commit has ended: the batch goes on in the turn of the loop after that.
        asyncio.get_running_loop().call_soon(bench.go_on)
        time.sleep(2 * STALL_S)  # noqa: ASYNC251 - the loop is blocked, as in a process that is paused
        assert await call == 1

"""The sequencer's loop: accepted commands are finished, and where the loop ends, for any reason, no caller waits on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from leasebook.batch import BatchLimits, Closed, DueRequest, Sequencer, sizing
from leasebook.domain.book.changes import Changes
from leasebook.domain.values.refusal import Refusal
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from leasebook.ports.clock import VirtualClock
from tests.batch.pieces import BatchRecord, LostEntries, SayCommand, audit_writer, line, written
from tests.life.test_moving import START, Sizes
from tests.simulation.memory_store import MemoryStore


class SequencerBench:
    def __init__(self) -> None:
        self.store, self.sizes, self.lost = MemoryStore(), Sizes(), LostEntries()
        self.sequencer = Sequencer(
            self.store,
            VirtualClock(START),
            Rules(),
            engine=InstantEngine(),
            limits=BatchLimits(),
            meter=self.sizes,
            audit=audit_writer(self.lost),
        )

    def submit(self, number: int = 0, **options: Any) -> asyncio.Task[Any]:
        return asyncio.create_task(self.sequencer.submit(SayCommand(number=number, **options)))


@asynccontextmanager
async def started() -> AsyncIterator[SequencerBench]:
    bench = SequencerBench()
    bench.sequencer.start()
    yield bench
    await asyncio.wait_for(bench.sequencer.close(), 5.0)


async def test_commands_that_come_together_are_one_batch_and_each_has_its_own_answer() -> None:
    async with started() as bench:
        calls = [bench.submit(1), bench.submit(2, is_refused=True), bench.submit(3)]
        first, refused, last = await asyncio.gather(*calls, return_exceptions=True)
        assert (first, last) == (1, 3)
        assert isinstance(refused, Refusal)
        assert bench.sizes.sizes == [3]


async def test_a_mistake_in_one_command_is_raised_to_its_own_caller_only() -> None:
    async with started() as bench:
        calls = [bench.submit(1), bench.submit(2, is_wrong=True), bench.submit(3)]
        first, mistake, last = await asyncio.gather(*calls, return_exceptions=True)
        assert (first, last) == (1, 3)
        assert isinstance(mistake, RuntimeError)


async def test_a_stop_finishes_what_was_accepted_and_refuses_what_comes_after() -> None:
    async with started() as bench:
        accepted = [bench.submit(number) for number in range(3)]
        await asyncio.sleep(0)
        bench.sequencer.note(line("waiting"))
        await bench.sequencer.close()
        assert await asyncio.gather(*accepted) == [0, 1, 2]
        assert written(bench.store) == ["waiting"]
        assert not bench.sequencer.is_working
        with pytest.raises(Closed):
            await bench.submit()
        with pytest.raises(Closed):
            await bench.sequencer.do_due(DueRequest())


async def test_where_the_loop_itself_fails_everything_that_waits_is_refused_and_monitors_can_see_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any, **__: Any) -> int:
        raise RuntimeError("a mistake in the loop")

    async def scene(bench: SequencerBench) -> None:
        monkeypatch.setattr(sizing, "callers_to_take", broken)
        bench.sequencer.note(line("waiting"))
        waiting = [bench.submit(), asyncio.create_task(bench.sequencer.do_due(DueRequest()))]
        flush = asyncio.create_task(bench.sequencer.flush())
        for call in waiting:
            with pytest.raises(Closed):
                await asyncio.wait_for(call, 5.0)
        await asyncio.wait_for(flush, 5.0)
        assert not bench.sequencer.is_working
        with pytest.raises(Closed):
            await bench.submit()
        bench.sequencer.note(line("too late"))
        assert bench.lost.count == 1
        with pytest.raises(RuntimeError, match="in the loop"):
            await bench.sequencer.close()

    async def whole() -> None:
        bench = SequencerBench()
        bench.sequencer.start()
        await scene(bench)

    with capture_logs() as lines:
        await whole()
    assert [line["event"] for line in lines if line["log_level"] == "critical"] == ["the sequencer died"]


async def test_a_stop_writes_entries_that_wait_although_no_caller_does() -> None:
    async with started() as bench:
        bench.sequencer.note(line("waiting"))
        await bench.sequencer.close()
        assert written(bench.store) == ["waiting"]


async def test_watchers_learn_of_a_commit_before_its_callers_are_answered() -> None:
    async with started() as bench:
        seen: list[bool] = []

        class Watcher:
            def committed(self, changes: Changes) -> None:  # noqa: ARG002 - that there is one is enough
                seen.append(call.done())

        bench.sequencer.watch(Watcher())
        call = bench.submit(1)
        assert await call == 1
        assert seen == [False]


async def test_a_call_has_its_entry_in_the_store_when_it_has_its_answer() -> None:
    async with started() as bench:
        record = BatchRecord("one")
        assert await bench.sequencer.submit(SayCommand(number=1), None, record) == 1
        assert (written(bench.store), record.written_codes) == (["one"], ["OK"])

"""Audit entries on their way to a batch: none waits for ever, none is lost silently, and a flush always ends."""

from __future__ import annotations

import asyncio

import pytest

from leasebook.batch import audit_writer as module
from leasebook.batch.audit_writer import AuditQueue
from tests.batch.pieces import LostEntries, audit_writer, line, names


class Queue:
    """A queue of entries, a count of its calls for a batch, and of entries that were lost."""

    def __init__(self, waiting_max: int = 100) -> None:
        self.wakes = 0
        self.lost = LostEntries()
        self.writer = audit_writer(self.lost, waiting_max)
        self.entries = AuditQueue(self.writer, self._wake)

    def _wake(self) -> None:
        self.wakes += 1


async def test_entries_go_with_the_next_batch_and_need_none_of_their_own_before_their_time() -> None:
    queue = Queue()
    queue.entries.note(line("one"), is_working=True)
    queue.entries.note(line("two"), is_working=True)
    assert queue.entries.take(has_batch=False) == []
    assert names(queue.entries.take(has_batch=True)) == ["one", "two"]
    assert queue.wakes == 0


async def test_an_entry_that_waited_long_enough_asks_for_a_batch_and_is_taken_without_callers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WAIT_MAX_S", 0.0)

    queue = Queue()
    queue.entries.note(line("one"), is_working=True)
    while not queue.wakes:  # noqa: ASYNC110 - the timer is looked for from outside
        await asyncio.sleep(0)
    assert names(queue.entries.take(has_batch=False)) == ["one"]
    queue.entries.note(line("two"), is_working=True)
    assert queue.entries.take(has_batch=False) == [], "its own time has not come yet"


async def test_a_flush_asks_for_a_batch_at_once_and_ends_when_nothing_waits() -> None:
    queue = Queue()
    queue.entries.note(line("one"), is_working=True)
    flush = asyncio.create_task(queue.entries.flush())
    await asyncio.sleep(0)
    assert queue.wakes == 1
    queue.entries.batch_ended()
    await asyncio.sleep(0)
    assert not flush.done(), "the entry waits still"
    assert names(queue.entries.take(has_batch=False)) == ["one"]
    queue.entries.batch_ended()
    await asyncio.wait_for(flush, 30.0)


async def test_a_flush_of_nothing_ends_at_once() -> None:
    queue = Queue()
    await asyncio.wait_for(queue.entries.flush(), 30.0)
    assert queue.wakes == 0


async def test_a_store_that_fails_is_not_asked_at_once_for_entries_that_the_batch_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "TAKEN_MAX", 1)

    queue = Queue()
    for name in ("one", "two"):
        queue.entries.note(line(name), is_working=True)
    flush = asyncio.create_task(queue.entries.flush())
    await asyncio.sleep(0)
    queue.entries.batch_failed(queue.entries.take(has_batch=False), may_requeue=True)
    await asyncio.wait_for(flush, 30.0)
    assert queue.entries.take(has_batch=False) == []


async def test_a_flush_ends_also_where_the_batch_fails_and_its_entries_are_taken_again_in_their_order() -> None:
    queue = Queue()
    for name in ("one", "two"):
        queue.entries.note(line(name), is_working=True)
    flush = asyncio.create_task(queue.entries.flush())
    await asyncio.sleep(0)
    taken = queue.entries.take(has_batch=False)
    queue.entries.note(line("three"), is_working=True)
    queue.entries.batch_failed(taken, may_requeue=True)
    await asyncio.wait_for(flush, 30.0)
    assert queue.entries.take(has_batch=False) == [], "a store that fails is not asked again at once"
    assert names(queue.entries.take(has_batch=True)) == ["one", "two", "three"]
    assert queue.lost.count == 0


async def test_entries_of_a_batch_that_may_be_written_go_to_the_log_and_the_chain_begins_anew() -> None:
    queue = Queue()
    queue.writer.committed(queue.writer.pages([line("zero")], ()))
    assert not queue.writer.is_new
    queue.entries.note(line("one"), is_working=True)
    queue.entries.batch_failed(queue.entries.take(has_batch=True), may_requeue=False)
    assert queue.entries.take(has_batch=True) == []
    assert queue.lost.count == 1
    assert queue.writer.is_new


async def test_one_entry_too_many_goes_to_the_log_and_those_that_waited_before_stay() -> None:
    queue = Queue(waiting_max=2)
    for name in ("one", "two", "three"):
        queue.entries.note(line(name), is_working=True)
    assert queue.lost.count == 1
    taken = queue.entries.take(has_batch=True)
    assert names(taken) == ["one", "two"]
    queue.entries.note(line("four"), is_working=True)
    queue.entries.batch_failed(taken, may_requeue=True)
    assert queue.lost.count == 2
    assert names(queue.entries.take(has_batch=True)) == ["one", "two"]


async def test_once_there_are_no_more_batches_entries_go_to_the_log_and_flushes_end() -> None:
    queue = Queue()
    queue.entries.note(line("one"), is_working=True)
    flush = asyncio.create_task(queue.entries.flush())
    await asyncio.sleep(0)
    queue.entries.end()
    await asyncio.wait_for(flush, 30.0)
    queue.entries.close()
    assert queue.lost.count == 1
    queue.entries.note(line("two"), is_working=False)
    assert queue.lost.count == 2
    assert queue.entries.take(has_batch=True) == []


async def test_a_server_without_an_audit_log_keeps_no_entry() -> None:
    entries = AuditQueue(None, lambda: None)
    entries.note(line("one"), is_working=True)
    await asyncio.wait_for(entries.flush(), 30.0)
    assert entries.take(has_batch=True) == []
    entries.batch_failed([], may_requeue=True)
    entries.batch_ended()
    entries.close()

"""After a batch fails: which commands are tried again, which callers get an error, and which commands run once only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from leasebook.batch import Conflict, DueRequest, OutcomeUnknown, Unavailable, WriteHealth
from leasebook.batch.audit_writer import AuditQueue
from leasebook.batch.ports import Blocked, Duplicate, IdTaken
from leasebook.batch.replies import DeferredReplies
from leasebook.batch.retry import BatchRetry
from leasebook.batch.waiting import Batch, WaitingCall
from leasebook.domain.commands.command import Decision
from leasebook.domain.commands.instance.due import DoDue
from leasebook.domain.record.agenda import Due, DueKind
from leasebook.domain.values.calendar import Instant
from tests.batch.pieces import LostEntries, SayCommand, audit_writer, call, line, names


def piece(at: int, name: str = "unit-1") -> Due:
    return Due(at=Instant(at), kind=DueKind.RELEASE, unit_id=name)


class RetryStore:
    """Executes batches. The test sets which ones fail: the next, or every batch with a certain command."""

    def __init__(self) -> None:
        self.is_closed = False
        self.next_errors: list[Exception] = []
        self.errors: dict[Any, Exception] = {}
        self.due: list[Due] = []
        self.executed: list[list[Any]] = []
        self.contended: dict[Any, bool] = {}
        self.lost = LostEntries()
        self.writing = WriteHealth()
        self.replies = DeferredReplies()
        self.audit = AuditQueue(audit_writer(self.lost), lambda: None)
        self.retry = BatchRetry(self._execute, queue=self, replies=self.replies, audit=self.audit, writing=self.writing)

    def stall(self, error: Callable[[], Exception]) -> None:
        raise AssertionError(f"no batch takes that long: {error()}")

    def resume(self) -> None:
        raise AssertionError("nothing was stalled")

    async def _execute(self, batch: Batch, due: list[Due]) -> None:
        if batch.request is not None:
            due += self.due
        keys = [*due, *map(self._key, batch.callers)]
        self.executed.append(keys)
        for key in keys:
            if len(keys) == 1 and key in self.contended:
                batch.is_contended = self.contended[key]
        if self.next_errors:
            raise self.next_errors.pop(0)
        for key in keys:
            if key in self.errors:
                raise self.errors[key]
        decisions = [Decision(answer=key) for key in keys]
        batch.lines = []
        batch.answer_due(due, decisions)
        self.replies.defer(batch.callers, batch.callers, decisions[len(due) :], is_next_waiting=False)

    @staticmethod
    def _key(waiting: WaitingCall) -> Any:
        command = waiting.command
        return (
            command.due if isinstance(command, DoDue) else command.number if isinstance(command, SayCommand) else None
        )


def calls(count: int) -> list[WaitingCall]:
    return [call(SayCommand(number=number)) for number in range(count)]


def outcome(waiting: WaitingCall) -> Any:
    return waiting.future.exception() or waiting.future.result().answer


async def test_a_batch_that_conflicts_once_is_executed_again_whole() -> None:
    store = RetryStore()
    store.next_errors = [Conflict("another server was first")]
    callers = calls(2)
    await store.retry.run(Batch(callers))
    assert store.executed == [[0, 1], [0, 1]]
    assert list(map(outcome, callers)) == [0, 1]


async def test_due_work_that_is_claimed_again_is_not_done_twice() -> None:
    store = RetryStore()
    store.due, store.next_errors = [piece(1)], [Conflict("another server was first")]
    reply = asyncio.get_running_loop().create_future()
    await store.retry.run(Batch([], request=DueRequest(), due_reply=reply))
    assert store.executed == [store.due, store.due]
    assert [item.due for item in reply.result()] == store.due


async def test_a_batch_that_conflicts_twice_is_taken_apart_and_only_what_conflicts_fails() -> None:
    store = RetryStore()
    store.errors = {1: Conflict("again and again")}
    callers = calls(3)
    await store.retry.run(Batch(callers))
    assert store.executed == [[0, 1, 2], [0, 1, 2], [0], [1], [1], [2]]
    assert [outcome(callers[0]), outcome(callers[2])] == [0, 2]
    assert type(outcome(callers[1])) is Unavailable
    assert store.writing.is_failing


async def test_a_command_whose_new_id_is_taken_fails_alone_and_says_so_and_the_store_is_well() -> None:
    store = RetryStore()
    store.errors = {1: Duplicate("units ('unit-1',)")}
    callers = calls(3)
    await store.retry.run(Batch(callers))
    assert store.executed == [[0, 1, 2], [0, 1, 2], [0], [1], [1], [2]]
    assert [outcome(callers[0]), outcome(callers[2])] == [0, 2]
    assert type(outcome(callers[1])) is IdTaken
    assert not store.writing.is_failing


async def test_a_row_that_another_server_has_added_meanwhile_is_no_taken_id() -> None:
    store = RetryStore()
    store.next_errors = [Duplicate("tokens ('acc-1', 'once')")]
    callers = calls(1)
    await store.retry.run(Batch(callers))
    assert store.executed == [[0], [0]]
    assert list(map(outcome, callers)) == [0]


async def test_where_the_clock_moves_a_taken_id_of_a_caller_does_not_keep_it_from_moving() -> None:
    store = RetryStore()
    store.due, store.errors = [piece(1)], {0: Duplicate("units ('unit-1',)")}
    callers = calls(2)
    reply = asyncio.get_running_loop().create_future()
    await store.retry.run(Batch(callers, request=DueRequest(moving=True), due_reply=reply))
    whole = [store.due[0], 0, 1]
    assert store.executed == [whole, whole, store.due, [0], [0], [1]]
    assert [item.due for item in reply.result()] == store.due
    assert [type(outcome(callers[0])), outcome(callers[1])] == [IdTaken, 1]


async def test_due_work_whose_new_row_is_there_already_fails_alone() -> None:
    store = RetryStore()
    store.due = [piece(1)]
    store.errors = {store.due[0]: Duplicate("orders ('order-1',)")}
    reply = asyncio.get_running_loop().create_future()
    await store.retry.run(Batch([], request=DueRequest(), due_reply=reply))
    (done,) = reply.result()
    assert type(done.error) is IdTaken
    assert not store.writing.is_failing


async def test_tries_after_which_it_is_known_which_rows_are_locked_do_not_count() -> None:
    store = RetryStore()
    found = [Blocked("locked"), Blocked("locked"), Blocked("locked")]
    for blocked in found:
        blocked.learned = True
    store.next_errors = [*found, Conflict("another server was first")]
    callers = calls(2)
    await store.retry.run(Batch(callers))
    assert store.executed == [[0, 1]] * 5
    assert list(map(outcome, callers)) == [0, 1]


async def test_where_the_store_cannot_write_all_callers_get_the_same_error_and_nothing_is_tried_again() -> None:
    store = RetryStore()
    error = Unavailable("the disk is full")
    store.next_errors = [error]
    callers = calls(2)
    reply = asyncio.get_running_loop().create_future()
    await store.retry.run(Batch(callers, request=DueRequest(), due_reply=reply))
    assert store.executed == [[0, 1]]
    assert [outcome(one) for one in callers] == [error, error]
    assert reply.exception() is error
    assert store.writing.is_failing


@pytest.mark.parametrize(
    ("error", "is_closed", "kept"),
    [
        pytest.param(Unavailable("the disk is full"), False, ["entry"], id="certainly not written"),
        pytest.param(Unavailable("the disk is full"), True, [], id="and no batch follows"),
        pytest.param(OutcomeUnknown("lost"), False, [], id="perhaps written"),
    ],
)
async def test_entries_of_a_failed_batch_wait_again_only_where_they_are_certainly_not_written(
    error: Exception,
    is_closed: bool,  # noqa: FBT001 - a column of a table
    kept: list[str],
) -> None:
    store = RetryStore()
    store.is_closed = is_closed
    store.next_errors = [error]
    await store.retry.run(Batch([], lines=[line("entry")]))
    assert names(store.audit.take(has_batch=True)) == kept
    assert store.lost.count == 1 - len(kept)


async def test_a_command_that_goes_wrong_fails_alone() -> None:
    store = RetryStore()
    mistake = RuntimeError("a mistake")
    store.errors = {1: mistake}
    callers = calls(3)
    await store.retry.run(Batch(callers, lines=[line("entry")]))
    assert store.executed == [[0, 1, 2], [0], [1], [2]]
    assert [outcome(one) for one in callers] == [0, mistake, 2]
    assert names(store.audit.take(has_batch=True)) == ["entry"]
    assert not store.writing.is_failing


async def test_after_a_mistake_only_the_due_work_of_the_first_moment_is_done_and_each_piece_has_its_own_result() -> (
    None
):
    store = RetryStore()
    good, bad, later = piece(1, "a"), piece(1, "b"), piece(2, "c")
    store.due, mistake = [good, bad, later], RuntimeError("a mistake")
    store.errors = {bad: mistake}
    reply = asyncio.get_running_loop().create_future()
    await store.retry.run(Batch([], request=DueRequest(), due_reply=reply))
    assert store.executed == [[good, bad, later], [good], [bad]]
    done = reply.result()
    assert [(item.due, item.error) for item in done] == [(good, None), (bad, mistake)]
    assert done[0].outcome.answer == good


async def test_where_the_clock_moves_a_mistake_is_reported_and_no_work_is_done_out_of_order() -> None:
    store = RetryStore()
    store.due, mistake = [piece(1)], RuntimeError("a mistake")
    store.errors = {store.due[0]: mistake}
    reply = asyncio.get_running_loop().create_future()
    await store.retry.run(Batch([], request=DueRequest(moving=True), due_reply=reply))
    assert store.executed == [[store.due[0]]]
    assert reply.exception() is mistake


async def test_a_batch_that_is_taken_apart_knows_whether_the_last_of_its_commands_met_another_server() -> None:
    store = RetryStore()
    store.errors = {1: RuntimeError("a mistake")}
    store.contended = {2: True}
    batch = Batch(calls(3))
    await store.retry.run(batch)
    assert batch.is_contended is True


async def test_whatever_happens_health_checks_do_not_see_a_batch_that_never_ends() -> None:
    store = RetryStore()
    for error in (Unavailable("full"), RuntimeError("a mistake"), Conflict("again")):
        store.next_errors = [error]
        await store.retry.run(Batch(calls(1)))
        assert store.writing._began_at is None

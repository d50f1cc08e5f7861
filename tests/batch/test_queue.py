"""The queue that batches are taken from: what does it accept, what wakes the loop, and what does closing leave?"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from leasebook.batch import Closed, DueRequest, Overloaded
from leasebook.batch.queue import CommandQueue
from leasebook.batch.waiting import WaitingCall
from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.values.money import Micro


def call(party: str | None = "a") -> WaitingCall:
    command = TopUp(account_id="acc-1", amount=Micro(1))
    return WaitingCall(command, None, asyncio.get_running_loop().create_future(), party=party)


def is_awake(queue: CommandQueue) -> bool:
    return queue._wake.is_set()


async def test_whatever_comes_wakes_the_loop_until_it_sleeps_again() -> None:
    queue = CommandQueue(10, 2)
    assert not is_awake(queue)
    for come in (
        lambda: queue.put(call()),
        lambda: queue.put_due(DueRequest()),
        lambda: queue.requeue("a", [call()]),
        queue.wake,
        queue.close,
    ):
        queue.sleep()
        assert not is_awake(queue)
        come()
        await asyncio.wait_for(queue.work(), 1.0)


async def test_of_a_party_no_more_than_its_share_is_taken_while_another_waits() -> None:
    queue = CommandQueue(10, 2)
    mine, other = [call("a") for _ in range(5)], call("b")
    for one in (*mine, other):
        queue.put(one)
    assert queue.callers == 6
    assert queue.take(10) == [mine[0], other, mine[1]]
    assert queue.take(10) == mine[2:]
    assert queue.callers == 0


async def test_the_caller_that_is_one_too_many_is_refused_and_the_others_wait() -> None:
    queue = CommandQueue(3, 2)
    mine, other = [call("a") for _ in range(3)], call("b")
    for one in (*mine, other):
        queue.put(one)
    assert queue.callers == 3
    with pytest.raises(Overloaded):
        mine[2].future.result()
    assert not other.future.done()


async def test_callers_that_come_back_are_taken_first_and_find_room() -> None:
    queue = CommandQueue(1, 2)
    waiting, back = call(), call()
    queue.put(waiting)
    queue.requeue("a", [back])
    assert queue.take(5) == [back, waiting]
    assert not waiting.future.done()


async def test_requests_for_due_work_are_taken_in_their_order() -> None:
    queue = CommandQueue(10, 2)
    first, second = DueRequest(), DueRequest(moving=True)
    replies = [queue.put_due(first), queue.put_due(second)]
    assert not queue.is_empty
    assert [queue.take_due(), queue.take_due()] == [(first, replies[0]), (second, replies[1])]
    assert queue.take_due() == (None, None)
    assert queue.is_empty


async def test_the_time_since_the_last_call_is_that_of_callers_and_not_of_due_work() -> None:
    queue = CommandQueue(10, 2)
    queue.put_due(DueRequest())
    queue.requeue("a", [call()])
    assert queue.since_last_call_s == float("inf")
    queue.put(call())
    assert 0 <= queue.since_last_call_s < 60


async def test_a_closed_queue_accepts_nothing_and_can_be_emptied() -> None:
    queue = CommandQueue(10, 2)
    accepted = call()
    queue.put(accepted)
    queue.close()
    with pytest.raises(Closed):
        queue.put(call())
    with pytest.raises(Closed):
        queue.put_due(DueRequest())
    assert queue.take(5) == [accepted]
    assert not accepted.future.done()


async def test_when_there_are_no_more_batches_everything_that_waits_is_refused() -> None:
    queue = CommandQueue(10, 2)
    calls, gone = [call("a"), call("b")], queue.put_due(DueRequest())
    gone.cancel()
    due = queue.put_due(DueRequest())
    for one in calls:
        queue.put(one)
    queue.refuse_all()
    assert queue.is_empty
    refused: list[asyncio.Future[Any]] = [*(one.future for one in calls), due]
    for future in refused:
        with pytest.raises(Closed):
            future.result()
    with pytest.raises(Closed):
        queue.put(call())

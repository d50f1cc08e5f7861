"""Deferred replies: sent once, beside the next batch where one follows, and never long after the commit."""

from __future__ import annotations

import asyncio

import pytest

from leasebook.batch import StaleIdentity
from leasebook.batch import replies as module
from leasebook.batch.replies import DeferredReplies
from leasebook.batch.waiting import WaitingCall
from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.commands.command import Decision
from leasebook.domain.values.money import Micro

LONG_S = 60.0


@pytest.fixture(autouse=True)
def _no_timer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEFER_MAX_S", LONG_S)


def callers(count: int) -> list[WaitingCall]:
    command = TopUp(account_id="acc-1", amount=Micro(1))
    return [WaitingCall(command, None, asyncio.get_running_loop().create_future()) for _ in range(count)]


def decisions(count: int, first: int = 0) -> list[Decision]:
    return [Decision(answer=first + number) for number in range(count)]


def answers(calls: list[WaitingCall]) -> list[object]:
    return [call.future.result().answer if call.future.done() else None for call in calls]


async def test_replies_leave_at_once_where_no_batch_follows() -> None:
    replies, calls = DeferredReplies(), callers(3)
    replies.defer(calls, calls, decisions(3), is_next_waiting=False)
    assert answers(calls) == [0, 1, 2]
    assert len(replies) == 0


async def test_replies_wait_for_the_next_batch_and_are_counted_until_they_leave() -> None:
    replies, calls = DeferredReplies(), callers(3)
    replies.defer(calls, calls, decisions(3), is_next_waiting=True)
    assert answers(calls) == [None, None, None]
    assert len(replies) == 3
    replies.send()
    assert answers(calls) == [0, 1, 2]
    assert len(replies) == 0
    replies.send()


async def test_replies_leave_by_the_timer_where_the_next_batch_is_kept_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEFER_MAX_S", 0.0)
    replies, calls = DeferredReplies(), callers(1)
    replies.defer(calls, calls, decisions(1), is_next_waiting=True)
    await asyncio.wait_for(calls[0].future, 5.0)


async def test_a_timer_of_earlier_replies_does_not_send_later_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    replies, first, second = DeferredReplies(), callers(1), callers(1)
    monkeypatch.setattr(module, "DEFER_MAX_S", 0.0)
    replies.defer(first, first, decisions(1), is_next_waiting=True)
    replies.send()
    monkeypatch.setattr(module, "DEFER_MAX_S", LONG_S)
    replies.defer(second, second, decisions(1, 7), is_next_waiting=True)
    for _ in range(5):
        await asyncio.sleep(0)
    assert answers(second) == [None]
    replies.send()
    assert answers(second) == [7]


async def test_no_reply_is_lost_where_a_second_batch_is_deferred_before_the_first_was_sent() -> None:
    replies, first, second = DeferredReplies(), callers(2), callers(1)
    replies.defer(first, first, decisions(2), is_next_waiting=True)
    replies.defer(second, second, decisions(1, 5), is_next_waiting=True)
    assert answers(first) == [0, 1]
    assert answers(second) == [None]
    replies.send()
    assert answers(second) == [5]


async def test_callers_that_were_not_decided_learn_that_their_identity_is_stale() -> None:
    replies, calls = DeferredReplies(), callers(3)
    replies.defer(calls, [calls[0], calls[2]], decisions(2), is_next_waiting=False)
    assert [calls[0].future.result().answer, calls[2].future.result().answer] == [0, 1]
    with pytest.raises(StaleIdentity):
        calls[1].future.result()


async def test_a_caller_that_has_gone_keeps_no_other_from_its_reply() -> None:
    replies, calls = DeferredReplies(), callers(2)
    calls[0].future.cancel()
    replies.defer(calls, calls, decisions(2), is_next_waiting=False)
    assert calls[1].future.result().answer == 1

"""Long lists, full queues, a store that cannot write: the answers keep their form, and nothing is half done."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from leasebook.api.app import _query, _short_query
from leasebook.batch import Unavailable
from leasebook.store.verify.check import check_directory
from tests.api.scene import ACCOUNT, CLOCK, UNITS, Caller, ServiceHarness, a_scene, check_envelope, order
from tests.harness import Answer

BUY = (UNITS, "PurchaseComputeUnit")


def at_once(scene: ServiceHarness, caller: Caller, *calls: tuple[str, str, Any]) -> list[Answer]:
    """Make calls at the same time; returns the answers in their order."""
    answers: list[Answer] = []

    async def crowd() -> None:
        answers.extend(await asyncio.gather(*(caller.desk.call(*call) for call in calls)))

    scene.play(crowd)
    for answer in answers:
        check_envelope(answer)
    return answers


def test_a_list_of_more_instances_than_fit_in_memory_at_once_is_whole_and_looks_like_any_other(
    fresh: ServiceHarness,
) -> None:
    fresh.sell(minute="0", stock=5000)
    caller = fresh.customer()
    bought = at_once(fresh, caller, *[(*BUY, order())] * 1201)
    listed = caller.do(UNITS, "DescribeComputeUnits")
    assert set(listed) == {"computeUnitInstanceList"}
    units = [unit["instanceId"] for unit in listed["computeUnitInstanceList"]]
    assert sorted(units) == sorted(answer.result["instanceId"] for answer in bought)
    assert len(set(units)) == 1201
    by_pages: list[str] = []
    body: dict[str, Any] = {"maxKeys": 500}
    while True:
        page = caller.do(UNITS, "DescribeComputeUnits", body)
        by_pages += [unit["instanceId"] for unit in page["computeUnitInstanceList"]]
        if not page["isTruncated"]:
            break
        body["marker"] = page["nextMarker"]
    assert by_pages == units
    postpaid = caller.do(UNITS, "DescribeComputeUnits", {"paymentTiming": "Postpaid"})
    assert [unit["instanceId"] for unit in postpaid["computeUnitInstanceList"]] == units


def test_the_last_units_are_sold_once_each_however_many_want_them(fresh: ServiceHarness) -> None:
    caller = fresh.customer("100000")
    answers = at_once(fresh, caller, *[(*BUY, order(count=3))] * 40)
    assert Counter(answer.status for answer in answers) == {200: 3, 409: 37}
    assert {answer.code for answer in answers if answer.status != 200} == {"InsufficientStock"}
    assert fresh.operator.free() == 1


def test_the_last_money_is_spent_once_however_many_want_it(fresh: ServiceHarness) -> None:
    caller = fresh.customer("250")
    answers = at_once(fresh, caller, *[(*BUY, order(months=1))] * 8)
    assert Counter(answer.status for answer in answers) == {200: 2, 402: 6}
    assert caller.balance() == "50.00"
    assert check_directory(fresh.directory).findings == []


def test_a_call_on_a_full_queue_is_refused_until_later_and_nothing_was_done(tmp_path: Path) -> None:
    # More than one: the service itself writes now and then, and would be in the way of a caller who is alone.
    with a_scene(tmp_path, environment={"LEASEBOOK_QUEUE_LENGTH_MAX": "4"}) as scene:
        scene.sell(stock=100)
        caller = scene.customer("100000")
        answers = at_once(scene, caller, *[(*BUY, order())] * 30)
        taken = [answer for answer in answers if answer.status == 200]
        sent_away = [answer for answer in answers if answer.status != 200]
        assert taken
        assert sent_away
        for answer in sent_away:
            assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "Overloaded", "1")
            assert "Nothing was done" in answer.body["message"]
        assert scene.operator.free() == 100 - len(taken)
        audited = caller.do(ACCOUNT, "DescribeAuditLog", {"maxKeys": 1000})["entries"]
        assert not [entry for entry in audited if entry["code"] == "Overloaded"], "they are counted, not listed"
        (row,) = scene.operator.do(ACCOUNT, "DescribeRefusedCalls", {"accessKeyId": caller.desk.access_key})["rows"]
        assert row["codes"] == {"Overloaded": len(sent_away)}
        # A caller with this answer may send the very same request again, client token and all.
        assert caller.buy()


def test_a_service_that_has_stopped_does_nothing_more_and_says_so(tmp_path: Path) -> None:
    with a_scene(tmp_path) as scene:
        caller = scene.customer()
        commits = scene.commits()

        async def end() -> None:
            await scene.running.scheduler.stop()
            await scene.running.sequencer.close()

        scene.play(end)
        answer = caller.ask(*BUY, order())
        assert (answer.status, answer.code) == (503, "Overloaded")
        assert "stopping" in answer.body["message"]
        assert caller.balance() == "1000.00"
        assert scene.commits() == commits


def test_while_the_store_cannot_write_reads_work_and_writes_say_that_nothing_was_done(
    fresh: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = fresh.customer()
    unit = caller.buy()

    async def full(**_: Any) -> Any:
        raise Unavailable("the store cannot be written: database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(fresh.running.store, "begin", full)
        before = fresh.commits()
        for action, body in (
            ("PurchaseComputeUnit", order()),
            ("ReleaseComputeUnit", {"instanceId": unit}),
            ("AutoReleaseComputeUnit", {"instanceId": unit, "releaseTime": "2030-01-16 00:00:00"}),
        ):
            answer = caller.ask(UNITS, action, body, query="&clientToken=t-1")
            assert (answer.status, answer.code) == (503, "StoreUnavailable")
            assert "Nothing was done" in answer.body["message"]
        assert fresh.operator.refused(CLOCK, "AdvanceClock", {"to": "2030-01-16 00:00:00"}) == "StoreUnavailable"
        assert caller.unit(unit)["status"] == "Running"
        assert caller.balance() == "1000.00"
        assert fresh.commits() == before
    assert caller.do(*BUY, order(), query="&clientToken=t-1")


def test_a_mistake_of_ours_in_one_command_spoils_no_other(
    fresh: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = fresh.customer("100000")
    from leasebook.domain.commands.instance import release

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(release.Release, "decide", broken)
    unit = {"instanceId": caller.buy()}
    calls: list[tuple[str, str, Any]] = [(*BUY, order())] * 3
    answers = at_once(fresh, caller, *calls, (UNITS, "ReleaseComputeUnit", unit), *calls)
    assert [answer.status for answer in answers] == [200, 200, 200, 500, 200, 200, 200]
    assert answers[3].code == "InternalError"
    assert "ZeroDivision" not in answers[3].body["message"]
    assert fresh.operator.free() == 3
    assert check_directory(fresh.directory).findings == []


def test_long_queries_are_not_remembered() -> None:
    before = _short_query.cache_info().currsize
    for number in range(50):
        assert _query(b"Action=x&x=" + str(number).encode() * 1000).action == "x"
    assert _short_query.cache_info().currsize == before
    assert _query(b"Action=DescribeClock").action == "DescribeClock"


def test_answers_to_a_crowd_are_each_for_whom_they_are(fresh: ServiceHarness) -> None:
    callers = [fresh.customer(str(100 + number)) for number in range(12)]
    answers: list[Answer] = []

    async def crowd() -> None:
        calls = [caller.desk.call(ACCOUNT, "DescribeAccount") for caller in callers for _ in range(5)]
        answers.extend(await asyncio.gather(*calls))

    fresh.play(crowd)
    balances = [answer.result["balance"] for answer in answers]
    assert balances == [f"{100 + number}.00" for number in range(12) for _ in range(5)]
    assert len({answer.body["requestId"] for answer in answers}) == 60

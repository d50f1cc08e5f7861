"""Reminders as callers see them: in the event log, each once, while the clock goes on and while it is not looked at."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from leasebook.domain.commands.store.clock import VIRTUAL_NOW
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.values.calendar import Instant, parse_time
from leasebook.store.opening import Target, open_store
from leasebook.store.verify.check import check_store
from tests.api.scene import ACCOUNT, UNITS, Caller, ServiceHarness, a_scene
from tests.contract.batches import write

EVENTS: Final = "/v2/events"
DAY, HOUR = 86_400, 3600
PATIENCE_S: Final = 30.0


def day(text: str) -> str:
    """Return a moment of January 2030 in Shanghai, such as 18 08:00. Each test begins on the 15th at 08:00."""
    date, _, time = text.partition(" ")
    return f"2030-{date if '-' in date else f'01-{date}'}T{time}:00+08:00"


def reminded(caller: Caller, unit: str) -> list[tuple[str, int]]:
    """List the reminders of an instance's end: when each was given, and how many seconds before the end."""
    asked = {"instanceId": unit, "types": ["unit.reminder"], "oldestFirst": True}
    events = caller.do(EVENTS, "DescribeEvents", asked)["events"]
    for event in events:
        assert event["subject"] == unit
        assert set(event["data"]) == {"deadline", "offsetSeconds", "what", "buyerId", "buyerName", "links"}
        assert "userId" not in event["data"]
    return [(event["time"], event["data"]["offsetSeconds"]) for event in events]


ADVANCE, MOVE, RELEASE, RESIZE, SET = "advance", "move", "release", "resize", "set"
RELEASED: Final = day("18 08:00")
STORIES: Final[dict[str, tuple[list[tuple[str, Any]], list[tuple[str, int]]]]] = {
    "left alone": ([(ADVANCE, "19 00:00")], [("17 08:00", DAY), ("18 07:00", HOUR)]),
    "nothing before its time": ([(ADVANCE, "17 07:59")], []),
    "at its time": ([(ADVANCE, "17 08:00")], [("17 08:00", DAY)]),
    "moved to later before the first": (
        [(MOVE, "20 08:00"), (ADVANCE, "21 00:00")],
        [("19 08:00", DAY), ("20 07:00", HOUR)],
    ),
    "moved to later after the first": (
        [(ADVANCE, "17 09:00"), (MOVE, "19 08:00"), (ADVANCE, "20 00:00")],
        [("17 08:00", DAY), ("18 08:00", DAY), ("19 07:00", HOUR)],
    ),
    "moved to earlier": ([(MOVE, "16 00:00"), (ADVANCE, "17 00:00")], [("15 23:00", HOUR)]),
    "moved and moved back": (
        [(ADVANCE, "17 09:00"), (MOVE, "20 08:00"), (MOVE, "18 08:00"), (ADVANCE, "19 00:00")],
        [("17 08:00", DAY), ("18 07:00", HOUR)],
    ),
    "moved and moved back at the very moment": (
        [(ADVANCE, "17 08:00"), (MOVE, "20 08:00"), (MOVE, "18 08:00"), (ADVANCE, "17 10:00")],
        [("17 08:00", DAY)],
    ),
    "cleared": ([(ADVANCE, "17 09:00"), (MOVE, None), (ADVANCE, "19 00:00")], [("17 08:00", DAY)]),
    "cleared and set again": (
        [(ADVANCE, "17 09:00"), (MOVE, None), (MOVE, "18 08:00"), (ADVANCE, "19 00:00")],
        [("17 08:00", DAY), ("18 07:00", HOUR)],
    ),
    "set so soon that one offset has passed": ([(MOVE, "15 20:00"), (ADVANCE, "16 00:00")], [("15 19:00", HOUR)]),
    "set so soon that all have passed": ([(MOVE, "15 08:05"), (ADVANCE, "16 00:00")], []),
    "released early": ([(ADVANCE, "17 09:00"), (RELEASE, None), (ADVANCE, "19 00:00")], [("17 08:00", DAY)]),
    "resized": ([(RESIZE, 3), (ADVANCE, "19 00:00")], [("17 08:00", DAY), ("18 07:00", HOUR)]),
    "the account's setting changed counts from the next deadline": (
        [(SET, [2 * HOUR]), (ADVANCE, "17 09:00"), (MOVE, "18 09:00"), (ADVANCE, "19 00:00")],
        [("17 08:00", DAY), ("18 07:00", 2 * HOUR)],
    ),
    "the account wants none": ([(SET, []), (MOVE, "18 09:00"), (ADVANCE, "19 00:00")], []),
    "the account wanted none and has changed its mind": (
        [
            (SET, []),
            (MOVE, "18 09:00"),
            (SET, [HOUR]),
            (ADVANCE, "17 10:00"),
            (MOVE, "18 08:00"),
            (ADVANCE, "19 00:00"),
        ],
        [("18 07:00", HOUR)],
    ),
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_what_is_said_of_a_release(
    fresh: ServiceHarness, story: tuple[list[tuple[str, Any]], list[tuple[str, int]]]
) -> None:
    steps, expected = story
    customer = fresh.customer("100000")
    unit = customer.buy(release=RELEASED)
    for name, value in steps:
        if name == ADVANCE:
            fresh.advance(day(value))
        elif name == MOVE:
            customer.schedule(unit, None if value is None else day(value))
        elif name == RELEASE:
            customer.release(unit)
        elif name == RESIZE:
            customer.do(UNITS, "ResizeComputeUnit", {"instanceId": unit, "count": value})
        else:
            customer.do(ACCOUNT, "SetReminders", {"beforeSeconds": value})
    assert reminded(customer, unit) == [(day(at), offset) for at, offset in expected]
    assert check_store(fresh.where).findings == []


# A term of a month that began when the service was opened: it ends on 15 February at 08:00.
LAST_DAY, LAST_HOUR = ("02-14 08:00", DAY), ("02-15 07:00", HOUR)
RENEW, BILLING, RULE, FUND = "renew", "billing", "rule", "fund"
TERMS: Final[dict[str, tuple[bool, str, list[tuple[str, Any]], list[tuple[str, int]]]]] = {
    "left alone": (False, "100", [(ADVANCE, "02-20 00:00")], [LAST_DAY, LAST_HOUR]),
    "renewed before": (False, "300", [(RENEW, 1), (ADVANCE, "02-20 00:00")], []),
    "renewed after the first": (
        False,
        "300",
        [(ADVANCE, "02-14 09:00"), (RENEW, 1), (ADVANCE, "03-20 00:00")],
        [LAST_DAY, ("03-14 08:00", DAY), ("03-15 07:00", HOUR)],
    ),
    "renewed when it had stopped": (
        False,
        "300",
        [(ADVANCE, "02-16 08:00"), (RENEW, 1), (ADVANCE, "03-20 00:00")],
        [LAST_DAY, LAST_HOUR, ("03-14 08:00", DAY), ("03-15 07:00", HOUR)],
    ),
    "renewed by itself": (True, "200", [(ADVANCE, "02-20 00:00")], []),
    "not renewed by itself for want of money": (True, "100", [(ADVANCE, "02-20 00:00")], [LAST_DAY, LAST_HOUR]),
    "renewed by itself at the second try": (
        True,
        "100",
        [(ADVANCE, "02-09 00:00"), (FUND, "100"), (ADVANCE, "02-20 00:00")],
        [],
    ),
    "renewed by itself at the very moment of the reminder": (
        True,
        "100",
        [(ADVANCE, "02-13 00:00"), (FUND, "100"), (ADVANCE, "02-20 00:00")],
        [],
    ),
    "a rule that is set takes the reminders back": (
        False,
        "200",
        [(ADVANCE, "02-14 09:00"), (RULE, True), (ADVANCE, "02-20 00:00")],
        [LAST_DAY],
    ),
    "a rule that is taken back lets them be": (
        True,
        "200",
        [(RULE, False), (ADVANCE, "02-20 00:00")],
        [LAST_DAY, LAST_HOUR],
    ),
    "it becomes postpaid at the end of its term": (
        False,
        "10000",
        [(BILLING, "Postpaid"), (ADVANCE, "02-20 00:00")],
        [],
    ),
    "it was to become postpaid and stays": (
        False,
        "10000",
        [(BILLING, "Postpaid"), (ADVANCE, "02-01 00:00"), (BILLING, "Prepaid"), (ADVANCE, "02-20 00:00")],
        [LAST_DAY, LAST_HOUR],
    ),
}


@pytest.mark.parametrize("story", TERMS.values(), ids=TERMS)
def test_what_is_said_of_an_expiry(
    fresh: ServiceHarness, story: tuple[bool, str, list[tuple[str, Any]], list[tuple[str, int]]]
) -> None:
    auto_renew, funds, steps, expected = story
    customer = fresh.customer(funds)
    unit = customer.buy(months=1, **({"autoRenew": True} if auto_renew else {}))
    for name, value in steps:
        if name == ADVANCE:
            fresh.advance(day(value))
        elif name == RENEW:
            customer.do(UNITS, "RenewComputeUnit", {"instanceId": unit, "months": value})
        elif name == FUND:
            fresh.operator.do(ACCOUNT, "TopUpAccount", {"amount": value, "accountId": customer.account_id()})
        elif name == RULE:
            body = {"instanceId": unit, "instanceType": "ComputingUnit"}
            action = "CreateAutoRenewRules" if value else "DeleteAutoRenewRules"
            customer.do(
                "/v2/charge", action, body | ({"autoRenewTimeUnit": "Month", "autoRenewTime": 1} if value else {})
            )
        else:
            months = {"reservation": {"reservationTimeUnit": "Month", "reservationLength": 1}}
            more = months if value == "Prepaid" else {}
            customer.do(UNITS, "ChangeBilling", {"instanceId": unit, "paymentTiming": value, **more})
    assert reminded(customer, unit) == [(day(at), offset) for at, offset in expected]
    assert check_store(fresh.where).findings == []


def test_a_unit_that_stands_still_for_a_debt_is_reminded_of_its_release(fresh: ServiceHarness) -> None:
    customer = fresh.customer("30")
    unit = customer.buy(release=RELEASED)
    fresh.advance(day("18 07:30"))
    assert customer.unit(unit)["status"] == "Stopped"
    assert reminded(customer, unit) == [(day("17 08:00"), DAY), (day("18 07:00"), HOUR)]


DOWN = [
    # The clock when the service comes back, and the reminders given then with their own times. Older ones are left out.
    ("17 07:00", []),
    ("17 12:00", [("17 08:00", DAY)]),
    ("18 07:30", [("18 07:00", HOUR)]),
    ("18 08:00", []),
    ("19 00:00", []),
]


@pytest.mark.parametrize(("back", "expected"), DOWN)
def test_while_the_service_was_down_the_nearest_reminder_is_given_late_and_none_of_what_has_passed(
    opened: Path, tmp_path: Path, back: str, expected: list[tuple[str, int]]
) -> None:
    directory = Path(shutil.copytree(opened, tmp_path / "data"))
    with a_scene(directory) as scene:
        customer = scene.customer("100000")
        unit = customer.buy(release=RELEASED)
        keys = customer.desk.access_key, customer.desk.secret_key
    now = parse_time(day(back), "UTC")
    asyncio.run(_clock_goes_on(directory, now))
    with a_scene(directory) as scene:
        again = Caller(scene.runner, scene.desk.as_user(*keys))
        scene.play(lambda: _caught_up(scene, now))
        assert reminded(again, unit) == [(day(at), offset) for at, offset in expected]
        assert again.unit(unit)["status"] == ("Running" if back < "18 08:00" else "Released")
        # Later reminders come at their times.
        scene.advance(day("20 00:00"))
        later = [(at, offset) for at, offset in [("17 08:00", DAY), ("18 07:00", HOUR)] if at > back]
        assert reminded(again, unit) == [(day(at), offset) for at, offset in [*expected, *later]]
    assert check_store(Target(directory)).findings == []


async def _clock_goes_on(directory: Path, to: Instant) -> None:
    store = open_store(Target(directory))
    await write(store, StoreMetadata(VIRTUAL_NOW, str(to)))
    await store.close()


async def _caught_up(scene: ServiceHarness, now: Instant) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while scene.running.store.ask(lambda ask: ask.due(now, 1)):  # noqa: ASYNC110 - no event marks its end
            await asyncio.sleep(0.01)


# --- the setting -----------------------------------------------------------------------------------------


def test_new_accounts_are_reminded_as_the_operator_says_and_set_it_themselves(shared: ServiceHarness) -> None:
    customer = shared.customer()
    account = customer.account_id()
    assert customer.do(ACCOUNT, "DescribeReminders") == {"accountId": account, "beforeSeconds": [DAY, HOUR]}
    for given, kept in (([60, HOUR, 60], [HOUR, 60]), ([90 * DAY], [90 * DAY]), ([], [])):
        assert customer.do(ACCOUNT, "SetReminders", {"beforeSeconds": given})["beforeSeconds"] == kept
        assert customer.do(ACCOUNT, "DescribeReminders")["beforeSeconds"] == kept


@pytest.mark.parametrize("given", [[59], [90 * DAY + 1], [60] * 9, ["60"], None, 60, [60.5], [-60]])
def test_a_time_that_is_none_sets_nothing(shared: ServiceHarness, given: Any) -> None:
    customer = shared.customer()
    assert customer.field_refused(ACCOUNT, "SetReminders", {"beforeSeconds": given}).startswith("beforeSeconds")
    assert customer.do(ACCOUNT, "DescribeReminders")["beforeSeconds"] == [DAY, HOUR]


def test_only_managers_set_it_all_may_look_and_an_operator_does_both_for_anybody(shared: ServiceHarness) -> None:
    customer = shared.customer()
    other, account = shared.customer(), customer.account_id()
    user = shared.user(customer, "QianfanServiceOperateAccessPolicy")
    assert user.refused(ACCOUNT, "SetReminders", {"beforeSeconds": [60]}) == "AccessDenied"
    assert user.do(ACCOUNT, "DescribeReminders")["beforeSeconds"] == [DAY, HOUR]
    assert other.refused(ACCOUNT, "SetReminders", {"beforeSeconds": [60], "accountId": account}) == "AccessDenied"
    assert other.refused(ACCOUNT, "DescribeReminders", {"accountId": account}) == "AccessDenied"
    shared.operator.do(ACCOUNT, "SetReminders", {"beforeSeconds": [120], "accountId": account})
    assert shared.operator.do(ACCOUNT, "DescribeReminders", {"accountId": account})["beforeSeconds"] == [120]
    nobody: dict[str, Any] = {"accountId": "nobody"}
    assert shared.operator.refused(ACCOUNT, "SetReminders", {"beforeSeconds": [60], **nobody}) == "ResourceNotFound"
    assert shared.operator.refused(ACCOUNT, "DescribeReminders", nobody) == "ResourceNotFound"


@pytest.mark.parametrize(("text", "expected"), [("none", []), ("30m,2d", [2 * DAY, 1800]), ("1h,60m", [HOUR])])
def test_the_operator_says_how_new_accounts_begin(tmp_path: Path, text: str, expected: list[int]) -> None:
    with a_scene(tmp_path, environment={"LEASEBOOK_REMINDERS_BEFORE": text}) as scene:
        assert scene.operator.do(ACCOUNT, "DescribeReminders")["beforeSeconds"] == expected
        assert scene.customer().do(ACCOUNT, "DescribeReminders")["beforeSeconds"] == expected


SPOILED: Final = {
    "its due time": "UPDATE units SET due_at = NULL, due_kind = NULL WHERE remind_at IS NOT NULL",
    "its time": "UPDATE units SET remind_at = remind_at + 1 WHERE remind_at IS NOT NULL",
    "its offsets": "UPDATE units SET remind_before_us = '' WHERE remind_at IS NOT NULL",
    "its past": "UPDATE units SET reminded_at = remind_at WHERE remind_at IS NOT NULL",
    "its deadline": "UPDATE units SET release_at = remind_at WHERE remind_at IS NOT NULL",
}


@pytest.mark.parametrize("change", SPOILED.values(), ids=SPOILED)
def test_the_check_finds_a_reminder_that_belongs_to_nothing(fresh: ServiceHarness, change: str) -> None:
    unit = fresh.customer("100000").buy(release=RELEASED)
    assert check_store(fresh.where).findings == []
    with closing(sqlite3.connect(fresh.directory / "leasebook.db")) as store, store:
        store.execute(change)
    assert any(unit in finding for finding in check_store(fresh.where).findings)

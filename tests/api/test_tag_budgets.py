"""Budgets by tag: counted in the batch of each charge, the same as DescribeCosts, and named by what they refuse."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from leasebook.ports.queries.costs import Span
from leasebook.scheduler.cost_sums import command_of
from leasebook.store.queries.snapshot import snapshot
from leasebook.store.sqlite.store import FILE
from leasebook.store.verify.check import check_store
from tests.api.scene import ACCOUNT, EVENTS, UNITS, Caller, ServiceHarness, order

TAG = "/v2/tag"
SPAN = {"from": "2030-01-01 00:00:00", "to": "2030-02-01 00:00:00"}
VALUES = ("vision", "speech", "自然语言")
WHOLE = {value: {"budget": "1000000"} for value in VALUES}


def limited(caller: Caller, **limits: Any) -> Any:
    """Change limits; returns those after it."""
    return caller.do(ACCOUNT, "SetGuardRails", {"limits": limits})["after"]


def used(caller: Caller) -> Any:
    """Return the charges for the budgets by tag."""
    return caller.do(ACCOUNT, "DescribeGuardRails")["used"]["tagSpend"]


def bought(caller: Caller, value: str | None, **more: Any) -> str:
    """Buy with a tag; returns the instance."""
    tags = {} if value is None else {"tags": {"team": value}}
    return str(caller.do(UNITS, "PurchaseComputeUnit", {**order(**more), **tags})["instanceId"])


def refusal(caller: Caller, action: str, body: Any) -> str:
    """Ask for what a budget refuses; returns the message."""
    answer = caller.ask(UNITS, action, body)
    assert answer.code == "QuotaExceeded", answer.body
    return str(answer.body["message"])


def costs(caller: Caller) -> dict[str, Decimal]:
    """Return what DescribeCosts says of the month by the values of the tag."""
    rows = caller.do(ACCOUNT, "DescribeCosts", {**SPAN, "groupBy": ["tag:team"], "maxKeys": 1000})["costs"]
    return {str(row["group"]["tag:team"]): Decimal(row["billed"]) for row in rows}


def fold(scene: ServiceHarness, groups_max: int) -> None:
    """Add all postings to the sums of costs."""
    with snapshot(scene.where) as ask:
        command = command_of(ask, Span(ask.costs_summed(), ask.posting_edge().last), groups_max)
    assert scene.runner.run(scene.running.sequencer.submit(command))


def test_a_budget_by_tag_refuses_what_exceeds_it_and_names_tag_spending_and_budget(either: ServiceHarness) -> None:
    caller = either.customer("9000")
    limited(caller, tags={"team": {"vision": {"budget": "60", "budgetWarnPercent": [50], "budgetRefusePercent": 100}}})
    unit, free = bought(caller, "vision"), bought(caller, "speech")
    either.advance("2030-01-15T09:00:00+08:00")
    assert used(caller) == {"team": {"vision": "30.00"}}
    events = caller.do(EVENTS, "DescribeEvents", {"types": ["account.budgetCrossed"]})["events"]
    assert [one["data"] for one in events] == [
        {
            "percent": 50,
            "month": "2030-01",
            "spent": "30.00",
            "budget": "60.00",
            "tagKey": "team",
            "tagValue": "vision",
        }
    ]
    dear = {**order(months=1), "tags": {"team": "vision"}}
    assert (
        "The limit budget of the tag team=vision is 60.00 CNY in 2030-01; all that has the tag was charged 30.00, and "
        "this takes 100.00 more." in refusal(caller, "PurchaseComputeUnit", dear)
    )
    quote = caller.do(UNITS, "QuotePurchase", dear)
    assert [one["rule"] for one in quote["verdicts"] if not one["passed"]] == ["spend"]
    for action, body in (
        ("ResizeComputeUnit", {"instanceId": unit, "count": 3}),
        (
            "ChangeBilling",
            {
                "instanceId": unit,
                "paymentTiming": "Prepaid",
                "reservation": {"reservationLength": 1, "reservationTimeUnit": "Month"},
            },
        ),
    ):
        assert "budget of the tag team=vision" in refusal(caller, action, body)
    bought(caller, "speech", months=1)
    bought(caller, None, months=1)
    caller.do(UNITS, "ResizeComputeUnit", {"instanceId": free, "count": 3})
    assert check_store(either.where).findings == []


def test_charges_count_for_the_tags_that_instances_had_then_as_costs_say(either: ServiceHarness) -> None:
    caller = either.customer("90000")
    limited(caller, tags={"team": WHOLE})
    dice = random.Random(22)  # noqa: S311 - a test
    units: list[str] = []
    for step in range(24):
        value = dice.choice(VALUES)
        match dice.randrange(6):
            case 0 | 1:
                units.append(bought(caller, value, **({"months": 1} if step % 5 == 0 else {})))
            case 2 if units:
                caller.do(TAG, "TagResource", {"resourceId": dice.choice(units), "tags": {"team": value}})
            case 3 if units:
                caller.ask(TAG, "UntagResource", {"resourceId": dice.choice(units), "tagKeys": ["team"]})
            case 4 if units:
                caller.ask(UNITS, "ReleaseComputeUnit", {"instanceId": dice.choice(units)})
            case _:
                either.advance(f"2030-01-15T{9 + step // 2:02}:{dice.randrange(60):02}:00+08:00")
    # The end of an hour is charged at the moment in which tags change.
    either.advance("2030-01-16T10:00:00+08:00")
    for unit in units:
        caller.do(TAG, "TagResource", {"resourceId": unit, "tags": {"team": "speech"}})
    either.advance("2030-01-16T11:30:00+08:00")
    shown, found = used(caller)["team"], costs(caller)
    assert {value: Decimal(amount) for value, amount in shown.items()} == {
        value: found.get(value, Decimal(0)) for value in VALUES
    }
    assert sum(map(Decimal, shown.values())) > 0
    assert check_store(either.where).findings == []


@pytest.mark.parametrize("crowded", [False, True])
def test_a_new_budget_counts_what_the_month_has_been_charged_already(either: ServiceHarness, *, crowded: bool) -> None:
    """Part of it is in the sums of costs, part is not; in an account with too many groups the sums know no tags."""
    either.runner.run(either.running.costs.stop())
    caller = either.customer("90000")
    unit = bought(caller, "vision")
    bought(caller, "speech", months=1)
    either.advance("2030-01-15T10:00:00+08:00")
    caller.do(TAG, "TagResource", {"resourceId": unit, "tags": {"team": "speech"}})
    either.advance("2030-01-15T11:00:00+08:00")
    fold(either, 1 if crowded else 100)
    either.advance("2030-01-15T12:00:00+08:00")
    limited(caller, spend="80000")
    limited(caller, tags={"team": {"vision": {"budget": "50", "budgetRefusePercent": 100}}})
    assert used(caller) == {"team": {"vision": "60.00"}}
    limited(caller, tags={"team": {"speech": {"budget": "500"}}})
    assert used(caller) == {"team": {"speech": "160.00", "vision": "60.00"}}
    assert "budget of the tag team=vision" in refusal(
        caller, "PurchaseComputeUnit", {**order(), "tags": {"team": "vision"}}
    )
    assert check_store(either.where).findings == []
    # A new month begins with nothing.
    either.advance("2030-02-01T00:30:00+08:00")
    assert used(caller)["team"]["vision"] == "0.00"


ALL_WRONG: tuple[Any, ...] = (
    {"leasebook:name": {"x": {"budget": "1"}}},
    {"caf\u00e9": {}, "cafe\u0301": {}},
    {"team": {"x": {"budgetWarnPercent": [50]}}},
    {"team": {"x": {"budget": "-1"}}},
    {"team": {f"{number}": {"budget": "1"} for number in range(200)}},
)


def test_budgets_by_tag_are_set_one_by_one_and_words_are_compared_in_one_spelling(
    either_shared: ServiceHarness,
) -> None:
    caller = either_shared.customer()
    one = {"budget": "10.00", "budgetWarnPercent": [50, 90], "budgetRefusePercent": 100}
    assert limited(
        caller, tags={"team": {"vision": one, "speech": {"budget": "5"}}, "cafe\u0301": {"": {"budget": "1"}}}
    )["tags"] == {"team": {"vision": one, "speech": {"budget": "5.00"}}, "caf\u00e9": {"": {"budget": "1.00"}}}
    assert limited(caller, tags={"team": {"vision": {"budget": "7"}}, "caf\u00e9": None})["tags"] == {
        "team": {"vision": {"budget": "7.00"}, "speech": {"budget": "5.00"}}
    }
    assert limited(caller, tags={"team": {"vision": None}}) == {"tags": {"team": {"speech": {"budget": "5.00"}}}}
    for wrong in ALL_WRONG:
        answer = caller.ask(ACCOUNT, "SetGuardRails", {"limits": {"tags": wrong}})
        assert answer.code == "InappropriateJSON", answer.body
    assert limited(caller, tags=None) == {}


def test_check_finds_a_counter_of_a_tag_that_is_wrong(fresh: ServiceHarness) -> None:
    caller = fresh.customer("9000")
    limited(caller, tags={"team": {"vision": {"budget": "600"}}})
    bought(caller, "vision", months=1)
    account = caller.account_id()
    file = fresh.where.directory / FILE
    for text, finding in (
        ('{"team": {"vision": 1}}', "counts 0.000001 in 2030-01 for the tag team=vision"),
        ('{"team": {"vision": 100000000, "speech": 5}}', "the tag team=speech, which has no budget"),
    ):
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("UPDATE guards SET tag_spent = ? WHERE account_id = ?", (text, account))
        assert any(finding in line for line in check_store(fresh.where).findings)

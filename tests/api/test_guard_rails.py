"""Guard rails: each limit refuses on every way into it, and counters follow reserved units and charges."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from leasebook.contract.policies import FULL, OPERATE
from tests.api.scene import (
    ACCOUNT,
    CHARGE,
    IAM,
    RESOURCES,
    SERVICE,
    UNITS,
    Caller,
    ServiceHarness,
    billing_of,
    new_service,
    order,
)

LIMITED = "QuotaExceeded"
QUOTA = "ernie-4.0-8k"


def limit(of: Caller, **limits: Any) -> Any:
    """Give the caller's account limits."""
    return of.do(ACCOUNT, "SetGuardRails", {"limits": limits})


def used(of: Caller) -> Any:
    return of.do(ACCOUNT, "DescribeGuardRails")["used"]


def refusal(of: Caller, path: str, action: str, body: Any) -> str:
    """Call what a limit refuses, and see that nothing changed; returns the message."""
    before = used(of), of.balance(), of.postings()
    answer = of.ask(path, action, body)
    assert answer.code == LIMITED, answer.body
    assert (used(of), of.balance(), of.postings()) == before
    return str(answer.body["message"])


def buying(count: int = 1, **billing: Any) -> tuple[str, str, Any]:
    return UNITS, "PurchaseComputeUnit", order(count=count, **billing)


def replicas(of: Caller) -> tuple[str, str, Any]:
    body = {"serviceId": of.create_service(), "billing": billing_of(), "replicasCount": 3}
    return RESOURCES, "PurchaseComputeUnit", body


def serving(_: Caller) -> tuple[str, str, Any]:
    return SERVICE, "CreateService", new_service(replicasCount=3) | {"billing": billing_of()}


def resizing(of: Caller) -> tuple[str, str, Any]:
    return UNITS, "ResizeComputeUnit", {"instanceId": of.buy(), "count": 3}


def quota(_: Caller) -> tuple[str, str, Any]:
    body = {"model": QUOTA, "purchaseCount": 3, "billing": billing_of()}
    return CHARGE, "PurchaseTPMResource", body


WAYS: dict[str, Callable[[Caller], tuple[str, str, Any]]] = {
    "units": lambda _: buying(3),
    "replicas": replicas,
    "a service": serving,
    "a resize": resizing,
    "quota": quota,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rule", ["units", "userUnits", "userUnits of everybody"])
def test_units_are_limited_whichever_way_they_are_bought(shared: ServiceHarness, way: str, rule: str) -> None:
    customer = shared.customer()
    asked = WAYS[way](customer)
    unit_type = QUOTA if way == "quota" else "gpu-1"
    who = customer.do(IAM, "DescribeUsers")["users"][0]["userId"] if rule == "userUnits" else "*"
    limit(customer, **({"units": {unit_type: 2}} if rule == "units" else {"userUnits": {who: {unit_type: 2}}}))
    message = refusal(customer, *asked)
    assert f"The limit {rule.split(maxsplit=1)[0]} is 2 of {unit_type}" in message
    assert "SetGuardRails" in message
    limit(customer, **({"units": {unit_type: 3}} if rule == "units" else {"userUnits": {who: {unit_type: 3}}}))
    customer.do(*asked)
    assert used(customer)["units"] == {unit_type: 3}


def converting(of: Caller) -> tuple[str, str, Any]:
    return UNITS, "ChangeBilling", {"instanceId": of.buy(), **billing_of(months=1)}


def renewing(of: Caller) -> tuple[str, str, Any]:
    return UNITS, "RenewComputeUnit", {"instanceId": of.buy(months=1), "months": 1}


def growing(of: Caller) -> tuple[str, str, Any]:
    return UNITS, "ResizeComputeUnit", {"instanceId": of.buy(months=1), "count": 2}


SPENDING: dict[str, Callable[[Caller], tuple[str, str, Any]]] = {
    "a term": lambda _: buying(months=1),
    "a first hour": lambda _: buying(4),
    "a renewal": renewing,
    "a change of billing": converting,
    "more units": growing,
    "more metered units": lambda of: (UNITS, "ResizeComputeUnit", {"instanceId": of.buy(), "count": 5}),
}


@pytest.mark.parametrize("way", SPENDING)
@pytest.mark.parametrize("rule", ["spend", "userSpend", "budget"])
def test_spending_is_limited_whatever_it_is_for(shared: ServiceHarness, way: str, rule: str) -> None:
    customer = shared.customer()
    asked = SPENDING[way](customer)
    before = float(customer.do(ACCOUNT, "DescribeAccount")["balance"])

    def set_to(most: float) -> None:
        amount = f"{most:.2f}"
        choices: dict[str, dict[str, Any]] = {
            "spend": {"spend": amount},
            "userSpend": {"userSpend": {"*": amount}},
            "budget": {"budget": f"{2 * most:.2f}", "budgetRefusePercent": 50},
        }
        limit(customer, **choices[rule])

    spent = 1000 - before
    set_to(spent + 99.99)
    assert f"The limit {rule} is {spent + 99.99:.2f}" in refusal(customer, *asked)
    set_to(spent + 120)
    customer.do(*asked)


@pytest.mark.both_stores
def test_a_renewal_by_rule_that_a_limit_refuses_is_tried_again(either: ServiceHarness) -> None:
    customer = either.customer()
    customer.buy(months=1, autoRenew=True, autoRenewTimeUnit="Month", autoRenewTime=1)
    limit(customer, spend="50")
    either.advance("2030-02-09T08:00:00+08:00")
    assert customer.balance() == "900.00"
    limit(customer, spend="100")
    either.advance("2030-02-13T08:00:00+08:00")
    assert customer.balance() == "800.00"


def test_what_ends_shrinks_or_is_given_back_is_counted_no_more(either: ServiceHarness) -> None:
    customer = either.customer()
    limit(customer, units={"gpu-1": 4})
    unit = customer.buy(count=4)
    assert used(customer)["units"] == {"gpu-1": 4}
    customer.do(UNITS, "ResizeComputeUnit", {"instanceId": unit, "count": 1})
    assert used(customer)["units"] == {"gpu-1": 1}
    customer.buy(count=3, release="2030-01-15T09:00:00+08:00")
    either.advance("2030-01-15T09:00:00+08:00")
    assert used(customer)["units"] == {"gpu-1": 1}
    customer.release(unit)
    assert (used(customer)["units"], used(customer)["userUnits"]) == ({}, {})


def test_limits_below_reserved_units_end_nothing_and_let_nothing_be_added(either: ServiceHarness) -> None:
    customer = either.customer()
    unit = customer.buy(count=5)
    limit(customer, units={"gpu-1": 2})
    assert customer.unit(unit)["status"] == "Running"
    assert used(customer)["units"] == {"gpu-1": 5}
    assert "the account holds 5" in refusal(customer, *buying())
    customer.do(UNITS, "ResizeComputeUnit", {"instanceId": unit, "count": 1})
    customer.buy()


@pytest.mark.parametrize(
    ("zone", "first"), [("Asia/Shanghai", "2030-02-01T00:00:00+08:00"), ("UTC", "2030-02-01T08:00:00+08:00")]
)
def test_the_month_is_that_of_the_accounts_zone_and_late_charges_of_the_last_one_do_not_count(
    either: ServiceHarness, zone: str, first: str
) -> None:
    made = either.operator.do(IAM, "CreateAccount", {"name": "zoned", "timeZone": zone})
    either.operator.do(ACCOUNT, "TopUpAccount", {"amount": "5000", "accountId": made["accountId"]})
    customer = either.caller(made)
    limit(customer, spend="150")
    customer.buy(months=1)
    assert (used(customer)["month"], used(customer)["spend"]) == ("2030-01", "100.00")
    before = {"Asia/Shanghai": "2030-01-31T23:59:59+08:00", "UTC": "2030-02-01T07:59:59+08:00"}[zone]
    either.advance(before)
    refusal(customer, *buying(months=1))
    either.advance(first)
    # Nothing was charged since: the month is another one all the same.
    assert (used(customer)["month"], used(customer)["spend"]) == ("2030-02", "0.00")
    customer.buy(months=1)
    assert used(customer)["spend"] == "100.00"


def test_the_release_of_a_leased_instance_is_near_and_given_where_none_is(either: ServiceHarness) -> None:
    customer = either.customer()
    limit(customer, releaseMaxSeconds=7200, releaseDefaultSeconds=3600, endRequired=True)
    unit = customer.buy()
    assert customer.unit(unit)["releaseTime"] == "2030-01-15T09:00:00+08:00"
    message = refusal(customer, *buying(release="2030-01-15T10:00:01+08:00"))
    assert "releaseMaxSeconds allows an end until 2030-01-15T10:00:00+08:00" in message
    clear = {"instanceId": unit, "releaseTime": None}
    assert "endRequired" in refusal(customer, UNITS, "AutoReleaseComputeUnit", clear)
    far = {"instanceId": unit, "releaseTime": "2030-01-15T11:00:00+08:00"}
    assert "releaseMaxSeconds" in refusal(customer, UNITS, "AutoReleaseComputeUnit", far)
    paid = customer.buy(months=1)
    turning = {"instanceId": paid, "paymentTiming": "Postpaid"}
    limit(customer, releaseMaxSeconds=None, releaseDefaultSeconds=None)
    assert "endRequired" in refusal(customer, UNITS, "ChangeBilling", turning)
    assert "endRequired" in refusal(customer, *buying())


def test_who_may_move_a_release_to_later_and_how_often(either: ServiceHarness) -> None:
    root = either.customer()
    buyer, colleague, manager = either.user(root, OPERATE), either.user(root, OPERATE), either.user(root, FULL)
    unit = buyer.buy(release="2030-01-15T09:00:00+08:00")

    def moves(who: Caller, hour: int) -> str:
        body = {"instanceId": unit, "releaseTime": f"2030-01-15T{hour:02}:00:00+08:00"}
        answer = who.ask(UNITS, "AutoReleaseComputeUnit", body)
        return "moved" if answer.status == 200 else str(answer.body["message"])

    limit(root, extendBy="buyer", extensionsMax=2)
    assert "extendBy" in moves(colleague, 10)
    assert [moves(buyer, hour) for hour in (10, 11)] == ["moved", "moved"]
    assert "extensionsMax is 2, and it was moved 2 times." in moves(buyer, 12)
    assert moves(buyer, 10) == "moved", "to sooner is no extension"
    assert moves(manager, 12) == "moved"
    limit(root, extendBy="managers")
    assert "extendBy" in moves(buyer, 13)
    assert moves(manager, 13) == "moved"


def test_a_quote_shows_each_limit_that_the_purchase_would_meet(either: ServiceHarness) -> None:
    customer = either.customer()
    limit(customer, units={"gpu-1": 1}, spend="10", endRequired=True)

    def verdicts(body: Any) -> set[str]:
        quote = customer.do(UNITS, "QuotePurchase", body)
        return {check["rule"] for check in quote["verdicts"] if not check["passed"]}

    assert verdicts(order(count=2)) >= {"end", "units", "spend"}
    assert verdicts(order(count=1, months=1)) == {"spend"}


def test_operators_set_any_accounts_limits_and_others_only_their_own(either: ServiceHarness) -> None:
    customer, other = either.customer(), either.customer()
    theirs = {"accountId": customer.account_id(), "limits": {"units": {"gpu-1": 0}}}
    assert other.refused(ACCOUNT, "SetGuardRails", theirs) == "AccessDenied"
    assert other.refused(ACCOUNT, "DescribeGuardRails", {"accountId": customer.account_id()}) == "AccessDenied"
    either.operator.do(ACCOUNT, "SetGuardRails", theirs)
    refusal(customer, *buying())
    other.buy()
    assert other.do(ACCOUNT, "DescribeGuardRails")["limits"] == {}
    nobody = {"accountId": "nobody", "limits": {}}
    assert either.operator.refused(ACCOUNT, "SetGuardRails", nobody) == "ResourceNotFound"


def limits_of(of: Caller) -> Any:
    return of.do(ACCOUNT, "DescribeGuardRails")["limits"]


def test_a_limit_that_is_not_named_stays(either: ServiceHarness) -> None:
    customer = either.customer()
    quotas = {"units": {"gpu-1": 20, "cpu": 5}, "userUnits": {"*": {"gpu-1": 4}}, "extendBy": "buyer"}
    limit(customer, **quotas)
    limit(customer, budget="4000", budgetWarnPercent=[50, 80])
    assert limits_of(customer) == quotas | {"budget": "4000.00", "budgetWarnPercent": [50, 80]}
    limit(customer)
    assert limits_of(customer) == quotas | {"budget": "4000.00", "budgetWarnPercent": [50, 80]}


def test_null_clears_what_is_named_and_entries_change_one_by_one(either_shared: ServiceHarness) -> None:
    customer = either_shared.customer()
    limit(customer, units={"gpu-1": 20, "cpu": 5}, userUnits={"*": {"gpu-1": 4, "cpu": 2}, "u": {"cpu": 1}}, spend="9")
    limit(customer, units={"cpu": None, "gpu-2": 7}, userUnits={"*": {"cpu": None}, "u": None}, spend=None)
    assert limits_of(customer) == {"units": {"gpu-1": 20, "gpu-2": 7}, "userUnits": {"*": {"gpu-1": 4}}}
    limit(customer, units=None, userUnits={"*": {"gpu-1": None}}, userSpend={"*": "5", "u": "6"})
    assert limits_of(customer) == {"userSpend": {"*": "5.00", "u": "6.00"}}
    limit(customer, userSpend={"u": None}, endRequired=True, extensionsMax=0, releaseMaxSeconds=60)
    limit(customer, endRequired=None, extensionsMax=None, releaseMaxSeconds=None)
    assert limits_of(customer) == {"userSpend": {"*": "5.00"}}
    customer.do(ACCOUNT, "SetGuardRails", {"limits": None})
    assert limits_of(customer) == {}


def test_replace_clears_what_is_not_named_and_the_answer_shows_before_and_after(either_shared: ServiceHarness) -> None:
    customer = either_shared.customer()
    both = {"units": {"gpu-1": 20, "cpu": 5}, "spend": "9.00"}
    first = limit(customer, **both)
    assert (first["before"], first["after"], first["limits"]) == ({}, both, both)
    body = {"limits": {"units": {"gpu-1": 3}}, "replace": True}
    second = customer.do(ACCOUNT, "SetGuardRails", body, query="&clientToken=two")
    assert (second["before"], second["after"]) == (both, {"units": {"gpu-1": 3}})
    assert limits_of(customer) == second["limits"] == {"units": {"gpu-1": 3}}
    limit(customer, spend="1")
    assert customer.do(ACCOUNT, "SetGuardRails", body, query="&clientToken=two") == second
    third = customer.do(ACCOUNT, "SetGuardRails", {"limits": {}, "replace": False})
    assert third["before"] == third["after"] == {"units": {"gpu-1": 3}, "spend": "1.00"}
    assert customer.do(ACCOUNT, "SetGuardRails", {"limits": None, "replace": True})["after"] == {}


def test_changes_at_once_lose_nothing(either: ServiceHarness) -> None:
    customer = either.customer()

    async def scene() -> None:
        bodies = [{"limits": {"units": {f"type-{number}": number}}} for number in range(12)]
        await asyncio.gather(*(customer.desk.call(ACCOUNT, "SetGuardRails", body) for body in bodies))

    either.play(scene)
    assert limits_of(customer) == {"units": {f"type-{number}": number for number in range(12)}}


def test_a_budget_goes_with_its_parts_and_they_need_it(either_shared: ServiceHarness) -> None:
    customer = either_shared.customer()
    alone = {"limits": {"budgetWarnPercent": [50]}}
    assert customer.field_refused(ACCOUNT, "SetGuardRails", alone) == "limits.budget"
    limit(customer, budget="10", budgetRefusePercent=100, budgetWarnPercent=[50], spend="7")
    kept = {"limits": {"budget": None, "budgetWarnPercent": [60]}}
    assert customer.field_refused(ACCOUNT, "SetGuardRails", kept) == "limits.budget"
    limit(customer, budget=None)
    assert limits_of(customer) == {"spend": "7.00"}


def test_a_misspelt_limit_changes_nothing_and_the_right_name_is_given(either_shared: ServiceHarness) -> None:
    customer = either_shared.customer()
    limit(customer, units={"gpu-1": 20})
    answer = customer.ask(ACCOUNT, "SetGuardRails", {"limits": {"unit": {"gpu-1": 4}}})
    assert answer.code == "InappropriateJSON"
    assert "Did you mean 'units'?" in answer.body["message"]
    assert answer.body["message"].endswith("param[limits.unit]")
    assert limits_of(customer) == {"units": {"gpu-1": 20}}


def test_limits_name_no_more_than_a_thousand_whoever_adds_them(either_shared: ServiceHarness) -> None:
    customer = either_shared.customer()
    limit(customer, units={f"type-{number}": 1 for number in range(1000)})
    more = {"limits": {"units": {"one-more": 1}}}
    assert customer.field_refused(ACCOUNT, "SetGuardRails", more) == "limits.units"
    limit(customer, units={"type-0": None, "one-more": 1})


def test_the_same_token_sets_limits_once(either: ServiceHarness) -> None:
    customer = either.customer()
    body = {"limits": {"units": {"gpu-1": 1}}}
    first = customer.do(ACCOUNT, "SetGuardRails", body, query="&clientToken=one")
    limit(customer, units={"gpu-1": 2})
    assert customer.do(ACCOUNT, "SetGuardRails", body, query="&clientToken=one") == first
    assert customer.do(ACCOUNT, "DescribeGuardRails")["limits"] == {"units": {"gpu-1": 2}}
    other = customer.ask(ACCOUNT, "SetGuardRails", {"limits": {}}, query="&clientToken=one")
    assert other.code == "IdempotentParameterMismatch"


def test_a_quote_from_before_the_limit_buys_nothing_beyond_it(either: ServiceHarness) -> None:
    customer = either.customer()
    quote = customer.do(UNITS, "QuotePurchase", order(count=2) | {"hold": True})
    limit(customer, units={"gpu-1": 1})
    refusal(customer, UNITS, "PurchaseComputeUnit", order(count=2) | {"quoteId": quote["quoteId"]})
    limit(customer, units={"gpu-1": 2})
    customer.do(UNITS, "PurchaseComputeUnit", order(count=2) | {"quoteId": quote["quoteId"]})


BUYERS, MOST, ROUNDS = 64, 20, 8


@pytest.mark.parametrize("rule", ["units", "spend"])
def test_a_burst_gets_exactly_what_the_limit_leaves(fresh: ServiceHarness, rule: str) -> None:
    fresh.sell(stock=1000)
    for _ in range(ROUNDS):
        customer = fresh.customer("100000")
        limit(customer, **({"units": {"gpu-1": MOST}} if rule == "units" else {"spend": str(100 * MOST)}))
        outcomes: list[str] = []

        async def scene(customer: Caller = customer, outcomes: list[str] = outcomes) -> None:
            calls = (customer.desk.call(*buying(months=1)) for _ in range(BUYERS))
            answers = await asyncio.gather(*calls)
            outcomes.extend("ok" if answer.status == 200 else answer.code for answer in answers)

        fresh.play(scene)
        assert (outcomes.count("ok"), outcomes.count(LIMITED)) == (MOST, BUYERS - MOST)
        assert used(customer)["units"] == {"gpu-1": MOST}
        assert used(customer)["spend"] == f"{100 * MOST}.00"
        if rule == "units":
            fresh.sell(stock=1000 + MOST * ROUNDS)

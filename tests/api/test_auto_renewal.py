"""Auto-renew rules: making, listing and deleting them, and what they do when a term runs out (decision 13)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.scene import ACCOUNT, CHARGE, UNITS, Caller, ServiceHarness

RULE = {"instanceType": "ComputingUnit"}
BY_MISTAKE = pytest.mark.parametrize("action", ["CreateAutoRenewRules", "AutoReleaseComputeUnit"])
"""The Python client's function for rules sends the second name, with an instanceType (decision 4)."""


def rules(caller: Caller, **wanted: Any) -> list[Any]:
    """List the rules."""
    return list(caller.do(CHARGE, "DescribeAutoRenewRules", wanted)["rules"])


def shown(caller: Caller, unit: str) -> tuple[str, str]:
    """Return the status of an instance and the day on which its term ends."""
    found = caller.unit(unit)
    return found["status"], found["expiredTime"][:10]


@BY_MISTAKE
def test_a_rule_renews_an_instance_a_week_before_its_term_ends(either: ServiceHarness, action: str) -> None:
    caller = either.customer()
    unit = caller.buy(months=1)
    months = {"autoRenewTimeUnit": "Month", "autoRenewTime": 2}
    assert caller.do(CHARGE, action, {"instanceId": unit, **RULE, **months}) is True
    assert rules(caller) == [
        {
            "instanceId": unit,
            "instanceType": "ComputingUnit",
            "autoRenewTimeUnit": "Month",
            "autoRenewTime": 2,
            "status": "Running",
            "expiredTime": "2030-02-15T08:00:00+08:00",
            "nextTryTime": "2030-02-08T08:00:00+08:00",
        }
    ]
    either.advance("2030-02-08 07:59:59")
    assert caller.balance() == "900.00"
    either.advance("2030-02-08 08:00:00")
    assert caller.balance() == "700.00"
    assert shown(caller, unit) == ("Running", "2030-04-15")
    (rule,) = rules(caller, instanceId=unit)
    assert rule["nextTryTime"] == "2030-04-08T08:00:00+08:00"
    (order,) = caller.do(ACCOUNT, "DescribeOrders", {"kind": "Renewal"})["orders"]
    assert (order["instanceId"], order["months"], order["amount"]) == (unit, 2, "200.00")
    either.advance("2030-06-08 08:00:00")
    assert shown(caller, unit) == ("Running", "2030-08-15")
    assert caller.balance() == "300.00"


def test_a_rule_can_come_with_the_purchase(either: ServiceHarness) -> None:
    caller = either.customer()
    unit = caller.buy(months=1, autoRenew=True, autoRenewTime=3)
    caller.buy(months=1)
    assert [(rule["instanceId"], rule["autoRenewTime"]) for rule in rules(caller)] == [(unit, 3)]
    either.advance("2030-02-08 08:00:00")
    assert shown(caller, unit) == ("Running", "2030-05-15")


def fund(scene: ServiceHarness, caller: Caller, amount: str) -> None:
    """Put money on the account of a caller."""
    scene.operator.do(ACCOUNT, "TopUpAccount", {"amount": amount, "accountId": caller.account_id()})


@pytest.mark.parametrize(
    ("topped_up", "next_try"),
    [
        ("2030-02-08T08:00:01", "2030-02-12T08:00:00"),
        ("2030-02-12T08:00:01", "2030-02-14T08:00:00"),
        ("2030-02-14T08:00:01", "2030-02-15T08:00:00"),
        ("2030-02-15T08:00:00", "2030-02-16T08:00:00"),
        ("2030-02-20T09:00:00", "2030-02-21T08:00:00"),
        ("2030-02-22T07:59:59", None),
    ],
)
def test_a_renewal_that_could_not_be_paid_is_made_as_soon_as_the_balance_allows(
    either: ServiceHarness, topped_up: str, next_try: str | None
) -> None:
    caller = either.customer("100")
    unit = caller.buy(months=1, autoRenew=True)
    either.advance(f"{topped_up}+08:00")
    assert rules(caller)[0].get("nextTryTime") == (None if next_try is None else f"{next_try}+08:00")
    fund(either, caller, "99.999999")
    assert caller.balance() == "99.999999"
    fund(either, caller, "0.000001")
    assert caller.balance() == "0.00"
    assert caller.postings()[-1]["time"] == f"{topped_up}+08:00"
    assert shown(caller, unit) == ("Running", "2030-03-15")
    assert rules(caller)[0]["nextTryTime"] == "2030-03-08T08:00:00+08:00"


def test_a_renewal_is_tried_every_day_after_the_end_so_that_a_lower_price_or_limit_is_seen(
    either: ServiceHarness,
) -> None:
    caller = either.customer("150")
    unit = caller.buy(months=1, autoRenew=True)
    either.advance("2030-02-17 08:00:00")
    assert shown(caller, unit)[0] == "Stopped"
    either.operator.do("/v2/catalog", "SetOffering", {"region": "bj", "type": "gpu-1", "pricePerMonth": "50"})
    either.advance("2030-02-18 07:59:59")
    assert shown(caller, unit)[0] == "Stopped"
    either.advance("2030-02-18 08:00:00")
    assert (shown(caller, unit), caller.balance()) == (("Running", "2030-03-15"), "0.00")


def test_a_rule_for_a_stopped_instance_renews_it_at_once_where_there_is_money(either: ServiceHarness) -> None:
    caller = either.customer("200")
    unit = caller.buy(months=1)
    either.advance("2030-02-16 00:00:00")
    caller.do(CHARGE, "CreateAutoRenewRules", {"instanceId": unit, **RULE})
    assert (shown(caller, unit), caller.balance()) == (("Running", "2030-03-15"), "0.00")


def test_what_would_be_over_before_it_began_is_not_renewed_by_a_rule(either: ServiceHarness) -> None:
    caller = either.customer("150")
    unit = caller.buy(months=1)
    either.advance("2030-02-16 00:00:00")
    caller.do(CHARGE, "CreateAutoRenewRules", {"instanceId": unit, **RULE})
    assert rules(caller)[0]["nextTryTime"] == "2030-02-16T08:00:00+08:00"
    assert shown(caller, unit)[0] == "Stopped"
    caller.do(CHARGE, "DeleteAutoRenewRules", {"instanceId": unit})
    fund(either, caller, "50")
    assert (shown(caller, unit)[0], caller.balance()) == ("Stopped", "100.00")


@pytest.mark.parametrize("waits", ["at its try", "for money, and runs", "for money, and is stopped"])
def test_of_two_that_are_due_at_one_moment_the_older_one_is_renewed(fresh: ServiceHarness, waits: str) -> None:
    caller = fresh.customer("1050")
    units = [caller.buy(months=1, autoRenew=True) for _ in range(10)]
    if waits == "at its try":
        fund(fresh, caller, "300")
        fresh.advance("2030-02-08 08:00:00")
    else:
        fresh.advance("2030-02-09 00:00:00" if waits.endswith("runs") else "2030-02-16 00:00:00")
        fund(fresh, caller, "300")
    renewed = [unit for unit in units if shown(caller, unit)[1] == "2030-03-15"]
    assert renewed == units[:3]


@BY_MISTAKE
def test_a_rule_does_not_undo_that_an_instance_becomes_postpaid(either: ServiceHarness, action: str) -> None:
    caller = either.customer()
    unit = caller.buy(months=1)
    caller.do(UNITS, "ChangeBilling", {"instanceId": unit, "paymentTiming": "Postpaid"})
    answer = caller.ask(CHARGE, action, {"instanceId": unit, **RULE})
    assert answer.code == "InvalidState"
    assert "becomes postpaid when its term ends" in answer.body["message"]
    either.advance("2030-02-15 08:00:00")
    assert caller.unit(unit)["paymentTiming"] == "Postpaid"


def test_a_renewal_that_is_never_paid_ends_with_the_term(either: ServiceHarness) -> None:
    caller = either.customer("199.999999")
    unit = caller.buy(months=1, autoRenew=True)
    either.advance("2030-02-15 08:00:00")
    assert shown(caller, unit) == ("Stopped", "2030-02-15")
    assert rules(caller)[0]["nextTryTime"] == "2030-02-16T08:00:00+08:00"
    either.advance("2030-02-22 08:00:00")
    assert caller.unit(unit)["status"] == "Released"
    fund(either, caller, "1000")
    assert caller.balance() == "1099.999999"
    assert rules(caller) == []


def test_a_rule_goes_on_after_a_stopped_instance_was_renewed_by_hand(either: ServiceHarness) -> None:
    caller = either.customer("150")
    unit = caller.buy(months=1)
    either.advance("2030-02-16 00:00:00")
    caller.do(CHARGE, "CreateAutoRenewRules", {"instanceId": unit, **RULE})
    either.operator.do("/v2/catalog", "SetOffering", {"region": "bj", "type": "gpu-1", "pricePerMonth": "50"})
    caller.do(UNITS, "RenewComputeUnit", {"instanceId": unit, "months": 1})
    fund(either, caller, "50")
    assert rules(caller)[0]["nextTryTime"] == "2030-03-08T08:00:00+08:00"
    either.advance("2030-03-08 08:00:00")
    assert shown(caller, unit) == ("Running", "2030-04-15")


def test_a_renewal_by_hand_moves_the_next_try(either: ServiceHarness) -> None:
    caller = either.customer()
    unit = caller.buy(months=1, autoRenew=True)
    caller.do(UNITS, "RenewComputeUnit", {"instanceId": unit, "months": 2})
    assert rules(caller)[0]["nextTryTime"] == "2030-04-08T08:00:00+08:00"
    either.advance("2030-04-08 07:59:59")
    assert caller.balance() == "700.00"


def test_what_is_not_for_sale_by_the_month_any_more_is_not_renewed_and_a_new_price_is_paid(
    either: ServiceHarness,
) -> None:
    caller = either.customer()
    unit = caller.buy(months=1, autoRenew=True)
    either.operator.do("/v2/catalog", "SetOffering", {"region": "bj", "type": "gpu-1", "pricePerMonth": "250.000001"})
    either.advance("2030-02-10 00:00:00")
    assert shown(caller, unit) == ("Running", "2030-03-15")
    assert caller.balance() == "649.999999"


# --- making, listing, deleting ---------------------------------------------------------------------------


def test_rules_are_listed_a_page_at_a_time_in_the_order_of_the_purchases(either: ServiceHarness) -> None:
    caller = either.customer()
    units = [caller.buy(months=1, autoRenew=number != 2) for number in range(5)]
    either.customer().buy(months=1, autoRenew=True)
    wanted = [unit for number, unit in enumerate(units) if number != 2]
    assert [rule["instanceId"] for rule in rules(caller)] == wanted
    pages = caller.pages(CHARGE, "DescribeAutoRenewRules", {"maxKeys": 3})
    assert {page["maxKeys"] for page in pages} == {3}
    assert [[rule["instanceId"] for rule in page["rules"]] for page in pages] == [wanted[:3], wanted[3:]]
    assert rules(caller, instanceId=units[2]) == []
    assert [rule["instanceId"] for rule in rules(caller, instanceId=units[3])] == [units[3]]
    assert caller.refused(CHARGE, "DescribeAutoRenewRules", {"marker": "x"}) == "InvalidMarker"
    nowhere = {"instanceId": "unit-nowhere0"}
    assert caller.refused(CHARGE, "DescribeAutoRenewRules", nowhere) == "InstanceNotFound"


@pytest.mark.parametrize("more", [{}, RULE])
def test_a_deleted_rule_does_nothing_more(either: ServiceHarness, more: Any) -> None:
    caller = either.customer()
    unit = caller.buy(months=1, autoRenew=True)
    assert caller.do(CHARGE, "DeleteAutoRenewRules", {"instanceId": unit, **more}) is True
    assert rules(caller) == []
    assert caller.refused(CHARGE, "DeleteAutoRenewRules", {"instanceId": unit, **more}) == "InvalidState"
    either.advance("2030-02-15 08:00:00")
    assert shown(caller, unit) == ("Stopped", "2030-02-15")
    assert caller.balance() == "900.00"


def test_a_second_rule_takes_the_place_of_the_first(either: ServiceHarness) -> None:
    caller = either.customer()
    unit = caller.buy(months=1, autoRenew=True, autoRenewTime=6)
    assert caller.do(CHARGE, "CreateAutoRenewRules", {"instanceId": unit, **RULE}) is True
    assert [rule["autoRenewTime"] for rule in rules(caller)] == [1]


@BY_MISTAKE
def test_what_has_no_term_gets_no_rule_and_keeps_its_release_time(either: ServiceHarness, action: str) -> None:
    caller = either.customer()
    either.sell_quota()
    unit = caller.buy(release="2030-01-20 00:00:00")
    quota = caller.buy_quota(release="2030-01-20 00:00:00")
    assert caller.refused(CHARGE, action, {"instanceId": unit, **RULE}) == "OperationNotSupported"
    tpm = {"instanceId": quota, "instanceType": "TPM"}
    assert caller.refused(CHARGE, action, tpm) == "OperationNotSupported"
    assert caller.field_refused(CHARGE, action, {**tpm, "instanceId": unit}) == "instanceType"
    assert caller.field_refused(CHARGE, action, {**RULE, "instanceId": quota}) == "instanceType"
    assert caller.field_refused(CHARGE, action, {**RULE, "instanceId": unit, "autoRenewTime": 7}) == "autoRenewTime"
    year = {**RULE, "instanceId": unit, "autoRenewTimeUnit": "Year"}
    assert caller.field_refused(CHARGE, action, year) == "autoRenewTimeUnit"
    assert caller.unit(unit)["releaseTime"] == "2030-01-20T00:00:00+08:00"
    assert caller.quota(quota)["releaseTime"] == "2030-01-20T00:00:00+08:00"
    assert caller.refused(CHARGE, "DeleteAutoRenewRules", {"instanceId": unit}) == "OperationNotSupported"

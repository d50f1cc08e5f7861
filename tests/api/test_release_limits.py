"""Limits on release times hold whichever way an instance would live longer; and ending earlier is never refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from leasebook.contract.policies import FULL, OPERATE
from tests.api.scene import ACCOUNT, UNITS, Caller, ServiceHarness, billing_of
from tests.api.test_guard_rails import LIMITED, limit

SOON, LATER, FAR = "2030-01-15T09:00:00+08:00", "2030-01-15T10:00:00+08:00", "2030-06-15T08:00:00+08:00"


def change(caller: Caller, unit: str, **billing: Any) -> Any:
    return caller.ask(UNITS, "ChangeBilling", {"instanceId": unit, **billing_of(**billing)})


def move(caller: Caller, unit: str, to: str | None) -> Any:
    return caller.ask(UNITS, "AutoReleaseComputeUnit", {"instanceId": unit, "releaseTime": to})


def renew(caller: Caller, unit: str) -> Any:
    return caller.ask(UNITS, "RenewComputeUnit", {"instanceId": unit, "months": 1})


LONGER: dict[str, Callable[[Caller, str], Any]] = {
    "to later": lambda caller, unit: move(caller, unit, LATER),
    "to no time": lambda caller, unit: move(caller, unit, None),
    "to be paid in advance": lambda caller, unit: change(caller, unit, months=1),
}


@pytest.mark.parametrize("way", LONGER)
@pytest.mark.parametrize("rule", [{"extendBy": "managers"}, {"extendBy": "buyer"}, {"extensionsMax": 0}])
def test_whoever_may_not_move_a_release_to_later_gets_there_no_other_way(
    shared: ServiceHarness, way: str, rule: dict[str, Any]
) -> None:
    root = shared.customer()
    buyer, colleague, manager = shared.user(root, OPERATE), shared.user(root, OPERATE), shared.user(root, FULL)
    unit = buyer.buy(release=SOON)
    limit(root, **rule)
    who = colleague if rule == {"extendBy": "buyer"} else buyer
    answer = LONGER[way](who, unit)
    assert answer.code == LIMITED, answer.body
    assert next(iter(rule)) in answer.body["message"]
    assert buyer.unit(unit)["releaseTime"] == SOON
    assert LONGER[way](manager, unit).status == 200


def test_a_change_of_billing_counts_as_a_move_to_later_and_is_bound_by_the_longest_time(either: ServiceHarness) -> None:
    root = either.customer()
    buyer = either.user(root, OPERATE)
    unit = buyer.buy(release=SOON)
    limit(root, releaseMaxSeconds=30 * 86400, extensionsMax=1)
    refused = change(buyer, unit, months=1)
    assert refused.code == LIMITED
    assert "releaseMaxSeconds allows an end until 2030-02-14T08:00:00+08:00" in refused.body["message"]
    limit(root, releaseMaxSeconds=31 * 86400, extensionsMax=1)
    assert change(buyer, unit, months=1).result["droppedReleaseTime"] == SOON
    # An instance that gave up its release time lives on under the same limits, prepaid and postpaid.
    assert "extensionsMax" in change(buyer, unit).body["message"]
    limit(root, releaseMaxSeconds=58 * 86400)
    assert "releaseMaxSeconds" in renew(buyer, unit).body["message"]
    limit(root, releaseMaxSeconds=59 * 86400, extensionsMax=1)
    assert "extensionsMax is 1, and it was moved 1 time." in renew(buyer, unit).body["message"]
    limit(root, releaseMaxSeconds=59 * 86400, extensionsMax=2)
    assert renew(buyer, unit).status == 200
    assert renew(buyer, unit).code == LIMITED


def test_a_rule_renews_nothing_that_its_buyer_could_not(either: ServiceHarness) -> None:
    root = either.customer()
    buyer = either.user(root, OPERATE)
    unit, never = buyer.buy(release=SOON), buyer.buy(months=1, autoRenew=True)
    change(buyer, unit, months=1, autoRenew=True)
    limit(root, extendBy="managers")
    either.advance("2030-02-15 08:00:00")
    assert buyer.unit(unit)["status"] == "Stopped"
    assert buyer.unit(never)["status"] == "Running", "it never had a release time"
    assert renew(buyer, unit).code == LIMITED
    assert renew(root, unit).status == 200


def test_a_release_that_is_too_far_away_by_now_can_come_nearer_step_by_step(either: ServiceHarness) -> None:
    customer = either.customer()
    unit = customer.buy(release=FAR)
    limit(customer, releaseMaxSeconds=3600, endRequired=True)
    nearer = "2030-05-15T08:00:00+08:00"
    assert move(customer, unit, nearer).status == 200
    assert customer.unit(unit)["releaseTime"] == nearer
    assert move(customer, unit, nearer).status == 200
    assert move(customer, unit, FAR).code == LIMITED
    assert change(customer, unit, months=1).status == 200, "the term ends earlier"


def test_without_limits_a_release_is_given_up_freely_and_one_that_never_was_is_none(either: ServiceHarness) -> None:
    customer = either.customer()
    assert "droppedReleaseTime" not in change(customer, customer.buy(), months=1).result
    unit = customer.buy(release=SOON)
    change(customer, unit, months=1)
    assert [renew(customer, unit).status, change(customer, unit).status] == [200, 200]
    described = customer.do(ACCOUNT, "DescribeGuardRails")
    assert described["limits"] == {}

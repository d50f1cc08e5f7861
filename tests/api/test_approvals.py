"""Purchases that need an approval: kept as requests, decided once, and made by the command that was refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest

from leasebook.contract.policies import OPERATE
from tests.api.scene import (
    ACCOUNT,
    CHARGE,
    EVENTS,
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

NEEDED: Final = "ApprovalNeeded"
QUOTA: Final = "ernie-4.0-8k"
DAY = 86_400


def limit(of: Caller, **needs: Any) -> None:
    """Have purchases of the caller's account need an approval."""
    of.do(ACCOUNT, "SetGuardRails", {"limits": {"needsApproval": needs}})


def ask(of: Caller, path: str = UNITS, action: str = "PurchaseComputeUnit", body: Any = None) -> str:
    """Ask for a purchase that needs an approval; returns the request, which nothing was bought by."""
    balance = of.balance()
    answer = of.ask(path, action, order(count=3) if body is None else body)
    assert (answer.status, answer.code) == (409, NEEDED), answer.body
    found = re.search(r"apr-[0-9a-f]{32}", answer.body["message"])
    assert found is not None
    assert "ApprovePurchase" in answer.body["message"]
    assert of.balance() == balance
    return found[0]


def requests(of: Caller, **asked: Any) -> list[Any]:
    """List requests, newest first."""
    return list(of.do(ACCOUNT, "DescribeApprovals", asked)["approvals"])


def shown(of: Caller, request: str) -> Any:
    """Show a request."""
    (found,) = [one for one in requests(of) if one["approvalId"] == request]
    return found


def events(of: Caller, *types: str) -> list[Any]:
    """List the events of some types, oldest first."""
    return list(of.do(EVENTS, "DescribeEvents", {"types": types or ["approval.*"], "oldestFirst": True})["events"])


def team(scene: ServiceHarness, funds: str = "100000") -> tuple[Caller, Caller]:
    """Open an account; returns its manager, and a user who buys."""
    manager = scene.customer(funds)
    return manager, scene.user(manager, OPERATE)


def buying(**wanted: Any) -> Callable[[Caller], tuple[str, str, Any]]:
    return lambda _: (UNITS, "PurchaseComputeUnit", order(**wanted))


def replicas(of: Caller) -> tuple[str, str, Any]:
    return (
        RESOURCES,
        "PurchaseComputeUnit",
        {"serviceId": of.create_service(), "billing": billing_of(), "replicasCount": 3},
    )


def serving(_: Caller) -> tuple[str, str, Any]:
    return SERVICE, "CreateService", new_service(replicasCount=3) | {"billing": billing_of()}


def resizing(of: Caller) -> tuple[str, str, Any]:
    return UNITS, "ResizeComputeUnit", {"instanceId": of.buy(), "count": 3}


def growing(of: Caller) -> tuple[str, str, Any]:
    return UNITS, "ResizeComputeUnit", {"instanceId": of.buy(months=1), "count": 3}


def quota(_: Caller) -> tuple[str, str, Any]:
    return CHARGE, "PurchaseTPMResource", {"model": QUOTA, "purchaseCount": 3, "billing": billing_of()}


def more_quota(of: Caller) -> tuple[str, str, Any]:
    return CHARGE, "ResizeTPMResource", {"instanceId": of.buy_quota(), "count": 3}


WAYS: Final[dict[str, tuple[Callable[[Caller], tuple[str, str, Any]], str]]] = {
    "units by the minute": (buying(count=3), "units"),
    "units for a term": (buying(count=3, months=2), "units"),
    "replicas": (replicas, "replicas"),
    "a service": (serving, "service"),
    "a resize": (resizing, "resize"),
    "a resize of a term": (growing, "resize"),
    "quota": (quota, "quota"),
    "more quota": (more_quota, "resize"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_purchase_waits_and_is_made_when_it_is_approved_whichever_way_it_is_asked_for(
    either: ServiceHarness, way: str
) -> None:
    either.sell_quota()
    manager, buyer = team(either)
    make, what = WAYS[way]
    path, action, body = make(buyer)
    limit(manager, units={"*": 2})
    request = ask(buyer, path, action, {**body, "clientToken": "once"})
    waiting = shown(buyer, request)
    assert (waiting["status"], waiting["what"], waiting["computeUnitCount"]) == ("Open", what, 3)
    assert waiting["reasons"] == [f"needsApproval.units is 2 of {waiting['type']}, and this makes 3"]
    assert "orderId" not in waiting
    # The same call again is the same request.
    assert buyer.refused(path, action, {**body, "clientToken": "once"}) == NEEDED
    assert len(requests(buyer)) == 1
    approved = manager.do(ACCOUNT, "ApprovePurchase", {"approvalId": request, "clientToken": "yes"})
    assert approved["status"] == "Approved"
    assert manager.do(ACCOUNT, "ApprovePurchase", {"approvalId": request, "clientToken": "yes"}) == approved
    if path != CHARGE:
        unit = buyer.unit(approved["instanceId"])
        assert (unit["totalComputeUnits"], unit["status"]) == (3, "Running")
    orders = buyer.do(ACCOUNT, "DescribeOrders")["orders"]
    assert [one["orderId"] for one in orders].count(approved["orderId"]) == 1
    # The token now gives what the purchase would have given.
    done = buyer.do(path, action, {**body, "clientToken": "once"})
    if isinstance(done, dict):
        assert (done["instanceId"], done["orderId"]) == (approved["instanceId"], approved["orderId"])
    else:
        assert done is True
    (asked, end) = events(buyer)
    assert (asked["type"], asked["data"]["approvalId"]) == ("approval.asked", request)
    assert (end["type"], end["data"]["askedBy"], end["data"]["userId"] != waiting["askedBy"]) == (
        *("approval.approved", waiting["askedBy"]),
        True,
    )
    kind = "unit.resizing" if what == "resize" else "unit.bought"
    bought = events(buyer, kind)[-1]["data"]
    assert (bought["userId"], bought["approvedBy"]) == (waiting["askedBy"], end["data"]["userId"])


LIMITS: Final[dict[str, tuple[Any, Any, Any, str]]] = {
    "units": ({"units": {"gpu-1": 2}}, order(count=2), order(count=3), "units is 2 of gpu-1, and this makes 3"),
    "a cost by the minute": (
        {"cost": "21600.00"},
        order(count=1),
        order(count=2),
        "cost is 21600.00 CNY, and this costs 43200.00 CNY in 30 days",
    ),
    "a cost of a term": (
        {"cost": "200.00"},
        order(count=2, months=1),
        order(count=1, months=3),
        "cost is 200.00 CNY, and this costs 300.00 CNY for the term",
    ),
    "months": ({"months": 2}, order(months=2), order(months=3), "months is 2, and this is for 3"),
    "a release": (
        {"releaseSeconds": DAY},
        order(release="+86400"),
        order(release="+90000"),
        "releaseSeconds is 86400, and this is released later than that",
    ),
    "no release": (
        {"releaseSeconds": DAY},
        order(months=12),
        order(),
        "releaseSeconds is 86400, and this has no release time",
    ),
}


def from_now(scene: ServiceHarness, body: Any) -> Any:
    """Return a purchase with a release time that many seconds from now."""
    ahead = body["billing"].get("releaseTime")
    if ahead is None:
        return body
    at = (scene.now() + timedelta(seconds=int(ahead))).isoformat()
    return {**body, "billing": {**body["billing"], "releaseTime": at}}


@pytest.mark.parametrize("whose", ["needsApproval", "userNeedsApproval"])
@pytest.mark.parametrize("name", LIMITS)
def test_each_limit_lets_through_what_it_allows_and_keeps_what_exceeds_it(
    shared: ServiceHarness, name: str, whose: str
) -> None:
    needs, allowed, large, reason = LIMITS[name]
    allowed, large = from_now(shared, allowed), from_now(shared, large)
    customer = shared.customer("100000")
    given = needs if whose == "needsApproval" else {"*": needs}
    customer.do(ACCOUNT, "SetGuardRails", {"limits": {whose: given}})
    assert customer.do(ACCOUNT, "DescribeGuardRails")["limits"] == {whose: given}
    customer.do(UNITS, "PurchaseComputeUnit", allowed)
    request = ask(customer, body=large)
    assert shown(customer, request)["reasons"] == [f"{whose}.{reason}"]
    quoted = customer.do(UNITS, "QuotePurchase", large)
    verdict = next(one for one in quoted["verdicts"] if one["rule"] == "approval")
    assert (quoted["passed"], verdict["passed"], verdict["code"]) == (False, False, NEEDED)
    assert reason in verdict["message"]


def test_a_limit_for_one_user_is_not_for_others_and_null_clears_it(shared: ServiceHarness) -> None:
    manager, buyer = team(shared)
    (user,) = [one["userId"] for one in manager.do(IAM, "DescribeUsers")["users"] if one["name"] == "user"]
    limits = {"userNeedsApproval": {user: {"units": {"*": 0}}, "*": {"units": {"gpu-1": 5}}}}
    manager.do(ACCOUNT, "SetGuardRails", {"limits": limits})
    ask(buyer, body=order())
    manager.buy()
    manager.do(ACCOUNT, "SetGuardRails", {"limits": {"userNeedsApproval": {user: None}}})
    buyer.buy()
    manager.do(ACCOUNT, "SetGuardRails", {"limits": {"userNeedsApproval": {"*": None}}})
    assert manager.do(ACCOUNT, "DescribeGuardRails")["limits"] == {}

"""Quota of tokens and requests a minute: bought by model, metered by the minute, resized and released."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.scene import ACCOUNT, CATALOG, CHARGE, UNITS, Caller, ServiceHarness, billing_of

MODEL, OTHER = "ernie-4.0-8k", "qianfan-agent-speed-8k"


@pytest.fixture
def caller(either: ServiceHarness) -> Caller:
    """A customer of a service that sells quota of two models."""
    for model in (MODEL, OTHER):
        either.sell_quota(model)
    return either.customer()


def listed(caller: Caller, **wanted: Any) -> list[str]:
    """List quota; returns the instances."""
    found = caller.do(CHARGE, "DescribeTPMResource", {"model": MODEL, **wanted})["instances"]
    return [one["instanceId"] for one in found]


def purchase(count: int = 1, model: str = MODEL, **billing: Any) -> Any:
    """Return the body of a purchase of quota."""
    return {"model": model, "purchaseCount": count, "billing": billing_of(**billing)}


def test_a_unit_of_quota_is_ten_thousand_tokens_and_thirty_three_requests_a_minute(
    either: ServiceHarness, caller: Caller
) -> None:
    bought = caller.do(CHARGE, "PurchaseTPMResource", purchase(3))
    assert caller.quota(bought["instanceId"]) == {
        "instanceId": bought["instanceId"],
        "model": MODEL,
        "tpm": 30_000,
        "rpm": 99,
        "count": 3,
        "status": "Running",
        "instanceStatus": "Running",
        "paymentTiming": "Postpaid",
        "startTime": "2030-01-15T08:00:00+08:00",
    }
    assert caller.offering("global", MODEL)["stockFree"] == 97
    assert caller.offering("global", OTHER)["stockFree"] == 100
    (order,) = caller.do(ACCOUNT, "DescribeOrders")["orders"]
    assert (order["orderId"], order["instanceId"]) == (bought["orderId"], bought["instanceId"])
    assert (order["region"], order["type"], order["count"]) == ("global", MODEL, 3)
    either.advance("2030-01-15 09:00:00")
    assert caller.balance() == "982.00"  # 3 units, 60 minutes, 0.10


def test_quota_is_found_by_model_instance_status_and_payment(either: ServiceHarness, caller: Caller) -> None:
    first, second = caller.buy_quota(MODEL), caller.buy_quota(MODEL)
    other, gone = caller.buy_quota(OTHER), caller.buy_quota(MODEL)
    caller.do(CHARGE, "ReleaseTPMResource", {"model": MODEL, "instanceId": gone})
    theirs = either.customer().buy_quota(MODEL)
    assert listed(caller) == [first, second, gone]
    assert listed(caller, model=OTHER) == [other]
    assert listed(caller, model="nobody-sells-it") == []
    assert listed(caller, paymentTiming="Postpaid", status="Running") == [first, second]
    assert listed(caller, paymentTiming="Prepaid") == []
    assert listed(caller, status="Stopped") == listed(caller, status="Stopped", instanceId=gone) == [gone]
    assert listed(caller, status="Creating") == []
    assert listed(caller, instanceId=second) == [second]
    assert listed(caller, instanceId=second, status="Running", paymentTiming="Postpaid") == [second]
    assert listed(caller, instanceId=second, status="Stopped") == []
    assert listed(caller, instanceId=second, paymentTiming="Prepaid") == []
    assert listed(caller, instanceId=second, model=OTHER) == []
    assert (caller.quota(gone)["status"], caller.quota(gone)["instanceStatus"]) == ("Stopped", "Released")
    # Every field narrows a list, so an unknown instance is no error.
    assert listed(caller, instanceId=theirs) == listed(caller, instanceId="tpm-nowhere0") == []


@pytest.mark.usefixtures("caller")
def test_stopped_quota_is_found_by_that(either: ServiceHarness) -> None:
    poor = either.customer("6")
    quota = poor.buy_quota(MODEL)
    either.advance("2030-01-16 10:00:00")  # unpaid since ten the day before, 24 hours of grace
    assert listed(poor, status="Stopped") == [quota]
    assert listed(poor, status="Running") == []
    assert listed(poor) == [quota]


def status_when_stopped(caller: Caller, instance_id: str) -> str:
    """Wait as a script does that knows the documented statuses only; returns the last one that it saw."""
    seen = ""
    for _ in range(10):
        (shown,) = caller.do(CHARGE, "DescribeTPMResource", {"model": MODEL, "instanceId": instance_id})["instances"]
        seen = shown["status"]
        if seen == "Stopped":
            break
    return seen


def test_a_script_that_waits_for_stopped_after_a_release_ends(caller: Caller) -> None:
    quota = caller.buy_quota(MODEL)
    caller.do(CHARGE, "ReleaseTPMResource", {"model": MODEL, "instanceId": quota})
    assert status_when_stopped(caller, quota) == "Stopped"
    assert listed(caller, status="Stopped", instanceId=quota) == [quota]


def test_quota_of_every_status_comes_in_the_order_in_which_it_was_bought_page_by_page(caller: Caller) -> None:
    bought = [caller.buy_quota(MODEL) for _ in range(5)]
    for gone in bought[1::2]:
        caller.do(CHARGE, "ReleaseTPMResource", {"model": MODEL, "instanceId": gone})
    assert listed(caller) == bought
    first = caller.do(CHARGE, "DescribeTPMResource", {"model": MODEL, "maxKeys": 3})
    assert [one["instanceId"] for one in first["instances"]] == bought[:3]
    assert listed(caller, maxKeys=3, marker=first["nextMarker"]) == bought[3:]
    stopped = caller.do(CHARGE, "DescribeTPMResource", {"model": MODEL, "status": "Stopped", "maxKeys": 1})
    assert [one["instanceId"] for one in stopped["instances"]] == [bought[1]]
    assert listed(caller, status="Stopped", maxKeys=1, marker=stopped["nextMarker"]) == [bought[3]]


def test_releasing_quota_takes_its_model_and_the_bill_ends_there(either: ServiceHarness, caller: Caller) -> None:
    quota = caller.buy_quota(MODEL, 3)
    either.advance("2030-01-15 08:30:08")
    wrong = {"model": OTHER, "instanceId": quota}
    assert caller.refused(CHARGE, "ReleaseTPMResource", wrong) == "InstanceNotFound"
    assert caller.quota(quota)["status"] == "Running"
    right = {"model": MODEL, "instanceId": quota}
    assert caller.do(CHARGE, "ReleaseTPMResource", right) is True
    assert caller.refused(CHARGE, "ReleaseTPMResource", right) == "InvalidState"
    assert (caller.quota(quota)["status"], caller.quota(quota)["expiredTime"]) == (
        "Stopped",
        "2030-01-15T08:30:08+08:00",
    )
    assert caller.offering("global", MODEL)["stockFree"] == 100
    either.advance("2030-02-01 00:00:00")
    assert caller.balance() == "990.70"  # 31 started minutes, 3 units, 0.10


def test_resizing_quota_answers_true_and_without_a_number_changes_nothing(
    either: ServiceHarness, caller: Caller
) -> None:
    quota = {"instanceId": caller.buy_quota(MODEL, 2)}
    assert caller.do(CHARGE, "ResizeTPMResource", quota) is True
    assert caller.quota(quota["instanceId"])["count"] == 2
    assert caller.do(ACCOUNT, "DescribeOrders", {"kind": "Resize"})["orders"] == []
    either.advance("2030-01-15 08:30:00")
    assert caller.do(CHARGE, "ResizeTPMResource", {**quota, "count": 5}) is True
    shown = caller.quota(quota["instanceId"])
    assert (shown["count"], shown["tpm"], shown["rpm"]) == (5, 50_000, 165)
    assert caller.offering("global", MODEL)["stockFree"] == 95
    either.advance("2030-01-15 08:45:00")
    assert caller.do(CHARGE, "ResizeTPMResource", {**quota, "count": 1}) is True
    either.advance("2030-01-15 09:00:00")
    assert caller.balance() == "985.00"  # 60, 75 and 15 minutes of a unit at 0.10
    (last, first) = caller.do(ACCOUNT, "DescribeOrders", {"kind": "Resize"})["orders"]
    assert (first["count"], last["count"]) == (5, 1)


def test_quota_that_cannot_be_resized_is_left_as_it_is(either: ServiceHarness, caller: Caller) -> None:
    quota = {"instanceId": caller.buy_quota(MODEL)}
    assert caller.refused(CHARGE, "ResizeTPMResource", {**quota, "count": 102}) == "InsufficientStock"
    assert caller.refused(CHARGE, "ResizeTPMResource", {**quota, "count": 1}) == "InvalidState"
    assert caller.field_refused(CHARGE, "ResizeTPMResource", {**quota, "count": 0}) == "count"
    assert caller.refused(CHARGE, "ResizeTPMResource", {"instanceId": "tpm-nowhere0"}) == "InstanceNotFound"
    assert caller.quota(quota["instanceId"])["count"] == 1
    caller.do(CHARGE, "ReleaseTPMResource", {"model": MODEL, **quota})
    assert caller.refused(CHARGE, "ResizeTPMResource", {**quota, "count": 2}) == "InvalidState"
    assert either.operator.offering("global", MODEL)["stockFree"] == 100


def test_quota_is_released_on_schedule(either: ServiceHarness, caller: Caller) -> None:
    at_once = caller.buy_quota(MODEL, release="2030-01-15 08:20:00")
    moved, cleared = caller.buy_quota(MODEL), caller.buy_quota(MODEL)
    for quota, time in (
        (moved, "2030-01-16 00:00:00"),
        (moved, "2030-01-15T00:30:30Z"),
        (cleared, "2030-01-15 08:20:00"),
        (cleared, None),
    ):
        body = {"instanceId": quota, "releaseTime": time}
        assert caller.do(CHARGE, "AutoReleaseTPMResource", body) is True
    assert caller.quota(at_once)["releaseTime"] == "2030-01-15T08:20:00+08:00"
    assert caller.quota(moved)["releaseTime"] == "2030-01-15T08:30:30+08:00"
    assert "releaseTime" not in caller.quota(cleared)
    either.advance("2030-01-15 09:00:00")
    assert [caller.quota(quota)["status"] for quota in (at_once, moved, cleared)] == ["Stopped", "Stopped", "Running"]
    assert caller.balance() == "988.90"  # 20 + 31 + 60 minutes at 0.10
    late = {"instanceId": cleared, "releaseTime": "2030-01-15 09:00:00"}
    assert caller.field_refused(CHARGE, "AutoReleaseTPMResource", late) == "releaseTime"
    gone = {"instanceId": moved, "releaseTime": "2030-01-16 09:00:00"}
    assert caller.refused(CHARGE, "AutoReleaseTPMResource", gone) == "InvalidState"


def test_quota_that_is_not_sold_so_is_refused_and_the_field_is_named(either: ServiceHarness, caller: Caller) -> None:
    prepaid = purchase(months=1)
    assert caller.field_refused(CHARGE, "PurchaseTPMResource", prepaid) == "billing.paymentTiming"
    assert caller.field_refused(CHARGE, "PurchaseTPMResource", purchase(model="nobody-sells-it")) == "model"
    # A type of unit is no model, though both are in the catalogue.
    assert caller.field_refused(CHARGE, "PurchaseTPMResource", purchase(model="gpu-1")) == "model"
    assert caller.field_refused(CHARGE, "PurchaseTPMResource", purchase(count=0)) == "purchaseCount"
    past = purchase(release="2030-01-15 08:00:00")
    assert caller.field_refused(CHARGE, "PurchaseTPMResource", past) == "billing.releaseTime"
    assert caller.refused(CHARGE, "PurchaseTPMResource", purchase(count=101)) == "InsufficientStock"
    assert either.customer("5.99").refused(CHARGE, "PurchaseTPMResource", purchase()) == "InsufficientBalance"
    assert listed(caller) == []


def test_quota_is_no_compute_unit_and_a_compute_unit_is_no_quota(either: ServiceHarness, caller: Caller) -> None:
    quota, unit = {"instanceId": caller.buy_quota(MODEL)}, {"instanceId": caller.buy()}
    shown = caller.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"]
    assert [one["instanceId"] for one in shown] == [unit["instanceId"]]
    for action, more in (
        ("DescribeComputeUnit", {}),
        ("ReleaseComputeUnit", {}),
        ("AutoReleaseComputeUnit", {}),
        ("ResizeComputeUnit", {"count": 2}),
        ("ChangeBilling", {**billing_of(months=1)}),
    ):
        assert caller.refused(UNITS, action, {**quota, **more}) == "InstanceNotFound"
    for action, more in (
        ("ReleaseTPMResource", {"model": "gpu-1"}),
        ("ReleaseTPMResource", {"model": MODEL}),
        ("AutoReleaseTPMResource", {}),
        ("ResizeTPMResource", {}),
        ("ResizeTPMResource", {"count": 2}),
    ):
        assert caller.refused(CHARGE, action, {**unit, **more}) == "InstanceNotFound"
    assert caller.do(CHARGE, "DescribeTPMResource", {**unit, "model": "gpu-1"})["instances"] == []
    in_global = {"billing": billing_of(), "computeUnitCount": 1}
    for config in ({"region": "global", "type": MODEL}, {"type": MODEL}):
        body = {**in_global, "computeUnitConfig": config}
        assert caller.refused(UNITS, "PurchaseComputeUnit", body) == "InappropriateJSON"
    assert either.operator.offering("global", MODEL)["stockFree"] == 99


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"model": MODEL, "region": "bj"}, "model"),
        ({"model": MODEL, "type": "gpu-1"}, "model"),
        ({"model": MODEL, "pricePerMonth": "1"}, "pricePerMonth"),
        ({"region": "bj"}, "type"),
        ({"type": "gpu-1"}, "region"),
        ({}, "region"),
    ],
)
def test_an_offering_is_named_by_region_and_type_or_by_model(either: ServiceHarness, body: Any, field: str) -> None:
    assert either.operator.field_refused(CATALOG, "SetOffering", {**body, "stockTotal": 1}) == field


def test_the_catalogue_tells_quota_from_units(either: ServiceHarness, caller: Caller) -> None:
    kinds = {one["type"]: one["kind"] for one in caller.do(CATALOG, "DescribeOfferings")["offerings"]}
    assert (kinds["gpu-1"], kinds[MODEL]) == ("ComputingUnit", "TPM")
    answer = either.operator.ask(CATALOG, "SetOffering", {"region": "global", "type": OTHER, "stockTotal": 1})
    assert answer.code == "InappropriateJSON"
    assert answer.body["message"].endswith("param[region]")

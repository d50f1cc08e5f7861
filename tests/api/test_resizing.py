"""Changing the number of units of an instance: what it costs, and when it is refused."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

import pytest

from tests.api.scene import ACCOUNT, CATALOG, CHARGE, SERVICE, UNITS, Caller, ServiceHarness

PATHS = (UNITS, CHARGE)


def resize(caller: Caller, unit: str, count: int, path: str = UNITS) -> Any:
    """Have an instance resized; returns the answer."""
    return caller.do(path, "ResizeComputeUnit", {"instanceId": unit, "count": count})


def charges(caller: Caller) -> list[tuple[str, int, int, str]]:
    """Return the charges of metered use: when, how many minutes, for how many units, how much."""
    return [
        (one["time"][11:19], one["minutes"], one["count"], one["amount"])
        for one in caller.postings()
        if one["kind"] == "Usage"
    ]


@pytest.mark.parametrize("path", PATHS)
def test_a_postpaid_instance_grows_and_shrinks_and_is_metered_for_what_it_has(
    either: ServiceHarness, path: str
) -> None:
    caller = either.customer()
    unit = caller.buy(count=2)
    either.advance("2030-01-15 08:10:00")
    answer = resize(caller, unit, 5, path)
    assert answer["instanceId"] == unit
    assert (caller.unit(unit)["status"], caller.unit(unit)["totalComputeUnits"]) == ("Running", 5)
    assert caller.free() == 5
    either.advance("2030-01-15 08:20:00")
    resize(caller, unit, 1, path)
    assert caller.free() == 9
    either.advance("2030-01-15 09:00:00")
    assert charges(caller) == [
        ("08:10:00", 10, 2, "10.00"),
        ("08:20:00", 10, 5, "25.00"),
        ("09:00:00", 40, 1, "20.00"),
    ]
    orders = caller.do(ACCOUNT, "DescribeOrders", {"kind": "Resize"})["orders"]
    assert [(one["count"], one["amount"], one["paymentTiming"]) for one in orders] == [
        (1, "0.00", "Postpaid"),
        (5, "0.00", "Postpaid"),
    ]
    assert orders[1]["orderId"] == answer["orderId"]


def test_a_started_minute_is_charged_once_for_the_most_units_reserved_in_it(either: ServiceHarness) -> None:
    caller = either.customer()
    unit = caller.buy(count=2)
    for second, count in ((30, 5), (45, 2), (50, 4), (55, 6)):
        either.advance(f"2030-01-15 08:10:{second}")
        resize(caller, unit, count)
    # Eleven minutes of two; the eleventh then held three more, and at last one more than ever before.
    begun = [("08:10:30", 11, 2, "11.00"), ("08:10:45", 1, 3, "1.50")]
    assert charges(caller) == begun
    either.advance("2030-01-15 09:00:00")
    assert charges(caller) == [*begun, ("09:00:00", 1, 1, "0.50"), ("09:00:00", 49, 6, "147.00")]
    assert caller.balance() == "840.00"


@pytest.mark.parametrize(
    ("moment", "rest_s"),
    [
        ("2030-01-25 08:00:00", 21 * 86400),
        ("2030-01-25 08:00:01", 21 * 86400 - 1),
        ("2030-01-25T08:00:00.5+08:00", 21 * 86400),
        ("2030-02-15 07:59:59", 1),
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_more_prepaid_units_cost_the_rest_of_the_term_by_the_second(
    either: ServiceHarness, path: str, moment: str, rest_s: int
) -> None:
    caller = either.customer()
    unit = caller.buy(months=1)
    ends = caller.unit(unit)["expiredTime"]
    either.advance(moment)
    order = resize(caller, unit, 3, path)["orderId"]
    # January the 15th to February the 15th: 31 days. Rounded up once, to a millionth.
    micro = ceil(2 * 100_000_000 * Fraction(rest_s, 31 * 86400))
    posting = caller.postings()[-1]
    assert (posting["kind"], posting["orderId"], posting["count"], posting["price"]) == ("Resize", order, 2, "100.00")
    assert round(float(posting["amount"]) * 1_000_000) == micro
    assert posting["endTime"] == ends
    assert caller.do(ACCOUNT, "DescribeOrders", {"kind": "Resize"})["orders"][0]["amount"] == posting["amount"]
    shown = caller.unit(unit)
    assert (shown["totalComputeUnits"], shown["expiredTime"], shown["duration"]) == (3, ends, 1)
    assert caller.free() == 7


def test_a_renewal_after_a_resize_is_of_the_new_size(either: ServiceHarness) -> None:
    caller = either.customer()
    unit = caller.buy(months=1)
    resize(caller, unit, 3)
    assert caller.balance() == "700.00"  # the whole term for two more, since none of it has passed
    caller.do(UNITS, "RenewComputeUnit", {"instanceId": unit, "months": 1})
    assert caller.balance() == "400.00"


def test_replicas_can_be_placed_on_what_was_added(either: ServiceHarness) -> None:
    caller = either.customer()
    service = caller.create_service("GPU-1-2")
    unit = caller.buy_replicas(service, 1)
    scaled = {"serviceId": service, "instanceId": unit, "deploymentReplicasCount": 2}
    assert caller.refused(SERVICE, "ScaleService", scaled) == "InvalidState"
    resize(caller, unit, 4)
    assert caller.do(SERVICE, "ScaleService", scaled) is True
    shown = caller.unit(unit)
    assert (shown["totalComputeUnits"], shown["usedComputeUnits"]) == (4, 4)


# --- refusals --------------------------------------------------------------------------------------------


def refused(caller: Caller, path: str, unit: str, count: int) -> tuple[str, str | None]:
    """Ask for a resize that is refused; returns the code and the field that the message names."""
    before = caller.unit(unit), caller.balance(), caller.free()
    answer = caller.ask(path, "ResizeComputeUnit", {"instanceId": unit, "count": count})
    assert (caller.unit(unit), caller.balance(), caller.free()) == before
    _, _, named = answer.body["message"].partition("param[")
    return answer.code, named.rstrip("]") or None


@pytest.mark.parametrize("path", PATHS)
def test_what_cannot_be_is_refused_and_the_field_is_named(either: ServiceHarness, path: str) -> None:
    caller = either.customer()
    prepaid = caller.buy(count=2, months=1)
    service = caller.create_service("GPU-1-2")
    used = caller.buy_replicas(service, 2)
    assert refused(caller, path, prepaid, 1) == ("OperationNotSupported", "count")
    assert refused(caller, path, prepaid, 2) == ("InvalidState", "count")
    assert refused(caller, path, used, 4) == ("InvalidState", "count")
    assert refused(caller, path, used, 3) == ("InvalidState", "count")
    assert refused(caller, path, used, 9) == ("InsufficientStock", None)
    assert refused(caller, path, prepaid, 7) == ("InsufficientStock", None)
    for body in ({"instanceId": used}, {"instanceId": used, "count": 0}, {"instanceId": used, "count": None}):
        assert caller.field_refused(path, "ResizeComputeUnit", body) == "count"
    nowhere = {"instanceId": "unit-nowhere0", "count": 2}
    assert caller.refused(path, "ResizeComputeUnit", nowhere) == "InstanceNotFound"


@pytest.mark.parametrize("path", PATHS)
def test_only_what_runs_is_resized(either: ServiceHarness, path: str) -> None:
    caller = either.customer()
    released, turning, stopped = caller.buy(), caller.buy(months=2), caller.buy(months=1)
    caller.release(released)
    caller.do(UNITS, "ChangeBilling", {"instanceId": turning, "paymentTiming": "Postpaid"})
    either.advance("2030-02-15 08:00:00")
    for unit, status in ((released, "Released"), (turning, "BillingChanging"), (stopped, "Stopped")):
        assert caller.unit(unit)["status"] == status
        assert refused(caller, path, unit, 3) == ("InvalidState", "instanceId")


@pytest.mark.parametrize("path", PATHS)
def test_what_is_added_must_be_affordable(either: ServiceHarness, path: str) -> None:
    caller = either.customer("130")
    prepaid, postpaid = caller.buy(months=1), caller.buy()
    assert caller.balance() == "30.00"
    assert refused(caller, path, prepaid, 2) == ("InsufficientBalance", None)
    assert refused(caller, path, postpaid, 3) == ("InsufficientBalance", None)
    resize(caller, postpaid, 2, path)  # one more for an hour is 30.00
    either.advance("2030-01-15 09:00:00")
    assert caller.balance() == "-30.00"
    assert refused(caller, path, postpaid, 3) == ("InsufficientBalance", None)
    resize(caller, postpaid, 1, path)  # who is in debt may still use less


def test_a_new_price_holds_for_what_is_added_later_and_for_minutes_that_begin_later(either: ServiceHarness) -> None:
    caller = either.customer()
    prepaid, postpaid = caller.buy(months=1), caller.buy()
    either.operator.do(
        CATALOG, "SetOffering", {"region": "bj", "type": "gpu-1", "pricePerMonth": "31", "pricePerMinute": "2"}
    )
    resize(caller, prepaid, 2)
    assert caller.balance() == "869.00"
    either.advance("2030-01-15 08:30:00")
    resize(caller, postpaid, 2)
    # The minute that began with the purchase, before the change at the same moment, costs the old price.
    assert charges(caller) == [("08:30:00", 1, 1, "0.50"), ("08:30:00", 29, 1, "58.00")]

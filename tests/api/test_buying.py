"""Buying units: by themselves, for a service, by the minute and by the month."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from leasebook.store.postgres.session import Row, Session, Statement
from tests.api.scene import (
    ACCOUNT,
    CATALOG,
    RESOURCES,
    SERVICE,
    UNITS,
    Caller,
    ServiceHarness,
    billing_of,
    new_service,
    order,
)

# --- purchases --------------------------------------------------------------------------------------


def test_one_purchase_of_many_units_is_one_instance_with_all_of_them(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    unit = caller.buy(count=4)
    assert caller.unit(unit)["totalComputeUnits"] == 4
    assert caller.unit(unit)["usedComputeUnits"] == 0
    assert len(caller.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"]) == 1
    assert fresh.operator.free() == 6


def test_a_lone_purchase_on_postgresql_takes_three_round_trips(
    either: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = either.customer()
    caller.buy()
    trips: list[list[str]] = []
    run = Session.run

    async def counted(session: Session, statements: Iterable[Statement]) -> list[list[Row]]:
        asked = list(statements)
        trips.append([text.split(maxsplit=1)[0] for text, _ in asked])
        return await run(session, asked)

    monkeypatch.setattr(Session, "run", counted)
    caller.buy()
    # Beginning, reading, and committing what was sent before. The embedded store makes none.
    assert [texts[0] for texts in trips] in ([], ["BEGIN", "SELECT", "COMMIT"])


def test_the_order_tells_what_was_bought_and_what_was_paid_at_once(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    postpaid = caller.do(UNITS, "PurchaseComputeUnit", order(count=2))
    prepaid = caller.do(UNITS, "PurchaseComputeUnit", order(count=2, months=3))
    common = {
        "kind": "Purchase",
        "region": "bj",
        "type": "gpu-1",
        "count": 2,
        "createTime": "2030-01-15T08:00:00+08:00",
    }
    assert caller.do(ACCOUNT, "DescribeOrders")["orders"] == [
        {**prepaid, **common, "paymentTiming": "Prepaid", "months": 3, "amount": "600.00"},
        {**postpaid, **common, "paymentTiming": "Postpaid", "amount": "0.00"},
    ]


@pytest.mark.parametrize("resource_type", ["GPU-1-2", "GPU-I-2"])
def test_replicas_take_as_many_units_as_the_type_of_the_service_says(fresh: ServiceHarness, resource_type: str) -> None:
    caller = fresh.customer()
    service = caller.create_service(resource_type)
    unit = caller.buy_replicas(service, 3)
    shown = caller.unit(unit)
    assert (shown["type"], shown["totalComputeUnits"], shown["usedComputeUnits"]) == ("gpu-1", 6, 6)
    assert fresh.operator.free() == 4
    found = caller.service(service)
    assert (found["runStatus"], found["chargeStatus"]) == ("Serving", "Opened")
    assert found["resourceConfig"] == {"type": resource_type, "replicasCount": 3}
    caller.buy_replicas(service, 2)
    assert caller.service(service)["resourceConfig"]["replicasCount"] == 5
    assert fresh.operator.free() == 0


def test_a_service_with_billing_is_created_with_the_units_of_its_first_replicas(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    body = {**new_service(type="GPU-1-4", replicasCount=2), "billing": billing_of(release="2030-01-15 20:00:00")}
    made = caller.do(SERVICE, "CreateService", body)
    unit = caller.unit(made["instanceId"])
    assert (unit["totalComputeUnits"], unit["releaseTime"]) == (8, "2030-01-15T20:00:00+08:00")
    assert caller.service(made["serviceId"])["resourceConfig"]["replicasCount"] == 2
    assert caller.do(ACCOUNT, "DescribeOrders")["orders"][0]["orderId"] == made["orderId"]


def test_a_service_whose_units_cannot_be_had_is_not_created(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    before = fresh.rows()
    body = {**new_service(type="GPU-1-4", replicasCount=3), "billing": billing_of()}
    assert caller.refused(SERVICE, "CreateService", body) == "InsufficientStock"
    without_count = {**new_service(type="GPU-1-4"), "billing": billing_of()}
    assert caller.field_refused(SERVICE, "CreateService", without_count) == "resourceConfig.replicasCount"
    assert fresh.rows() == before


def test_a_service_without_billing_has_no_units_yet(fresh: ServiceHarness) -> None:
    caller = fresh.customer(funds=None)
    made = caller.do(SERVICE, "CreateService", new_service())
    assert set(made) == {"serviceId"}
    found = caller.service(made["serviceId"])
    assert (found["runStatus"], found["chargeStatus"]) == ("New", "NotOpen")


@pytest.mark.parametrize("region", [None, ""])
def test_without_a_region_the_first_in_the_catalogues_order_with_stock_enough_is_taken(
    fresh: ServiceHarness, region: str | None
) -> None:
    caller = fresh.customer()
    fresh.sell("bj", stock=2)
    fresh.sell("bd", stock=3)
    fresh.sell("aa", stock=3)  # new, so the last in the order, whatever its name
    listed = fresh.operator.do(CATALOG, "DescribeOfferings")["offerings"]
    assert [one["region"] for one in listed if one["type"] == "gpu-1"] == ["bj", "bd", "aa"]
    bought = [caller.unit(caller.buy(region=region, count=count))["region"] for count in (1, 2, 1, 1, 2, 1)]
    assert bought == ["bj", "bd", "bj", "bd", "aa", "aa"]
    assert caller.refused(UNITS, "PurchaseComputeUnit", order(region=region)) == "InsufficientStock"


def test_a_service_without_a_region_gets_its_units_wherever_there_is_stock(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    fresh.sell("bj", stock=3)
    fresh.sell("bd", stock=4)
    anywhere, in_bd = caller.create_service("GPU-1-2"), caller.create_service("GPU-1-2", region="bd")
    assert caller.unit(caller.buy_replicas(anywhere, 2))["region"] == "bd"
    assert caller.unit(caller.buy_replicas(anywhere, 1))["region"] == "bj"
    body = {"serviceId": in_bd, "billing": billing_of(), "replicasCount": 1}
    assert caller.refused(RESOURCES, "PurchaseComputeUnit", body) == "InsufficientStock"


# --- how it is paid --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2030-01-15T08:00:00+08:00", 5, "2030-06-15T08:00:00+08:00"),
        ("2031-01-31T10:20:30+08:00", 1, "2031-02-28T10:20:30+08:00"),
        ("2032-01-31T10:20:30+08:00", 1, "2032-02-29T10:20:30+08:00"),
        ("2031-01-31T10:20:30+08:00", 2, "2031-03-31T10:20:30+08:00"),
        ("2031-01-31T10:20:30+08:00", 5, "2031-06-30T10:20:30+08:00"),
        ("2031-01-31T10:20:30+08:00", 12, "2032-01-31T10:20:30+08:00"),
        # The last day of the month in Shanghai, the day before in UTC.
        ("2031-01-30T23:30:00Z", 1, "2031-02-28T07:30:00+08:00"),
    ],
)
def test_a_term_ends_on_the_same_day_some_calendar_months_later(
    fresh: ServiceHarness, start: str, months: int, end: str
) -> None:
    caller = fresh.customer("10000")
    fresh.advance(start)
    unit = caller.buy(months=months)
    assert caller.unit(unit)["expiredTime"] == end
    assert caller.balance() == f"{10000 - 100 * months}.00"


def test_a_prepaid_purchase_of_five_replicas_for_five_months_is_paid_whole_at_once(fresh: ServiceHarness) -> None:
    caller = fresh.customer("2500")
    unit = caller.buy_replicas(caller.create_service(), 5, months=5)
    assert caller.balance() == "0.00"
    fresh.advance("2030-06-15T07:59:59+08:00")
    assert caller.unit(unit)["status"] == "Running"
    assert caller.balance() == "0.00"


def test_after_its_term_an_instance_is_stopped_for_the_retention_and_then_released(fresh: ServiceHarness) -> None:
    caller = fresh.customer("10000")
    service = caller.create_service()
    unit = caller.buy_replicas(service, 3, months=1)
    fresh.advance("2030-02-15T07:59:59+08:00")
    assert (caller.unit(unit)["status"], caller.unit(unit)["usedComputeUnits"]) == ("Running", 3)
    fresh.advance("2030-02-15T08:00:00+08:00")
    shown = caller.unit(unit)
    assert (shown["status"], shown["usedComputeUnits"], shown["expiredTime"]) == (
        "Stopped",
        0,
        "2030-02-15T08:00:00+08:00",
    )
    assert caller.service(service)["resourceConfig"]["replicasCount"] == 0
    assert caller.service(service)["runStatus"] == "Stopped"
    assert fresh.operator.free() == 7
    fresh.advance("2030-02-22T07:59:59+08:00")
    assert caller.unit(unit)["status"] == "Stopped"
    fresh.advance("2030-02-22T08:00:00+08:00")
    assert caller.unit(unit)["status"] == "Released"
    assert caller.service(service)["runStatus"] == "New"
    assert fresh.operator.free() == 10
    assert caller.balance() == "9700.00"


def test_a_postpaid_purchase_needs_the_price_of_one_hour(fresh: ServiceHarness) -> None:
    poor, rich = fresh.customer("59.999999"), fresh.customer("60")
    assert poor.refused(UNITS, "PurchaseComputeUnit", order(count=2)) == "InsufficientBalance"
    rich.buy(count=2)
    assert rich.balance() == "60.00"


def test_what_has_no_price_is_not_sold_that_way(fresh: ServiceHarness) -> None:
    fresh.operator.do(CATALOG, "SetOffering", {"region": "sz", "type": "cpu", "pricePerMinute": "1", "stockTotal": 5})
    fresh.operator.do(CATALOG, "SetOffering", {"region": "gz", "type": "cpu", "pricePerMonth": "1", "stockTotal": 5})
    caller = fresh.customer()
    before = fresh.rows()
    by_the_month, by_the_minute = order(region="sz", type="cpu", months=1), order(region="gz", type="cpu")
    assert caller.refused(UNITS, "PurchaseComputeUnit", by_the_month) == "OperationNotSupported"
    assert caller.refused(UNITS, "PurchaseComputeUnit", by_the_minute) == "OperationNotSupported"
    assert fresh.rows() == before


# --- refusals -------------------------------------------------------------------------------------


def seen(caller: Caller, operator: Caller) -> list[Any]:
    """Everything that an account and its operator can see of a purchase."""
    return [
        caller.do(ACCOUNT, "DescribeAccount"),
        caller.do(ACCOUNT, "DescribeOrders"),
        caller.do(ACCOUNT, "DescribePostings"),
        caller.do(UNITS, "DescribeComputeUnits"),
        operator.do(CATALOG, "DescribeOfferings"),
    ]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (order(count=11), "InsufficientStock"),
        (order(region=None, count=11), "InsufficientStock"),
        (order(region="bd"), "InsufficientStock"),
        (order(count=10), "InsufficientBalance"),
        (order(count=2, months=1), "InsufficientBalance"),
        (order(count=1, months=2), "InsufficientBalance"),
    ],
)
def test_without_stock_or_money_nothing_is_bought_and_nothing_changes(
    fresh: ServiceHarness, body: Any, code: str
) -> None:
    caller = fresh.customer("199.999999")
    before, stored = seen(caller, fresh.operator), fresh.rows()
    assert caller.refused(UNITS, "PurchaseComputeUnit", body) == code
    assert seen(caller, fresh.operator) == before
    assert fresh.rows() == stored


@pytest.mark.parametrize(
    "body",
    [order(region="nowhere"), order(type="gpu-99"), order(region=None, type="gpu-99"), order(region="", type="x")],
)
def test_what_the_catalogue_does_not_have_is_a_bad_value(fresh: ServiceHarness, body: Any) -> None:
    caller = fresh.customer()
    before = fresh.rows()
    assert caller.field_refused(UNITS, "PurchaseComputeUnit", body) == "computeUnitConfig"
    assert fresh.rows() == before


def test_a_service_without_stock_or_money_gets_no_replicas(fresh: ServiceHarness) -> None:
    caller = fresh.customer("100")
    service = caller.create_service("GPU-1-2")
    before = fresh.rows()
    body = {"serviceId": service, "billing": billing_of(), "replicasCount": 6}
    assert caller.refused(RESOURCES, "PurchaseComputeUnit", body) == "InsufficientStock"
    assert caller.refused(RESOURCES, "PurchaseComputeUnit", {**body, "replicasCount": 5}) == "InsufficientBalance"
    assert fresh.rows() == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reservation": None}, "billing.reservation"),
        ({"reservation": {"reservationLength": 5}}, "billing.reservation.reservationTimeUnit"),
        ({"reservation": {"reservationTimeUnit": "Month"}}, "billing.reservation.reservationLength"),
        ({"length": 0}, "billing.reservation.reservationLength"),
        ({"length": 13}, "billing.reservation.reservationLength"),
        ({"reservationTimeUnit": "Year"}, "billing.reservation.reservationTimeUnit"),
        ({"reservationTimeUnit": "month"}, "billing.reservation.reservationTimeUnit"),
        ({"autoRenewTimeUnit": "Hour"}, "billing.reservation.autoRenewTimeUnit"),
        ({"autoRenewTime": 0}, "billing.reservation.autoRenewTime"),
        ({"autoRenewTime": 7}, "billing.reservation.autoRenewTime"),
    ],
)
def test_a_reservation_that_is_not_sold_is_refused_by_the_name_of_its_field(
    fresh: ServiceHarness, change: dict[str, Any], field: str
) -> None:
    body = order(months=change.pop("length", 5))
    if "reservation" in change:
        body["billing"] |= change
    else:
        body["billing"]["reservation"] |= change
    caller = fresh.customer()
    before = fresh.rows()
    assert caller.field_refused(UNITS, "PurchaseComputeUnit", body) == field
    assert fresh.rows() == before


@pytest.mark.parametrize("months", [1, 12])
def test_the_shortest_and_the_longest_term_can_be_had(fresh: ServiceHarness, months: int) -> None:
    caller = fresh.customer("1200")
    assert caller.unit(caller.buy(months=months))["duration"] == months


# --- what belongs to the other way of paying is ignored --------------------------------------------------


@pytest.mark.parametrize(
    "time", ["2030-01-16 08:00:00", "2020-01-01 00:00:00", "soon", "2030-02-30 00:00:00", "", None]
)
def test_a_release_time_with_prepaid_is_ignored_even_where_it_is_none(fresh: ServiceHarness, time: str | None) -> None:
    caller = fresh.customer()
    body = order(months=1)
    body["billing"]["releaseTime"] = time
    unit = caller.do(UNITS, "PurchaseComputeUnit", body)["instanceId"]
    assert "releaseTime" not in caller.unit(unit)
    fresh.advance("2030-01-17T00:00:00Z")
    assert caller.unit(unit)["status"] == "Running"


@pytest.mark.parametrize(
    "reservation",
    [
        None,
        {},
        {"reservationTimeUnit": "Month", "reservationLength": 5},
        {"reservationTimeUnit": "Month", "reservationLength": 99},
        {"reservationTimeUnit": "Fortnight", "reservationLength": -1, "autoRenewTime": 1000, "autoRenewTimeUnit": ""},
    ],
)
def test_a_reservation_with_postpaid_is_ignored_even_where_it_is_out_of_range(
    fresh: ServiceHarness, reservation: Any
) -> None:
    caller = fresh.customer()
    body = order()
    body["billing"]["reservation"] = reservation
    shown = caller.unit(caller.do(UNITS, "PurchaseComputeUnit", body)["instanceId"])
    assert shown["paymentTiming"] == "Postpaid"
    assert not {"duration", "expiredTime"} & set(shown)
    assert caller.balance() == "1000.00"

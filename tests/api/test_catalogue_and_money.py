"""The catalogue and the account: prices, stock, top-ups, pages."""

from __future__ import annotations

import asyncio
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.api.scene import (
    ACCOUNT,
    CATALOG,
    IAM,
    RESOURCES,
    SERVICE,
    UNITS,
    Caller,
    ServiceHarness,
    a_scene,
    new_service,
    order,
)

# --- prices ----------------------------------------------------------------------------------------------


def test_a_new_price_holds_for_minutes_that_begin_after_it(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    unit = caller.buy()
    fresh.advance("2030-01-15T08:10:30+08:00")
    fresh.sell(minute="1")
    fresh.advance("2030-01-15T08:20:00+08:00")
    caller.release(unit)
    # Minutes 0 to 10 began before the change, minutes 11 to 19 after it.
    assert caller.balance() == str(Decimal(1000) - 11 * Decimal("0.5") - 9 * Decimal("1.00"))


def test_the_prices_per_minute_of_an_offering_are_listed_with_their_times(either: ServiceHarness) -> None:
    caller, offering = either.customer(), {"region": "bj", "type": "gpu-1"}
    either.advance("2030-01-15 09:30:00")
    # The same price again, and a price by the month, are no new price per minute.
    for prices in ({"pricePerMinute": "0.75"}, {"pricePerMinute": "0.75"}, {"pricePerMonth": "7"}):
        either.operator.do(CATALOG, "SetOffering", {**offering, **prices})
    assert caller.do(CATALOG, "DescribePrices", offering) == {
        **offering,
        "prices": [
            {"pricePerMinute": "0.50", "startTime": "2030-01-15T08:00:00+08:00"},
            {"pricePerMinute": "0.75", "startTime": "2030-01-15T09:30:00+08:00"},
        ],
    }
    either.sell_quota(minute="0.1")
    (price,) = caller.do(CATALOG, "DescribePrices", {"model": "ernie-4.0-8k"})["prices"]
    assert price == {"pricePerMinute": "0.10", "startTime": "2030-01-15T09:30:00+08:00"}


def test_an_offering_without_a_price_per_minute_has_none_and_one_that_is_not_there_is_not_found(
    shared: ServiceHarness,
) -> None:
    caller = shared.customer()
    shared.operator.do(CATALOG, "SetOffering", {"region": "gz", "type": "month-1", "pricePerMonth": "7"})
    assert caller.do(CATALOG, "DescribePrices", {"region": "gz", "type": "month-1"})["prices"] == []
    for nowhere in ({"region": "gz", "type": "gpu-9"}, {"model": "no-model"}):
        assert caller.refused(CATALOG, "DescribePrices", nowhere) == "ResourceNotFound"
    assert caller.field_refused(CATALOG, "DescribePrices", {"region": "gz"}) == "type"
    assert caller.field_refused(CATALOG, "DescribePrices", {"model": "no-model", "region": "gz"}) == "model"


def test_a_page_of_prices_goes_on_in_the_list_of_the_same_offering_only(shared: ServiceHarness) -> None:
    caller = shared.customer()
    for unit_type in ("paged-1", "paged-2"):
        for price in ("0.1", "0.2"):
            shared.sell("gz", unit_type, minute=price)
    first = {"region": "gz", "type": "paged-1", "maxKeys": 1}
    after = {**first, "marker": caller.do(CATALOG, "DescribePrices", first)["nextMarker"]}
    assert [price["pricePerMinute"] for price in caller.do(CATALOG, "DescribePrices", after)["prices"]] == ["0.20"]
    assert caller.refused(CATALOG, "DescribePrices", {**after, "type": "paged-2"}) == "InvalidMarker"


def test_a_new_price_does_not_touch_what_was_charged_already(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    unit = caller.buy(count=2)
    fresh.advance("2030-01-15T09:00:00+08:00")
    assert caller.balance() == "940.00"
    for price in ("7", "0", "0.000001"):
        fresh.sell(minute=price)
    assert caller.balance() == "940.00"
    fresh.advance("2030-01-15T09:01:00+08:00")
    caller.release(unit)
    assert caller.balance() == "939.999998"


def test_a_new_monthly_price_holds_for_later_purchases_only(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    caller.buy(months=1)
    fresh.sell(month="150")
    assert caller.balance() == "900.00"
    caller.buy(months=1)
    assert caller.balance() == "750.00"


def test_what_is_absent_or_null_stays_as_it_is(fresh: ServiceHarness) -> None:
    key = {"region": "bj", "type": "gpu-1"}
    before = fresh.operator.offering()
    for nothing in ({}, {"pricePerMinute": None, "pricePerMonth": None, "stockTotal": None}):
        assert fresh.operator.do(CATALOG, "SetOffering", {**key, **nothing}) == before
    changed = fresh.operator.do(CATALOG, "SetOffering", {**key, "pricePerMonth": "3"})
    assert changed == {**before, "pricePerMonth": "3.00"}


@pytest.mark.parametrize("amount", ["0.5", "12", "0.000001", 12, 0.5, ".5", "00.50", "4000000000000"])
def test_an_amount_is_kept_exactly(fresh: ServiceHarness, amount: Any) -> None:
    key = {"region": "bj", "type": "gpu-1"}
    shown = fresh.operator.do(CATALOG, "SetOffering", {**key, "pricePerMinute": amount})["pricePerMinute"]
    assert Decimal(shown) == Decimal(str(amount))


BAD_AMOUNTS = [
    "0.0000001",
    "12_50",
    "1_000",
    "\u0665",
    "\uff15",
    " 5 ",
    "5.",
    "1e3",
    1e22,
    "1e-7",
    "1e-2000000",
    "1e-999999999999999999",
    "1e999999999999999999",
    "1e999999",
    "-0.000001",
    "-1",
    "5e12",
    "NaN",
    "-NaN",
    "sNaN",
    "Infinity",
    "-Infinity",
    "inf",
    "",
    " ",
    "1,5",
    "0x10",
    "१.५x",
    "9" * 10_000,
    "1." + "0" * 10_000 + "1",
]


@pytest.mark.parametrize("amount", BAD_AMOUNTS)
def test_what_is_no_amount_of_money_is_refused_and_changes_nothing(shared: ServiceHarness, amount: Any) -> None:
    commits = shared.commits()
    offering = {"region": "bj", "type": "gpu-1"}
    for field in ("pricePerMinute", "pricePerMonth"):
        assert shared.operator.field_refused(CATALOG, "SetOffering", {**offering, field: amount}) == field
    assert shared.operator.field_refused(ACCOUNT, "TopUpAccount", {"amount": amount}) == "amount"
    for name, field in (("spend", "limits.spend"), ("budget", "limits.budget")):
        asked = {"limits": {name: amount}}
        assert shared.operator.field_refused(ACCOUNT, "SetGuardRails", asked) == field
    assert shared.operator.field_refused(ACCOUNT, "SetGuardRails", {"limits": {"userSpend": {"x": amount}}})
    assert shared.commits() == commits


@pytest.mark.parametrize("amount", ["0", "0.00", "-0"])
def test_a_top_up_adds_something(shared: ServiceHarness, amount: str) -> None:
    assert shared.operator.field_refused(ACCOUNT, "TopUpAccount", {"amount": amount}) == "amount"


# --- stock -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cpu-2", "cpu-iv", "gpu-i"])
def test_a_new_type_is_not_called_what_resource_types_call_another(shared: ServiceHarness, name: str) -> None:
    offering = {"region": "bj", "type": name, "stockTotal": 1}
    assert shared.operator.field_refused(CATALOG, "SetOffering", offering) == "type"
    assert name not in {row["type"] for row in shared.operator.do(CATALOG, "DescribeOfferings")["offerings"]}


def test_the_stock_is_not_lowered_below_reserved_units(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    unit = caller.buy(count=6)
    before = fresh.rows()
    key = {"region": "bj", "type": "gpu-1"}
    for total in (5, 0):
        answer = fresh.operator.ask(CATALOG, "SetOffering", {**key, "stockTotal": total, "pricePerMinute": "9"})
        assert (answer.status, answer.code) == (409, "InvalidState")
        assert "param[stockTotal]" in answer.body["message"]
    assert fresh.rows() == before
    lowered = fresh.operator.do(CATALOG, "SetOffering", {**key, "stockTotal": 6})
    assert (lowered["stockTotal"], lowered["stockFree"]) == (6, 0)
    caller.release(unit)
    assert fresh.operator.do(CATALOG, "SetOffering", {**key, "stockTotal": 0})["stockFree"] == 0


def test_stock_that_is_kept_for_a_stopped_instance_is_reserved_too(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    caller.buy(count=5, months=1)
    fresh.advance("2030-02-16T00:00:00Z")
    assert fresh.operator.refused(CATALOG, "SetOffering", {"region": "bj", "type": "gpu-1", "stockTotal": 4}) == (
        "InvalidState"
    )


def test_a_new_offering_is_sold_at_once_and_stands_last(fresh: ServiceHarness) -> None:
    fresh.sell("mars", "quantum-9", stock=1)
    offerings = fresh.operator.do(CATALOG, "DescribeOfferings")["offerings"]
    assert (offerings[-1]["region"], offerings[-1]["type"]) == ("mars", "quantum-9")
    caller = fresh.customer()
    assert caller.unit(caller.buy(region="mars", type="quantum-9"))["region"] == "mars"


# --- accounts --------------------------------------------------------------------------------------------


def test_a_top_up_is_a_posting_from_outside_into_the_wallet(fresh: ServiceHarness) -> None:
    caller = fresh.customer("12.5")
    account = caller.do(ACCOUNT, "DescribeAccount")
    assert account["balance"] == "12.50"
    (posting,) = caller.postings()
    assert {name: posting[name] for name in ("kind", "debit", "credit", "amount", "time")} == {
        "kind": "TopUp",
        "debit": "funding",
        "credit": f"wallet:{account['accountId']}",
        "amount": "12.50",
        "time": "2030-01-15T08:00:00+08:00",
    }


def test_an_operator_tops_up_its_own_account_where_none_is_named(fresh: ServiceHarness) -> None:
    before = fresh.operator.balance()
    shown = fresh.operator.do(ACCOUNT, "TopUpAccount", {"amount": "3"})
    assert (before, shown["balance"], shown["name"]) == ("0.00", "3.00", "root")
    assert fresh.operator.refused(ACCOUNT, "TopUpAccount", {"amount": "3", "accountId": "nobody"}) == "ResourceNotFound"


def test_the_balance_is_the_sum_of_the_postings(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    caller.buy(count=2)
    caller.buy(months=3)
    caller.release(caller.buy())
    fresh.advance("2030-01-15T12:34:56+08:00")
    wallet = f"wallet:{caller.do(ACCOUNT, 'DescribeAccount')['accountId']}"
    total = sum(
        Decimal(posting["amount"]) * ((posting["credit"] == wallet) - (posting["debit"] == wallet))
        for posting in caller.postings()
    )
    assert Decimal(caller.balance()) == total


# --- beyond what can be counted --------------------------------------------------------------------------

MOST = "4611686018426"


def test_a_balance_beyond_all_bounds_is_refused(fresh: ServiceHarness) -> None:
    assert fresh.operator.do(ACCOUNT, "TopUpAccount", {"amount": MOST})
    assert fresh.operator.ask(ACCOUNT, "TopUpAccount", {"amount": MOST}).status < 500


@pytest.mark.parametrize("months", [None, 12])
def test_a_purchase_whose_price_is_beyond_all_bounds_is_refused(fresh: ServiceHarness, months: int | None) -> None:
    fresh.sell(minute=MOST, month=MOST, stock=100_000)
    caller = fresh.customer()
    assert caller.ask(UNITS, "PurchaseComputeUnit", order(count=100_000, months=months)).status < 500


def test_an_instance_whose_bill_is_beyond_all_bounds_can_still_be_released(opened: Path, tmp_path: Path) -> None:
    data = shutil.copytree(opened, tmp_path / "data")
    with a_scene(data, environment={"LEASEBOOK_POSTPAID_BALANCE_MIN": "0"}) as scene:
        scene.sell(minute=MOST, stock=100_000)
        caller = scene.customer()
        unit = caller.buy(count=100_000)
        scene.advance("2030-01-15 08:10:00")
        assert caller.ask(UNITS, "ReleaseComputeUnit", {"instanceId": unit}).status < 500


def test_instances_are_listed_by_payment_however_long_the_catalogue_is(fresh: ServiceHarness) -> None:
    async def fill() -> None:
        offerings = ({"region": f"r{number}", "type": "gpu-1"} for number in range(501))
        await asyncio.gather(*(fresh.operator.desk.call(CATALOG, "SetOffering", one) for one in offerings))

    fresh.play(fill)
    assert fresh.operator.ask(UNITS, "DescribeComputeUnits", {"paymentTiming": "Prepaid"}).status == 200


# --- pages -----------------------------------------------------------------------------------------------

LISTS = {
    "services": (SERVICE, "DescribeServices", "serviceList", "serviceId"),
    "orders": (ACCOUNT, "DescribeOrders", "orders", "orderId"),
    "postings": (ACCOUNT, "DescribePostings", "postings", "postingId"),
    "units": (UNITS, "DescribeComputeUnits", "computeUnitInstanceList", "instanceId"),
}


def filled(shared: ServiceHarness) -> Caller:
    caller = shared.customer("100000")
    for _ in range(12):
        caller.buy(months=1)
        caller.create_service()
    return caller


@pytest.fixture(scope="module")
def owner(shared: ServiceHarness) -> Caller:
    """An account with a dozen of everything."""
    return filled(shared)


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("size", [1, 5, 12, 100])
def test_pages_put_together_are_the_whole_list(owner: Caller, name: str, size: int) -> None:
    path, action, key, identifier = LISTS[name]
    whole = owner.do(path, action, {"maxKeys": 100})[key]
    assert len({row[identifier] for row in whole}) == len(whole) >= 12
    found: list[Any] = []
    body: dict[str, Any] = {"maxKeys": size}
    for _ in range(20):
        page = owner.do(path, action, body)
        assert len(page[key]) <= size
        assert page["isTruncated"] is ("nextMarker" in page)
        found += page[key]
        if not page["isTruncated"]:
            break
        body["marker"] = page["nextMarker"]
    assert found == whole


def test_services_can_be_listed_the_other_way_round_and_by_name_status_and_creator(owner: Caller) -> None:
    forth = owner.do(SERVICE, "DescribeServices", {"maxKeys": 100})["serviceList"]
    back = owner.do(SERVICE, "DescribeServices", {"maxKeys": 100, "pageReverse": True})["serviceList"]
    assert back == forth[::-1]
    named = owner.do(SERVICE, "CreateService", {**new_service(), "name": "100%_!x"})["serviceId"]

    def found(**body: Any) -> list[str]:
        listed = owner.do(SERVICE, "DescribeServices", {"maxKeys": 100, **body})["serviceList"]
        return [service["serviceId"] for service in listed]

    for part in ("100%", "%_!", "_!x", "100%_!x"):
        assert found(name=part) == [named]
    assert found(name="100_") == []
    everything = found()
    assert found(runStatus=["New"]) == found(runStatus=[]) == found(runStatus=["New", "Serving"]) == everything
    assert found(runStatus=["Serving"]) == found(runStatus=["Deploying", "Failed", "Stopped"]) == []
    assert found(creator=[forth[0]["creator"]]) == everything
    assert found(creator=["somebody"]) == []


def test_a_page_of_services_has_ten_rows_unless_asked_and_never_more_than_a_hundred(owner: Caller) -> None:
    page = owner.do(SERVICE, "DescribeServices")
    assert (len(page["serviceList"]), page["maxKeys"]) == (10, 10)
    assert owner.do(SERVICE, "DescribeServices", {"maxKeys": 2**31})["maxKeys"] == 100
    assert owner.do(SERVICE, "DescribeServices", {"maxKeys": 101})["maxKeys"] == 100


def markers(owner: Caller, other: Caller) -> list[str]:
    whose = [caller.do(*LISTS[name][:2], {"maxKeys": 1}) for caller, name in ((owner, "orders"), (other, "services"))]
    mine = owner.do(SERVICE, "DescribeServices", {"maxKeys": 1})["nextMarker"]
    reverse = owner.do(SERVICE, "DescribeServices", {"maxKeys": 1, "pageReverse": True})["nextMarker"]
    return [page["nextMarker"] for page in whose] + [reverse, mine[:-1], mine + "A", mine.swapcase(), "x"]


def test_a_marker_of_another_list_or_of_none_is_refused(shared: ServiceHarness, owner: Caller) -> None:
    wrong = [*markers(owner, filled(shared)), "é", "A" * 64, "////////////////", "-", "%", "0", "null"]
    for marker in wrong:
        answer = owner.ask(SERVICE, "DescribeServices", {"marker": marker})
        assert (answer.status, answer.code) == (400, "InvalidMarker"), marker
    for name in ("orders", "postings", "units"):
        path, action, *_ = LISTS[name]
        assert owner.refused(path, action, {"marker": "x"}) == "InvalidMarker"


def test_instances_are_listed_by_payment_region_type_and_status(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    fresh.sell("bd", "cpu")
    first, second, third = caller.buy(), caller.buy(months=1), caller.buy(region="bd", type="cpu")
    gone = caller.buy()
    caller.release(gone)

    def found(**body: Any) -> list[str]:
        listed = caller.do(UNITS, "DescribeComputeUnits", body)["computeUnitInstanceList"]
        assert caller.do(UNITS, "DescribeComputeUnits", {**body, "maxKeys": 10})["computeUnitInstanceList"] == listed
        return [unit["instanceId"] for unit in listed]

    assert found() == [first, second, third]
    assert found(paymentTiming="Prepaid") == [second]
    assert found(paymentTiming="Postpaid") == [first, third]
    assert found(region="bd") == found(type="cpu") == [third]
    assert found(region="bj", type="cpu") == found(region="nowhere") == []
    assert found(status="Released") == [gone]
    assert found(status="Running", region="bj", paymentTiming="Postpaid") == [first]
    assert found(status="Stopped") == found(status="Creating") == []
    service = caller.create_service()
    assert caller.do(RESOURCES, "DescribeComputeUnits", {"serviceId": service}) == {"instances": []}


def test_another_accounts_instances_are_never_listed(fresh: ServiceHarness) -> None:
    fresh.customer().do(UNITS, "PurchaseComputeUnit", order())
    stranger = fresh.customer()
    assert stranger.do(UNITS, "DescribeComputeUnits") == {"computeUnitInstanceList": []}
    assert stranger.do(ACCOUNT, "DescribeOrders")["orders"] == []
    assert len(stranger.do(ACCOUNT, "DescribePostings")["postings"]) == 1


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "Factory", "right/Asia/Shanghai", "posix/UTC", "Asia"])
def test_an_account_has_a_zone_that_means_the_same_on_every_machine(shared: ServiceHarness, zone: str) -> None:
    commits = shared.commits()
    assert shared.operator.field_refused(IAM, "CreateAccount", {"name": "x", "timeZone": zone}) == "timeZone"
    assert shared.commits() == commits

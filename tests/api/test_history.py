"""Orders and postings: newest first, found by kind, instance and time, a page at a time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.scene import ACCOUNT, UNITS, Caller, ServiceHarness, billing_of

LISTS = pytest.mark.parametrize(("action", "name"), [("DescribeOrders", "orders"), ("DescribePostings", "postings")])


class AccountHistory:
    """An account to which everything happened that leaves an order or a posting."""

    def __init__(self, scene: ServiceHarness) -> None:
        self.caller = scene.customer("2000")
        self.grows = self.caller.buy(months=1)
        scene.advance("2030-01-15 09:00:00")
        self.caller.do(UNITS, "ResizeComputeUnit", {"instanceId": self.grows, "count": 2})
        scene.advance("2030-01-15 10:00:00")
        self.caller.do(UNITS, "RenewComputeUnit", {"instanceId": self.grows, "months": 1})
        self.turns = self.caller.buy()
        scene.advance("2030-01-15 11:00:00")
        self.caller.do(UNITS, "ChangeBilling", {"instanceId": self.turns, **billing_of(months=1)})
        scene.customer().buy(months=1)


@pytest.fixture(scope="module")
def history(either_shared: ServiceHarness) -> AccountHistory:
    """One on either store, which tests only read."""
    return AccountHistory(either_shared)


def kinds(caller: Caller, action: str, name: str, **wanted: Any) -> list[str]:
    """List orders or postings; returns their kinds, oldest first."""
    return [one["kind"] for one in reversed(caller.do(ACCOUNT, action, wanted)[name])]


ORDERS = ["Purchase", "Resize", "Renewal", "Purchase", "Conversion"]
POSTINGS = ["TopUp", "Purchase", "Resize", "Renewal", "Usage", "Conversion"]


@pytest.mark.both_stores
def test_orders_are_found_by_kind_instance_and_time(history: AccountHistory) -> None:
    for wanted, found in (
        ({}, ORDERS),
        ({"kind": "Purchase"}, ["Purchase", "Purchase"]),
        ({"kind": "Renewal"}, ["Renewal"]),
        ({"kind": "Resize"}, ["Resize"]),
        ({"kind": "Conversion"}, ["Conversion"]),
        ({"instanceId": history.grows}, ["Purchase", "Resize", "Renewal"]),
        ({"instanceId": history.turns}, ["Purchase", "Conversion"]),
        ({"instanceId": history.turns, "kind": "Conversion"}, ["Conversion"]),
        ({"instanceId": history.turns, "kind": "Renewal"}, []),
        ({"instanceId": "unit-nowhere0"}, []),
        ({"startTime": "2030-01-15 10:00:00"}, ["Renewal", "Purchase", "Conversion"]),
        ({"endTime": "2030-01-15 10:00:00"}, ["Purchase", "Resize"]),
        ({"startTime": "2030-01-15 09:00:00", "endTime": "2030-01-15 10:00:01"}, ["Resize", "Renewal", "Purchase"]),
        ({"startTime": "2030-01-15 09:00:01", "endTime": "2030-01-15 10:00:00"}, []),
        ({"kind": "Purchase", "startTime": "2030-01-15T02:00:00Z"}, ["Purchase"]),
    ):
        assert kinds(history.caller, "DescribeOrders", "orders", **wanted) == found, wanted


def test_postings_are_found_by_kind_instance_and_time(history: AccountHistory) -> None:
    for wanted, found in (
        ({}, POSTINGS),
        *(({"kind": kind}, [kind]) for kind in POSTINGS),
        ({"kind": "Refund"}, []),
        ({"instanceId": history.grows}, ["Purchase", "Resize", "Renewal"]),
        ({"instanceId": history.turns}, ["Usage", "Conversion"]),
        ({"instanceId": history.turns, "kind": "Usage"}, ["Usage"]),
        ({"startTime": "2030-01-15 10:00:00"}, ["Renewal", "Usage", "Conversion"]),
        ({"endTime": "2030-01-15 10:00:00"}, ["TopUp", "Purchase", "Resize"]),
        ({"kind": "TopUp", "endTime": "2030-01-15 08:00:00"}, []),
        ({"kind": "TopUp", "endTime": "2030-01-15 08:00:01"}, ["TopUp"]),
    ):
        assert kinds(history.caller, "DescribePostings", "postings", **wanted) == found, wanted


@LISTS
@pytest.mark.parametrize("wanted", [{}, {"kind": "Purchase"}, {"startTime": "2030-01-15 09:00:00"}])
@pytest.mark.parametrize("size", [1, 2, 100])
def test_pages_put_together_are_the_whole_list(
    history: AccountHistory, action: str, name: str, wanted: dict[str, Any], size: int
) -> None:
    whole = history.caller.do(ACCOUNT, action, wanted)[name]
    pages = history.caller.pages(ACCOUNT, action, {**wanted, "maxKeys": size})
    assert all(len(page[name]) <= size for page in pages)
    assert [one for page in pages for one in page[name]] == whole


@LISTS
def test_a_page_goes_on_only_with_the_filter_that_it_began_with(
    history: AccountHistory, action: str, name: str
) -> None:
    first = history.caller.do(ACCOUNT, action, {"maxKeys": 1})
    for other in ({"kind": "Purchase"}, {"instanceId": history.grows}, {"endTime": "2031-01-01 00:00:00"}):
        assert history.caller.refused(ACCOUNT, action, {"marker": first["nextMarker"], **other}) == "InvalidMarker"
    assert len(history.caller.do(ACCOUNT, action, {"marker": first["nextMarker"]})[name]) >= 4


@LISTS
def test_a_filter_of_another_value_is_named(either_shared: ServiceHarness, action: str, name: str) -> None:
    caller = either_shared.customer()
    assert caller.field_refused(ACCOUNT, action, {"kind": "Gift"}) == "kind"
    assert caller.field_refused(ACCOUNT, action, {"startTime": "yesterday"}) == "startTime"
    assert caller.field_refused(ACCOUNT, action, {"endTime": "2030-02-30 00:00:00"}) == "endTime"
    assert len(caller.do(ACCOUNT, action)[name]) <= 1


def test_a_charge_says_what_it_is_for(history: AccountHistory) -> None:
    (usage,) = history.caller.do(ACCOUNT, "DescribePostings", {"kind": "Usage"})["postings"]
    assert {name: usage[name] for name in ("minutes", "count", "price", "amount", "startTime", "time")} == {
        "minutes": 60,
        "count": 1,
        "price": "0.50",
        "amount": "30.00",
        "startTime": "2030-01-15T10:00:00+08:00",
        "time": "2030-01-15T11:00:00+08:00",
    }
    (renewal,) = history.caller.do(ACCOUNT, "DescribePostings", {"kind": "Renewal"})["postings"]
    assert {name: renewal[name] for name in ("count", "price", "amount", "startTime", "endTime")} == {
        "count": 2,
        "price": "100.00",
        "amount": "200.00",
        "startTime": "2030-02-15T08:00:00+08:00",
        "endTime": "2030-03-15T08:00:00+08:00",
    }

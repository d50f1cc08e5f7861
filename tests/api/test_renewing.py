"""Renewing a prepaid instance by hand: by months, to a day of a month, or both; also one that stopped."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

import pytest

from tests.api.scene import ACCOUNT, UNITS, Caller, ServiceHarness


def renew(caller: Caller, unit: str, **wanted: Any) -> Any:
    """Renew an instance; returns the answer."""
    return caller.do(UNITS, "RenewComputeUnit", {"instanceId": unit, **wanted})


def paid(caller: Caller) -> list[str]:
    """Return what renewals cost, oldest first."""
    return [posting["amount"] for posting in caller.postings() if posting["kind"] == "Renewal"]


def amount(hundreds: Fraction) -> str:
    """Write a hundred times this number, rounded up to a millionth, as amounts are written."""
    micro = ceil(hundreds * 100_000_000)
    text = f"{micro // 1_000_000}.{micro % 1_000_000:06}".rstrip("0")
    whole, _, part = text.partition(".")
    return f"{whole}.{part:0<2}"


@pytest.mark.parametrize(
    ("wanted", "expires", "months"),
    [
        ({"months": 1}, "2030-03-15", Fraction(1)),
        ({"months": 36}, "2033-02-15", Fraction(36)),
        ({"expiryDay": 20}, "2030-02-20", Fraction(5, 31)),
        ({"expiryDay": 10}, "2030-03-10", Fraction(26, 31)),
        ({"expiryDay": 15}, "2030-03-15", Fraction(1)),
        ({"expiryDay": 31}, "2030-02-28", Fraction(16, 31)),
        ({"months": 1, "expiryDay": 20}, "2030-03-20", 1 + Fraction(5, 31)),
        ({"months": 1, "expiryDay": 15}, "2030-03-15", Fraction(1)),
        ({"months": 2, "expiryDay": 1}, "2030-05-01", 2 + Fraction(17, 31)),
    ],
)
def test_a_renewal_reaches_from_the_end_of_the_term_and_costs_its_part_of_months(
    either: ServiceHarness, wanted: Any, expires: str, months: Fraction
) -> None:
    caller = either.customer("10000")
    unit = caller.buy(months=1)
    either.advance("2030-01-20 12:34:56")
    answer = renew(caller, unit, **wanted)
    assert answer["instanceId"] == unit
    assert answer["expiredTime"] == caller.unit(unit)["expiredTime"] == f"{expires}T08:00:00+08:00"
    assert paid(caller) == [amount(months)]
    (order,) = caller.do(ACCOUNT, "DescribeOrders", {"kind": "Renewal"})["orders"]
    assert (order["orderId"], order["instanceId"]) == (answer["orderId"], unit)
    assert order.get("months") == wanted.get("months"), "the whole ones that were asked for"
    posting = caller.postings()[-1]
    assert (posting["startTime"], posting["endTime"]) == ("2030-02-15T08:00:00+08:00", answer["expiredTime"])
    assert (posting["count"], posting["price"], posting["time"]) == (1, "100.00", "2030-01-20T12:34:56+08:00")


def test_months_stay_anchored_on_the_first_day_of_the_term(either: ServiceHarness) -> None:
    caller = either.customer()
    either.advance("2030-01-31 08:00:00")
    unit = caller.buy(months=1)
    ends = [caller.unit(unit)["expiredTime"]] + [renew(caller, unit, months=1)["expiredTime"] for _ in range(3)]
    assert [end[:10] for end in ends] == ["2030-02-28", "2030-03-31", "2030-04-30", "2030-05-31"]
    assert paid(caller) == ["100.00"] * 3


def test_a_day_that_was_asked_for_is_the_anchor_from_then_on(either: ServiceHarness) -> None:
    caller = either.customer()
    unit = caller.buy(months=1)
    ends = [renew(caller, unit, expiryDay=31)["expiredTime"]]
    ends += [renew(caller, unit, months=1)["expiredTime"] for _ in range(3)]
    assert [end[:10] for end in ends] == ["2030-02-28", "2030-03-31", "2030-04-30", "2030-05-31"]
    assert paid(caller)[1:] == ["100.00"] * 3


def test_a_stopped_instance_runs_again_with_its_replicas_and_no_day_is_free(either: ServiceHarness) -> None:
    caller = either.customer()
    service = caller.create_service()
    unit = caller.buy_replicas(service, 2, months=1)
    either.advance("2030-02-22 07:59:59")
    assert caller.unit(unit)["status"] == "Stopped"
    assert caller.service(service)["runStatus"] == "Stopped"
    assert renew(caller, unit, months=1)["expiredTime"] == "2030-03-15T08:00:00+08:00"
    shown = caller.unit(unit)
    assert (shown["status"], shown["usedComputeUnits"]) == ("Running", 2)
    assert caller.service(service)["runStatus"] == "Serving"
    either.advance("2030-03-15 07:59:59")
    assert caller.unit(unit)["status"] == "Running"
    either.advance("2030-03-15 08:00:00")
    assert caller.unit(unit)["status"] == "Stopped"
    either.advance("2030-03-22 08:00:00")
    assert caller.unit(unit)["status"] == "Released"
    assert caller.balance() == "600.00"


def test_a_stopped_instance_is_renewed_to_a_day_that_is_still_to_come(either: ServiceHarness) -> None:
    caller = either.customer()
    unit = caller.buy(months=1)
    either.advance("2030-02-18 08:00:00")
    past = {"instanceId": unit, "expiryDay": 16}
    assert caller.field_refused(UNITS, "RenewComputeUnit", past) in {"months", "expiryDay"}
    assert caller.unit(unit)["status"] == "Stopped"
    assert renew(caller, unit, expiryDay=20)["expiredTime"] == "2030-02-20T08:00:00+08:00"
    assert caller.unit(unit)["status"] == "Running"
    assert paid(caller) == [amount(Fraction(5, 31))]


def test_what_cannot_be_renewed_is_refused_and_nothing_is_paid(either: ServiceHarness) -> None:
    caller = either.customer("240")
    prepaid, postpaid = caller.buy(months=1), caller.buy()
    gone = caller.buy()
    caller.release(gone)
    unit = {"instanceId": prepaid}
    for body in (unit, {**unit, "months": 0}, {**unit, "months": 37}):
        assert caller.field_refused(UNITS, "RenewComputeUnit", body) == "months"
    for day in (0, 32):
        assert caller.field_refused(UNITS, "RenewComputeUnit", {**unit, "expiryDay": day}) == "expiryDay"
    assert caller.refused(UNITS, "RenewComputeUnit", {**unit, "months": 2}) == "InsufficientBalance"
    assert caller.refused(UNITS, "RenewComputeUnit", {"instanceId": postpaid, "months": 1}) == "OperationNotSupported"
    assert caller.refused(UNITS, "RenewComputeUnit", {"instanceId": gone, "months": 1}) == "OperationNotSupported"
    nowhere = {"instanceId": "unit-nowhere0", "months": 1}
    assert caller.refused(UNITS, "RenewComputeUnit", nowhere) == "InstanceNotFound"
    assert caller.balance() == "140.00"
    assert caller.unit(prepaid)["expiredTime"] == "2030-02-15T08:00:00+08:00"
    caller.release(postpaid)
    either.advance("2030-02-22 08:00:00")
    assert caller.unit(prepaid)["status"] == "Released"
    assert caller.refused(UNITS, "RenewComputeUnit", {**unit, "months": 1}) == "InvalidState"


def test_a_term_can_be_made_a_hundred_years_long_and_no_longer(either: ServiceHarness) -> None:
    caller = either.customer("1000000")
    unit = caller.buy(months=12)
    for _ in range(33):
        renew(caller, unit, months=36)
    assert caller.unit(unit)["expiredTime"] == "2130-01-15T08:00:00+08:00"
    assert caller.field_refused(UNITS, "RenewComputeUnit", {"instanceId": unit, "months": 1}) == "months"


def test_a_duration_is_counted_on_the_accounts_clocks(either: ServiceHarness) -> None:
    # Two months from 15 July 01:30 in Berlin: in UTC that is the 14th, and the same time in January is not.
    caller = either.customer("10000", zone="Europe/Berlin")
    either.advance("2030-07-15T01:30:00+02:00")
    unit = caller.buy(months=1)
    renew(caller, unit, months=1, expiryDay=15)
    shown = caller.unit(unit)
    assert (shown["duration"], shown["expiredTime"]) == (2, "2030-09-15T07:30:00+08:00")
    (listed,) = caller.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"]
    assert listed["duration"] == 2


def test_no_term_is_longer_than_a_hundred_years_however_it_is_renewed(fresh: ServiceHarness) -> None:
    fresh.sell(month="0")
    caller = fresh.customer()
    unit = caller.buy(months=1)
    codes = []
    for number in range(40):
        day = {"expiryDay": number % 28 + 1}
        codes.append(caller.ask(UNITS, "RenewComputeUnit", {"instanceId": unit, "months": 36, **day}).status)
    assert codes == sorted(codes)
    assert codes.count(200) > 30
    assert codes[-1] == 400
    last = caller.unit(unit)["expiredTime"]
    assert "2128-01-01" < last < "2130-01-15T08:00:01"
    answer = caller.ask(UNITS, "RenewComputeUnit", {"instanceId": unit, "months": 36, "expiryDay": 1})
    assert "No term is longer than 1200 months." in answer.body["message"]

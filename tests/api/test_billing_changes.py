"""Changing how an instance is paid: by the minute, or in advance."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.api.scene import ACCOUNT, CATALOG, CHARGE, EVENTS, UNITS, Caller, ServiceHarness, billing_of


def turn(caller: Caller, unit: str, **billing: Any) -> Any:
    """Have an instance paid in another way; returns the answer."""
    return caller.do(UNITS, "ChangeBilling", {"instanceId": unit, **billing_of(**billing)})


def movements(caller: Caller) -> list[tuple[str, str]]:
    """Return what was paid, and for what."""
    return [(one["kind"], one["amount"]) for one in caller.postings() if one["kind"] != "TopUp"]


def test_a_postpaid_instance_is_charged_and_then_paid_in_advance(either: ServiceHarness) -> None:
    caller = either.customer()
    unit = caller.buy(count=2, release="2030-01-20 00:00:00")
    either.advance("2030-01-15 08:10:30")
    answer = turn(caller, unit, months=3)
    assert (answer["instanceId"], answer["droppedReleaseTime"]) == (unit, "2030-01-20T00:00:00+08:00")
    assert movements(caller) == [("Usage", "11.00"), ("Conversion", "600.00")]
    shown = caller.unit(unit)
    assert (shown["status"], shown["paymentTiming"], shown["duration"]) == ("Running", "Prepaid", 3)
    # From where the minute ends that was charged.
    assert shown["expiredTime"] == "2030-04-15T08:11:00+08:00"
    assert shown["startTime"] == "2030-01-15T08:00:00+08:00"
    assert "releaseTime" not in shown
    (order,) = caller.do(ACCOUNT, "DescribeOrders", {"kind": "Conversion"})["orders"]
    assert (order["orderId"], order["paymentTiming"], order["months"], order["amount"]) == (
        answer["orderId"],
        "Prepaid",
        3,
        "600.00",
    )
    # Neither is it metered any more, nor released at the time that was set before.
    either.advance("2030-04-15 08:10:59")
    assert caller.unit(unit)["status"] == "Running"
    assert caller.balance() == "389.00"
    either.advance("2030-04-22 08:11:00")
    assert caller.unit(unit)["status"] == "Released"
    assert caller.balance() == "389.00"


def test_the_new_term_can_renew_itself(either: ServiceHarness) -> None:
    caller = either.customer()
    unit = caller.buy()
    turn(caller, unit, months=1, autoRenew=True, autoRenewTime=2)
    either.advance("2030-02-08 08:00:00")
    assert caller.unit(unit)["expiredTime"] == "2030-04-15T08:00:00+08:00"


def test_a_prepaid_instance_is_metered_from_the_end_of_its_term(either: ServiceHarness) -> None:
    caller = either.customer()
    service = caller.create_service()
    unit = caller.buy_replicas(service, 2, months=1, autoRenew=True)
    answer = turn(caller, unit)
    assert (caller.unit(unit)["status"], caller.unit(unit)["paymentTiming"]) == ("BillingChanging", "Prepaid")
    assert caller.do(CHARGE, "DescribeAutoRenewRules")["rules"] == []
    assert caller.service(service)["runStatus"] == "Serving"
    assert caller.do(ACCOUNT, "DescribeOrders", {"kind": "Conversion"})["orders"][0]["orderId"] == answer["orderId"]
    either.advance("2030-02-15 07:59:59")
    assert caller.unit(unit)["status"] == "BillingChanging"
    either.advance("2030-02-15 08:00:00")
    shown = caller.unit(unit)
    assert (shown["status"], shown["paymentTiming"], shown["usedComputeUnits"]) == ("Running", "Postpaid", 2)
    assert "expiredTime" not in shown
    assert "duration" not in shown
    assert (caller.service(service)["payType"], caller.service(service)["runStatus"]) == ("Postpay", "Serving")
    either.advance("2030-02-15 08:20:01")
    caller.release(unit)
    assert movements(caller) == [("Purchase", "200.00"), ("Usage", "21.00")]


def test_a_change_can_be_taken_back_until_the_term_ends(either: ServiceHarness) -> None:
    caller = either.customer()
    unit = caller.buy(months=1)
    turn(caller, unit)
    turn(caller, unit, months=5)  # it has a term, and stays as it is
    assert (caller.unit(unit)["status"], caller.unit(unit)["paymentTiming"]) == ("Running", "Prepaid")
    assert caller.unit(unit)["expiredTime"] == "2030-02-15T08:00:00+08:00"
    assert movements(caller) == [("Purchase", "100.00")]
    either.advance("2030-02-15 08:00:00")
    assert caller.unit(unit)["status"] == "Stopped"


def test_who_renews_meanwhile_stays_prepaid(either: ServiceHarness) -> None:
    caller = either.customer()
    unit = caller.buy(months=1)
    turn(caller, unit)
    caller.do(UNITS, "RenewComputeUnit", {"instanceId": unit, "months": 1})
    assert (caller.unit(unit)["status"], caller.unit(unit)["paymentTiming"]) == ("Running", "Prepaid")
    either.advance("2030-03-15 08:00:00")
    assert caller.unit(unit)["status"] == "Stopped"


@pytest.mark.parametrize("funds", ["129.999999", "130"])
def test_what_could_not_be_bought_postpaid_stops_at_the_end_of_its_term(either: ServiceHarness, funds: str) -> None:
    caller = either.customer(funds)
    unit = caller.buy(months=1)
    turn(caller, unit)
    either.advance("2030-02-15 08:00:00")
    assert caller.unit(unit)["status"] == ("Running" if funds == "130" else "Stopped")


def test_what_is_sold_by_the_month_only_stops_at_the_end_of_its_term(either: ServiceHarness) -> None:
    either.operator.do(CATALOG, "SetOffering", {"region": "bj", "type": "cpu", "pricePerMonth": "1", "stockTotal": 1})
    caller = either.customer()
    unit = caller.buy(type="cpu", months=1)
    turn(caller, unit)
    either.advance("2030-02-15 08:00:00")
    assert caller.unit(unit)["status"] == "Stopped"
    either.advance("2030-02-22 08:00:00")
    assert caller.unit(unit)["status"] == "Released"


def test_what_turned_postpaid_can_turn_back_and_forth(either: ServiceHarness) -> None:
    caller = either.customer()
    unit = caller.buy(months=1)
    turn(caller, unit)
    either.advance("2030-02-15 08:30:00")
    turn(caller, unit, months=1)
    assert caller.unit(unit)["expiredTime"] == "2030-03-15T08:30:00+08:00"
    turn(caller, unit)
    either.advance("2030-03-15 09:00:00")
    assert movements(caller) == [
        ("Purchase", "100.00"),
        ("Usage", "15.00"),
        ("Conversion", "100.00"),
        ("Usage", "15.00"),
    ]


def test_a_change_that_cannot_be_is_refused_and_nothing_changes(either: ServiceHarness) -> None:
    caller = either.customer("180")
    prepaid, postpaid, gone = caller.buy(months=1), caller.buy(), caller.buy()
    caller.release(gone)
    before = caller.unit(prepaid), caller.unit(postpaid), caller.postings()

    def refused(unit: str, **billing: Any) -> str:
        return caller.refused(UNITS, "ChangeBilling", {"instanceId": unit, **billing_of(**billing)})

    assert refused(prepaid, months=1) == "InvalidState"
    assert refused(postpaid) == "InvalidState"
    assert refused(postpaid, months=1) == "InsufficientBalance"
    assert refused(gone, months=1) == "InvalidState"
    assert refused("unit-nowhere0") == "InstanceNotFound"
    assert (caller.unit(prepaid), caller.unit(postpaid), caller.postings()) == before
    turn(caller, prepaid)
    assert refused(prepaid) == "InvalidState"
    assert caller.refused(UNITS, "ReleaseComputeUnit", {"instanceId": prepaid}) == "OperationNotSupported"


@pytest.mark.parametrize(
    ("reservation", "field"),
    [
        (None, "reservation"),
        ({}, "reservation.reservationTimeUnit"),
        ({"reservationTimeUnit": "Hour", "reservationLength": 1}, "reservation.reservationTimeUnit"),
        ({"reservationTimeUnit": "Month"}, "reservation.reservationLength"),
        ({"reservationTimeUnit": "Month", "reservationLength": 13}, "reservation.reservationLength"),
        (
            {"reservationTimeUnit": "Month", "reservationLength": 1, "autoRenewTime": 7},
            "reservation.autoRenewTime",
        ),
    ],
)
def test_a_term_that_is_not_sold_is_named_by_its_field(either: ServiceHarness, reservation: Any, field: str) -> None:
    caller = either.customer()
    body = {"instanceId": caller.buy(), "paymentTiming": "Prepaid", "reservation": reservation}
    assert caller.field_refused(UNITS, "ChangeBilling", body) == field


class SwitchCase(NamedTuple):
    """The limits when a change is asked for and when it comes, and what becomes of it: a status and a release time."""

    asked_under: dict[str, Any]
    comes_under: dict[str, Any]
    becomes: tuple[str, str | None] | None


HOUR, DAY, ENDS = {"releaseDefaultSeconds": 3600}, {"releaseDefaultSeconds": 86400}, {"endRequired": True}
AT_NINE, A_DAY_LATER = ("Running", "2030-02-15T09:00:00+08:00"), ("Running", "2030-02-16T08:00:00+08:00")
TURNS = {
    "no limits": SwitchCase({}, {}, ("Running", None)),
    "a default": SwitchCase(HOUR, HOUR, AT_NINE),
    "a default, and an end is needed": SwitchCase(HOUR | ENDS, HOUR | ENDS, AT_NINE),
    "an end is needed": SwitchCase(ENDS, {}, None),
    "the default comes later": SwitchCase({}, HOUR, AT_NINE),
    "another default": SwitchCase(HOUR | ENDS, DAY | ENDS, A_DAY_LATER),
    "the default goes": SwitchCase(HOUR | ENDS, {}, ("Running", None)),
    "the default goes, and an end is needed": SwitchCase(HOUR | ENDS, ENDS, ("Stopped", None)),
    "an end comes to be needed": SwitchCase({}, ENDS, ("Stopped", None)),
}


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_what_becomes_postpaid_has_the_end_that_the_limits_ask_for(either: ServiceHarness, turn: SwitchCase) -> None:
    caller = either.customer()
    unit = caller.buy(months=1)

    def limit(limits: dict[str, Any]) -> None:
        caller.do(ACCOUNT, "SetGuardRails", {"limits": None})
        caller.do(ACCOUNT, "SetGuardRails", {"limits": limits})

    limit(turn.asked_under)
    change = {"instanceId": unit, "paymentTiming": "Postpaid"}
    if turn.becomes is None:
        answer = caller.ask(UNITS, "ChangeBilling", change)
        assert (answer.code, caller.unit(unit)["status"]) == ("QuotaExceeded", "Running")
        assert "endRequired" in answer.body["message"]
        return
    caller.do(UNITS, "ChangeBilling", change)
    limit(turn.comes_under)
    told = caller.do(UNITS, "ExplainComputeUnit", {"instanceId": unit})
    status, release = turn.becomes
    ends = (told.get("endsBy"), told.get("endsTime"))
    if status == "Stopped":
        assert ends == ("expiry", "2030-02-15T08:00:00+08:00")
        assert "it stops: the account's limits do not let it go on postpaid" in told["text"]
    else:
        assert ends == ((None, None) if release is None else ("schedule", release))
    either.advance("2030-02-15T08:00:00+08:00")
    shown = caller.unit(unit)
    assert (shown["status"], shown.get("releaseTime")) == (status, release)
    if release is not None:
        changed = caller.do(EVENTS, "DescribeEvents", {"types": ["unit.billingChanged"]})["events"]
        data = {"status": "Running", "paymentTiming": "Postpaid", "expiredTime": None, "releaseTime": release}
        assert [event["data"] for event in changed] == [data]
        either.advance("2030-02-16T08:00:01+08:00")
        assert caller.unit(unit)["expiredTime"] == release
        assert caller.unit(unit)["status"] == "Released"


def test_who_is_reminded_of_releases_is_so_of_the_one_that_came_with_the_change(either: ServiceHarness) -> None:
    caller = either.customer()
    caller.do(ACCOUNT, "SetReminders", {"beforeSeconds": [600]})
    caller.do(ACCOUNT, "SetGuardRails", {"limits": HOUR})
    turn(caller, caller.buy(months=1))
    either.advance("2030-02-15T08:50:00+08:00")
    (reminder,) = caller.do(EVENTS, "DescribeEvents", {"types": ["unit.reminder"]})["events"]
    assert (reminder["data"]["what"], reminder["data"]["deadline"]) == ("release", "2030-02-15T09:00:00+08:00")


def test_work_that_is_done_late_counts_the_default_from_the_end_of_the_term(either: ServiceHarness) -> None:
    caller = either.customer()
    caller.do(ACCOUNT, "SetGuardRails", {"limits": HOUR})
    unit = caller.buy(months=1)
    turn(caller, unit)
    either.advance("2030-03-01T00:00:00+08:00")
    assert caller.unit(unit)["expiredTime"] == "2030-02-15T09:00:00+08:00"
    assert movements(caller) == [("Purchase", "100.00"), ("Usage", "30.00")]


def test_no_more_is_paid_at_once_for_a_change_than_was_agreed_to(either: ServiceHarness) -> None:
    caller = either.customer("100000")
    prepaid, postpaid = caller.buy(count=2, months=1), caller.buy(count=2)
    asked = {
        "RenewComputeUnit": {"instanceId": prepaid, "months": 2},
        "ResizeComputeUnit": {"instanceId": prepaid, "count": 3},
        "ChangeBilling": {"instanceId": postpaid, **billing_of(months=3)},
    }
    agreed = {name: caller.do(UNITS, "QuoteChange", body)["amount"] for name, body in asked.items()}
    assert agreed == {"RenewComputeUnit": "400.00", "ResizeComputeUnit": "100.00", "ChangeBilling": "600.00"}
    price = {"region": "bj", "type": "gpu-1", "pricePerMinute": "0.5"}
    either.operator.do(CATALOG, "SetOffering", {**price, "pricePerMonth": "100.000001"})
    before = caller.unit(prepaid), caller.unit(postpaid), caller.postings(), caller.balance()
    for name, body in asked.items():
        answer = caller.ask(UNITS, name, {**body, "maxAmount": agreed[name]}, query=f"&clientToken={name}")
        assert (answer.code, answer.status) == ("InvalidState", 409), name
        assert f"at most {agreed[name]} was agreed to" in answer.body["message"]
        assert answer.body["message"].endswith("param[maxAmount]")
    assert (caller.unit(prepaid), caller.unit(postpaid), caller.postings(), caller.balance()) == before
    # A price that has fallen is paid as it is now.
    either.operator.do(CATALOG, "SetOffering", {**price, "pricePerMonth": "90"})
    for name in ("ChangeBilling", "ResizeComputeUnit"):
        caller.do(UNITS, name, {**asked[name], "maxAmount": agreed[name]})
    # A renewal is dearer by then, too, if there are more units.
    renewal = asked["RenewComputeUnit"]
    assert caller.refused(UNITS, "RenewComputeUnit", {**renewal, "maxAmount": "400"}) == "InvalidState"
    caller.do(UNITS, "RenewComputeUnit", {**renewal, "maxAmount": "540"})
    paid = {kind: amount for kind, amount in movements(caller) if kind not in ("Purchase", "Usage")}
    assert paid == {"Conversion": "540.00", "Resize": "90.00", "Renewal": "540.00"}

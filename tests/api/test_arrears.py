"""Accounts in debt: metered instances run on for the grace, stop, and run again when the debt is paid."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from leasebook.domain.book.loads import SUSPENDED_MAX
from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.api.conftest import open_up
from tests.api.scene import ACCOUNT, CATALOG, SERVICE, UNITS, Caller, ServiceHarness, a_scene, order

# 60.00 pay two hours of one gpu-1. The third, at eleven, is the first that cannot be paid; a day later it stops.
FUNDS, IN_DEBT, STOPS, RETIRES = "60", "2030-01-15 11:00:00", "2030-01-16 11:00:00", "2030-01-23 11:00:00"


def top_up(scene: ServiceHarness, caller: Caller, amount: str) -> None:
    """Put money on the account of a caller."""
    scene.operator.do(ACCOUNT, "TopUpAccount", {"amount": amount, "accountId": caller.account_id()})


def status(caller: Caller, unit: str) -> str:
    """Return the status of an instance."""
    return str(caller.unit(unit)["status"])


def statuses(caller: Caller) -> dict[str, int]:
    """Count the instances by status."""
    found: dict[str, int] = {}
    for one in caller.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"]:
        found[one["status"]] = found.get(one["status"], 0) + 1
    return found


def test_what_is_not_paid_runs_on_for_the_grace_and_then_stops(either: ServiceHarness) -> None:
    caller = either.customer(FUNDS)
    service = caller.create_service()
    unit = caller.buy_replicas(service, 1)
    either.advance(IN_DEBT)
    assert (caller.balance(), status(caller, unit)) == ("-30.00", "Running")
    either.advance("2030-01-16 10:59:59")
    assert (status(caller, unit), caller.service(service)["runStatus"]) == ("Running", "Serving")
    either.advance(STOPS)
    shown = caller.unit(unit)
    assert (shown["status"], shown["totalComputeUnits"], shown["usedComputeUnits"]) == ("Stopped", 1, 0)
    assert caller.service(service)["runStatus"] == "Stopped"
    # The last hour was charged at that moment; nothing is charged while it is stopped, and its units stay reserved.
    assert caller.balance() == "-750.00"
    either.advance("2030-01-20 00:00:00")
    assert caller.balance() == "-750.00"
    assert caller.free() == 9


def test_who_is_in_debt_buys_nothing_more_and_may_end_things(either: ServiceHarness) -> None:
    caller = either.customer(FUNDS)
    unit, stays = caller.buy(), caller.buy()
    either.advance(IN_DEBT)
    assert caller.refused(UNITS, "PurchaseComputeUnit", order()) == "InsufficientBalance"
    assert caller.refused(UNITS, "PurchaseComputeUnit", order(months=1)) == "InsufficientBalance"
    assert caller.refused(UNITS, "ResizeComputeUnit", {"instanceId": unit, "count": 2}) == "InsufficientBalance"
    either.operator.do(CATALOG, "SetOffering", {"region": "bj", "type": "gpu-1", "pricePerMinute": "0"})
    assert caller.refused(UNITS, "PurchaseComputeUnit", order()) == "InsufficientBalance"
    caller.release(unit)
    either.advance(STOPS)
    assert (status(caller, unit), status(caller, stays)) == ("Released", "Stopped")
    caller.release(stays)
    assert status(caller, stays) == "Released"


def test_paying_the_whole_debt_and_nothing_less_brings_back_what_stood_still(either: ServiceHarness) -> None:
    caller = either.customer(FUNDS)
    service = caller.create_service("GPU-1-1")
    unit = caller.buy_replicas(service, 1)
    either.advance("2030-01-17 08:30:00")
    top_up(either, caller, "749.999999")
    assert (caller.balance(), status(caller, unit)) == ("-0.000001", "Stopped")
    top_up(either, caller, "0.000001")
    assert (caller.balance(), status(caller, unit)) == ("0.00", "Running")
    assert (caller.unit(unit)["usedComputeUnits"], caller.service(service)["runStatus"]) == (1, "Serving")
    # It is metered from then on, and the next hour is charged on the hour.
    top_up(either, caller, "100")
    either.advance("2030-01-17 09:00:00")
    last = caller.postings()[-1]
    assert (last["kind"], last["minutes"], last["startTime"]) == ("Usage", 30, "2030-01-17T08:30:00+08:00")
    assert caller.balance() == "85.00"
    either.advance(RETIRES)  # what once stopped is forgotten
    assert status(caller, unit) == "Stopped"


def test_paying_within_the_grace_keeps_it_running_and_the_next_debt_has_a_grace_of_its_own(
    either: ServiceHarness,
) -> None:
    caller = either.customer(FUNDS)
    unit = caller.buy()
    either.advance("2030-01-16 10:30:00")
    assert caller.balance() == "-720.00"
    top_up(either, caller, "780")  # 60.00 again: two hours
    either.advance(STOPS)
    assert (caller.balance(), status(caller, unit)) == ("30.00", "Running")
    either.advance("2030-01-16 13:00:00")
    assert caller.balance() == "-30.00"
    either.advance("2030-01-17 12:59:59")
    assert status(caller, unit) == "Running"
    either.advance("2030-01-17 13:00:00")
    assert status(caller, unit) == "Stopped"


def test_a_new_debt_right_before_an_old_grace_ends_has_a_grace_of_its_own(either: ServiceHarness) -> None:
    caller = either.customer("90")
    unit, other = caller.buy(count=2), caller.buy()
    either.advance("2030-01-15 09:20:00")
    caller.release(other)
    assert caller.balance() == "-10.00"  # from here on a day
    either.advance("2030-01-16 09:05:00")
    top_up(either, caller, "1450.5")
    assert caller.balance() == "0.50"
    either.advance("2030-01-16 09:10:00")
    caller.do(UNITS, "ResizeComputeUnit", {"instanceId": unit, "count": 1})
    assert caller.balance() == "-9.50"
    either.advance("2030-01-16 09:20:00")
    assert status(caller, unit) == "Running"
    either.advance("2030-01-17 09:09:59")
    assert status(caller, unit) == "Running"
    either.advance("2030-01-17 09:10:00")
    assert status(caller, unit) == "Stopped"


def test_a_debt_is_as_old_as_its_first_day_however_it_grows(either: ServiceHarness) -> None:
    caller = either.customer(FUNDS)
    first = caller.buy()
    either.advance("2030-01-15 09:30:00")
    top_up(either, caller, "1")
    second = caller.buy()
    either.advance("2030-01-15 10:00:00")
    assert caller.balance() == "-14.00"
    either.advance("2030-01-16 09:59:59")
    assert (status(caller, first), status(caller, second)) == ("Running", "Running")
    top_up(either, caller, "5")  # part of it is no help
    either.advance("2030-01-16 10:00:00")
    assert (status(caller, first), status(caller, second)) == ("Stopped", "Stopped")


def test_what_nobody_brings_back_is_released_after_the_retention(either: ServiceHarness) -> None:
    caller = either.customer(FUNDS)
    service = caller.create_service()
    unit = caller.buy_replicas(service, 1)
    either.advance("2030-01-23 10:59:59")
    assert (status(caller, unit), caller.free()) == ("Stopped", 9)
    either.advance(RETIRES)
    assert (status(caller, unit), caller.free()) == ("Released", 10)
    assert caller.unit(unit)["expiredTime"] == "2030-01-23T11:00:00+08:00"
    assert caller.service(service)["runStatus"] == "New"
    top_up(either, caller, "10000")
    assert (caller.balance(), status(caller, unit)) == ("9250.00", "Released")


def test_a_release_time_comes_also_for_what_stands_still(either: ServiceHarness) -> None:
    caller = either.customer(FUNDS)
    unit = caller.buy(release="2030-01-18 00:00:00")
    other = caller.buy(release="2030-01-15 20:00:30")
    either.advance("2030-01-15 21:00:00")
    assert status(caller, other) == "Released"
    either.advance("2030-01-17 23:59:59")
    assert status(caller, unit) == "Stopped"
    either.advance("2030-01-18 00:00:00")
    assert status(caller, unit) == "Released"


def test_what_was_paid_in_advance_runs_on_whatever_the_debt(either: ServiceHarness) -> None:
    caller = either.customer("160")
    prepaid, postpaid = caller.buy(months=1), caller.buy()
    either.advance("2030-01-20 00:00:00")
    assert (status(caller, prepaid), status(caller, postpaid)) == ("Running", "Stopped")
    either.advance("2030-02-15 07:59:59")
    assert status(caller, prepaid) == "Running"
    assert caller.refused(UNITS, "RenewComputeUnit", {"instanceId": prepaid, "months": 1}) == "InsufficientBalance"


def test_quota_and_units_stop_together(either: ServiceHarness) -> None:
    either.sell_quota(minute="0.5")
    caller = either.customer(FUNDS)
    unit, quota = caller.buy(), caller.buy_quota()
    either.advance("2030-01-16 10:00:00")
    assert (status(caller, unit), caller.quota(quota)["status"]) == ("Stopped", "Stopped")
    top_up(either, caller, "10000")
    assert (status(caller, unit), caller.quota(quota)["status"]) == ("Running", "Running")


def test_what_stands_still_is_neither_resized_nor_scaled_up_nor_turned(either: ServiceHarness) -> None:
    caller = either.customer(FUNDS)
    service = caller.create_service()
    unit = caller.buy()
    either.advance(STOPS)
    scaled = {"serviceId": service, "instanceId": unit, "deploymentReplicasCount": 1}
    assert caller.refused(SERVICE, "ScaleService", scaled) == "InvalidState"
    assert caller.refused(UNITS, "ResizeComputeUnit", {"instanceId": unit, "count": 2}) == "InvalidState"
    assert caller.refused(UNITS, "ChangeBilling", {"instanceId": unit, "paymentTiming": "Postpaid"}) == "InvalidState"


# --- settings --------------------------------------------------------------------------------------------


@contextmanager
def set_up(target: Target, **settings: str) -> Iterator[ServiceHarness]:
    """Run a service with other settings on a store, whose books are proved in the end."""
    with a_scene(target, environment={f"LEASEBOOK_{name.upper()}": value for name, value in settings.items()}) as scene:
        open_up(scene)
        yield scene
        assert check_store(target).findings == []


def test_without_grace_it_stops_at_the_hour_that_is_not_paid(migrated: Target) -> None:
    with set_up(migrated, arrears_grace_hours="0") as scene:
        caller = scene.customer(FUNDS)
        unit = caller.buy()
        scene.advance("2030-01-15 10:59:59")
        assert status(caller, unit) == "Running"
        scene.advance(IN_DEBT)
        assert (status(caller, unit), caller.balance()) == ("Stopped", "-30.00")


@pytest.mark.parametrize("days", ["0", "1"])
def test_the_retention_is_a_setting(migrated: Target, days: str) -> None:
    with set_up(migrated, retention_days=days) as scene:
        caller = scene.customer(FUNDS)
        unit = caller.buy()
        scene.advance(STOPS)
        assert status(caller, unit) == ("Released" if days == "0" else "Stopped")
        scene.advance("2030-01-17 11:00:00")
        assert status(caller, unit) == "Released"


# --- many at once ----------------------------------------------------------------------------------------


def test_more_instances_than_a_batch_takes_all_run_again(migrated: Target) -> None:
    # Without grace, so that not all of them are charged for a day of hours first.
    with set_up(migrated, arrears_grace_hours="0") as scene:
        many_stop_and_run_again(scene)


def many_stop_and_run_again(either: ServiceHarness) -> None:
    many = 2 * SUSPENDED_MAX + 7
    either.sell(stock=many, minute="0.01")
    caller, other = either.customer("0.6"), either.customer("0.6")
    service = caller.create_service()
    mine, theirs = caller.buy_replicas(service, 1), other.buy()

    async def buy_the_rest() -> None:
        desk = caller.desk
        answers = await asyncio.gather(
            *(desk.call(UNITS, "PurchaseComputeUnit", order()) for _ in range(many - 2)),
        )
        assert {answer.status for answer in answers} == {200}

    either.play(buy_the_rest)
    either.advance("2030-01-16 10:00:00")
    assert statuses(caller) == {"Stopped": many - 1}
    assert caller.service(service)["runStatus"] == "Stopped"
    debt = caller.balance().removeprefix("-")
    top_up(either, caller, debt)
    assert caller.balance() == "0.00"
    # The first few hundred run at once; the others follow, each at the moment of the payment.
    assert statuses(caller).get("Running", 0) >= SUSPENDED_MAX - 1
    either.advance("2030-01-16 10:00:01")
    assert statuses(caller) == {"Running": many - 1}
    assert status(caller, mine) == "Running"
    assert caller.service(service)["runStatus"] == "Serving"
    assert status(other, theirs) == "Stopped"
    either.advance("2030-01-16 11:00:00")
    assert caller.balance() == f"-{(many - 1) * 60 / 100:.2f}"


def whole(posting: Any) -> tuple[str, str, str]:
    """Return what a posting says, without its number."""
    return posting["kind"], posting["time"], posting["amount"]


def test_a_debt_is_written_down_the_same_way_however_far_the_clock_moves_at_once(either: ServiceHarness) -> None:
    slow, fast = either.customer(FUNDS), either.customer(FUNDS)
    units = slow.buy(), fast.buy()
    for hour in range(9, 24):
        either.advance(f"2030-01-15 {hour:02}:00:00")
    either.advance("2030-01-20 00:00:00")
    assert [status(caller, unit) for caller, unit in zip((slow, fast), units, strict=True)] == ["Stopped", "Stopped"]
    assert [whole(one) for one in slow.postings()] == [whole(one) for one in fast.postings()]
    assert len(slow.postings()) == 1 + 27

"""The forecast of costs: when its time has come, the costs are what it said, to the micro-unit."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.api.scene import ACCOUNT, CHARGE, UNITS, Caller, ServiceHarness, billing_of, order
from tests.copies import ROUNDS

RULE = {"instanceType": "ComputingUnit", "autoRenewTime": 1, "autoRenewTimeUnit": "Month"}
SINCE = "2030-01-01 00:00:00"
ZONES = ("Asia/Shanghai", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe")


def asked(
    caller: Caller, to: str, granularity: str, group_by: tuple[str, ...] = ("type", "kind", "tag:team", "user")
) -> Any:
    body = {"from": SINCE, "to": to, "granularity": granularity, "groupBy": group_by}
    rows = [
        row
        for page in caller.pages(ACCOUNT, "DescribeCosts", {**body, "forecast": True, "maxKeys": 1000})
        for row in page["costs"]
    ]
    return {
        (row["startTime"], tuple(row["group"].values())): (
            (row["billed"], row["amortised"]),
            (row["forecastBilled"], row["forecastAmortised"]),
        )
        for row in rows
    }


def buy(caller: Caller, kind: str, dice: random.Random) -> None:
    """Buy an instance: with or without an end, renewed or not, or one that becomes postpaid."""
    tags = {"tags": {"team": dice.choice(["ml", "web"])}} if dice.random() < 0.7 else {}
    until = f"2030-02-{dice.randint(9, 18):02} {dice.randint(0, 23):02}:{dice.randint(0, 59):02}:17"
    billing = {"open": {}, "released": {"release": until}}.get(kind, {"months": 1})
    bought = caller.do(
        UNITS, "PurchaseComputeUnit", {**order(type=dice.choice(["gpu-1", "gpu-2"]), count=2, **billing), **tags}
    )
    unit = {"instanceId": bought["instanceId"]}
    if kind == "renewed":
        caller.do(CHARGE, "CreateAutoRenewRules", {**unit, **RULE})
    if kind == "changing":
        caller.do(UNITS, "ChangeBilling", {**unit, **billing_of()})


@pytest.mark.parametrize("seed", range(2 * ROUNDS))
def test_a_forecast_comes_true_if_nothing_is_changed(fresh: ServiceHarness, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - no secret
    fresh.sell("bj", "gpu-1", minute="0.0137", month="100.01", stock=100)
    fresh.sell("bj", "gpu-2", minute="0.7", month="333.333333", stock=100)
    fresh.sell_quota(minute="0.1")
    caller = fresh.customer("90000000", zone=ZONES[seed % len(ZONES)])
    for hour, kind in enumerate(("prepaid", "renewed", "changing"), 9):
        fresh.advance(f"2030-01-15T{hour:02}:{dice.randint(0, 59):02}:00+08:00")
        buy(caller, kind, dice)
    # The first renewal is tried seven days before the term ends, and the terms end in the middle of February.
    fresh.advance(f"2030-02-07T{dice.randint(0, 23):02}:{dice.randint(0, 59):02}:31+08:00")
    for kind in ("open", "released"):
        buy(caller, kind, dice)
    caller.buy_quota()
    fresh.sell("bj", "gpu-1", minute="0.0213", month="120.01", stock=100)
    to, granularities = f"2030-02-{dice.randint(17, 18)} 00:00:00", ("day", "total")
    before = {granularity: asked(caller, to, granularity) for granularity in granularities}
    fresh.advance("2030-02-19T00:00:00+08:00")
    for granularity in granularities:
        after = asked(caller, to, granularity)
        assert {key: billed for key, (billed, _) in after.items()} == {
            key: forecast for key, (_, forecast) in before[granularity].items()
        }


def test_a_forecast_says_nothing_of_periods_that_are_over(fresh: ServiceHarness) -> None:
    caller = fresh.customer("1000")
    caller.buy()
    fresh.advance("2030-01-16T12:00:00+08:00")
    rows = asked(caller, "2030-01-16 13:00:00", "hour", ("type",))
    assert all(so_far == then for (start, _), (so_far, then) in rows.items() if start < "2030-01-16T12")
    # The charge of this noon is made, and no other follows before one o'clock.
    assert rows["2030-01-16T12:00:00+08:00", ("gpu-1",)] == (("30.00", "30.00"), ("30.00", "30.00"))

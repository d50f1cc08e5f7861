"""Why an instance is alive, what ends it, and what it costs: said before, and true afterwards."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from tests.api.scene import ACCOUNT, UNITS, Caller, ServiceHarness

FEBRUARY, MARCH = "2030-02-01 00:00:00", "2030-03-01 00:00:00"


def explained(caller: Caller, unit: str) -> Any:
    return caller.do(UNITS, "ExplainComputeUnit", {"instanceId": unit})


def charged(caller: Caller, unit: str) -> Decimal:
    """The cost of an instance: the sum of its postings in the books."""
    page = caller.do(ACCOUNT, "DescribePostings", {"instanceId": unit, "maxKeys": 1000})
    own = f"wallet:{caller.account_id()}"
    return sum(
        (Decimal(one["amount"]) * (1 if one["debit"] == own else -1) for one in page["postings"]), start=Decimal(0)
    )


class ExplainCase(NamedTuple):
    """The life of an instance until it is explained, and the explanation."""

    name: str
    buys: dict[str, Any]
    steps: tuple[tuple[str, Any], ...]
    ends_by: str | None
    ends_time: str | None
    says: str
    month_ends: str = FEBRUARY
    alive: bool = True
    funds: str = "100000"


IN_FEBRUARY = ("advance", "2030-02-02 03:04:05")
LIVES = [
    ExplainCase("postpaid without an end", {}, (), None, None, "Nothing ends it by itself"),
    ExplainCase(
        "postpaid with a release in this month",
        {"release": "2030-01-20 10:00:30"},
        (),
        "schedule",
        "2030-01-20T10:00:30+08:00",
        "its release time, 2030-01-20T10:00:30+08:00, has not come",
    ),
    ExplainCase(
        "postpaid with a release beyond this month",
        {"release": "2030-02-20 10:00:00", "count": 3},
        (),
        "schedule",
        "2030-02-20T10:00:00+08:00",
        "It is released at 2030-02-20T10:00:00+08:00",
    ),
    ExplainCase(
        "postpaid for a while already", {}, (("advance", "2030-01-17 11:22:33"),), None, None, "It was charged"
    ),
    ExplainCase(
        "postpaid at a new price",
        {},
        (("advance", "2030-01-16 00:00:00"), ("price", "0.75")),
        None,
        None,
        "at the present price will have been charged",
    ),
    ExplainCase(
        "prepaid without renewal",
        {"months": 1},
        (IN_FEBRUARY,),
        "expiry",
        "2030-02-15T08:00:00+08:00",
        "its term ends, and it stops",
        MARCH,
    ),
    ExplainCase(
        "prepaid with renewal",
        {"months": 1, "autoRenew": True, "autoRenewTimeUnit": "Month", "autoRenewTime": 2, "count": 2},
        (IN_FEBRUARY,),
        "expiry",
        "2030-06-15T08:00:00+08:00",
        "Its renewal by 2 months is tried at 2030-02-08T08:00:00+08:00, and the balance pays for 2 in a row as things "
        "stand: at 2030-06-15T08:00:00+08:00 its term ends then, and it stops.",
        MARCH,
        funds="1100",
    ),
    ExplainCase(
        "prepaid with a renewal that cannot be paid",
        {"months": 1, "autoRenew": True, "autoRenewTimeUnit": "Month", "autoRenewTime": 2},
        (IN_FEBRUARY,),
        "expiry",
        "2030-02-15T08:00:00+08:00",
        "Its renewal by 2 months is tried at 2030-02-08T08:00:00+08:00; as things stand, the balance or a limit does",
        MARCH,
        funds="150",
    ),
    ExplainCase(
        "prepaid that turns postpaid",
        {"months": 1},
        (IN_FEBRUARY, ("turn", "Postpaid")),
        None,
        None,
        "it goes on postpaid",
        MARCH,
    ),
    ExplainCase(
        "prepaid that turns postpaid for a while",
        {"months": 1},
        (IN_FEBRUARY, ("limits", {"releaseDefaultSeconds": 3600}), ("turn", "Postpaid")),
        "schedule",
        "2030-02-15T09:00:00+08:00",
        "it goes on postpaid; it is released at 2030-02-15T09:00:00+08:00 then",
        MARCH,
    ),
    ExplainCase(
        "prepaid that turns postpaid beyond this month",
        {"months": 1},
        (IN_FEBRUARY, ("limits", {"releaseDefaultSeconds": 86400 * 30}), ("turn", "Postpaid")),
        "schedule",
        "2030-03-17T08:00:00+08:00",
        "it goes on postpaid",
        MARCH,
    ),
    ExplainCase(
        "prepaid that may not turn postpaid any more",
        {"months": 1},
        (IN_FEBRUARY, ("turn", "Postpaid"), ("limits", {"endRequired": True})),
        "expiry",
        "2030-02-15T08:00:00+08:00",
        "the account's limits do not let it go on postpaid without a release time",
        MARCH,
    ),
    ExplainCase(
        "prepaid that cannot turn postpaid",
        {"months": 1},
        (IN_FEBRUARY, ("turn", "Postpaid")),
        "expiry",
        "2030-02-15T08:00:00+08:00",
        "the balance does not do",
        MARCH,
        funds="110",
    ),
    ExplainCase(
        "stopped because its term ended",
        {"months": 1},
        (("advance", "2030-02-16 00:00:00"),),
        "retention",
        "2030-02-22T08:00:00+08:00",
        "It stands still because its term ended",
        MARCH,
    ),
    ExplainCase(
        "running in debt",
        {},
        (("advance", "2030-01-15 10:00:00"),),
        "arrears",
        "2030-01-16T09:00:00+08:00",
        "Its account is in debt since 2030-01-15T09:00:00+08:00",
        funds="30",
    ),
    ExplainCase(
        "stopped in debt",
        {},
        (("advance", "2030-01-17 00:00:00"),),
        "retention",
        "2030-01-23T09:00:00+08:00",
        "because its account is in debt",
        funds="30",
    ),
    ExplainCase("released", {}, (("release", None),), None, None, "It is gone since", alive=False),
]


@pytest.mark.parametrize("life", LIVES, ids=[life.name for life in LIVES])
def test_what_is_said_of_an_instance_comes_true(fresh: ServiceHarness, life: ExplainCase) -> None:
    caller = fresh.customer(life.funds)
    # A debt needs an hour that costs more than there was.
    if life.name.endswith("in debt"):
        fresh.sell(minute="0.5", stock=10)
        caller.buy(release="2030-01-15 08:01:00")
        fresh.advance("2030-01-15 08:00:30")
    unit = caller.buy(**life.buys)
    for step, value in life.steps:
        match step:
            case "advance":
                fresh.advance(value)
            case "price":
                fresh.sell(minute=value)
            case "limits":
                caller.do(ACCOUNT, "SetGuardRails", {"limits": None})
                caller.do(ACCOUNT, "SetGuardRails", {"limits": value})
            case "turn":
                caller.do(UNITS, "ChangeBilling", {"instanceId": unit, "paymentTiming": value})
            case _:
                caller.release(unit)
    told = explained(caller, unit)
    assert (told["alive"], told.get("endsBy"), told.get("endsTime")) == (life.alive, life.ends_by, life.ends_time)
    assert life.says in told["text"]
    assert Decimal(told["cost"]) == charged(caller, unit)
    fresh.advance(life.month_ends)
    assert charged(caller, unit) == Decimal(told["monthEndCost"])


def test_everything_that_happened_is_listed_newest_first(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    unit = caller.buy()
    caller.schedule(unit, "2030-01-20 00:00:00")
    caller.release(unit)
    told = [one["type"] for one in explained(caller, unit)["events"]]
    assert told == ["unit.released", "unit.releasing", "unit.releaseSet", "unit.running", "unit.bought"]


def test_failed_tries_are_listed_with_who_and_why(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    unit = caller.buy(months=1)
    user = fresh.user(caller, "QianfanReadAccessPolicy")
    answers = [
        user.ask(UNITS, "ReleaseComputeUnit", {"instanceId": unit}),
        caller.ask(UNITS, "AutoReleaseComputeUnit", {"instanceId": unit, "releaseTime": "2030-01-20 00:00:00"}),
        caller.ask(UNITS, "ResizeComputeUnit", {"instanceId": unit, "count": 1_000}),
    ]
    told = explained(caller, unit)
    assert [answer.code for answer in answers] == ["AccessDenied", "OperationNotSupported", "InsufficientStock"]
    assert [(one["requestId"], one["code"]) for one in told["attempts"]] == [
        (answer.body["requestId"], answer.code) for answer in reversed(answers)
    ]
    for answer in answers:
        assert answer.body["message"] in told["text"]
    assert told["attempts"][0]["userId"] in told["text"]


def test_what_others_try_with_an_instance_is_not_shown_to_its_owner_nor_explained_to_them(
    fresh: ServiceHarness,
) -> None:
    caller, other = fresh.customer(), fresh.customer()
    unit = caller.buy()
    assert other.refused(UNITS, "ReleaseComputeUnit", {"instanceId": unit}) == "InstanceNotFound"
    assert other.refused(UNITS, "ExplainComputeUnit", {"instanceId": unit}) == "InstanceNotFound"
    assert explained(caller, unit)["attempts"] == []

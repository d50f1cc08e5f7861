"""Purchases: stock and money that they take, refusals, and whose things can be touched."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from leasebook.domain.book.book import Book
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES, OFFERINGS, PRICES, SERVICES
from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.commands.command import Command, Decision, Engine, decide
from leasebook.domain.commands.instance.engine_report import ConfirmRunning
from leasebook.domain.commands.instance.purchase import Billing, BuyReplicas, BuyUnits, Purchase, Purchased
from leasebook.domain.commands.instance.release import Release, ScheduleRelease
from leasebook.domain.commands.instance.renewal import SetAutoRenew
from leasebook.domain.commands.store.offering import SetOffering
from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import Instance, Placement
from leasebook.domain.model.offering import Offering, PriceChange, PriceList
from leasebook.domain.model.service import Service
from leasebook.domain.record.ledger import PREPAID_REVENUE, Posting, wallet
from leasebook.domain.values.calendar import DAY_US, HOUR_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import (
    BAD_VALUE,
    BALANCE,
    NO_INSTANCE,
    NO_RESOURCE,
    NO_SERVICE,
    NOT_SUPPORTED,
    STOCK,
    WRONG_STATE,
)
from leasebook.domain.values.rule_settings import Rules

NOW = Instant(1_893_456_000_000_000)
SOON = Instant(NOW + HOUR_US)
CNY = 1_000_000
MINUTE_PRICE, MONTH_PRICE = CNY // 2, 300 * CNY
POSTPAID = Billing(payment_timing="Postpaid")
PREPAID = Billing(payment_timing="Prepaid", months=2)


def book(*, balance: int = 10_000 * CNY, free: int = 10, **unit: Any) -> Book:
    """A shelf of one type in three regions, a service, and an instance where facts of one are given."""
    made = Book()
    made.load(ACCOUNTS, ("acc-1",), Account("acc-1", "one", "UTC", Micro(balance), NOW))
    made.load(ACCOUNTS, ("acc-9",), None)
    made.load(ACCOUNT_LIMITS, ("acc-1",), None)
    made.load(ACCOUNT_LIMITS, ("acc-9",), None)
    for account_id in ("acc-1", "acc-9"):
        made.load_suspended(account_id, [])
    shelf = [
        Offering("bd", "gpu-1", 1, None, None, 0, 0),
        Offering("bj", "gpu-1", 2, Micro(MINUTE_PRICE), Micro(MONTH_PRICE), 10, free),
        Offering("gz", "gpu-1", 3, Micro(MINUTE_PRICE), None, 100, 100),
    ]
    made.load_offerings("gpu-1", shelf)
    made.load_offerings("tpu", [])
    made.load(OFFERINGS, ("xx", "gpu-1"), None)
    made.load(PRICES, ("bj", "gpu-1"), PriceList("bj", "gpu-1", (PriceChange(NOW, Micro(MINUTE_PRICE)),)))
    made.load(PRICES, ("xx", "gpu-1"), None)
    for region in (None, "bj"):
        service_id = "svco-any" if region is None else f"svco-{region}"
        row = Service(service_id, "acc-1", "user-1", "a", "", "a", "am-1", "amv-1", "GPU-1-2", region, None, 3, NOW)
        made.load(SERVICES, (service_id,), row)
    made.load(SERVICES, ("svco-none",), None)
    made.load(INSTANCES, ("unit-none",), None)
    made.load(INSTANCES, ("unit-new",), None)
    facts: dict[str, Any] = {
        "id": "unit-1",
        "account_id": "acc-1",
        "created_by": "user-1",
        "order_id": "order-1",
        "service_id": None,
        "region": "bj",
        "type": "gpu-1",
        "count": 1,
        "payment_timing": "Postpaid",
        "status": "Running",
        "created_at": NOW,
        "started_at": NOW,
    }
    made.load(INSTANCES, ("unit-1",), Instance(**(facts | unit)))
    return made


def purchase(billing: Billing = POSTPAID, **changed: Any) -> Purchase:
    facts: dict[str, Any] = {
        "account_id": "acc-1",
        "by": "user-1",
        "unit_id": "unit-new",
        "order_id": "order-new",
        "billing": billing,
    }
    return Purchase(**(facts | changed))


def buy(count: int, billing: Billing = POSTPAID, region: str | None = "bj", unit_type: str = "gpu-1") -> BuyUnits:
    return BuyUnits(purchase=purchase(billing), region=region, unit_type=unit_type, count=count)


def say(made: Book, command: Command, rules: Rules | None = None, now: Instant = NOW) -> Decision:
    """Decide it. The engine's confirmation comes later."""
    return decide(made, command, rules or Rules(), now, Engine())


def reason(decided: Decision) -> str | None:
    return None if decided.refusal is None else decided.refusal.reason


# Balance


@pytest.mark.parametrize(
    ("balance", "count", "billing", "required"),
    [
        # Prepaid: the whole of it. Postpaid: the first hour, 30 CNY a unit.
        (1200 * CNY, 2, PREPAID, 1200 * CNY),
        (1200 * CNY - 1, 2, PREPAID, None),
        (0, 1, PREPAID, None),
        (60 * CNY, 2, POSTPAID, 60 * CNY),
        (60 * CNY - 1, 2, POSTPAID, None),
        (0, 1, POSTPAID, None),
        (-1, 1, POSTPAID, None),
    ],
)
def test_a_purchase_needs_the_whole_price_or_that_of_the_first_hour(
    balance: int, count: int, billing: Billing, required: int | None
) -> None:
    made = book(balance=balance)
    decided = say(made, buy(count, billing))
    assert reason(decided) == (BALANCE if required is None else None)
    if required is None:
        assert not made.changes()


@pytest.mark.parametrize(
    ("minimum", "balance", "sold"),
    [
        (0, 0, True),
        (0, -1, False),
        (-5 * CNY, -1, False),  # an account in debt buys nothing more, whatever the minimum is
        (-5 * CNY, 0, True),
        (5 * CNY, 5 * CNY, True),
        (5 * CNY, 5 * CNY - 1, False),
        (100 * CNY, 60 * CNY, False),
    ],
)
def test_an_operator_may_set_what_a_postpaid_purchase_needs(minimum: int, balance: int, sold: bool) -> None:  # noqa: FBT001
    decided = say(book(balance=balance), buy(2), Rules(postpaid_balance_min=Micro(minimum)))
    assert reason(decided) == (None if sold else BALANCE)


def test_a_prepaid_purchase_is_charged_whole_and_a_postpaid_one_nothing() -> None:
    made = book()
    assert say(made, buy(2, PREPAID)).answer == Purchased("unit-new", "order-new")
    paid = 2 * 2 * MONTH_PRICE
    assert made.get(ACCOUNTS, "acc-1").balance == 10_000 * CNY - paid  # type: ignore[union-attr]
    assert made.postings == [
        Posting(
            "acc-1",
            NOW,
            "Purchase",
            wallet("acc-1"),
            PREPAID_REVENUE,
            Micro(paid),
            "order-new",
            unit_id="unit-new",
            count=2,
            price=Micro(MONTH_PRICE),
            since=NOW,
            # January and February.
            until=Instant(NOW + 59 * DAY_US),
        )
    ]
    assert (made.orders[0].amount, made.orders[0].months, made.orders[0].count) == (paid, 2, 2)
    assert made.get(INSTANCES, "unit-new").charged == paid  # type: ignore[union-attr]

    made = book()
    assert say(made, buy(2)).answer == Purchased("unit-new", "order-new")
    assert made.postings == []
    assert (made.orders[0].amount, made.orders[0].months, made.orders[0].count) == (0, 0, 2)
    unit = made.get(INSTANCES, "unit-new")
    assert unit is not None
    assert (unit.status, unit.started_at, unit.charged, unit.term_months) == ("Creating", None, 0, 0)


# Stock, regions, prices


@pytest.mark.parametrize(
    ("region", "unit_type", "count", "free", "billing", "expected"),
    [
        ("bj", "gpu-1", 10, 10, POSTPAID, "bj"),
        ("bj", "gpu-1", 11, 10, POSTPAID, STOCK),
        ("bj", "gpu-1", 1, 0, POSTPAID, STOCK),
        # Any region: the first in the catalogue's order with enough.
        (None, "gpu-1", 10, 10, POSTPAID, "bj"),
        (None, "gpu-1", 11, 10, POSTPAID, "gz"),
        (None, "gpu-1", 1, 0, POSTPAID, "gz"),
        (None, "gpu-1", 101, 10, POSTPAID, STOCK),
        (None, "tpu", 1, 10, POSTPAID, BAD_VALUE),
        ("xx", "gpu-1", 1, 10, POSTPAID, BAD_VALUE),
        ("gz", "gpu-1", 1, 10, PREPAID, NOT_SUPPORTED),
        ("bd", "gpu-1", 1, 10, POSTPAID, STOCK),
    ],
)
def test_units_come_from_the_region_that_was_asked_for_or_from_the_first_that_has_them(
    region: str | None, unit_type: str, count: int, free: int, billing: Billing, expected: str
) -> None:
    made = book(free=free)
    decided = say(made, buy(count, billing, region, unit_type))
    if decided.refusal is not None:
        assert decided.refusal.reason == expected
        assert not made.changes()
        return
    bought = made.get(INSTANCES, "unit-new")
    assert bought is not None
    assert (bought.region, bought.count) == (expected, count)
    before, after = (made_.get(OFFERINGS, expected, "gpu-1") for made_ in (book(free=free), made))
    assert before is not None
    assert after == msgspec.structs.replace(before, stock_free=before.stock_free - count)


@pytest.mark.parametrize("lead", [-1, 0])
def test_a_purchase_with_a_release_time_that_is_not_ahead_buys_nothing(lead: int) -> None:
    made = book()
    decided = say(made, buy(1, msgspec.structs.replace(POSTPAID, release_at=Instant(NOW + lead))))
    assert decided.refusal is not None
    assert (decided.refusal.reason, decided.refusal.field) == (BAD_VALUE, "billing.releaseTime")
    assert not made.changes()


@pytest.mark.parametrize(("service_id", "region"), [("svco-any", "bj"), ("svco-bj", "bj")])
def test_replicas_take_the_units_of_their_shape_and_scale_the_service_up(service_id: str, region: str) -> None:
    made = book()
    assert reason(say(made, BuyReplicas(purchase=purchase(), service_id=service_id, replicas=4))) is None
    unit = made.get(INSTANCES, "unit-new")
    assert unit is not None
    assert (unit.count, unit.service_id, unit.region) == (8, service_id, region)
    assert unit.placements == (Placement(service_id, 4, 2),)
    service = made.get(SERVICES, service_id)
    assert service is not None
    # They come up; they run when the engine says so.
    assert (service.replicas, service.deploying, service.postpaid_units, service.prepaid_units) == (3, 4, 1, 0)
    assert reason(say(made, ConfirmRunning(unit_id="unit-new"))) is None
    service = made.get(SERVICES, service_id)
    assert service is not None
    assert (service.replicas, service.deploying, service.postpaid_units, service.prepaid_units) == (7, 0, 1, 0)
    assert made.get(OFFERINGS, region, "gpu-1").stock_free == 2  # type: ignore[union-attr]
    assert reason(say(book(), BuyReplicas(purchase=purchase(), service_id="svco-bj", replicas=6))) == STOCK


# Another account's things are answered like things that do not exist


@pytest.mark.parametrize("account_id", ["acc-1", "acc-2"])
def test_what_is_not_ones_own_is_answered_like_what_does_not_exist(account_id: str) -> None:
    mine = account_id == "acc-1"
    for unit_id in ("unit-1", "unit-none"):
        there = mine and unit_id == "unit-1"
        commands: list[tuple[Command, Command]] = [
            (
                Release(account_id=account_id, unit_id=unit_id, service_id=None),
                Release(account_id=account_id, unit_id="unit-none", service_id=None),
            ),
            (
                ScheduleRelease(account_id=account_id, unit_id=unit_id, service_id=None, release_at=SOON),
                ScheduleRelease(account_id=account_id, unit_id="unit-none", service_id=None, release_at=SOON),
            ),
            (
                SetAutoRenew(account_id=account_id, unit_id=unit_id, months=1),
                SetAutoRenew(account_id=account_id, unit_id="unit-none", months=1),
            ),
        ]
        for command, for_none in commands:
            timing = "Prepaid" if isinstance(command, SetAutoRenew) else "Postpaid"
            made = book(payment_timing=timing)
            decided = say(made, command)
            assert reason(decided) == (None if there else NO_INSTANCE), command
            if not there:
                refused = say(book(), for_none).refusal
                assert refused is not None
                assert decided.refusal is not None
                assert decided.refusal.message == refused.message.replace("unit-none", unit_id)
                assert decided.refusal.field == refused.field
                assert not made.changes()


def test_an_instance_is_found_under_its_own_service_only() -> None:
    for service_id, expected in ((None, None), ("svco-bj", None), ("svco-any", NO_INSTANCE)):
        made = book(service_id="svco-bj", placements=(Placement("svco-bj", 1, 1),))
        assert reason(say(made, Release(account_id="acc-1", unit_id="unit-1", service_id=service_id))) == expected


def test_replicas_are_bought_for_ones_own_service_only() -> None:
    for service_id, account_id in (("svco-none", "acc-1"), ("svco-any", "acc-2")):
        made = book()
        made.load(ACCOUNTS, ("acc-2",), Account("acc-2", "two", "UTC", Micro(10_000 * CNY), NOW))
        command = BuyReplicas(purchase=purchase(account_id=account_id), service_id=service_id, replicas=1)
        assert reason(say(made, command)) == NO_SERVICE
        assert not made.changes()


# Schedules and releases by hand


@pytest.mark.parametrize(
    ("facts", "release_at", "expected"),
    [
        ({}, SOON, None),
        ({"release_at": SOON}, Instant(SOON + 1), None),
        ({"release_at": SOON}, Instant(NOW + 1), None),
        ({"release_at": SOON}, None, None),
        ({}, None, None),
        ({"status": "Creating"}, SOON, None),
        ({"status": "Stopped"}, SOON, None),
        ({}, NOW, BAD_VALUE),
        ({}, Instant(NOW - 1), BAD_VALUE),
        ({"status": "Releasing"}, SOON, WRONG_STATE),
        ({"status": "Released"}, None, WRONG_STATE),
        # It has come, even if the work has not been done yet: the bill ended there.
        ({"release_at": NOW}, SOON, WRONG_STATE),
        ({"release_at": Instant(NOW - 5)}, None, WRONG_STATE),
        ({"payment_timing": "Prepaid"}, SOON, NOT_SUPPORTED),
        ({"payment_timing": "Prepaid"}, None, NOT_SUPPORTED),
    ],
)
def test_a_release_can_be_scheduled_moved_and_cleared_until_it_has_come(
    facts: dict[str, Any], release_at: Instant | None, expected: str | None
) -> None:
    made = book(**facts)
    before = made.get(INSTANCES, "unit-1")
    command = ScheduleRelease(account_id="acc-1", unit_id="unit-1", service_id=None, release_at=release_at)
    decided = say(made, command)
    assert reason(decided) == expected
    later = "release_at" in facts and (release_at is None or release_at > facts["release_at"])
    changed = msgspec.structs.replace(before, release_at=release_at, extensions=int(later))  # type: ignore[type-var]
    kept = before if expected else changed
    assert made.get(INSTANCES, "unit-1") == kept


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, None),
        ({"status": "Creating", "started_at": None}, None),
        ({"status": "Stopped"}, None),
        ({"release_at": SOON}, None),
        ({"release_at": Instant(NOW - HOUR_US), "started_at": Instant(NOW - 2 * HOUR_US)}, None),
        ({"status": "Releasing"}, WRONG_STATE),
        ({"status": "Released"}, WRONG_STATE),
        ({"status": "CreateFailed"}, WRONG_STATE),
        ({"payment_timing": "Prepaid"}, NOT_SUPPORTED),
    ],
)
def test_only_what_is_postpaid_and_has_not_ended_is_released_by_hand(
    facts: dict[str, Any], expected: str | None
) -> None:
    made = book(**facts)
    made.load(OFFERINGS, ("bj", "gpu-1"), made.get(OFFERINGS, "bj", "gpu-1"))
    decided = say(made, Release(account_id="acc-1", unit_id="unit-1", service_id=None))
    assert reason(decided) == expected
    unit = made.get(INSTANCES, "unit-1")
    assert unit is not None
    if expected is None:
        assert (unit.status, unit.end_reason) == ("Releasing", "User")
        assert unit.ended_at == min(NOW, unit.release_at or NOW)
    else:
        assert not made.changes()


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"payment_timing": "Prepaid"}, None),
        ({"payment_timing": "Prepaid", "status": "Stopped"}, None),
        ({"payment_timing": "Prepaid", "status": "Releasing"}, WRONG_STATE),
        ({"payment_timing": "Prepaid", "status": "Released"}, WRONG_STATE),
        ({}, NOT_SUPPORTED),
    ],
)
def test_only_what_is_prepaid_and_has_not_ended_is_renewed(facts: dict[str, Any], expected: str | None) -> None:
    made = book(**facts)
    decided = say(made, SetAutoRenew(account_id="acc-1", unit_id="unit-1", months=3))
    assert reason(decided) == expected
    unit = made.get(INSTANCES, "unit-1")
    assert unit is not None
    assert (unit.auto_renew, unit.auto_renew_months) == ((True, 3) if expected is None else (False, 1))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"payment_timing": "Prepaid", "auto_renew": True, "renew_at": SOON}, None),
        ({"payment_timing": "Prepaid", "auto_renew": True, "status": "Stopped"}, None),
        ({"payment_timing": "Prepaid"}, WRONG_STATE),
        ({"payment_timing": "Prepaid", "auto_renew": True, "status": "Released"}, WRONG_STATE),
        ({}, NOT_SUPPORTED),
    ],
)
def test_only_a_rule_that_there_is_is_taken_back(facts: dict[str, Any], expected: str | None) -> None:
    made = book(**facts)
    assert reason(say(made, SetAutoRenew(account_id="acc-1", unit_id="unit-1", months=None))) == expected
    unit = made.get(INSTANCES, "unit-1")
    assert unit is not None
    if expected is None:
        assert (unit.auto_renew, unit.renew_at) == (False, None)
    else:
        assert not made.changes()


# The catalogue and the account


@pytest.mark.parametrize(
    ("free", "total", "expected"),
    [
        (10, 0, (0, 0)),
        (10, 12, (12, 12)),
        (4, 6, (6, 0)),
        (4, 5, None),
        (0, 9, None),
        (0, 10, (10, 0)),
        (0, 11, (11, 1)),
    ],
)
def test_the_stock_cannot_be_less_than_reserved_units(free: int, total: int, expected: tuple[int, int] | None) -> None:
    made = book(free=free)
    decided = say(made, SetOffering(region="bj", unit_type="gpu-1", stock_total=total))
    if expected is None:
        assert decided.refusal is not None
        assert (decided.refusal.reason, decided.refusal.field) == (WRONG_STATE, "stockTotal")
        assert not made.changes()
    else:
        assert (decided.answer.stock_total, decided.answer.stock_free) == expected


def test_a_new_price_is_added_to_the_list_and_what_is_not_named_stays() -> None:
    made = book()
    offering = say(made, SetOffering(region="bj", unit_type="gpu-1", per_minute=Micro(7))).answer
    assert (offering.per_minute, offering.per_month, offering.stock_total) == (7, MONTH_PRICE, 10)
    changes = (PriceChange(NOW, Micro(MINUTE_PRICE)), PriceChange(NOW, Micro(7)))
    assert made.get(PRICES, "bj", "gpu-1") == PriceList("bj", "gpu-1", changes)
    # The same price again is no change.
    say(made, SetOffering(region="bj", unit_type="gpu-1", per_minute=Micro(7)), now=SOON)
    assert made.get(PRICES, "bj", "gpu-1") == PriceList("bj", "gpu-1", changes)


def test_a_new_offering_comes_last_and_is_sold_only_in_the_ways_that_have_a_price() -> None:
    made = book()
    offering = say(made, SetOffering(region="xx", unit_type="gpu-1", per_month=Micro(5), stock_total=3)).answer
    assert offering == Offering("xx", "gpu-1", NOW, None, Micro(5), 3, 3)
    assert made.get(PRICES, "xx", "gpu-1") is None
    assert reason(say(made, buy(1, POSTPAID, "xx"))) == NOT_SUPPORTED
    assert reason(say(made, buy(1, PREPAID, "xx"))) is None


def test_money_arrives_on_an_account_that_exists() -> None:
    made = book(balance=-5)
    assert say(made, TopUp(account_id="acc-1", amount=Micro(4))).answer.balance == -1
    topped_up = say(made, TopUp(account_id="acc-1", amount=Micro(3))).answer
    assert (topped_up.balance, topped_up.arrears_since) == (2, None)
    assert reason(say(made, TopUp(account_id="acc-9", amount=Micro(7)))) == NO_RESOURCE

"""The rules of a purchase: every rule gives its verdict, and a quote is for one purchase only."""

from __future__ import annotations

from collections.abc import Container
from itertools import combinations
from typing import Any

import msgspec
import pytest

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS
from leasebook.domain.model.account import Account
from leasebook.domain.model.limits import AccountLimits, GuardRules, month_name
from leasebook.domain.model.offering import EVERYWHERE, QUOTA, Offering
from leasebook.domain.model.quote import Quote
from leasebook.domain.rules.purchase_checks import QUOTED, RULES, PurchaseTerms, balance_needed, check_quote, judge
from leasebook.domain.values.calendar import HOUR_US, MINUTE_US, Instant
from leasebook.domain.values.money import MICRO_MAX, Micro
from leasebook.domain.values.refusal import BAD_VALUE, BALANCE, NO_RESOURCE, NOT_SUPPORTED, STOCK, WRONG_STATE, Refusal
from leasebook.domain.values.refusal import QUOTA as OVER_QUOTA
from leasebook.domain.values.rule_settings import Rules

NOW = Instant(1_893_456_000_000_000)
OFFERING = Offering("bj", "gpu-1", 1, Micro(10), Micro(1000), 100, 5)


def deal(**changed: Any) -> PurchaseTerms:
    facts: dict[str, Any] = {
        "account_id": "acc-1",
        "offering": OFFERING,
        "count": 2,
        "payment_timing": "Postpaid",
        "months": 0,
        "release_at": None,
        "price": Micro(10),
        "by": "user-1",
    }
    return PurchaseTerms(**(facts | changed))


def prepaid(**changed: Any) -> PurchaseTerms:
    return deal(**({"payment_timing": "Prepaid", "months": 3, "price": Micro(1000)} | changed))


def verdicts(
    asked: PurchaseTerms, balance: int, rules: Rules | None = None, *, guard: AccountLimits | None = None
) -> dict[str, str | None]:
    """The reasons of all rules, by rule, in their order."""
    book = Book()
    book.load(ACCOUNTS, ("acc-1",), Account("acc-1", "one", "UTC", Micro(balance), NOW))
    book.load(ACCOUNT_LIMITS, ("acc-1",), guard)
    draft = Draft(book)
    found = judge(draft, rules or Rules(), NOW, asked)
    assert draft.changed == {}, "who judges changes nothing"
    assert tuple(rule for rule, _ in found) == RULES
    return {rule: None if refusal is None else refusal.reason for rule, refusal in found}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "releaseTime": ({"release_at": NOW}, BAD_VALUE),
    "end": ({}, OVER_QUOTA),
    "stock": ({"count": 6}, STOCK),
    "units": ({}, OVER_QUOTA),
    "price": ({"price": None}, NOT_SUPPORTED),
    "spend": ({}, OVER_QUOTA),
    "balance": ({}, BALANCE),
}
"""The wrong fields of a deal, and the refusal, by the rule that refuses it."""


def guard_that_minds(rules: Container[str]) -> AccountLimits | None:
    """Limits that refuse by those of the rules that are theirs."""
    return AccountLimits(
        "acc-1",
        GuardRules(
            end_required="end" in rules,
            release_max_us=-1 if "end" in rules else None,
            units={"gpu-1": 1} if "units" in rules else {},
            spend=Micro(5) if "spend" in rules else None,
        ),
        month=month_name(NOW, "UTC"),
        spent={"user-2": Micro(6)},
    )


@pytest.mark.parametrize("wrong", [some for size in range(8) for some in combinations(WRONG, size)], ids="+".join)
def test_every_rule_has_its_say_and_not_only_the_first(wrong: tuple[str, ...]) -> None:
    facts: dict[str, Any] = {}
    for rule in wrong:
        facts |= WRONG[rule][0]
    balance = 0 if "balance" in wrong else 10_000
    expected = {rule: reason if rule in wrong else None for rule, (_, reason) in WRONG.items()}
    expected["approval"] = None
    if "price" in wrong:
        # A deal without a price needs no balance.
        expected["balance"] = None
    assert verdicts(deal(**facts), balance, guard=guard_that_minds(wrong)) == expected


def test_everything_can_be_wrong_at_once() -> None:
    asked = deal(release_at=NOW, count=6)
    assert verdicts(asked, -1, guard=guard_that_minds(WRONG)) == {
        "releaseTime": BAD_VALUE,
        "end": OVER_QUOTA,
        "stock": STOCK,
        "units": OVER_QUOTA,
        "price": None,
        "spend": OVER_QUOTA,
        "balance": BALANCE,
        "approval": None,
    }


# Deal, the operator's minimum: the amount paid at once, the balance needed.
NEEDED: list[tuple[PurchaseTerms, int | None, int, int]] = [
    (deal(), None, 0, 2 * 10 * 60),
    (deal(count=5, price=Micro(7)), None, 0, 5 * 7 * 60),
    (deal(price=Micro(0)), None, 0, 0),
    (deal(), 50, 0, 50),
    (deal(), 0, 0, 0),
    (deal(), -20, 0, -20),
    (prepaid(), None, 6000, 6000),
    (prepaid(), 50, 6000, 6000),
    (prepaid(price=Micro(0)), 50, 0, 0),
    (prepaid(months=12, count=1), None, 12_000, 12_000),
]


@pytest.mark.parametrize(("asked", "minimum", "at_once", "needed"), NEEDED)
def test_what_is_paid_at_once_and_what_the_balance_must_be(
    asked: PurchaseTerms, minimum: int | None, at_once: int, needed: int
) -> None:
    rules = Rules(postpaid_balance_min=None if minimum is None else Micro(minimum))
    assert (asked.at_once, balance_needed(asked, rules)) == (at_once, needed)
    # An account in debt buys nothing by the minute, whatever the minimum is.
    enough = needed if asked.payment_timing == "Prepaid" else max(needed, 0)
    assert verdicts(asked, enough, rules)["balance"] is None
    assert verdicts(asked, enough - 1, rules)["balance"] == BALANCE


def test_what_costs_more_than_any_account_can_have_is_refused() -> None:
    asked = prepaid(price=Micro(MICRO_MAX // 4))
    assert verdicts(asked, MICRO_MAX - 1)["balance"] == BALANCE


def test_a_price_that_is_missing_is_named_by_how_it_would_be_paid() -> None:
    book = Book()
    book.load(ACCOUNTS, ("acc-1",), Account("acc-1", "one", "UTC", Micro(0), NOW))
    book.load(ACCOUNT_LIMITS, ("acc-1",), None)
    quota = Offering(EVERYWHERE, "ernie", 1, None, None, 5, 5, QUOTA)
    for asked, words in (
        (deal(price=None), "gpu-1 in bj is not sold by the minute"),
        (prepaid(price=None), "gpu-1 in bj is not sold by the month"),
        (deal(price=None, offering=quota), "quota of ernie is not sold by the minute"),
    ):
        found = dict(judge(Draft(book), Rules(), NOW, asked))["price"]
        assert found is not None
        assert words in found.message


# Quotes

QUOTE = Quote(
    id="quote-1",
    account_id="acc-1",
    region="bj",
    type="gpu-1",
    count=2,
    payment_timing="Prepaid",
    months=3,
    price=Micro(1000),
    created_at=NOW,
    expires_at=Instant(NOW + 15 * MINUTE_US),
)
WANTED = prepaid()


def refused(quote: Quote | None, wanted: PurchaseTerms = WANTED, now: Instant = NOW) -> tuple[str, str | None, str]:
    with pytest.raises(Refusal) as caught:
        check_quote(quote, "quote-1", wanted, Rules(), now)
    return caught.value.reason, caught.value.field, caught.value.message


def test_a_quote_is_good_for_its_purchase_until_it_ends() -> None:
    for now in (NOW, Instant(NOW + MINUTE_US), Instant(QUOTE.expires_at - 1)):
        assert check_quote(QUOTE, "quote-1", WANTED, Rules(), now) == QUOTE


@pytest.mark.parametrize("late", [0, 1, HOUR_US])
def test_a_quote_that_has_ended_is_good_for_nothing(late: int) -> None:
    reason, field, message = refused(QUOTE, now=Instant(QUOTE.expires_at + late))
    assert (reason, field) == (WRONG_STATE, "quoteId")
    assert "ended at 2030-01-01T08:15:00+08:00" in message


def test_a_quote_is_used_once() -> None:
    reason, field, message = refused(msgspec.structs.replace(QUOTE, used_by="unit-7"))
    assert (reason, field) == (WRONG_STATE, "quoteId")
    assert "unit-7" in message


def test_somebody_elses_quote_is_answered_like_one_that_does_not_exist() -> None:
    theirs = msgspec.structs.replace(QUOTE, account_id="acc-2")
    used = msgspec.structs.replace(theirs, used_by="unit-7", expires_at=NOW)
    assert refused(None) == refused(theirs) == refused(used)
    assert refused(None)[:2] == (NO_RESOURCE, "quoteId")


@pytest.mark.parametrize(
    ("field", "value"),
    [("region", "gz"), ("type", "gpu-2"), ("count", 3), ("payment_timing", "Postpaid"), ("months", 4)],
)
def test_a_quote_is_for_exactly_what_was_quoted(field: str, value: Any) -> None:
    row = msgspec.structs.replace(OFFERING, **{field: value}) if field in ("region", "type") else OFFERING
    changed = {"offering": row} if row is not OFFERING else {field: value}
    reason, named, message = refused(QUOTE, msgspec.structs.replace(WANTED, **changed))
    assert (reason, named) == (BAD_VALUE, "quoteId")
    assert f"{field.replace('_', ' ')} {getattr(QUOTE, field)}, and {value} is asked for" in message


def test_the_table_of_what_a_quote_is_for_is_whole() -> None:
    compared = {"region", "type", "count", "payment_timing", "months", "account_id"}
    assert {*QUOTED, "account_id"} == compared

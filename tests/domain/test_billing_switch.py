"""Whether an instance may go on postpaid is one rule: the forecast of it is true at the end of its term."""

from __future__ import annotations

from typing import Any

import pytest

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES, OFFERINGS
from leasebook.domain.model.account import Account
from leasebook.domain.model.limits import AccountLimits, GuardRules
from leasebook.domain.model.offering import Offering
from leasebook.domain.rules.billing_switch import judge_postpaid, switch_to_postpaid
from leasebook.domain.values.calendar import HOUR_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from tests.contract import rows

ENDS = Instant(1_900_000_000_000_000)
RULES = Rules(time_zone="UTC")
UNIT = rows.unit("unit-1", status="BillingChanging", payment_timing="Prepaid", term_months=1, expires_at=ENDS)
NEEDED = 2 * 60 * 10
"""An hour of its two units at a price of 10 a minute."""


def limited(**of: Any) -> AccountLimits:
    return AccountLimits("acc-1", GuardRules(**of))


@pytest.mark.parametrize(
    ("price", "balance", "limits", "release_at", "hindrance"),
    [
        (10, NEEDED, None, None, None),
        (10, NEEDED - 1, None, None, "the balance does not do for it to go on postpaid"),
        (0, -1, None, None, "the balance does not do for it to go on postpaid"),
        (0, 0, None, None, None),
        (None, NEEDED, None, None, "it is not sold by the minute, so that it cannot go on postpaid"),
        (
            10,
            NEEDED,
            limited(end_required=True),
            None,
            "the account's limits do not let it go on postpaid without a release time",
        ),
        (10, NEEDED, limited(end_required=True, release_default_us=HOUR_US), ENDS + HOUR_US, None),
    ],
)
def test_what_is_foreseen_of_a_switch_is_what_it_does(
    price: int | None, balance: int, limits: AccountLimits | None, release_at: int | None, hindrance: str | None
) -> None:
    offering = Offering("bj", "gpu-1", 1, None if price is None else Micro(price), None, 10, 8)
    account = Account("acc-1", "one", "UTC", Micro(balance), Instant(1))
    assert judge_postpaid(UNIT, offering, account, limits, RULES, ENDS) == (release_at, hindrance)
    book = Book()
    book.load(INSTANCES, (UNIT.id,), UNIT)
    book.load(OFFERINGS, UNIT.offering, offering)
    book.load(ACCOUNTS, (account.id,), account)
    book.load(ACCOUNT_LIMITS, (account.id,), limits)
    draft = Draft(book, ENDS)
    assert switch_to_postpaid(draft, UNIT, RULES, ENDS) is (hindrance is None)
    if hindrance is not None:
        assert draft.changed == {}
    else:
        row = draft.require(INSTANCES, UNIT.id)
        assert (row.payment_timing, row.status, row.meter_from) == ("Postpaid", "Running", ENDS)
        assert (row.release_at, row.expires_at, row.term_months) == (release_at, None, 0)


def test_an_account_in_debt_switches_nothing_to_postpaid_whatever_the_least_balance_is() -> None:
    rules = Rules(time_zone="UTC", postpaid_balance_min=Micro(-100))
    offering = Offering("bj", "gpu-1", 1, Micro(10), None, 10, 8)
    for balance, may in ((0, True), (-1, False)):
        account = Account("acc-1", "one", "UTC", Micro(balance), Instant(1))
        assert (judge_postpaid(UNIT, offering, account, None, rules, ENDS).hindrance is None) is may

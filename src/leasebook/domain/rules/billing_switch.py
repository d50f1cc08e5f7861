"""The switch of an instance to postpaid at the end of its term: BillingChanging in the documents."""

from __future__ import annotations

from typing import NamedTuple

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, OFFERINGS
from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.limits import AccountLimits, judge_switch
from leasebook.domain.model.offering import Offering
from leasebook.domain.rules.lifecycle import change
from leasebook.domain.rules.metering import start_meter
from leasebook.domain.rules.purchase_checks import PurchaseTerms, balance_needed
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules


class PostpaidSwitch(NamedTuple):
    """Whether an instance may become postpaid: its release time then (None: none), and the reason if it may not."""

    release_at: Instant | None
    hindrance: str | None
    """A part of a sentence; None: it may become postpaid."""


def judge_postpaid(
    unit: Instance, offering: Offering, account: Account, limits: AccountLimits | None, rules: Rules, at: Instant
) -> PostpaidSwitch:
    """Return whether an instance may become postpaid at ``at``, with the prices, balance and limits given.

    It must fulfil the conditions of a postpaid purchase: sold by the minute, covered by the balance for a start, and
    with a release time if the account's limits require one. As for a purchase, the account's default applies.
    """
    release_at, refusal = judge_switch(limits, at, rules.written_zone, unit.project_id)
    terms = PurchaseTerms(
        unit.account_id, offering, unit.count, "Postpaid", 0, release_at, offering.per_minute, unit.created_by
    )
    hindrance = None
    if account.status != "Active":
        hindrance = "its account is suspended"
    elif refusal is not None:
        hindrance = "the account's limits do not let it go on postpaid without a release time"
    elif offering.no_renewals:
        hindrance = "its offering is closed and no instance of it goes on after its term"
    elif terms.price is None:
        hindrance = "it is not sold by the minute, so that it cannot go on postpaid"
    elif account.balance < max(balance_needed(terms, rules), 0):
        hindrance = "the balance does not do for it to go on postpaid"
    return PostpaidSwitch(release_at, hindrance)


def switch_to_postpaid(draft: Draft, unit: Instance, rules: Rules, now: Instant) -> bool:
    """Meter an instance from the end of its term, ``now``, on; changes nothing and returns False if it may not."""
    found = judge_postpaid(
        unit,
        draft.require(OFFERINGS, *unit.offering),
        draft.require(ACCOUNTS, unit.account_id),
        draft.get(ACCOUNT_LIMITS, unit.account_id),
        rules,
        now,
    )
    if found.hindrance is not None:
        return False
    unit = change(
        draft,
        unit,
        status="Running",
        payment_timing="Postpaid",
        term_months=0,
        term_from=None,
        term_anchor=None,
        expires_at=None,
        release_at=found.release_at,
        auto_renew=False,
        renew_at=None,
    )
    start_meter(draft, unit, now)
    return True

"""What a purchase must satisfy. A purchase and its quote ask the very same questions."""

from __future__ import annotations

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS
from leasebook.domain.model.limits import Asked, judge_end, judge_spend, judge_units, month_name
from leasebook.domain.model.offering import Offering
from leasebook.domain.record.ledger import PaymentTiming
from leasebook.domain.rules.release_time import check_release_time
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import MICRO_MAX, Micro, amount_text
from leasebook.domain.values.refusal import BALANCE, NOT_SUPPORTED, Refusal
from leasebook.domain.values.rule_settings import Rules
from leasebook.domain.values.wording import counted

RULES = ("releaseTime", "end", "stock", "units", "price", "spend", "balance")
"""What is judged, in the order in which a purchase is refused."""
Verdict = tuple[str, Refusal | None]


class PurchaseTerms(msgspec.Struct, frozen=True):
    """So many units of an offering for an account; ``price`` is that of one for a minute or a month.

    A price of None: the offering is not sold that way.
    """

    account_id: str
    offering: Offering
    count: int
    payment_timing: PaymentTiming
    months: int
    release_at: Instant | None
    price: Micro | None
    user_id: str

    @property
    def at_once(self) -> Micro:
        """What is paid at the purchase: a term whole, and of metered use nothing (decision 11)."""
        prepaid = self.payment_timing == "Prepaid"
        return Micro(self.count * (self.price or 0) * self.months) if prepaid else Micro(0)


def balance_needed(deal: PurchaseTerms, rules: Rules) -> Micro:
    """Return what the balance must be: the term's price, or for metered use a minimum (decision 11)."""
    if deal.payment_timing == "Prepaid":
        return deal.at_once
    if rules.postpaid_balance_min is not None:
        return rules.postpaid_balance_min
    return Micro(deal.count * (deal.price or 0) * 60)


def judge(draft: Draft, rules: Rules, now: Instant, deal: PurchaseTerms) -> list[Verdict]:
    """Judge a purchase by every rule; a refusal of None: the rule does not mind."""
    guard = draft.get(ACCOUNT_LIMITS, deal.account_id)
    asked = None if guard is None else asked_of(draft, deal, now)
    postpaid = deal.payment_timing == "Postpaid"
    return [
        ("releaseTime", _of_release_time(deal, rules, now)),
        ("end", judge_end(guard, deal.release_at, now, rules.time_zone) if postpaid else None),
        ("stock", _of_stock(deal)),
        ("units", judge_units(guard, asked)),
        ("price", _of_price(deal)),
        ("spend", judge_spend(guard, asked, rules.currency)),
        ("balance", None if deal.price is None else _of_balance(draft, deal, rules)),
    ]


def asked_of(draft: Draft, deal: PurchaseTerms, now: Instant) -> Asked:
    """Return what limits are asked about: the units, and what they cost at once, or metered in their first hour."""
    zone = draft.require(ACCOUNTS, deal.account_id).time_zone
    cost = deal.at_once if deal.payment_timing == "Prepaid" else deal.count * (deal.price or 0) * 60
    return Asked(deal.user_id, deal.offering.type, deal.count, Micro(cost), month_name(now, zone))


def _of_release_time(deal: PurchaseTerms, rules: Rules, now: Instant) -> Refusal | None:
    try:
        check_release_time(deal.release_at, rules, now, field="billing.releaseTime")
    except Refusal as refusal:
        return refusal
    return None


def _of_stock(deal: PurchaseTerms) -> Refusal | None:
    try:
        deal.offering.take(deal.count)
    except Refusal as refusal:
        return refusal
    return None


def _of_price(deal: PurchaseTerms) -> Refusal | None:
    if deal.price is not None:
        return None
    prepaid = deal.payment_timing == "Prepaid"
    return Refusal(
        NOT_SUPPORTED,
        f"{deal.offering.name} is not sold {'by the month' if prepaid else 'by the minute'}: it has no such price. "
        f"An operator can set {'pricePerMonth' if prepaid else 'pricePerMinute'} with SetOffering (/v2/catalog).",
    )


def _of_balance(draft: Draft, deal: PurchaseTerms, rules: Rules) -> Refusal | None:
    balance = draft.require(ACCOUNTS, deal.account_id).balance
    needed = balance_needed(deal, rules)
    # An account in debt buys nothing more, whatever the minimum is.
    if balance >= (needed if deal.payment_timing == "Prepaid" else max(needed, 0)) and needed < MICRO_MAX:
        return None
    prepaid = deal.payment_timing == "Prepaid"
    what = f"{counted(deal.count, 'postpaid unit')} to start"
    if prepaid:
        what = f"{counted(deal.count, 'unit')} for {counted(deal.months, 'month')}"
    return balance_refusal(balance, needed, rules, what)


def balance_refusal(balance: int, needed: int, rules: Rules, what: str) -> Refusal:
    """Return the refusal for what the balance does not cover."""
    return Refusal(
        BALANCE,
        f"The balance is {amount_text(balance)} {rules.currency}, and {what} takes {amount_text(needed)}. "
        "Top up the account, or ask for less.",
    )

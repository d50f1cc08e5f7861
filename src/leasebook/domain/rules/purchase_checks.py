"""The checks of a purchase. The purchase and its quote run the same ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS
from leasebook.domain.model.approvals.approval_limit import LargePurchase, exceeded
from leasebook.domain.model.limits import AccountLimits, LimitedUse, judge_end, judge_spend, judge_units, month_name
from leasebook.domain.model.offering import Offering
from leasebook.domain.model.quote import Quote
from leasebook.domain.model.resource.tag_budget import NO_TAGS
from leasebook.domain.record.ledger import PaymentTiming
from leasebook.domain.rules.release_time import check_release_time
from leasebook.domain.values.calendar import Instant, rfc3339
from leasebook.domain.values.money import MICRO_MAX, Micro, amount_text
from leasebook.domain.values.refusal import (
    APPROVAL,
    BAD_VALUE,
    BALANCE,
    NO_RESOURCE,
    NOT_SUPPORTED,
    WRONG_STATE,
    Refusal,
)
from leasebook.domain.values.rule_settings import Rules
from leasebook.domain.values.wording import counted

RULES = ("releaseTime", "end", "stock", "units", "price", "spend", "balance", "approval")
"""The names of the checks, in the order in which a purchase is refused."""
QUOTED = ("region", "type", "count", "payment_timing", "months")
"""The fields that a quote and its purchase must share, besides the account."""
MONTH_MINUTES = 30 * 24 * 60
"""The minutes of the 30 days by which the cost of metered use is compared with limits."""
Verdict = tuple[str, Refusal | None]


class PurchaseTerms(msgspec.Struct, frozen=True):
    """The terms of a purchase: ``count`` units of an offering for an account, and how they are paid.

    ``price`` is the price of one unit for a minute (postpaid) or a month (prepaid), in micro-units. None: it is not
    sold that way. The terms are checked, compared with a quote, and charged. They belong to the project ``project_id``,
    and have the tags ``tags``.
    """

    account_id: str
    offering: Offering
    count: int
    payment_timing: PaymentTiming
    months: int
    release_at: Instant | None
    price: Micro | None
    by: str
    project_id: str | None = None
    tags: Mapping[str, str] = NO_TAGS

    @property
    def region(self) -> str:
        """The offering's region."""
        return self.offering.region

    @property
    def type(self) -> str:
        """The offering's type."""
        return self.offering.type

    @property
    def at_once(self) -> Micro:
        """Amount due at the purchase: the full term, or zero for metered use (decision 11)."""
        prepaid = self.payment_timing == "Prepaid"
        return Micro(self.count * (self.price or 0) * self.months) if prepaid else Micro(0)


def balance_needed(terms: PurchaseTerms, rules: Rules) -> Micro:
    """Return the balance that a purchase needs: the term's price, or the minimum for metered use (decision 11)."""
    if terms.payment_timing == "Prepaid":
        return terms.at_once
    if rules.postpaid_balance_min is not None:
        return rules.postpaid_balance_min
    return Micro(terms.count * (terms.price or 0) * 60)


def judge(draft: Draft, rules: Rules, now: Instant, terms: PurchaseTerms) -> list[Verdict]:
    """Check a purchase by every rule; a refusal of None: the rule allows it."""
    guard = draft.get(ACCOUNT_LIMITS, terms.account_id)
    asked = None if guard is None else limited_use_of(draft, terms, now)
    return [
        ("releaseTime", _of_release_time(terms, rules, now)),
        ("end", _of_end(guard, terms, rules, now) if terms.payment_timing == "Postpaid" else None),
        ("stock", _of_stock(terms)),
        ("units", judge_units(guard, asked)),
        ("price", _of_price(terms)),
        ("spend", judge_spend(guard, asked, rules.currency)),
        ("balance", None if terms.price is None else _of_balance(draft, terms, rules)),
        ("approval", _of_approval(guard, terms, rules, now)),
    ]


def _of_end(guard: AccountLimits | None, terms: PurchaseTerms, rules: Rules, now: Instant) -> Refusal | None:
    return judge_end(guard, terms.release_at, now, rules.written_zone, project_id=terms.project_id)


def limited_use_of(draft: Draft, terms: PurchaseTerms, now: Instant) -> LimitedUse:
    """Return the use for the account's limits: the units, and the price of the term or of the first metered hour."""
    zone = draft.require(ACCOUNTS, terms.account_id).time_zone
    cost = terms.at_once if terms.payment_timing == "Prepaid" else terms.count * (terms.price or 0) * 60
    return LimitedUse(
        terms.by, terms.offering.type, terms.count, Micro(cost), month_name(now, zone), terms.project_id, terms.tags
    )


def large_purchase(terms: PurchaseTerms) -> LargePurchase:
    """Return the purchase as the limits on approvals see it: by the minute it costs as much as 30 days of it."""
    prepaid = terms.payment_timing == "Prepaid"
    cost = terms.at_once if prepaid else terms.count * (terms.price or 0) * MONTH_MINUTES
    return LargePurchase(
        user_id=terms.by,
        unit_type=terms.type,
        count=terms.count,
        payment_timing=terms.payment_timing,
        cost=Micro(min(cost, MICRO_MAX)),
        months=terms.months,
        release_at=terms.release_at,
    )


def first_refusal(verdicts: Iterable[Verdict]) -> Refusal | None:
    """Return the refusal that counts: that of the first rule that does not allow it."""
    return next((refusal for _, refusal in verdicts if refusal is not None), None)


def _of_approval(guard: AccountLimits | None, terms: PurchaseTerms, rules: Rules, now: Instant) -> Refusal | None:
    return approval_refusal(guard, large_purchase(terms), rules, now)


def approval_refusal(guard: AccountLimits | None, large: LargePurchase, rules: Rules, now: Instant) -> Refusal | None:
    """Return the refusal that tells, before it is asked for, that a purchase would wait for an approval."""
    if guard is None:
        return None
    over = exceeded(guard.rules.approval_limits(large.user_id), large, now, rules.currency)
    if over is None:
        return None
    return Refusal(
        APPROVAL,
        f"It needs an approval: {'; '.join(over.reasons)}. A purchase is kept as a request until a manager of the "
        "account or an operator approves it (ApprovePurchase, /v2/account).",
    )


def _of_release_time(terms: PurchaseTerms, rules: Rules, now: Instant) -> Refusal | None:
    try:
        check_release_time(terms.release_at, rules, now, field="billing.releaseTime")
    except Refusal as refusal:
        return refusal
    return None


def _of_stock(terms: PurchaseTerms) -> Refusal | None:
    try:
        terms.offering.take(terms.count)
    except Refusal as refusal:
        return refusal
    return None


def _of_price(terms: PurchaseTerms) -> Refusal | None:
    if terms.price is not None:
        return None
    prepaid = terms.payment_timing == "Prepaid"
    return Refusal(
        NOT_SUPPORTED,
        f"{terms.offering.name} is not sold {'by the month' if prepaid else 'by the minute'}: it has no such price. "
        f"An operator can set {'pricePerMonth' if prepaid else 'pricePerMinute'} with SetOffering (/v2/catalog).",
    )


def _of_balance(draft: Draft, terms: PurchaseTerms, rules: Rules) -> Refusal | None:
    balance = draft.require(ACCOUNTS, terms.account_id).balance
    needed = balance_needed(terms, rules)
    # An account in debt cannot buy, even if the minimum is negative.
    if balance >= (needed if terms.payment_timing == "Prepaid" else max(needed, 0)) and needed < MICRO_MAX:
        return None
    prepaid = terms.payment_timing == "Prepaid"
    what = f"{counted(terms.count, 'postpaid unit')} to start"
    if prepaid:
        what = f"{counted(terms.count, 'unit')} for {counted(terms.months, 'month')}"
    return balance_refusal(balance, needed, rules, what)


def check_quote(quote: Quote | None, quote_id: str, terms: PurchaseTerms, rules: Rules, now: Instant) -> Quote:
    """Return the quote if it is the account's, fits the purchase, is unused and valid; raises Refusal otherwise."""
    if quote is None or quote.account_id != terms.account_id:
        raise Refusal(
            NO_RESOURCE, f"There is no quote {quote_id[:64]!r} here. QuotePurchase makes one.", field="quoteId"
        )
    if quote.used_by is not None:
        raise Refusal(WRONG_STATE, f"The quote was used for {quote.used_by} already; ask for another.", field="quoteId")
    if quote.expires_at <= now:
        raise Refusal(
            WRONG_STATE,
            f"The quote ended at {rfc3339(quote.expires_at, rules.written_zone)}; it is "
            f"{rfc3339(now, rules.written_zone)} now. Ask for another.",
            field="quoteId",
        )
    for name in QUOTED:
        quoted, asked = getattr(quote, name), getattr(terms, name)
        if quoted != asked:
            raise Refusal(
                BAD_VALUE,
                f"The quote is for {name.replace('_', ' ')} {quoted}, and {asked} is asked for. Buy what was quoted, "
                "or ask for another quote.",
                field="quoteId",
            )
    return quote


def check_amount(paid: Micro, amount_max: Micro | None, rules: Rules) -> None:
    """Raise Refusal (WRONG_STATE) if a change takes more at once than was agreed to; None: any amount was."""
    if amount_max is not None and paid > amount_max:
        raise Refusal(
            WRONG_STATE,
            f"This takes {amount_text(paid)} {rules.currency} at once now, and at most {amount_text(amount_max)} was "
            "agreed to. Nothing was changed: agree to the new amount, or leave it.",
            field="maxAmount",
        )


def balance_refusal(balance: int, needed: int, rules: Rules, what: str) -> Refusal:
    """Return the refusal for an amount that the balance does not cover."""
    return Refusal(
        BALANCE,
        f"The balance is {amount_text(balance)} {rules.currency}, and {what} takes {amount_text(needed)}. "
        "Top up the account, or ask for less.",
    )

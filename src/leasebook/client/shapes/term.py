"""Shapes of values: term. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from leasebook.client.shape import Shape


class Renewed(Shape, kw_only=True):
    """The renewal's order, and when the term ends now."""

    instance_id: str
    """The instance."""
    order_id: str
    """The order."""
    expired_time: datetime
    """When the term ends now."""


class BillingChanged(Shape, kw_only=True):
    """The order of the change, and the release time that the instance gave up with it, where it had one."""

    instance_id: str
    """The instance."""
    order_id: str
    """The order."""
    dropped_release_time: datetime | None = None
    """The release time that the instance had, and has no more: its term ends it."""


class Verdict(Shape, kw_only=True):
    """One rule's verdict on the purchase. ``code`` is the error that the purchase would be refused with."""

    rule: str
    """The rule."""
    passed: bool
    """Whether this rule allows the purchase."""
    code: str | None
    """The code of the error that the purchase would be refused with; null if this rule allows it."""
    message: str | None
    """The reason and what to do; null if this rule allows it."""


class Quote(Shape, kw_only=True):
    """The price of a purchase and the verdict of every rule; nothing is bought. Prices are decimal strings.

    ``amount`` is paid at once. ``pricePerUnit`` is the price of a unit for a minute (Postpaid) or a month (Prepaid).
    """

    passed: bool
    """Whether every rule allows the purchase."""
    verdicts: list[Verdict]
    """The verdict of each rule."""
    region: str
    """The region that the purchase would be made in."""
    type: str
    """The type of unit."""
    compute_unit_count: int
    """How many units."""
    payment_timing: str
    """Prepaid: by the month, in advance. Postpaid: by the minute."""
    price_per_unit: Decimal | None
    """The price of one unit; null: it is not sold that way."""
    price_unit: str
    """The time that pricePerUnit pays for: a Minute with Postpaid, a Month with Prepaid."""
    amount: Decimal
    """The amount to pay at once; zero with Postpaid."""
    balance_needed: Decimal
    """The balance that the purchase needs: the whole price of a term, or a minimum for metered use."""
    balance: Decimal
    """The balance now."""
    currency: str
    """The currency of every amount."""
    quote_id: str | None = None
    """The quote that keeps the price, where that was asked for."""
    quote_expired_time: datetime | None = None
    """Until when the price is kept."""


class AutoRenewRule(Shape, kw_only=True):
    """By how many months an instance is renewed; and when that is tried next, and its term ends."""

    account_id: str | None = None
    """Whose it is, where the request names accounts."""
    account_name: str | None = None
    """The name of that account."""
    instance_id: str
    """The instance."""
    instance_type: str
    """ComputingUnit, or TPM for quota."""
    auto_renew_time_unit: str
    """Month is the only unit."""
    auto_renew_time: int
    """By how many months it is renewed."""
    status: str
    """Creating, CreateFailed, Running, Stopped (its term is over or its account in debt, its units are kept),
    Reconfiguring, ReconfigureFailed, BillingChanging, Releasing or Released.
    """
    expired_time: datetime | None = None
    """When the term ends."""
    next_try_time: datetime | None = None
    """When the renewal is tried next."""


class AutoRenewRules(Shape, kw_only=True):
    """A page of rules, in the order in which the instances were bought."""

    rules: list[AutoRenewRule]
    """The rules."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""


class ChangeQuote(Shape, kw_only=True):
    """The price of a change and the verdict of every rule; nothing is changed. Prices are decimal strings.

    ``amount`` is paid at once. A postpaid instance pays nothing at once: ``pricePerUnit`` is that of a unit for a
    minute. An instance that becomes Prepaid also pays its use until now. If the rule ``state`` does not allow the
    change, no other rule is asked.
    """

    passed: bool
    """Whether every rule allows the change."""
    verdicts: list[Verdict]
    """The verdict of each rule."""
    instance_id: str
    """The instance."""
    region: str
    """Its region."""
    type: str
    """Its type of unit."""
    compute_unit_count: int
    """How many units it has after the change."""
    payment_timing: str
    """How it is paid after the change: Prepaid, or Postpaid."""
    expired_time: datetime | None = None
    """When its term ends after the change; absent: it has no term."""
    price_per_unit: Decimal | None = None
    """The price of one unit now; absent: it is not sold that way."""
    price_unit: str
    """The time that pricePerUnit pays for: a Minute with Postpaid, a Month with Prepaid."""
    amount: Decimal
    """The amount to pay at once; zero with Postpaid."""
    balance: Decimal
    """The balance now."""
    currency: str
    """The currency of every amount."""

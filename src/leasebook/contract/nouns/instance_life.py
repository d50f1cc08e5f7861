"""What requests and results of the longer life of compute units look like: resizing, renewing, quoting."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from leasebook.contract.nouns.instance import (
    Billing,
    ComputeUnitConfig,
    Count,
    Id,
    PaymentTiming,
    Request,
    Reservation,
    Shape,
)

Term = Annotated[int, msgspec.Meta(ge=1, le=36)]
Day = Annotated[int, msgspec.Meta(ge=1, le=31)]


class ResizeComputeUnitRequest(Request, kw_only=True):
    """Change the number of units of an instance (decision 15). ``count`` is how many there are afterwards."""

    instance_id: Id
    count: Count


class RenewComputeUnitRequest(Request, kw_only=True):
    """Renew a prepaid instance by ``months``, or until the next day ``expiryDay`` of a month, or first one, then both.

    In a month without that day it ends on the last. A day of a month costs one thirty-first of the month's price, and
    the last day of a shorter month what is left of it: the same end costs the same, by days, by months, or by both.
    """

    instance_id: Id
    months: Term | None = None
    expiry_day: Day | None = None


class Renewed(Shape, kw_only=True):
    """The renewal's order, and when the term ends now."""

    instance_id: str
    order_id: str
    expired_time: str


class ChangeBillingRequest(Request, kw_only=True):
    """Make a postpaid instance prepaid now (give a ``reservation``), or a prepaid one postpaid when its term ends.

    The new term begins where the minute ends that has been charged already.
    """

    instance_id: Id
    payment_timing: PaymentTiming
    reservation: Reservation | None = None


class BillingChanged(Shape, kw_only=True):
    """The order of the change, and the release time that the instance gave up with it, where it had one."""

    instance_id: str
    order_id: str
    dropped_release_time: str | None = None


class QuotePurchaseRequest(Request, kw_only=True):
    """Ask what a purchase would cost and whether it would be refused; ``hold`` its price for some minutes."""

    billing: Billing
    compute_unit_config: ComputeUnitConfig
    compute_unit_count: Count
    hold: bool | None = None


class Verdict(Shape, kw_only=True, omit_defaults=False):
    """What a rule says. ``code`` is the error that the purchase would be refused with."""

    rule: Literal["permission", "releaseTime", "end", "stock", "units", "price", "spend", "balance"]
    passed: bool
    code: str | None
    message: str | None


class Quote(Shape, kw_only=True):
    """Everything about a purchase that is not made. Prices are decimal strings of the service's currency.

    ``amount`` is what is paid at once, and ``pricePerUnit`` what a unit costs a minute (Postpaid) or a month (Prepaid).
    """

    passed: bool
    verdicts: list[Verdict]
    region: str
    type: str
    compute_unit_count: int
    payment_timing: PaymentTiming
    price_per_unit: str | None
    price_unit: Literal["Minute", "Month"]
    amount: str
    balance_needed: str
    balance: str
    currency: str
    quote_id: str | None = None
    quote_expired_time: str | None = None

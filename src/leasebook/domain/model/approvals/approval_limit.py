"""The limits above which a purchase needs an approval."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from leasebook.domain.record.ledger import PaymentTiming
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.domain.values.money import Micro, amount_text

EVERY_TYPE: Final = "*"
"""A limit under this name applies to each type that has no limit of its own."""


class ApprovalLimit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The limits above which a purchase needs an approval; None or empty: no limit.

    ``units`` limits the units of a type in one instance. ``cost`` limits the price of the term, or of 30 days by the
    minute, in micro-units. ``release_us`` limits how far ahead the release of a postpaid instance is, in microseconds;
    one without a release time is beyond every limit. ``months`` limits the term. ``lapse_us`` is how long a request
    waits; None: the operator's default. With ``self_approval`` an approver may approve an own request.
    """

    units: dict[str, int] = {}
    cost: Micro | None = None
    release_us: int | None = None
    months: int | None = None
    lapse_us: int | None = None
    self_approval: bool = False


class LargePurchase(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase that is compared with the limits.

    ``cost`` is the price of the term, or of 30 days by the minute. ``is_new`` is False for a resize, whose end was
    decided when the instance was bought.
    """

    user_id: str
    unit_type: str
    count: int
    payment_timing: PaymentTiming
    cost: Micro
    months: int
    release_at: Instant | None
    is_new: bool = True


class Exceeded(msgspec.Struct, frozen=True):
    """The limits that a purchase exceeds: a phrase for each, and what they say about the request."""

    reasons: tuple[str, ...]
    self_approval: bool
    lapse_us: int | None


def exceeded(
    limits: Iterator[tuple[str, ApprovalLimit]], large: LargePurchase, now: Instant, currency: str
) -> Exceeded | None:
    """Compare a purchase with limits, each with its public name; None: it exceeds none.

    An approver may approve an own request only if every exceeded limit allows it, and the request waits as long as the
    shortest of them says.
    """
    found = [(limit, reason) for name, limit in limits for reason in _reasons(name, limit, large, now, currency)]
    if not found:
        return None
    return Exceeded(
        tuple(reason for _, reason in found),
        all(limit.self_approval for limit, _ in found),
        min((limit.lapse_us for limit, _ in found if limit.lapse_us is not None), default=None),
    )


def _reasons(name: str, limit: ApprovalLimit, large: LargePurchase, now: Instant, currency: str) -> Iterator[str]:
    most = limit.units.get(large.unit_type, limit.units.get(EVERY_TYPE))
    if most is not None and large.count > most:
        yield f"{name}.units is {most} of {large.unit_type}, and this makes {large.count}"
    prepaid = large.payment_timing == "Prepaid"
    if limit.cost is not None and large.cost > limit.cost:
        span = "for the term" if prepaid else "in 30 days"
        yield (
            f"{name}.cost is {amount_text(limit.cost)} {currency}, and this costs {amount_text(large.cost)} {currency} "
            f"{span}"
        )
    if not large.is_new:
        return
    if prepaid and limit.months is not None and large.months > limit.months:
        yield f"{name}.months is {limit.months}, and this is for {large.months}"
    if prepaid or limit.release_us is None:
        return
    if large.release_at is None:
        yield f"{name}.releaseSeconds is {limit.release_us // SECOND_US}, and this has no release time"
    elif large.release_at > now + limit.release_us:
        yield f"{name}.releaseSeconds is {limit.release_us // SECOND_US}, and this is released later than that"

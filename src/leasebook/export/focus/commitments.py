"""Rows of the dataset Contract Commitment: the terms that were paid in advance."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from leasebook.domain.book.project_scope import Projects
from leasebook.domain.model.instance import GONE, Instance
from leasebook.domain.model.offering import UNITS_OF_COMPUTE
from leasebook.domain.record.ledger import Posting
from leasebook.domain.values.calendar import MINUTE_US, SECOND_US, Instant
from leasebook.export.focus.amortization import Spread, spreads_of
from leasebook.export.focus.rows import (
    MONTHS,
    Month,
    Seller,
    commitment_of,
    decimal_of,
    is_paid_in,
    what_of,
    whole,
)

Standing = Literal["Pending", "Active", "Expired", "Canceled"]


class CommitmentRow(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A payment in advance, and the term that it pays for; costs are micro-units."""

    billing_currency: str
    contract_commitment_applicability: str
    contract_commitment_benefit_category: Literal["Availability", "Entitlement"]
    contract_commitment_category: Literal["Spend", "Usage"]
    contract_commitment_cost: int
    contract_commitment_created: Instant
    contract_commitment_description: str
    contract_commitment_discount_percentage: None
    contract_commitment_duration_type: str
    contract_commitment_fulfillment_interval: Literal["Full Period"]
    contract_commitment_id: str
    contract_commitment_last_updated: Instant
    contract_commitment_lifecycle_status: Standing
    contract_commitment_model: Literal["Continuous"]
    contract_commitment_offer_category: Literal["Public"]
    contract_commitment_payment_interval: Literal["One-Time"]
    contract_commitment_payment_model: Literal["All Upfront"]
    contract_commitment_period_end: Instant
    contract_commitment_period_start: Instant
    contract_commitment_quantity: Decimal | None
    contract_commitment_type: str
    contract_commitment_unit: str | None
    contract_id: str
    contract_period_end: Instant
    contract_period_start: Instant
    invoice_issuer_name: str
    service_provider_name: str


def commitment_rows(
    unit: Instance,
    span: Month,
    terms: Sequence[Posting],
    seller: Seller,
    now: Instant,
    within: Projects | None = None,
) -> Iterator[CommitmentRow]:
    """Return the terms of an instance that cost something in a span of time, or were paid in it.

    ``terms`` are all its payments in advance and refunds before the end of the span. The contract is the instance: it
    lasts from the beginning of the first of these terms to the end of the last. ``within`` has the public ids of the
    projects whose terms are returned; None: all.
    """
    spreads = [
        spread
        for spread in spreads_of(terms)
        if spread.posting.kind != "Refund" and is_paid_in(spread.posting.project_id, within)
    ]
    if not spreads:
        return
    periods = [_period(spread) for spread in spreads]
    contract = min(since for since, _ in periods), max(until for _, until in periods)
    for spread, period in zip(spreads, periods, strict=True):
        if span.since <= spread.posting.at < span.until or spread.part(*span):
            yield _row(unit, spread, period, contract, seller, now)


def _period(spread: Spread) -> tuple[Instant, Instant]:
    posting = spread.posting
    since = whole(spread.begin if posting.since is None else posting.since)
    # No period is empty; one that names no time is the second of its payment.
    return since, max(whole(spread.end if posting.until is None else posting.until), Instant(since + SECOND_US))


def _row(
    unit: Instance,
    spread: Spread,
    period: tuple[Instant, Instant],
    contract: tuple[Instant, Instant],
    seller: Seller,
    now: Instant,
) -> CommitmentRow:
    posting = spread.posting
    where = {"Dimension": "ResourceId", "Operator": "In", "Values": [unit.id]}
    return CommitmentRow(
        billing_currency=seller.currency,
        contract_commitment_applicability=json.dumps({"InclusionOperator": "And", "Inclusions": [where]}),
        contract_commitment_benefit_category="Availability" if unit.kind == UNITS_OF_COMPUTE else "Entitlement",
        contract_commitment_category="Usage" if posting.price else "Spend",
        contract_commitment_cost=posting.amount,
        contract_commitment_created=whole(posting.at),
        contract_commitment_description=f"{posting.kind}: {what_of(unit, posting.count or unit.count)}",
        contract_commitment_discount_percentage=None,
        contract_commitment_duration_type=_duration(posting, period),
        contract_commitment_fulfillment_interval="Full Period",
        contract_commitment_id=commitment_of(posting),
        contract_commitment_last_updated=whole(spread.refunded_at or posting.at),
        contract_commitment_lifecycle_status=_standing(unit, spread, period, now),
        contract_commitment_model="Continuous",
        contract_commitment_offer_category="Public",
        contract_commitment_payment_interval="One-Time",
        contract_commitment_payment_model="All Upfront",
        contract_commitment_period_start=period[0],
        contract_commitment_period_end=period[1],
        contract_commitment_quantity=decimal_of(posting.amount, posting.price) if posting.price else None,
        contract_commitment_type="Prepaid term",
        contract_commitment_unit=MONTHS if posting.price else None,
        contract_id=unit.id,
        contract_period_start=contract[0],
        contract_period_end=contract[1],
        invoice_issuer_name=seller.name,
        service_provider_name=seller.name,
    )


def _duration(posting: Posting, period: tuple[Instant, Instant]) -> str:
    """Return the length of a term: whole months where that is what was paid for, otherwise minutes."""
    if posting.price and posting.count and not posting.amount % (posting.price * posting.count):
        number, word = posting.amount // (posting.price * posting.count), "Month"
    else:
        number, word = max(1, (period[1] - period[0]) // MINUTE_US), "Minute"
    return f"{number} {word}{'' if number == 1 else 's'}"


def _standing(unit: Instance, spread: Spread, period: tuple[Instant, Instant], now: Instant) -> Standing:
    if spread.refunded_at is not None:
        return "Canceled"
    if now >= period[1]:
        return "Expired"
    if unit.status in GONE or unit.status == "Releasing":
        return "Canceled"
    return "Pending" if now < period[0] else "Active"

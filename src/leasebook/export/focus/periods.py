"""Rows of the dataset Billing Period: the months that are billed, and whether their costs can still change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from leasebook.domain.values.calendar import Instant
from leasebook.export.focus.rows import Month, Seller, whole


class PeriodRow(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A month, in UTC. Accounts in one time zone share it."""

    billing_period_created: Instant
    billing_period_end: Instant
    billing_period_last_updated: Instant
    billing_period_start: Instant
    billing_period_status: Literal["Open", "Closed"]
    invoice_issuer_name: str


def last_change(month: Month, now: Instant) -> Instant:
    """Return when the costs of a month last changed: now, or at its end, after which they never do."""
    return whole(max(month.since, min(now, month.until)))


def period_rows(months: Iterable[Month], seller: Seller, now: Instant) -> Iterator[PeriodRow]:
    """Return one row for each different month."""
    for month in dict.fromkeys(months):
        yield PeriodRow(
            billing_period_created=whole(month.since),
            billing_period_start=whole(month.since),
            billing_period_end=whole(month.until),
            billing_period_last_updated=last_change(month, now),
            billing_period_status="Closed" if month.until <= now else "Open",
            invoice_issuer_name=seller.name,
        )

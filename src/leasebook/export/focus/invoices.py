"""Rows of the dataset Invoice Detail: what an account's month comes to, by service and category of charge."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final, Literal

import msgspec

from leasebook.domain.model.account import Account
from leasebook.domain.values.calendar import Instant
from leasebook.export.focus.columns import Category, Row
from leasebook.export.focus.periods import last_change
from leasebook.export.focus.rows import Month, Seller, invoice_of, whole

TERMS: Final = "Paid from the account's balance when charged"


class InvoiceRow(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A line of an invoice; the cost is in micro-units. The rows of Cost and Usage name it as InvoiceDetailId."""

    billed_cost: int
    billing_account_id: str
    billing_currency: str
    billing_period_end: Instant
    billing_period_start: Instant
    charge_category: Category
    invoice_detail_created: Instant
    invoice_detail_description: str
    invoice_detail_grain: str
    invoice_detail_id: str
    invoice_detail_last_updated: Instant
    invoice_id: str
    invoice_issue_date: Instant | None
    invoice_issue_status: Literal["Open", "Issued"]
    invoice_issuer_name: str
    payment_due_date: None
    payment_terms: str
    reference_invoice_id: str


def invoice_rows(
    account: Account, month: Month, charges: Iterable[Row], seller: Seller, now: Instant
) -> Iterator[InvoiceRow]:
    """Return the lines of an account's invoice for a month, from its charges in that month."""
    sums: dict[tuple[str, str, Category], int] = {}
    for row in charges:
        key = (row.invoice_detail_id, row.service_name, row.charge_category)
        sums[key] = sums.get(key, 0) + row.billed_cost
    invoice_id, is_over = invoice_of(account, month), month.until <= now
    for (detail_id, service, category), billed in sorted(sums.items()):
        yield InvoiceRow(
            billed_cost=billed,
            billing_account_id=account.id,
            billing_currency=seller.currency,
            billing_period_start=whole(month.since),
            billing_period_end=whole(month.until),
            charge_category=category,
            invoice_detail_created=whole(month.since),
            invoice_detail_description=f"{service}: {'paid in advance' if category == 'Purchase' else 'used'}",
            invoice_detail_grain=json.dumps({"ServiceName": service}),
            invoice_detail_id=detail_id,
            invoice_detail_last_updated=last_change(month, now),
            invoice_id=invoice_id,
            invoice_issue_date=whole(month.until) if is_over else None,
            invoice_issue_status="Issued" if is_over else "Open",
            invoice_issuer_name=seller.name,
            payment_due_date=None,
            payment_terms=TERMS,
            reference_invoice_id=invoice_id,
        )

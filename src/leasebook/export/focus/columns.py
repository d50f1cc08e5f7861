"""The columns of Cost and Usage: those of FOCUS 1.2 and of 1.4 that say something true here, then our own."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal

import msgspec

from leasebook.domain.values.calendar import Instant
from leasebook.export.focus.versions import Version

Category = Literal["Usage", "Purchase"]
Use = Literal["Used", "Unused"]


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A charge. Costs and prices are micro-units; moments are cut to whole seconds; objects are written as JSON.

    It has the columns of all versions: ``COLUMNS`` says which of them a version has.
    """

    billed_cost: int
    billing_account_id: str
    billing_account_name: str
    billing_currency: str
    billing_period_end: Instant
    billing_period_start: Instant
    capacity_reservation_id: str | None
    capacity_reservation_status: Use | None
    charge_category: Category
    charge_class: Literal["Correction"] | None
    charge_description: str
    charge_frequency: Literal["One-Time", "Recurring", "Usage-Based"]
    charge_period_end: Instant
    charge_period_start: Instant
    commitment_discount_id: None
    commitment_discount_status: None
    consumed_quantity: Decimal | None
    consumed_unit: str | None
    contract_applied: str | None = None
    contracted_cost: int
    contracted_unit_price: int
    effective_cost: int
    host_provider_name: str
    invoice_detail_id: str
    invoice_id: str
    invoice_issuer_name: str
    list_cost: int
    list_unit_price: int
    pricing_category: Literal["Standard"]
    pricing_currency: str
    pricing_currency_contracted_unit_price: int
    pricing_currency_effective_cost: int
    pricing_currency_list_unit_price: int
    pricing_quantity: Decimal
    pricing_unit: str
    provider_name: str
    publisher_name: str
    region_id: str | None
    region_name: str | None
    resource_id: str
    resource_name: str | None
    resource_type: str
    service_category: str
    service_name: str
    service_provider_name: str
    service_subcategory: str
    sku_id: str
    sku_meter: str
    sku_price_details: str | None
    sku_price_id: str
    sub_account_id: str | None
    sub_account_name: str | None
    tags: str | None
    created_by: str = msgspec.field(name="x_CreatedBy")
    order_id: str | None = msgspec.field(name="x_OrderId")
    posting_kind: str = msgspec.field(name="x_PostingKind")


Kind = Literal["money", "quantity", "moment", "text"]


class Column(msgspec.Struct, frozen=True):
    """A column: its name in the file, the field of a row, and the kind of its values."""

    name: str
    field: str
    kind: Kind


def _kind(name: str) -> Kind:
    """Return the kind of a column's values; the specification ends names of columns with it."""
    if name.endswith(("Cost", "UnitPrice")):
        return "money"
    if name.endswith("Quantity"):
        return "quantity"
    return "moment" if name.endswith(("PeriodStart", "PeriodEnd", "Created", "LastUpdated", "Date")) else "text"


def columns_of(row: type[msgspec.Struct], without: frozenset[str] = frozenset()) -> tuple[Column, ...]:
    """Return the columns of a kind of row, in the order of its fields; ``without`` names columns to leave out."""
    return tuple(
        Column(field.encode_name, field.name, _kind(field.encode_name))
        for field in msgspec.structs.fields(row)
        if field.encode_name not in without
    )


SINCE_1_4: Final = frozenset({"ContractApplied", "HostProviderName", "InvoiceDetailId", "ServiceProviderName"})
"""Columns that came with 1.3 and 1.4."""
UNTIL_1_4: Final = frozenset(
    {"CommitmentDiscountId", "CommitmentDiscountStatus", "ProviderName", "PublisherName"},
)
"""Columns that 1.4 does not have, and those about discounts, which 1.2's validator asks for and 1.4 does not."""
COLUMNS: Final[dict[Version, tuple[Column, ...]]] = {
    "1.2": columns_of(Row, SINCE_1_4),
    "1.4": columns_of(Row, UNTIL_1_4),
}
"""The columns of Cost and Usage by version."""

"""Shapes of values: costs. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from leasebook.client.shape import Shape


class CostTotal(Shape, kw_only=True):
    """The sums of all rows of all pages."""

    billed: Decimal
    """All charges, less refunds."""
    amortised: Decimal
    """All use."""
    forecast_billed: Decimal | None = None
    """With forecast: the same at the end."""
    forecast_amortised: Decimal | None = None
    """With forecast: the same at the end."""


class CostRow(Shape, kw_only=True):
    """The costs of a group in a period."""

    start_time: datetime
    """When the period begins."""
    end_time: datetime
    """When the period ends."""
    group: dict[str, str | None]
    """The common properties of these costs, by the names of groupBy; null: they are without it."""
    names: dict[str, str] | None = None
    """The names of the group's account, project, user and service, where they have one."""
    billed: Decimal
    """The charges of the period, less refunds."""
    amortised: Decimal
    """The use of the period: metered use as it was charged, and the period's part of every term that was paid in
    advance.
    """
    forecast_billed: Decimal | None = None
    """With forecast: `billed` at the end of the period, if nothing is changed."""
    forecast_amortised: Decimal | None = None
    """With forecast: `amortised` at the end of the period, if nothing is changed."""


class Costs(Shape, kw_only=True):
    """A page of costs by period and group. Groups without costs in a period have no row."""

    currency: str
    """The currency of every amount."""
    total: CostTotal
    """The sums of all rows of all pages."""
    costs: list[CostRow]
    """The rows, by period and then by group."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """The rows a page that were used."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""

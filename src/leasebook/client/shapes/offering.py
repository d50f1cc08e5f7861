"""Shapes of values: offering. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from leasebook.client.shape import Shape
from leasebook.client.shapes.parts.common import PageInfo


class OfferingDetail(Shape, kw_only=True):
    """A type of unit in a region, or the quota of a model. A price of null: not sold that way."""

    kind: str
    """ComputingUnit, or TPM for quota of a model."""
    region: str
    """The region; global for quota."""
    type: str
    """The type of unit, or the model."""
    price_per_minute: Decimal | None
    """The price of one unit for a minute."""
    price_per_month: Decimal | None
    """The price of one unit for a month."""
    stock_total: int
    """How many units there are, free or held."""
    stock_free: int
    """How many units are free."""
    stock_source: str
    """Where the stock comes from. Set: an operator sets it. Engine: the capacity of the engine that serves the
    offering, less the stock set by hand in its other regions.
    """
    oversold: int
    """How many units instances hold beyond what the engine leaves to it; none is sold until it is 0."""
    closed_time: datetime | None = None
    """Since when it is closed, so that none is sold; absent: it is open."""
    no_renewals: bool = False
    """Whether terms are not renewed either, because it is closed so; absent: they are."""


class OfferingList(Shape, kw_only=True):
    """The catalogue, in its order."""

    page_info: PageInfo | None = None
    """The same once more, in the form that the documents have."""
    is_truncated: bool | None = None
    """Whether more rows follow."""
    max_keys: int | None = None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
    offerings: list[OfferingDetail]
    """The offerings."""


class PriceDetail(Shape, kw_only=True):
    """A price per minute. It holds for minutes that begin at its time or later, until the next price."""

    price_per_minute: Decimal | None
    """The price of one unit for a minute."""
    start_time: datetime
    """When the price was set."""


class PricePage(Shape, kw_only=True):
    """Every price per minute that an offering has had, oldest first."""

    page_info: PageInfo | None = None
    """The same once more, in the form that the documents have."""
    is_truncated: bool | None = None
    """Whether more rows follow."""
    max_keys: int | None = None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
    region: str
    """The region; global for quota."""
    type: str
    """The type of unit, or the model."""
    prices: list[PriceDetail]
    """The prices; none if the offering was never sold by the minute."""


class EngineUnits(Shape, kw_only=True):
    """How many units of a type an engine has on a node."""

    type: str
    """The type of unit."""
    units: int | None
    """How many units the engine has; null: without a bound."""


class EngineNode(Shape, kw_only=True):
    """The capacity that an engine last reported, on one of its nodes."""

    engine: str
    """The engine."""
    node: str | None
    """The machine; null: the engine is one for all machines."""
    counts: bool
    """Whether its units count; not where its worker has been dead for stock.node_gone_minutes."""
    engine_types: list[EngineUnits]
    """The units of each type, used ones included, at the last report. A type that ends with a star means all types with
    that beginning that have no entry of their own.
    """
    seen_time: datetime | None
    """When it was seen last, on the machine's clock; of several machines, the one not seen for longest."""
    age_seconds: int | None
    """How many seconds ago it was seen, on the machines' clocks; null: it never was."""
    trouble: str | None
    """Why the engine cannot be asked now, so that its last report holds; null: it can be asked."""
    trouble_time: datetime | None
    """Since when it cannot be asked, on the machine's clock."""


class EngineStock(Shape, kw_only=True):
    """An offering, and the units of its type that its engine has; or a type that no offering has."""

    engine: str
    """The engine that serves it; instant: none does."""
    region: str | None
    """The region; null: the engine has units of the type that are offered nowhere."""
    type: str
    """The type of unit."""
    stock_source: str | None
    """Where the stock comes from. Set: an operator sets it. Engine: the capacity of the engine that serves the
    offering, less the stock set by hand in its other regions.
    """
    stock_total: int
    """How many units there are, free or held."""
    engine_units: int | None
    """How many units of the type the engine has, for all regions that it serves; null: unknown, or without a bound."""
    stock_sold: int
    """How many units instances hold."""
    stock_free: int
    """How many units are free."""
    difference: int
    """How many units of the type are offered, in all regions that the engine serves, that it has not; below zero: how
    many it has that are offered nowhere.
    """
    oversold: int
    """How many units instances hold beyond what the engine leaves to it; none is sold until it is 0."""
    seen_time: datetime | None
    """When it was seen last, on the machine's clock; of several machines, the one not seen for longest."""
    age_seconds: int | None
    """How many seconds ago it was seen, on the machines' clocks; null: it never was."""
    trouble: str | None
    """Why its stock cannot be compared, or why the comparison is old; null: no reason."""


class EngineReport(Shape, kw_only=True):
    """Capacity against stock: the engines' last reports, and every offering that an engine serves."""

    page_info: PageInfo | None = None
    """The same once more, in the form that the documents have."""
    is_truncated: bool | None = None
    """Whether more rows follow."""
    max_keys: int | None = None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
    nodes: list[EngineNode]
    """The capacity that each engine last reported, machine by machine."""
    stocks: list[EngineStock]
    """Every offering that an engine serves or is to say the stock of, and types that are offered nowhere."""

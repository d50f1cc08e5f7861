"""What the result looks like, for what engines have."""

from __future__ import annotations

from typing import Literal

from leasebook.contract.nouns.instance import Paged, PagedRequest, Shape

StockSource = Literal["Set", "Engine"]


class EngineUnits(Shape, kw_only=True):
    """How many units of a type an engine has on a node."""

    type: str
    units: int | None


class EngineNode(Shape, kw_only=True):
    """What an engine was last said to have, on one of its nodes."""

    engine: str
    node: str | None
    counts: bool
    engine_types: list[EngineUnits]
    seen_time: str | None
    age_seconds: int | None
    trouble: str | None
    trouble_time: str | None


class EngineStock(Shape, kw_only=True):
    """An offering, and what the engine that serves it has of its type; or a type that is offered nowhere."""

    engine: str
    region: str | None
    type: str
    stock_source: StockSource | None
    stock_total: int
    engine_units: int | None
    stock_sold: int
    stock_free: int
    difference: int
    oversold: int
    seen_time: str | None
    age_seconds: int | None
    trouble: str | None


class DescribeEnginesRequest(PagedRequest, kw_only=True):
    """Show what engines have; offerings a page at a time."""


class EngineReport(Paged, kw_only=True):
    """Engines against stock: what was last seen, and every offering that an engine serves."""

    nodes: list[EngineNode]
    stocks: list[EngineStock]

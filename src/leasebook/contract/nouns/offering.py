"""Offerings: types of unit with region, price and stock; and the capacity that engines report for them."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import CATALOG, read, write
from leasebook.contract.shapes import Amount, Paged, PagedRequest, Region, Request, Shape, UnitType

StockSource = Literal["Set", "Engine"]
Model = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern="^[A-Za-z0-9][A-Za-z0-9._-]*(?!\\n)$",
        description="A model's name, such as ernie-4.0-8k",
    ),
]
StockTotal = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class OfferingDetail(Shape, kw_only=True):
    """A type of unit in a region, or the quota of a model. A price of null: not sold that way."""

    kind: Annotated[Literal["ComputingUnit", "TPM"], Meta(description="ComputingUnit, or TPM for quota of a model.")]
    region: Annotated[str, Meta(description="The region; global for quota.")]
    type: Annotated[str, Meta(description="The type of unit, or the model.")]
    price_per_minute: Annotated[str | None, Meta(description="The price of one unit for a minute.")]
    price_per_month: Annotated[str | None, Meta(description="The price of one unit for a month.")]
    stock_total: Annotated[int, Meta(description="How many units there are, free or held.")]
    stock_free: Annotated[int, Meta(description="How many units are free.")]
    stock_source: Annotated[
        StockSource,
        Meta(
            description=(
                "Where the stock comes from. Set: an operator sets it. Engine: the capacity of the engine that serves "
                "the offering, less the stock set by hand in its other regions."
            )
        ),
    ]
    oversold: Annotated[
        int,
        Meta(
            description="How many units instances hold beyond what the engine leaves to it; none is sold until it is 0."
        ),
    ]
    closed_time: Annotated[
        str | None, Meta(description="Since when it is closed, so that none is sold; absent: it is open.")
    ] = None
    no_renewals: Annotated[
        bool, Meta(description="Whether terms are not renewed either, because it is closed so; absent: they are.")
    ] = False


class DescribeOfferingsRequest(PagedRequest, kw_only=True):
    """List the offerings, a page at a time."""


class OfferingList(Paged, kw_only=True):
    """The catalogue, in its order."""

    offerings: Annotated[list[OfferingDetail], Meta(description="The offerings.")]


class DescribePricesRequest(PagedRequest, kw_only=True):
    """List the prices per minute of an offering, a page at a time.

    Units of compute have a region and a type; quota has a model.
    """

    region: Annotated[Region | None, Meta(description="The region.")] = None
    type: Annotated[UnitType | None, Meta(description="The type of unit.")] = None
    model: Annotated[Model | None, Meta(description="The model whose quota is sold; in place of region and type.")] = (
        None
    )


class PriceDetail(Shape, kw_only=True):
    """A price per minute. It holds for minutes that begin at its time or later, until the next price."""

    price_per_minute: Annotated[str | None, Meta(description="The price of one unit for a minute.")]
    start_time: Annotated[str, Meta(description="When the price was set.")]


class PricePage(Paged, kw_only=True):
    """Every price per minute that an offering has had, oldest first."""

    region: Annotated[str, Meta(description="The region; global for quota.")]
    type: Annotated[str, Meta(description="The type of unit, or the model.")]
    prices: Annotated[
        list[PriceDetail], Meta(description="The prices; none if the offering was never sold by the minute.")
    ]


class SetOfferingRequest(Request, kw_only=True):
    """Add an offering, or change its prices or its stock. Absent fields keep their values.

    Compute units have a region and a type; quota has a model. An operator sets the stock, or an engine reports it.
    """

    region: Annotated[Region | None, Meta(description="The region.")] = None
    type: Annotated[UnitType | None, Meta(description="The type of unit.")] = None
    model: Annotated[Model | None, Meta(description="The model whose quota is sold; in place of region and type.")] = (
        None
    )
    price_per_minute: Annotated[Amount | None, Meta(description="The price of one unit for a minute.")] = None
    price_per_month: Annotated[Amount | None, Meta(description="The price of one unit for a month.")] = None
    stock_total: Annotated[StockTotal | None, Meta(description="How many units there are, free or held.")] = None
    stock_source: Annotated[
        StockSource | None,
        Meta(
            description=(
                "Set: the stock is stockTotal. Engine: the stock is the capacity of the engine that serves the "
                "offering, less the stock set by hand in its other regions; at most one offering of each type and "
                "engine. Left out: unchanged, or Set for a new offering."
            )
        ),
    ] = None


class OfferingNameRequest(Request, kw_only=True):
    """Name an offering: units of compute by region and type, quota by its model."""

    region: Annotated[Region | None, Meta(description="The region.")] = None
    type: Annotated[UnitType | None, Meta(description="The type of unit.")] = None
    model: Annotated[Model | None, Meta(description="The model whose quota is sold; in place of region and type.")] = (
        None
    )


class CloseOfferingRequest(OfferingNameRequest, kw_only=True):
    """Sell no more of an offering. Held units stay with their buyers, and released units are not sold again."""

    no_renewals: Annotated[
        bool,
        Meta(description="Whether terms are not renewed any more, by hand or automatically. Left out: they are."),
    ] = False


class ReopenOfferingRequest(OfferingNameRequest, kw_only=True):
    """Sell a closed offering again."""


class RemoveOfferingRequest(OfferingNameRequest, kw_only=True):
    """Take a closed offering that no instance holds out of the catalogue. SetOffering makes it again."""


class EngineUnits(Shape, kw_only=True):
    """How many units of a type an engine has on a node."""

    type: Annotated[str, Meta(description="The type of unit.")]
    units: Annotated[int | None, Meta(description="How many units the engine has; null: without a bound.")]


class EngineNode(Shape, kw_only=True):
    """The capacity that an engine last reported, on one of its nodes."""

    engine: Annotated[str, Meta(description="The engine.")]
    node: Annotated[str | None, Meta(description="The machine; null: the engine is one for all machines.")]
    counts: Annotated[
        bool,
        Meta(description="Whether its units count; not where its worker has been dead for stock.node_gone_minutes."),
    ]
    engine_types: Annotated[
        list[EngineUnits],
        Meta(
            description=(
                "The units of each type, used ones included, at the last report. A type that ends with a star "
                "means all types with that beginning that have no entry of their own."
            )
        ),
    ]
    seen_time: Annotated[
        str | None,
        Meta(
            description=(
                "When it was seen last, on the machine's clock; of several machines, the one not seen for longest."
            )
        ),
    ]
    age_seconds: Annotated[
        int | None, Meta(description="How many seconds ago it was seen, on the machines' clocks; null: it never was.")
    ]
    trouble: Annotated[
        str | None,
        Meta(description="Why the engine cannot be asked now, so that its last report holds; null: it can be asked."),
    ]
    trouble_time: Annotated[str | None, Meta(description="Since when it cannot be asked, on the machine's clock.")]


class EngineStock(Shape, kw_only=True):
    """An offering, and the units of its type that its engine has; or a type that no offering has."""

    engine: Annotated[str, Meta(description="The engine that serves it; instant: none does.")]
    region: Annotated[
        str | None, Meta(description="The region; null: the engine has units of the type that are offered nowhere.")
    ]
    type: Annotated[str, Meta(description="The type of unit.")]
    stock_source: Annotated[
        StockSource | None,
        Meta(
            description=(
                "Where the stock comes from. Set: an operator sets it. Engine: the capacity of the engine that serves "
                "the offering, less the stock set by hand in its other regions."
            )
        ),
    ]
    stock_total: Annotated[int, Meta(description="How many units there are, free or held.")]
    engine_units: Annotated[
        int | None,
        Meta(
            description=(
                "How many units of the type the engine has, for all regions that it serves; null: unknown, or "
                "without a bound."
            )
        ),
    ]
    stock_sold: Annotated[int, Meta(description="How many units instances hold.")]
    stock_free: Annotated[int, Meta(description="How many units are free.")]
    difference: Annotated[
        int,
        Meta(
            description=(
                "How many units of the type are offered, in all regions that the engine serves, that it has "
                "not; below zero: how many it has that are offered nowhere."
            )
        ),
    ]
    oversold: Annotated[
        int,
        Meta(
            description="How many units instances hold beyond what the engine leaves to it; none is sold until it is 0."
        ),
    ]
    seen_time: Annotated[
        str | None,
        Meta(
            description=(
                "When it was seen last, on the machine's clock; of several machines, the one not seen for longest."
            )
        ),
    ]
    age_seconds: Annotated[
        int | None, Meta(description="How many seconds ago it was seen, on the machines' clocks; null: it never was.")
    ]
    trouble: Annotated[
        str | None, Meta(description="Why its stock cannot be compared, or why the comparison is old; null: no reason.")
    ]


class DescribeEnginesRequest(PagedRequest, kw_only=True):
    """Ask for the capacity that engines report; offerings a page at a time."""


class EngineReport(Paged, kw_only=True):
    """Capacity against stock: the engines' last reports, and every offering that an engine serves."""

    nodes: Annotated[
        list[EngineNode], Meta(description=("The capacity that each engine last reported, machine by machine."))
    ]
    stocks: Annotated[
        list[EngineStock],
        Meta(
            description=(
                "Every offering that an engine serves or is to say the stock of, and types that are offered nowhere."
            )
        ),
    ]


CPU: Final = {
    "kind": "ComputingUnit",
    "region": "bj",
    "type": "cpu",
    "pricePerMinute": "0.05",
    "pricePerMonth": "1000.00",
    "stockTotal": 10000,
    "stockFree": 10000,
    "stockSource": "Set",
    "oversold": 0,
}
"""An offering in the examples."""
ACTIONS: Final = (
    read(
        CATALOG,
        "DescribeOfferings",
        "describe_offerings",
        DescribeOfferingsRequest,
        OfferingList,
        "List the offerings with their regions, prices and free units.",
        own_only="The catalogue is the same for all accounts.",
        errors=(e.INVALID_MARKER,),
        example={},
        answer={"offerings": [CPU]},
    ),
    write(
        CATALOG,
        "SetOffering",
        "set_offering",
        SetOfferingRequest,
        OfferingDetail,
        "Add an offering, or change its prices or its stock.",
        policies=p.OPERATORS,
        errors=(e.INVALID_STATE,),
        example={
            "region": "bj",
            "type": "gpu-1",
            "pricePerMinute": "0.50",
            "pricePerMonth": "9000.00",
            "stockTotal": 20000,
        },
        answer={
            "kind": "ComputingUnit",
            "region": "bj",
            "type": "gpu-1",
            "pricePerMinute": "0.50",
            "pricePerMonth": "9000.00",
            "stockTotal": 20000,
            "stockFree": 19989,
            "stockSource": "Set",
            "oversold": 0,
        },
    ),
    write(
        CATALOG,
        "CloseOffering",
        "close_offering",
        CloseOfferingRequest,
        OfferingDetail,
        "Sell no more of an offering; held units stay with their buyers.",
        policies=p.OPERATORS,
        example={"region": "bj", "type": "cpu", "noRenewals": True},
        answer={
            **CPU,
            "closedTime": "2026-11-30T06:13:45+08:00",
            "noRenewals": True,
        },
    ),
    write(
        CATALOG,
        "ReopenOffering",
        "reopen_offering",
        ReopenOfferingRequest,
        OfferingDetail,
        "Sell a closed offering again.",
        policies=p.OPERATORS,
        example={"region": "bj", "type": "cpu"},
        answer=CPU,
    ),
    write(
        CATALOG,
        "RemoveOffering",
        "remove_offering",
        RemoveOfferingRequest,
        bool,
        "Take a closed offering that no instance holds out of the catalogue.",
        policies=p.OPERATORS,
        errors=(e.INVALID_STATE,),
        example={"region": "bj", "type": "cpu"},
        answer=True,
    ),
    read(
        CATALOG,
        "DescribePrices",
        "describe_prices",
        DescribePricesRequest,
        PricePage,
        "List the prices per minute that an offering has had.",
        own_only="The catalogue is the same for all accounts.",
        errors=(e.INVALID_MARKER,),
        example={"region": "bj", "type": "gpu-1"},
        answer={
            "region": "bj",
            "type": "gpu-1",
            "prices": [{"pricePerMinute": "0.50", "startTime": "2026-11-30T06:13:45+08:00"}],
        },
    ),
)


ENGINES: Final = (
    read(
        CATALOG,
        "DescribeEngines",
        "describe_engines",
        DescribeEnginesRequest,
        EngineReport,
        "Show the capacity that engines report, and where it differs from the stock.",
        own_only="Engines are of no account.",
        policies=p.OPERATORS,
        errors=(e.INVALID_MARKER,),
        example={},
        answer={
            "nodes": [
                {
                    "engine": "process",
                    "node": "host-1",
                    "counts": True,
                    "engineTypes": [{"type": "*", "units": None}],
                    "seenTime": "2026-11-30T06:13:45.278776+08:00",
                    "ageSeconds": 0,
                    "trouble": None,
                    "troubleTime": None,
                }
            ],
            "stocks": [
                {
                    "engine": "process",
                    "region": "bj",
                    "type": "cpu",
                    "stockSource": "Set",
                    "stockTotal": 10000,
                    "engineUnits": None,
                    "stockSold": 0,
                    "stockFree": 10000,
                    "difference": 0,
                    "oversold": 0,
                    "seenTime": "2026-11-30T06:13:45.278776+08:00",
                    "ageSeconds": 0,
                    "trouble": None,
                }
            ],
        },
    ),
)

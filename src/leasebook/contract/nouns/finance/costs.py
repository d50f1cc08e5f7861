"""Costs, and the action that asks for them."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import ACCOUNT, read
from leasebook.contract.shapes import ACCOUNTS_MEANT, TIME, AccountsMeant, PagedRequest, Shape

Dimension = Annotated[str, Meta(min_length=1, max_length=140, pattern="^[^\\x00-\\x1f\\x7f]*$")]
DimensionValue = Annotated[str, Meta(max_length=256, pattern="^[^\\x00-\\x1f\\x7f]*$")]
Moment = Annotated[
    str,
    Meta(
        max_length=64,
        description="RFC 3339, or YYYY-MM-DD HH:MM:SS on the account's own clocks; a full hour there",
        extra={"means": TIME},
    ),
]
_NAMES: Final = "account, project, user, type, region, service, kind, or tag: and the key of a tag, such as tag:team"


class DescribeCostsRequest(PagedRequest, kw_only=True):
    """Ask what was spent, by whom and on what; a page of rows at a time. The totals are those of all pages."""

    from_: Annotated[Moment, Meta(description="Since when.")] = msgspec.field(name="from")
    to: Annotated[Moment, Meta(description="Until before when; a charge at that very moment is not counted.")]
    group_by: Annotated[
        Annotated[list[Dimension], Meta(max_length=10)] | None,
        Meta(description=f"The properties by which costs are summed, in this order: {_NAMES}. Left out: one sum."),
    ] = None
    granularity: Annotated[
        Literal["hour", "day", "month", "total"],
        Meta(description="The length of the periods, on the account's own clocks; total: one period."),
    ] = "total"
    filter: Annotated[
        dict[Dimension, DimensionValue | list[DimensionValue | None] | None] | None,
        Meta(
            description=(
                "Only costs with these values: by a name as in groupBy a value, a list of values, or null for costs "
                "without that property."
            )
        ),
    ] = None
    forecast: Annotated[
        bool, Meta(description="Whether the answer also has what will be charged until the end of each period.")
    ] = False
    account_id: Annotated[AccountsMeant, Meta(description=ACCOUNTS_MEANT)] = None


class CostRow(Shape, kw_only=True):
    """The costs of a group in a period."""

    start_time: Annotated[str, Meta(description="When the period begins.")]
    end_time: Annotated[str, Meta(description="When the period ends.")]
    group: Annotated[
        dict[str, str | None],
        Meta(description="The common properties of these costs, by the names of groupBy; null: they are without it."),
    ]
    names: Annotated[
        dict[str, str] | None,
        Meta(description="The names of the group's account, project, user and service, where they have one."),
    ] = None
    billed: Annotated[str, Meta(description="The charges of the period, less refunds.")]
    amortised: Annotated[
        str,
        Meta(
            description=(
                "The use of the period: metered use as it was charged, and the period's part of every term that was "
                "paid in advance."
            )
        ),
    ]
    forecast_billed: Annotated[
        str | None, Meta(description="With forecast: `billed` at the end of the period, if nothing is changed.")
    ] = None
    forecast_amortised: Annotated[
        str | None, Meta(description="With forecast: `amortised` at the end of the period, if nothing is changed.")
    ] = None


class CostTotal(Shape, kw_only=True):
    """The sums of all rows of all pages."""

    billed: Annotated[str, Meta(description="All charges, less refunds.")]
    amortised: Annotated[str, Meta(description="All use.")]
    forecast_billed: Annotated[str | None, Meta(description="With forecast: the same at the end.")] = None
    forecast_amortised: Annotated[str | None, Meta(description="With forecast: the same at the end.")] = None


class Costs(Shape, kw_only=True):
    """A page of costs by period and group. Groups without costs in a period have no row."""

    currency: Annotated[str, Meta(description="The currency of every amount.")]
    total: Annotated[CostTotal, Meta(description="The sums of all rows of all pages.")]
    costs: Annotated[list[CostRow], Meta(description="The rows, by period and then by group.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="The rows a page that were used.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


COSTS: Final = (
    read(
        ACCOUNT,
        "DescribeCosts",
        "describe_costs",
        DescribeCostsRequest,
        Costs,
        "Show what was spent, by account, user, type, region, service, kind or tag, and what will be.",
        policies=p.READERS,
        across=p.BILLING_READERS,
        errors=(e.INVALID_MARKER,),
        example={
            "from": "2026-11-01 00:00:00",
            "to": "2026-12-01 00:00:00",
            "granularity": "month",
            "groupBy": ["type", "tag:team"],
        },
        answer={
            "currency": "CNY",
            "total": {"billed": "125070.50", "amortised": "25070.50"},
            "costs": [
                {
                    "startTime": "2026-11-01T00:00:00+08:00",
                    "endTime": "2026-12-01T00:00:00+08:00",
                    "group": {"type": "gpu-1", "tag:team": None},
                    "billed": "125070.50",
                    "amortised": "25070.50",
                }
            ],
            "isTruncated": False,
            "maxKeys": 100,
        },
    ),
)

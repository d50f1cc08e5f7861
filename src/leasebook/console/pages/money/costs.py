"""Costs of a month by any grouping, as a chart by day and as a table with the forecast."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.console.frame.chart import Chart, stacked
from leasebook.console.frame.formats import here, moment
from leasebook.console.pages.money import months
from leasebook.console.pages.money.forecasts import is_small
from leasebook.contract.action import ACCOUNT

GROUPINGS: Final = ("project", "type", "user", "region", "service", "kind")
TAG: Final = re.compile(r"[^\x00-\x1f\x7f]{1,128}")
ROWS: Final = 200
CHARTED_MAX: Final = 30
"""Groups that the chart keeps apart: a month of their days fits into one answer."""


async def costs(desk: Desk) -> Response:
    """Show the costs of a month."""
    now = here(desk.now, desk.zone)
    month = months.chosen(desk.asked("month"), now)
    tag = desk.asked("tag")
    by = desk.asked("by")
    groups = [by] if by in GROUPINGS else []
    if by == "tag" and TAG.fullmatch(tag):
        groups = [f"tag:{tag}"]
    asked: dict[str, Any] = {
        "from": months.first_day(month),
        "to": months.first_day(months.moved(month, 1)),
        "groupBy": groups,
    }
    is_current = month == months.month_of(now)
    account, _ = await desk.try_to(ACCOUNT, "DescribeAccount") if is_current else (None, None)
    has_forecast = is_current and (is_small(account) or desk.asked("forecast") == "1")
    marker = desk.asked("marker")
    whole = await desk.do(
        ACCOUNT,
        "DescribeCosts",
        asked | {"forecast": has_forecast, "maxKeys": ROWS} | ({"marker": marker} if marker else {}),
    )
    return desk.page(
        "money/costs.html",
        month=month,
        before=months.moved(month, -1),
        after=months.moved(month, 1),
        by=by,
        tag_key=tag,
        group=groups[0] if groups else None,
        groupings=GROUPINGS,
        whole=whole,
        rows=[(named(desk, row.group, row.names), row) for row in whole.costs],
        has_forecast=has_forecast,
        may_forecast=is_current and not has_forecast,
        chart=await _chart(desk, asked, groups if not whole.is_truncated and len(whole.costs) <= CHARTED_MAX else []),
    )


def named(desk: Desk, group: Mapping[str, str | None], names: Mapping[str, str] | None) -> str:
    """Return how people name a group: by its name where it has one."""
    said = [(names or {}).get(dimension) or value or desk.gettext("without") for dimension, value in group.items()]
    return ", ".join(said) or desk.gettext("All")


async def _chart(desk: Desk, asked: Mapping[str, Any], groups: list[str]) -> Chart | None:
    found = await desk.do(ACCOUNT, "DescribeCosts", {**asked, "groupBy": groups, "granularity": "day", "maxKeys": 1000})
    if found.is_truncated:
        return None
    first = asked["from"][:8]
    days = [f"{first}{day:02d}" for day in range(1, _days(asked) + 1)]
    amounts: dict[tuple[str, str], Decimal] = {}
    for row in found.costs:
        key = (f"{here(row.start_time, desk.zone):%Y-%m-%d}", named(desk, row.group, row.names))
        amounts[key] = amounts.get(key, Decimal(0)) + Decimal(row.billed)
    return stacked(days, amounts)


def _days(asked: Mapping[str, Any]) -> int:
    # Days by the calendar: hours that a zone leaves out or has twice do not change their number.
    first, last = (moment(asked[name].replace(" ", "T") + "+00:00") for name in ("from", "to"))
    return (last - first).days

"""Costs of a month by any grouping, as a chart by day and as a table with the forecast."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.console.frame.chart import Chart, stacked
from leasebook.console.frame.formats import here, moment
from leasebook.console.pages.money import months
from leasebook.console.pages.money.forecasts import account_of, is_small
from leasebook.console.pages.overview import figures
from leasebook.contract.action import ACCOUNT

GROUPINGS: Final = ("project", "type", "user", "region", "service", "kind")
TAG: Final = re.compile(r"[^\x00-\x1f\x7f]{1,128}")
ROWS: Final = 200
CHARTED_MAX: Final = 30
"""Groups that the chart keeps apart: a month of their days fits into one answer."""


class Wanted(NamedTuple):
    """A reader's wishes: a month, the grouping and the key of a tag as they were sent, and as requests name them.

    ``zone`` is the account's.
    """

    month: str
    by: str
    tag: str
    groups: list[str]
    zone: str

    @property
    def period(self) -> dict[str, Any]:
        """The month as requests name it, with the grouping."""
        return {**months.period(self.month, self.zone), "groupBy": self.groups}


def _wanted(desk: Desk, now: datetime) -> Wanted:
    by, tag = desk.asked("by"), desk.asked("tag")
    groups = [by] if by in GROUPINGS else []
    if by == "tag" and TAG.fullmatch(tag):
        groups = [f"tag:{tag}"]
    return Wanted(months.chosen(desk.asked("month"), now), by, tag, groups, desk.zone)


async def costs(desk: Desk) -> Response:
    """Show the costs of a month."""
    now = here(desk.now, desk.zone)
    wanted = _wanted(desk, now)
    month, is_current = wanted.month, wanted.month == months.month_of(now)
    account = await account_of(desk)
    has_forecast = is_current and (is_small(account) or desk.asked("forecast") == "1")
    marker = desk.asked("marker")
    asked = wanted.period | {"forecast": has_forecast, "maxKeys": ROWS} | ({"marker": marker} if marker else {})
    whole = await desk.do(ACCOUNT, "DescribeCosts", asked)
    is_grouped = not whole.is_truncated and len(whole.costs) <= CHARTED_MAX
    chart_at = {"month": month, "by": wanted.by if is_grouped else "", "tag": wanted.tag}
    return desk.page(
        "money/costs.html",
        month=month,
        before=months.moved(month, -1),
        after=months.moved(month, 1),
        by=wanted.by,
        tag_key=wanted.tag,
        group=wanted.groups[0] if wanted.groups else None,
        groupings=GROUPINGS,
        whole=whole,
        rows=[(named(desk, row.group, row.names), row) for row in whole.costs],
        has_forecast=has_forecast,
        may_forecast=is_current and not has_forecast,
        chart=await _chart(desk, wanted, now, is_grouped=is_grouped) if is_small(account) else None,
        # The chart of a large account comes after its page.
        chart_at=None if is_small(account) else chart_at,
    )


async def costs_chart(desk: Desk) -> Response:
    """Show the chart of a month's costs alone, for the page that loads it."""
    now = here(desk.now, desk.zone)
    wanted = _wanted(desk, now)
    key = ("costs by day", desk.rights, wanted.month, *wanted.groups)
    kept = desk.parts.kept.find(key) if desk.can(ACCOUNT, "DescribeCosts") else None
    if kept is None:
        began = time.monotonic()
        kept = (await _chart(desk, wanted, now, is_grouped=True),)
        desk.parts.kept.keep(key, kept, time.monotonic() - began)
    return desk.page("money/chart_part.html", chart=kept[0], days=None)


async def days(desk: Desk) -> Response:
    """Show the charges of this month by day as the overview does, which loads them."""
    key = ("days", desk.rights, months.month_of(here(desk.now, desk.zone)))
    kept = desk.parts.kept.find(key) if desk.can(ACCOUNT, "DescribeCosts") else None
    if kept is None:
        began = time.monotonic()
        kept = (await charges_by_day(desk),)
        desk.parts.kept.keep(key, kept, time.monotonic() - began)
    return desk.page("money/chart_part.html", chart=None, days=kept[0])


async def charges_by_day(desk: Desk) -> list[figures.Bar]:
    """Return a bar for each day of this month that has come. Raises Fault."""
    since, until = figures.month_of(moment(desk.now), desk.zone)
    # Nothing was charged on a day to come, and to spread advance payments over those days takes seconds.
    asked = {"from": since, "to": min(until, months.tomorrow(here(desk.now, desk.zone), desk.zone))}
    daily = await desk.do(ACCOUNT, "DescribeCosts", asked | {"granularity": "day", "maxKeys": 100})
    return figures.days(daily.costs, since, until, desk.zone)


def named(desk: Desk, group: Mapping[str, str | None], names: Mapping[str, str] | None) -> str:
    """Return how people name a group: by its name where it has one."""
    said = [(names or {}).get(dimension) or value or desk.gettext("without") for dimension, value in group.items()]
    return ", ".join(said) or desk.gettext("All")


async def _chart(desk: Desk, wanted: Wanted, now: datetime, *, is_grouped: bool) -> Chart | None:
    asked = wanted.period if is_grouped else wanted.period | {"groupBy": []}
    # A month to come has no charges yet, and its chart ends with its first day.
    least = months.beginning(date.fromisoformat(f"{wanted.month}-02"), desk.zone)
    until = min(asked["to"], max(months.tomorrow(now, desk.zone), least))
    by_day = {**asked, "to": until, "granularity": "day", "maxKeys": 1000}
    found = await desk.do(ACCOUNT, "DescribeCosts", by_day)
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
    first, last = (date.fromisoformat(asked[name][:10]) for name in ("from", "to"))
    return (last - first).days

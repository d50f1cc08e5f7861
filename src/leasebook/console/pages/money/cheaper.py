"""The page that says which instances would have been cheaper by the month: it reads the statement of a whole month.

The first page about money loads it afterwards, so that its own figures need not wait for it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.console.frame.formats import here
from leasebook.console.pages.money import months
from leasebook.console.pages.money.advice import Advice, cheaper_prepaid
from leasebook.contract.action import ACCOUNT, CATALOG, UNITS

SHOWN: Final = 8
PAGES_MAX: Final = 10
"""Pages of a statement that are looked through: 10,000 instances."""


async def cheaper(desk: Desk) -> Response:
    """Show the instances that would have been cheaper by the month in the last month."""
    month = months.moved(months.month_of(here(desk.now, desk.zone)), -1)
    advice, is_complete = await _found(desk, month)
    turnable = await _turnable(desk, advice)
    return desk.page(
        "money/advice_part.html" if desk.is_fragment else "money/advice.html",
        advice=advice,
        is_complete=is_complete,
        last_month=month,
        may_turn=bool(turnable),
        turnable=turnable,
    )


async def _turnable(desk: Desk, advice: list[Advice]) -> set[str]:
    """Return the instances of an advice that still run by the minute, where the user may make them prepaid."""
    if not desk.can(UNITS, "ChangeBilling"):
        return set()
    found = [(await desk.try_to(UNITS, "DescribeComputeUnit", {"instanceId": one.instance_id}))[0] for one in advice]
    rows = (one.compute_unit_instance for one in found if one is not None)
    return {row.instance_id for row in rows if (row.payment_timing, row.status) == ("Postpaid", "Running")}


async def _found(desk: Desk, month: str) -> tuple[list[Advice], bool]:
    """Return the instances that would have been cheaper by the month, and whether all were looked at."""
    offerings = await desk.do(CATALOG, "DescribeOfferings", {"maxKeys": 1000})
    prices = {
        (one.region, one.type): Decimal(one.price_per_month)
        for one in offerings.offerings
        if one.price_per_month is not None and one.closed_time is None
    }
    units, marker = [], None
    for _ in range(PAGES_MAX):
        asked = {"month": month, "maxKeys": 1000} | ({"marker": marker} if marker else {})
        statement = await desk.do(ACCOUNT, "DescribeStatement", asked)
        units += statement.instances
        marker = statement.next_marker
        if not marker:
            break
    return cheaper_prepaid(units, prices)[:SHOWN], not marker

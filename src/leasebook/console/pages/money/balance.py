"""The first page about money: the balance, this month, the last months, and what was moved last."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.console.frame.chart import Chart, stacked
from leasebook.console.frame.formats import here
from leasebook.console.pages.money import months
from leasebook.console.pages.money.advice import Advice, cheaper_prepaid
from leasebook.contract.action import ACCOUNT, CATALOG, UNITS

SHOWN: Final = 8
MONTHS: Final = 6
PAGES_MAX: Final = 10
"""Pages of a statement that are looked through for advice: 10,000 instances."""


async def balance(desk: Desk) -> Response:
    """Show the balance and what leads to the other pages."""
    month = months.month_of(here(desk.now, desk.zone))
    account = await desk.do(ACCOUNT, "DescribeAccount")
    postings, _ = await desk.try_to(ACCOUNT, "DescribePostings", {"maxKeys": SHOWN})
    spent, chart = await _months(desk, month)
    advice = await _advice(desk, months.moved(month, -1))
    turnable = await _turnable(desk, advice)
    return desk.page(
        "money/balance.html",
        account_detail=account,
        postings=None if postings is None else postings.postings,
        chart=chart,
        spent=spent,
        month=month,
        wallet=f"wallet:{account.account_id}",
        last_month=months.moved(month, -1),
        advice=advice,
        may_turn=bool(turnable),
        turnable=turnable,
    )


async def top_up(desk: Desk) -> Response:
    """Add money to the account: for operators, who have received it."""
    await desk.do(ACCOUNT, "TopUpAccount", {"amount": desk.field("amount")}, client_token=desk.field("once") or None)
    return desk.go("/money")


async def _months(desk: Desk, month: str) -> tuple[Any, Chart | None]:
    """Return the costs of this month with their forecast, and the chart of the last months."""
    asked = {"from": months.first_day(month), "to": months.first_day(months.moved(month, 1)), "forecast": True}
    spent, _ = await desk.try_to(ACCOUNT, "DescribeCosts", asked)
    first = months.moved(month, 1 - MONTHS)
    past, _ = await desk.try_to(
        ACCOUNT,
        "DescribeCosts",
        {"from": months.first_day(first), "to": asked["to"], "granularity": "month", "groupBy": ["type"]},
    )
    if past is None:
        return spent, None
    names = [months.moved(first, place) for place in range(MONTHS)]
    amounts = {
        (months.month_of(here(row.start_time, desk.zone)), row.group["type"] or desk.gettext("others")): Decimal(
            row.billed
        )
        for row in past.costs
    }
    return spent, stacked(names, amounts)


async def _turnable(desk: Desk, advice: list[Advice]) -> set[str]:
    """Return the instances of an advice that still run by the minute, where the user may make them prepaid."""
    if not desk.can(UNITS, "ChangeBilling"):
        return set()
    found = [(await desk.try_to(UNITS, "DescribeComputeUnit", {"instanceId": one.instance_id}))[0] for one in advice]
    rows = (one.compute_unit_instance for one in found if one is not None)
    return {row.instance_id for row in rows if (row.payment_timing, row.status) == ("Postpaid", "Running")}


async def _advice(desk: Desk, month: str) -> list[Advice]:
    """Return the instances that would have been cheaper by the month in the last month."""
    offerings, _ = await desk.try_to(CATALOG, "DescribeOfferings", {"maxKeys": 1000})
    if offerings is None:
        return []
    prices = {
        (one.region, one.type): Decimal(one.price_per_month)
        for one in offerings.offerings
        if one.price_per_month is not None and one.closed_time is None
    }
    units, marker = [], None
    for _ in range(PAGES_MAX):
        asked = {"month": month, "maxKeys": 1000} | ({"marker": marker} if marker else {})
        statement, _ = await desk.try_to(ACCOUNT, "DescribeStatement", asked)
        if statement is None:
            break
        units += statement.instances
        marker = statement.next_marker
        if not statement.is_truncated:
            break
    return cheaper_prepaid(units, prices)[:SHOWN]

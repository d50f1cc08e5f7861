"""The first page about money: the balance, this month, the last months, and what was moved last."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.console.frame.chart import Chart, stacked
from leasebook.console.frame.formats import here
from leasebook.console.pages.money import months
from leasebook.console.pages.money.forecasts import account_of, is_small
from leasebook.contract.action import ACCOUNT

SHOWN: Final = 8
MONTHS: Final = 6


async def balance(desk: Desk) -> Response:
    """Show the balance and what leads to the other pages."""
    month = months.month_of(here(desk.now, desk.zone))
    account = await account_of(desk)
    if account is None:
        # That it is refused makes the page that says why.
        account = await desk.do(ACCOUNT, "DescribeAccount")
    postings, _ = await desk.try_to(ACCOUNT, "DescribePostings", {"maxKeys": SHOWN})
    spent, chart = await _months(desk, month, has_forecast=is_small(account))
    return desk.page(
        "money/balance.html",
        account_detail=account,
        postings=None if postings is None else postings.postings,
        chart=chart,
        spent=spent,
        month=month,
        wallet=f"wallet:{account.account_id}",
        last_month=months.moved(month, -1),
    )


async def top_up(desk: Desk) -> Response:
    """Add money to the account: for operators, who have received it."""
    await desk.do(ACCOUNT, "TopUpAccount", {"amount": desk.field("amount")}, client_token=desk.field("once") or None)
    return desk.go("/money", done="topped-up")


async def _months(desk: Desk, month: str, *, has_forecast: bool) -> tuple[Any, Chart | None]:
    """Return the costs of this month, of a small account with their forecast, and the chart of the last months."""
    asked = {**months.period(month, desk.zone), "forecast": has_forecast}
    spent, _ = await desk.try_to(ACCOUNT, "DescribeCosts", asked)
    first = months.moved(month, 1 - MONTHS)
    past, _ = await desk.try_to(
        ACCOUNT,
        "DescribeCosts",
        {"from": months.first_day(first, desk.zone), "to": asked["to"], "granularity": "month", "groupBy": ["type"]},
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

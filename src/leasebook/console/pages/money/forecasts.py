"""The forecast of a month, which looks at every live instance: in a page of a small account, else after the page."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any, Final

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.console.frame.formats import here
from leasebook.console.pages.money import months
from leasebook.console.pages.money.kept_forecasts import Forecast
from leasebook.contract.action import ACCOUNT

AT_ONCE: Final = 500
"""Instances that a page forecasts itself, in some hundredths of a second."""


def is_small(account: Any | None) -> bool:
    """Whether a page may forecast by itself. ``account`` is the answer of DescribeAccount; None: it was refused."""
    return account is not None and account.prepaid.instances + account.postpaid.instances <= AT_ONCE


async def forecast(desk: Desk) -> Response:
    """Show the forecast of this month, for the pages that load it."""
    month = months.month_of(here(desk.now, desk.zone))
    user_id = desk.session.user.id
    found = desk.parts.forecasts.find(user_id, month)
    if found is None or not desk.can(ACCOUNT, "DescribeCosts"):
        began = time.monotonic()
        asked = {"from": months.first_day(month), "to": months.first_day(months.moved(month, 1)), "forecast": True}
        total = (await desk.do(ACCOUNT, "DescribeCosts", asked)).total
        found = Forecast(month, Decimal(total.forecast_billed or 0), desk.now)
        desk.parts.forecasts.keep(user_id, found, time.monotonic() - began)
    return desk.page("money/forecast_part.html" if desk.is_fragment else "money/forecast.html", found=found)

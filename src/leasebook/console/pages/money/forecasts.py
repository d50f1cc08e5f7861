"""The answers that take long for large accounts: the forecast looks at every live instance, and so does their count."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any, Final

import msgspec
from starlette.responses import Response

from leasebook.api.presenters.rows import account_facts
from leasebook.console.desk import Desk
from leasebook.console.frame.formats import here
from leasebook.console.pages.money import months
from leasebook.contract.action import ACCOUNT
from leasebook.domain.values.calendar import Instant

AT_ONCE: Final = 500
"""Instances that a page forecasts itself, in some hundredths of a second."""


class Forecast(msgspec.Struct, frozen=True):
    """The charges of a month at its end, and when they were forecast."""

    month: str
    billed: Decimal
    made_at: Instant


async def account_of(desk: Desk) -> Any | None:
    """Return DescribeAccount's answer; None where the user may not see it.

    For a large account it counts a hundred thousand instances. Their count may then be some seconds old, where
    something has happened since; the balance and the status never are. Raises Fault.
    """
    account_id = desk.session.account.id
    if not desk.can(ACCOUNT, "DescribeAccount"):
        return None
    row, event = await desk.parts.context.reader.read(
        lambda ask: (ask.account(account_id), ask.last_event(account_id)), party=account_id
    )
    key, stamp = ("account", account_id), (row, event, months.month_of(here(desk.now, desk.zone)))
    found = desk.parts.kept.find(key, stamp)
    if found is None or row is None:
        began = time.monotonic()
        found = await desk.do(ACCOUNT, "DescribeAccount")
        desk.parts.kept.keep(key, found, time.monotonic() - began, stamp)
        return found
    return msgspec.structs.replace(found, **account_facts(row, desk.currency, desk.parts.context.shown))


def is_small(account: Any | None) -> bool:
    """Whether a page may forecast by itself. ``account`` is what ``account_of`` returned."""
    return account is not None and account.prepaid.instances + account.postpaid.instances <= AT_ONCE


async def forecast(desk: Desk) -> Response:
    """Show the forecast of this month, for the pages that load it."""
    month = months.month_of(here(desk.now, desk.zone))
    # Users of an account may have rights for different projects.
    key = ("forecast", desk.rights, month)
    found = desk.parts.kept.find(key) if desk.can(ACCOUNT, "DescribeCosts") else None
    if found is None:
        began = time.monotonic()
        asked = {**months.period(month, desk.zone), "forecast": True}
        total = (await desk.do(ACCOUNT, "DescribeCosts", asked)).total
        found = Forecast(month, Decimal(total.forecast_billed or 0), desk.now)
        desk.parts.kept.keep(key, found, time.monotonic() - began)
    return desk.page("money/forecast_part.html" if desk.is_fragment else "money/forecast.html", found=found)

"""Buying units: the form, the price and the verdicts beside it, and the confirmation."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.responses import Response

from leasebook.api.fault import Fault
from leasebook.console.desk import Desk
from leasebook.console.frame import choices
from leasebook.console.pages.buy.purchase import Filled, purchase_of, quote_values, quoted, sold_to
from leasebook.console.pages.units.bulk import tags_of
from leasebook.console.pages.units.listing import projects
from leasebook.console.routes import get, post
from leasebook.contract.action import UNITS

FIELDS: Final = (
    *("offering", "count", "timing", "months", "choice", "at", "name", "tags", "project", "auto"),
    *("quote", "once"),
)
CONFLICT: Final = 409


async def buy_page(desk: Desk) -> Response:
    """Show the form; a link may fill in fields."""
    given = {name: desk.asked(name) for name in FIELDS if desk.asked(name)}
    return await _form(desk, Filled(**given))


async def quote(desk: Desk) -> Response:
    """Show what the purchase would cost, and every rule's verdict: beside the form, or with it without a script."""
    filled = _filled(desk)
    if not desk.is_fragment:
        return await _form(desk, filled, *await quoted(desk, filled))
    found, fault = await quoted(desk, filled)
    return desk.page("buy/quote_part.html", **quote_values(desk, filled, found, fault))


async def confirm(desk: Desk) -> Response:
    """Ask for the confirmation, at a price that is kept for some minutes."""
    filled = _filled(desk)
    found, fault = await quoted(desk, filled, hold=True)
    if found is None or not found.passed:
        return await _form(desk, filled, found, fault, status=CONFLICT)
    values = quote_values(desk, filled, found, None)
    return desk.page("buy/confirm.html", **values, names=await projects(desk), tag_map=tags_of(filled.tags))


async def buy(desk: Desk) -> Response:
    """Buy, once for each confirmation, and show the unit."""
    filled = _filled(desk)
    try:
        body = purchase_of(desk, filled) | ({"quoteId": filled.quote} if filled.quote else {})
        bought = await desk.do(UNITS, "PurchaseComputeUnit", body, client_token=filled.once or None)
    except Fault as fault:
        return await _form(desk, filled, None, fault, status=fault.error.status)
    return desk.go(f"/units/{bought.instance_id}", done="bought")


def _filled(desk: Desk) -> Filled:
    return Filled(**{name: desk.field(name) for name in FIELDS if name in desk.fields})


async def _form(
    desk: Desk, filled: Filled, found: Any | None = None, fault: Fault | None = None, *, status: int = 200
) -> Response:
    sold, refusal = await sold_to(desk)
    if not filled.offering and sold:
        filled = msgspec.structs.replace(filled, offering=f"{sold[0].region}/{sold[0].type}")
    if found is None and fault is None and sold:
        found, fault = await quoted(desk, filled)
    return desk.page(
        "buy/buy.html",
        status,
        **quote_values(desk, filled, found, fault or refusal),
        sold=sold,
        projects=await projects(desk),
        choices=choices.CHOICES,
    )


ROUTES: Final = (
    get("/buy", buy_page),
    post("/buy/quote", quote),
    post("/buy/confirm", confirm),
    post("/buy", buy),
)

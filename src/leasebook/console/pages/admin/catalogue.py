"""The catalogue: types and quota with stock and prices, and their history."""

from __future__ import annotations

import re
from typing import Any, Final

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.console.pages.admin import sure
from leasebook.contract.action import CATALOG

ROWS: Final = 100
WHOLE: Final = re.compile("[0-9]{1,18}")
DONE: Final = {
    "set": "offering-set",
    "close": "offering-closed",
    "reopen": "offering-reopened",
    "remove": "offering-removed",
}
"""By act: the sentence about it."""
AMOUNTS: Final = {"minute": "pricePerMinute", "month": "pricePerMonth"}


async def catalogue(desk: Desk) -> Response:
    """Show the offerings."""
    asked: dict[str, Any] = {"maxKeys": ROWS} | ({"marker": desk.asked("marker")} if desk.asked("marker") else {})
    return desk.page(
        "admin/catalogue.html", found=await desk.do(CATALOG, "DescribeOfferings", asked), marker=desk.asked("marker")
    )


async def prices(desk: Desk) -> Response:
    """Show the prices that an offering had, newest first."""
    found = await desk.do(CATALOG, "DescribePrices", _named(desk.asked) | {"maxKeys": ROWS})
    return desk.page("admin/prices.html", found=found)


async def set_offering(desk: Desk) -> Response:
    """Make an offering or change it; an empty field is left as it is. Close, reopen or remove one."""
    named = _named(desk.field)
    fields = {name: desk.field(name) for name in ("region", "type", "model")}
    if (asked := sure.asks(desk, "/admin/catalogue", fields)) is not None:
        return asked
    match desk.field("act"):
        case "set":
            body: dict[str, Any] = dict(named)
            body |= {wire: desk.field(name) for name, wire in AMOUNTS.items() if desk.field(name)}
            if desk.field("stock"):
                body["stockTotal"] = _count(desk.field("stock"))
            await desk.do(CATALOG, "SetOffering", body)
        case "close":
            await desk.do(CATALOG, "CloseOffering", named)
        case "reopen":
            await desk.do(CATALOG, "ReopenOffering", named)
        case "remove":
            await desk.do(CATALOG, "RemoveOffering", named)
    return desk.go("/admin/catalogue", done=DONE.get(desk.field("act")))


def _count(typed: str) -> int | str:
    """Return a typed number; another text, or one far too long, unchanged: the action refuses it."""
    return int(typed) if WHOLE.fullmatch(typed) else typed


def _named(read: Any) -> dict[str, str]:
    """Return how requests name an offering: units by region and type, quota by its model."""
    if read("model"):
        return {"model": read("model")}
    return {"region": read("region"), "type": read("type")}

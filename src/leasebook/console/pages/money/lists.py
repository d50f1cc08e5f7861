"""Orders and postings, newest first, a page at a time."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.contract.action import ACCOUNT

ORDER_KINDS: Final = ("Purchase", "Renewal", "Resize", "Conversion")
POSTING_KINDS: Final = (
    *("TopUp", "Purchase", "Usage", "Renewal", "Resize", "Conversion", "Refund", "PayOut", "WriteOff"),
)
ROWS: Final = 50


async def orders(desk: Desk) -> Response:
    """Show a page of orders."""
    found = await desk.do(ACCOUNT, "DescribeOrders", _asked(desk, ORDER_KINDS))
    return desk.page("money/orders.html", found=found, kinds=ORDER_KINDS, **_filters(desk))


async def postings(desk: Desk) -> Response:
    """Show a page of postings."""
    found = await desk.do(ACCOUNT, "DescribePostings", _asked(desk, POSTING_KINDS))
    wallet = f"wallet:{desk.session.account.id}"
    return desk.page("money/postings.html", found=found, kinds=POSTING_KINDS, wallet=wallet, **_filters(desk))


def _filters(desk: Desk) -> dict[str, Any]:
    return {"kind": desk.asked("kind"), "unit": desk.asked("unit"), "marker": desk.asked("marker")}


def _asked(desk: Desk, kinds: tuple[str, ...]) -> dict[str, Any]:
    asked: dict[str, Any] = {"maxKeys": ROWS}
    if desk.asked("kind") in kinds:
        asked["kind"] = desk.asked("kind")
    if desk.asked("unit"):
        asked["instanceId"] = desk.asked("unit")
    if desk.asked("marker"):
        asked["marker"] = desk.asked("marker")
    return asked

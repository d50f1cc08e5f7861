"""The fleet: the instances of every account, with what ends when, and the end of one with a reason."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.console.frame import words
from leasebook.contract.action import UNITS

ROWS: Final = 80
"""A page of a hundred would have more than 60 KB."""
FILTERS: Final = ("type", "status", "region")


async def fleet(desk: Desk) -> Response:
    """Show a page of instances of all accounts, or of one."""
    asked: dict[str, Any] = {"accountId": desk.asked("account") or "*", "maxKeys": ROWS}
    asked |= {name: desk.asked(name) for name in FILTERS if desk.asked(name)}
    if desk.asked("marker"):
        asked["marker"] = desk.asked("marker")
    return desk.page(
        "admin/fleet.html",
        found=await desk.do(UNITS, "DescribeComputeUnits", asked),
        filters={name: desk.asked(name) for name in ("account", *FILTERS)},
        marker=desk.asked("marker"),
        statuses=words.STATUSES,
        status_of=lambda name: words.status(desk.gettext, name),
        may_end=desk.can_across(UNITS, "ReleaseComputeUnit"),
    )


async def ask_end(desk: Desk) -> Response:
    """Show what the end of an instance means, and ask for the reason."""
    named = {
        "instanceId": desk.asked("unit") or desk.field("unit"),
        "accountId": desk.asked("account") or desk.field("account"),
    }
    return desk.page(
        "admin/end.html",
        unit=(await desk.do(UNITS, "DescribeComputeUnit", named)).compute_unit_instance,
        explained=(await desk.try_to(UNITS, "ExplainComputeUnit", named))[0],
        named=named,
    )


async def end(desk: Desk) -> Response:
    """Release an instance of another account, now or at a time."""
    named = {"instanceId": desk.field("unit"), "accountId": desk.field("account"), "reason": desk.field("reason")}
    if desk.field("at"):
        await desk.do(UNITS, "AutoReleaseComputeUnit", named | {"releaseTime": desk.on_own_clocks(desk.field("at"))})
        return desk.go("/admin/fleet", done="end-set")
    await desk.do(UNITS, "ReleaseComputeUnit", named)
    return desk.go("/admin/fleet", done="unit-ended")

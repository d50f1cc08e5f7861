"""Projects, limits and approvals of the account."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.responses import Response

from leasebook.api.fault import Fault
from leasebook.console.desk import Desk
from leasebook.contract import errors as e
from leasebook.contract.action import ACCOUNT, PROJECT

ROWS: Final = 50
STATUSES: Final = ("Open", "Approved", "Rejected", "Lapsed")


async def projects(desk: Desk) -> Response:
    """Show the projects."""
    found = await desk.do(PROJECT, "DescribeProjects", _page(desk))
    return desk.page("admin/projects.html", found=found, marker=desk.asked("marker"))


async def change_project(desk: Desk) -> Response:
    """Make a project, or rename or close one."""
    named = {"projectId": desk.field("project")}
    match desk.field("act"):
        case "create":
            asked = {"name": desk.field("name"), "description": desk.field("description")}
            await desk.do(PROJECT, "CreateProject", asked, client_token=desk.field("once") or None)
        case "rename":
            await desk.do(PROJECT, "ModifyProject", named | {"name": desk.field("name")})
        case "close":
            await desk.do(PROJECT, "CloseProject", named)
    return desk.go("/admin/projects")


async def limits(desk: Desk) -> Response:
    """Show the limits and the use of them, and the text in which they are changed."""
    found = await desk.do(ACCOUNT, "DescribeGuardRails")
    shown = msgspec.json.format(msgspec.json.encode(found.limits), indent=2).decode()
    return desk.page("admin/limits.html", found=found, text=desk.typed("limits", shown))


async def set_limits(desk: Desk) -> Response:
    """Replace the limits by those of the text."""
    try:
        given = msgspec.json.decode(desk.field("limits"))
    except (msgspec.DecodeError, RecursionError) as error:
        said = desk.gettext("This text is not JSON:")
        raise Fault(e.INAPPROPRIATE_JSON, f"{said} {error}") from error
    await desk.do(ACCOUNT, "SetGuardRails", {"limits": given, "replace": True})
    return desk.go("/admin/limits")


async def approvals(desk: Desk) -> Response:
    """Show the purchases that wait for a decision, or those that were decided."""
    status = desk.asked("status") if desk.asked("status") in STATUSES else "Open"
    found = await desk.do(ACCOUNT, "DescribeApprovals", _page(desk) | {"status": status})
    return desk.page(
        "admin/approvals.html", found=found, status_asked=status, statuses=STATUSES, marker=desk.asked("marker")
    )


async def decide(desk: Desk) -> Response:
    """Approve a purchase, which buys it now, or reject it with a reason."""
    named = {"approvalId": desk.field("approval")}
    if desk.field("act") == "approve":
        await desk.do(ACCOUNT, "ApprovePurchase", named)
    else:
        await desk.do(ACCOUNT, "RejectPurchase", named | {"reason": desk.field("reason")})
    return desk.go("/admin/approvals")


def _page(desk: Desk) -> dict[str, Any]:
    return {"maxKeys": ROWS} | ({"marker": desk.asked("marker")} if desk.asked("marker") else {})

"""Projects and approvals of the account."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.console.navigation import marked
from leasebook.console.pages.admin import sure
from leasebook.console.pages.units.listing import buyers
from leasebook.contract.action import ACCOUNT, PROJECT

ROWS: Final = 50
STATUSES: Final = ("Open", "Approved", "Rejected", "Lapsed")

LIMITS: Final[dict[str, str]] = {
    f"{kind}.{field}": name
    for field, name in {
        "units": marked("the limit of units"),
        "cost": marked("the limit of costs"),
        "releaseSeconds": marked("the limit of the time until the release, in seconds,"),
        "months": marked("the limit of months"),
    }.items()
    for kind in ("userNeedsApproval", "needsApproval")
}
"""By the field of a limit, as reasons of requests name it: its name for people."""


async def projects(desk: Desk) -> Response:
    """Show the projects."""
    found = await desk.do(PROJECT, "DescribeProjects", _page(desk))
    return desk.page("admin/projects.html", found=found, marker=desk.asked("marker"))


async def change_project(desk: Desk) -> Response:
    """Make a project, or rename or close one."""
    named = {"projectId": desk.field("project")}
    if (question := sure.asks(desk, "/admin/projects", {"project": desk.field("project")})) is not None:
        return question
    match desk.field("act"):
        case "create":
            asked = {"name": desk.field("name"), "description": desk.field("description")}
            await desk.do(PROJECT, "CreateProject", asked, client_token=desk.field("once") or None)
        case "rename":
            await desk.do(PROJECT, "ModifyProject", named | {"name": desk.field("name")})
        case "close":
            await desk.do(PROJECT, "CloseProject", named)
    done = {"create": "project-made", "rename": "project-renamed", "close": "project-closed"}
    return desk.go("/admin/projects", done=done.get(desk.field("act")))


async def approvals(desk: Desk) -> Response:
    """Show the purchases that wait for a decision, or those that were decided."""
    status = desk.asked("status") if desk.asked("status") in STATUSES else "Open"
    found = await desk.do(ACCOUNT, "DescribeApprovals", _page(desk) | {"status": status})
    return desk.page(
        "admin/approvals.html",
        found=found,
        status_asked=status,
        statuses=STATUSES,
        why=lambda reason: _why(desk, reason),
        people=await buyers(desk, "") if found.approvals else {},
        marker=desk.asked("marker"),
    )


def _why(desk: Desk, reason: str) -> str:
    """Return why a purchase needs an approval, with the names of the limits that pages have."""
    said = desk.said(reason)
    for field, name in LIMITS.items():
        said = said.replace(field, desk.gettext(name))
    return said


async def decide(desk: Desk) -> Response:
    """Approve a purchase, which buys it now, or reject it with a reason."""
    named = {"approvalId": desk.field("approval")}
    if desk.field("act") == "approve":
        await desk.do(ACCOUNT, "ApprovePurchase", named)
        return desk.go("/admin/approvals", done="purchase-approved")
    await desk.do(ACCOUNT, "RejectPurchase", named | {"reason": desk.field("reason")})
    return desk.go("/admin/approvals", done="purchase-rejected")


def _page(desk: Desk) -> dict[str, Any]:
    return {"maxKeys": ROWS} | ({"marker": desk.asked("marker")} if desk.asked("marker") else {})

"""Accounts: what each holds, owes and spent, and the acts of their whole life."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.contract.action import ACCOUNT, IAM

ROWS: Final = 50
STATUSES: Final = ("Active", "Suspended", "Closed")


async def accounts(desk: Desk) -> Response:
    """Show a page of accounts."""
    asked: dict[str, Any] = {"maxKeys": ROWS}
    if desk.asked("name"):
        asked["nameContains"] = desk.asked("name")
    if desk.asked("status") in STATUSES:
        asked["status"] = desk.asked("status")
    if desk.asked("marker"):
        asked["marker"] = desk.asked("marker")
    return desk.page(
        "admin/people/accounts.html",
        found=await desk.do(IAM, "DescribeAccounts", asked),
        name=desk.asked("name"),
        status_asked=desk.asked("status"),
        marker=desk.asked("marker"),
        statuses=STATUSES,
    )


async def account(desk: Desk) -> Response:
    """Show an account."""
    account_id = desk.request.path_params["account_id"]
    users, _ = await desk.try_to(IAM, "DescribeUsers", {"accountId": account_id, "maxKeys": 100})
    return desk.page(
        "admin/people/account.html",
        one=await desk.do(ACCOUNT, "DescribeAccount", {"accountId": account_id}),
        users=None if users is None else users.users,
    )


async def create(desk: Desk) -> Response:
    """Open an account, and show the keys of its first user: they are shown once."""
    asked = {"name": desk.field("name")} | ({"timeZone": desk.field("zone")} if desk.field("zone") else {})
    made = await desk.do(IAM, "CreateAccount", asked, client_token=desk.field("once") or None)
    return desk.page(
        "admin/people/new_key.html", made=made, name=desk.field("name"), back=f"/admin/accounts/{made.account_id}"
    )


async def act(desk: Desk) -> Response:
    """Rename, suspend, resume or close an account, or note money that was received for it."""
    account_id = desk.request.path_params["account_id"]
    named: dict[str, Any] = {"accountId": account_id}
    match desk.field("act"):
        case "rename":
            await desk.do(IAM, "RenameAccount", named | {"name": desk.field("name")})
        case "suspend":
            await desk.do(IAM, "SuspendAccount", named | {"reason": desk.field("reason")})
        case "resume":
            await desk.do(IAM, "ResumeAccount", named)
        case "close":
            rest = {"payOut": bool(desk.field("pay_out")), "writeOff": bool(desk.field("write_off"))}
            await desk.do(IAM, "CloseAccount", named | rest)
        case "top-up":
            asked = named | {"amount": desk.field("amount")}
            await desk.do(ACCOUNT, "TopUpAccount", asked, client_token=desk.field("once") or None)
    return desk.go(f"/admin/accounts/{account_id}")

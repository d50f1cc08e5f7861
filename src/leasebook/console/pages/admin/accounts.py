"""Accounts: what each holds, owes and spent, and the acts of their whole life."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.console.pages.admin import sure
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


DONE: Final = {
    "rename": "account-renamed",
    "suspend": "account-suspended",
    "resume": "account-resumed",
    "close": "account-closed",
    "top-up": "topped-up",
}
"""By act: the sentence about it."""


async def act(desk: Desk) -> Response:
    """Rename, suspend, resume or close an account, or note money that was received for it."""
    account_id = desk.request.path_params["account_id"]
    named: dict[str, Any] = {"accountId": account_id}
    home = f"/admin/accounts/{account_id}"
    rest = {name: desk.field(name) for name in ("pay_out", "write_off")}
    if (asked := sure.asks(desk, "/admin/accounts", rest, to=home)) is not None:
        return asked
    match desk.field("act"):
        case "rename":
            await desk.do(IAM, "RenameAccount", named | {"name": desk.field("name")})
        case "suspend":
            await desk.do(IAM, "SuspendAccount", named | {"reason": desk.field("reason")})
        case "resume":
            await desk.do(IAM, "ResumeAccount", named)
        case "close":
            what = {"payOut": bool(rest["pay_out"]), "writeOff": bool(rest["write_off"])}
            await desk.do(IAM, "CloseAccount", named | what)
        case "top-up":
            body = named | {"amount": desk.field("amount")}
            await desk.do(ACCOUNT, "TopUpAccount", body, client_token=desk.field("once") or None)
    return desk.go(home, done=DONE.get(desk.field("act")))

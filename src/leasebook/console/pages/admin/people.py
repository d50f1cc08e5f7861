"""Users of the account, their policies and their access keys; a secret is shown once."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.contract.action import IAM
from leasebook.contract.policies import OF_THE_HOUSE, POLICY_NAMES

ROWS: Final = 50


async def users(desk: Desk) -> Response:
    """Show a page of users."""
    asked: dict[str, Any] = {"maxKeys": ROWS}
    if desk.asked("marker"):
        asked["marker"] = desk.asked("marker")
    # Only operators give those over every account.
    kept = frozenset() if desk.identity.is_operator else OF_THE_HOUSE
    return desk.page(
        "admin/people/users.html",
        found=await desk.do(IAM, "DescribeUsers", asked),
        policies=sorted({*POLICY_NAMES} - kept),
        marker=desk.asked("marker"),
    )


async def act(desk: Desk) -> Response:
    """Do what a button of the page says, to a user, a policy or a key."""
    user = {"userId": desk.field("user")}
    match desk.field("act"):
        case "create":
            await desk.do(IAM, "CreateUser", {"name": desk.field("name")}, client_token=desk.field("once") or None)
        case "delete":
            await desk.do(IAM, "DeleteUser", user)
        case "rename":
            await desk.do(IAM, "RenameUser", user | {"name": desk.field("name")})
        case "attach":
            await desk.do(IAM, "AttachPolicy", user | {"policyName": desk.field("policy")})
        case "detach":
            await desk.do(IAM, "DetachPolicy", user | {"policyName": desk.field("policy")})
        case "disable":
            await desk.do(IAM, "DisableAccessKey", {"accessKeyId": desk.field("key")})
        case "enable":
            await desk.do(IAM, "EnableAccessKey", {"accessKeyId": desk.field("key")})
        case "new-key":
            made = await desk.do(IAM, "CreateAccessKey", user, client_token=desk.field("once") or None)
            return desk.page("admin/people/new_key.html", made=made, name=desk.field("name"), back="/admin/users")
    return desk.go("/admin/users")

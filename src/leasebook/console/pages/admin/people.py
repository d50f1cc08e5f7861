"""Users of the account, their policies and their access keys; a secret is shown once."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.console.frame.words import POLICIES
from leasebook.console.pages.admin import sure
from leasebook.console.pages.units.listing import projects
from leasebook.contract.action import IAM
from leasebook.contract.policies import OF_THE_HOUSE

ROWS: Final = 50


async def users(desk: Desk) -> Response:
    """Show a page of users."""
    asked: dict[str, Any] = {"maxKeys": ROWS}
    if desk.asked("marker"):
        asked["marker"] = desk.asked("marker")
    # Only operators give those over every account.
    names = await projects(desk)
    kept = frozenset() if desk.identity.is_operator else OF_THE_HOUSE
    return desk.page(
        "admin/people/users.html",
        found=await desk.do(IAM, "DescribeUsers", asked),
        policies=[name for name in POLICIES if name not in kept],
        named=lambda ids: ", ".join(names.get(one, one) for one in ids),
        marker=desk.asked("marker"),
    )


DONE: Final = {
    "create": "user-added",
    "delete": "user-deleted",
    "rename": "user-renamed",
    "attach": "policy-attached",
    "detach": "policy-detached",
    "disable": "key-disabled",
    "enable": "key-enabled",
}
"""By act: the sentence about it."""


async def act(desk: Desk) -> Response:
    """Do what a button of the page says, to a user, a policy or a key; what ends something is asked once more."""
    user = {"userId": desk.field("user")}
    asked = sure.asks(desk, "/admin/users", {"user": desk.field("user"), "key": desk.field("key")})
    if asked is not None:
        return asked
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
    return desk.go("/admin/users", done=DONE.get(desk.field("act")))

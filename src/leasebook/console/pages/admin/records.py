"""Subscriptions with their deliveries, and the audit log."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.console.frame import words
from leasebook.console.pages.admin import sure
from leasebook.console.pages.admin.failing import courses
from leasebook.contract.action import ACCOUNT, NOTIFICATION, PROJECT

ROWS: Final = 50
AT_ONCE: Final = 1000
STATES: Final = ("Waiting", "Delivered", "GivenUp", "Dropped")
DONE: Final = {
    "test": "test-sent",
    "pause": "subscription-paused",
    "activate": "subscription-activated",
    "delete": "subscription-deleted",
    "again": "sent-again",
}
"""By act: the sentence about it."""
SEARCHED: Final = {
    "action": "action",
    "code": "code",
    "unit": "instanceId",
    "user": "userId",
    "key": "accessKeyId",
    "address": "address",
    "since": "startTime",
    "until": "endTime",
}


async def subscriptions(desk: Desk) -> Response:
    """Show the subscriptions."""
    found = await desk.do(NOTIFICATION, "DescribeSubscriptions", _page(desk))
    known, within = await _projects(desk), desk.projects_of(NOTIFICATION, "CreateSubscription")
    return desk.page(
        "admin/records/subscriptions.html",
        found=found,
        courses=await courses(desk, [one.subscription_id for one in found.subscriptions]),
        named=lambda ids: ", ".join(known[one].name if one in known else one for one in ids),
        open_projects=[
            one for one in known.values() if one.status == "Active" and (within is None or one.project_id in within)
        ],
        chosen=desk.many("project") if desk.refusal is not None and desk.field("act") == "create" else [],
        is_confined=within is not None,
        marker=desk.asked("marker"),
    )


async def change_subscription(desk: Desk) -> Response:
    """Test, pause, activate or delete a subscription, or deliver again what was given up."""
    named = {"subscriptionId": desk.field("subscription")}
    if (question := sure.asks(desk, "/admin/subscriptions", {"subscription": desk.field("subscription")})) is not None:
        return question
    match desk.field("act"):
        case "create":
            types = [one.strip() for one in desk.field("types").split(",") if one.strip()]
            asked: dict[str, Any] = {"kind": desk.field("kind"), "types": types}
            if desk.many("project"):
                asked["projectIds"] = desk.many("project")
            asked |= {"url": desk.field("to")} if desk.field("kind") == "Webhook" else {"address": desk.field("to")}
            made = await desk.do(NOTIFICATION, "CreateSubscription", asked, client_token=desk.field("once") or None)
            return desk.page("admin/records/new_secret.html", made=made)
        case "test":
            await desk.do(NOTIFICATION, "TestSubscription", named)
        case "pause":
            await desk.do(NOTIFICATION, "ModifySubscription", named | {"status": "Paused"})
        case "activate":
            await desk.do(NOTIFICATION, "ModifySubscription", named | {"status": "Active"})
        case "delete":
            await desk.do(NOTIFICATION, "DeleteSubscription", named)
        case "again":
            await desk.do(NOTIFICATION, "RedeliverGivenUp", named)
    return desk.go("/admin/subscriptions", done=DONE.get(desk.field("act")))


async def deliveries(desk: Desk) -> Response:
    """Show what became of deliveries, newest first."""
    asked = _page(desk)
    if subscription := desk.asked("subscription") or desk.field("subscription"):
        asked["subscriptionId"] = subscription
    if desk.asked("state") in STATES:
        asked["state"] = desk.asked("state")
    found = await desk.do(NOTIFICATION, "DescribeDeliveries", asked)
    row = await _subscription(desk, subscription) if subscription else None
    return desk.page(
        "admin/records/deliveries.html",
        found=found,
        subscription=subscription,
        row=row,
        course=(await courses(desk, [subscription])).get(subscription) if row is not None else None,
        state=desk.asked("state"),
        states=STATES,
        event=lambda name: words.word(desk.gettext, words.EVENTS, name),
        marker=desk.asked("marker"),
    )


async def _subscription(desk: Desk, subscription_id: str) -> Any:
    """Return a subscription; None where the reader may not see it, or there is none among the first thousand."""
    found, _ = await desk.try_to(NOTIFICATION, "DescribeSubscriptions", {"maxKeys": AT_ONCE})
    rows = () if found is None else found.subscriptions
    return next((one for one in rows if one.subscription_id == subscription_id), None)


async def _projects(desk: Desk) -> dict[str, Any]:
    """Return the projects that the reader may see, by their ids."""
    found, _ = await desk.try_to(PROJECT, "DescribeProjects", {"maxKeys": AT_ONCE})
    return {} if found is None else {one.project_id: one for one in found.projects}


async def redeliver(desk: Desk) -> Response:
    """Deliver an event again."""
    asked = {"subscriptionId": desk.field("subscription"), "eventId": desk.field("event")}
    await desk.do(NOTIFICATION, "RedeliverEvent", asked)
    return desk.go("/admin/deliveries", subscription=desk.field("subscription"), done="sent-again")


async def audit(desk: Desk) -> Response:
    """Search the audit log, newest first."""
    given = {name: desk.asked(name) for name in SEARCHED}
    asked = _page(desk) | {
        wire: desk.on_own_clocks(given[name]) if name in ("since", "until") else given[name]
        for name, wire in SEARCHED.items()
        if given[name]
    }
    found = await desk.do(ACCOUNT, "DescribeAuditLog", asked)
    return desk.page("admin/records/audit.html", found=found, given=given, marker=desk.asked("marker"))


def _page(desk: Desk) -> dict[str, Any]:
    return {"maxKeys": ROWS} | ({"marker": desk.asked("marker")} if desk.asked("marker") else {})

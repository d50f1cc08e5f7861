"""The page of a service: what runs of it, on which instances, how it is called, and what can be done with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from starlette.responses import Response

from leasebook.api.fault import Fault, bad_field
from leasebook.console.desk import Desk
from leasebook.console.frame import words
from leasebook.console.pages.services.asking import TOKENS_USUAL, Tried, may_try, summed
from leasebook.console.pages.services.calls import SPANS, calls_of
from leasebook.console.pages.services.keys import ORPHANS, keys_of, opens_all
from leasebook.console.pages.services.snippets import snippets_of
from leasebook.contract.action import MODEL, RESOURCES, SERVICE, UNITS

ROWS: Final = 200
NOTICES: Final = {
    "scaled": words.marked("Its replicas are changed. They start and end within seconds."),
    "moved": words.marked("Its replicas move. They start on the other instance within seconds."),
    "made": words.marked("It was created."),
    "stopped": words.marked("It is off. Its instances stay, and are paid for."),
    "key-deleted": words.marked("The key is deleted. Calls with it are refused from now on."),
    "started": words.marked("It is on. Its replicas start."),
}
"""By the query of the service's page: the sentence about the form that was just sent."""


async def service(desk: Desk) -> Response:
    """Show a service; its replicas alone where the script asks, every few seconds."""
    service_id = desk.request.path_params["service"]
    if desk.is_fragment:
        return desk.page("services/replicas_part.html", **await _replicas(desk, service_id), service_id=service_id)
    return await page_of(desk, service_id)


async def scale(desk: Desk) -> Response:
    """Set the number of replicas on an instance; where that ends some, once the reader is sure."""
    service_id, unit = desk.request.path_params["service"], desk.field("unit")
    try:
        wanted = _number(desk, desk.field("replicas"))
        found = await _instances(desk, service_id)
        present = {one.instance_id: one.replicas_count for one in found}.get(unit, 0)
        if wanted < present and desk.field("sure") != "1":
            row = await desk.do(SERVICE, "DescribeService", {"serviceId": service_id})
            values = {"unit": unit, "wanted": wanted, "ended": present - wanted, "names": _names(found)}
            return desk.page("services/sure.html", deed="scale", service=row, **values)
        body = {"serviceId": service_id, "instanceId": unit, "deploymentReplicasCount": wanted}
        await desk.do(SERVICE, "ScaleService", body, client_token=desk.field("once") or None)
    except Fault as fault:
        return await page_of(desk, service_id, fault)
    return desk.go(f"/services/{service_id}", done="scaled")


async def move(desk: Desk) -> Response:
    """Have the replicas of one instance run on another, once the reader is sure: they start there, and end here."""
    service_id, unit, target = desk.request.path_params["service"], desk.field("unit"), desk.field("to")
    try:
        found = await _instances(desk, service_id)
        present = {one.instance_id: one.replicas_count for one in found}
        moved = present.get(unit, 0)
        is_sure = desk.field("sure") == "1"
        if target in ("", unit) or not (moved or is_sure):
            raise bad_field("to", desk.gettext("Choose an instance that it runs on, and another one."))
        if not is_sure:
            row = await desk.do(SERVICE, "DescribeService", {"serviceId": service_id})
            wanted = present.get(target, 0) + moved
            names = _names([*found, *await _others(desk, row, set())])
            values = {"unit": unit, "to": target, "moved": moved, "wanted": wanted, "names": names}
            return desk.page("services/sure.html", deed="move", service=row, **values)
        # The new place is asked first: where it has no room nothing has changed.
        for place, count in ((target, _number(desk, desk.field("replicas"))), (unit, 0)):
            body = {"serviceId": service_id, "instanceId": place, "deploymentReplicasCount": count}
            await desk.do(
                SERVICE, "ScaleService", body, client_token=f"{once}-{count}" if (once := desk.field("once")) else None
            )
    except Fault as fault:
        return await page_of(desk, service_id, fault)
    return desk.go(f"/services/{service_id}", done="moved")


async def stop(desk: Desk) -> Response:
    """Take a service off, once the reader is sure."""
    if desk.field("sure") != "1":
        return await _sure(desk, "stop")
    return await _done(desk, "DeactivateService", "stopped")


async def start(desk: Desk) -> Response:
    """Let a service run again."""
    return await _done(desk, "ActivateService", "started")


async def delete(desk: Desk) -> Response:
    """Delete a service that has no replicas, once the reader is sure."""
    if desk.field("sure") != "1":
        return await _sure(desk, "delete")
    service_id = desk.request.path_params["service"]
    try:
        await desk.do(SERVICE, "DeleteService", {"serviceId": service_id}, client_token=desk.field("once") or None)
    except Fault as fault:
        return await page_of(desk, service_id, fault)
    return desk.go("/services", done="service-deleted")


async def _sure(desk: Desk, deed: str) -> Response:
    service_id = desk.request.path_params["service"]
    return desk.page(
        "services/sure.html",
        deed=deed,
        service=await desk.do(SERVICE, "DescribeService", {"serviceId": service_id}),
        instances=await _instances(desk, service_id),
    )


async def _done(desk: Desk, action: str, done: str) -> Response:
    """Change a service and show it; a refusal is shown on its page."""
    service_id = desk.request.path_params["service"]
    try:
        await desk.do(SERVICE, action, {"serviceId": service_id}, client_token=desk.field("once") or None)
    except Fault as fault:
        return await page_of(desk, service_id, fault)
    return desk.go(f"/services/{service_id}", done=done)


async def page_of(
    desk: Desk, service_id: str, fault: Fault | None = None, *, tried: Tried | None = None, status: int = 200
) -> Response:
    """Show the page of a service: with a form that was refused (``fault``), or with an answer of it (``tried``)."""
    row = await desk.do(SERVICE, "DescribeService", {"serviceId": service_id})
    instances = await _instances(desk, service_id)
    is_key_form = fault is not None and desk.request.url.path.endswith("/keys")
    return desk.page(
        "services/service.html",
        status if fault is None else fault.error.status,
        service=row,
        model=None if row.counted else (await desk.try_to(MODEL, "DescribeModel", {"modelId": row.model_id}))[0],
        may_try=may_try(desk, row),
        tried=tried or Tried(question="", tokens_max=str(TOKENS_USUAL)),
        took=lambda one: summed(desk, one),
        service_id=service_id,
        instances=instances,
        others=await _others(desk, row, {one.instance_id for one in instances}),
        snippets=snippets_of(row),
        called=await calls_of(desk, service_id),
        spans=SPANS,
        keys=await keys_of(desk, service_id),
        key_typed={name: desk.field(name) if is_key_form else "" for name in ("name", "opens", "once")},
        opens_all=opens_all(desk),
        orphan_of=lambda reason: words.status(desk.gettext, reason, ORPHANS),
        status_of=lambda word: words.status(desk.gettext, word, words.SERVICE_STATUSES),
        unit_status_of=lambda word: words.status(desk.gettext, word),
        notice=desk.gettext(NOTICES[desk.asked("done")]) if desk.asked("done") in NOTICES else "",
        fault=fault,
        **await _replicas(desk, service_id),
    )


async def _replicas(desk: Desk, service_id: str) -> dict[str, Any]:
    """Return what the table of replicas shows: a page of them."""
    marker = desk.asked("marker")
    asked = {"serviceId": service_id, "maxKeys": ROWS} | ({"marker": marker} if marker else {})
    found, refused = await desk.try_to(SERVICE, "DescribeReplicas", asked)
    return {
        "found": found,
        "replicas_fault": refused,
        "marker": marker,
        "state_of": lambda word: words.status(desk.gettext, word, words.REPLICA_STATES),
    }


async def _instances(desk: Desk, service_id: str) -> list[Any]:
    """Return the instances that a service runs on, a thousand at most; none where the user may not see them."""
    found, _ = await desk.try_to(RESOURCES, "DescribeComputeUnits", {"serviceId": service_id, "maxKeys": 1000})
    return [] if found is None else list(found.instances)


async def _others(desk: Desk, row: Any, used: set[str]) -> list[Any]:
    """Return the running instances of its type on which the service could get replicas; none where it may not."""
    if not desk.can(SERVICE, "ScaleService"):
        return []
    kind, _, size = row.resource_config.type.lower().rpartition("-")
    asked = {"type": kind, "status": "Running", "maxKeys": ROWS}
    found, _ = await desk.try_to(UNITS, "DescribeComputeUnits", asked)
    return [
        one
        for one in (() if found is None else found.compute_unit_instance_list)
        if one.instance_id not in used and one.total_compute_units - one.used_compute_units >= int(size)
    ]


def _names(instances: Iterable[Any]) -> dict[str, str]:
    """Return the names of instances that have one, by their ids."""
    return {one.instance_id: one.name for one in instances if one.name}


def _number(desk: Desk, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 6):  # noqa: PLR2004 - digits
        raise bad_field("replicas", desk.gettext("Say how many replicas, as a whole number from 0."))
    return int(text)

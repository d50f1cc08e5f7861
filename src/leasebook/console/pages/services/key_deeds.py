"""The deeds on the keys of a service: one is made, with the key shown once, or deleted."""

from __future__ import annotations

from starlette.responses import Response

from leasebook.api.fault import Fault
from leasebook.console.desk import Desk
from leasebook.console.pages.services.service import page_of
from leasebook.contract.action import SERVICE


async def make_key(desk: Desk) -> Response:
    """Make a key for a service, or for all of the account, and show it: it is shown once."""
    service_id = desk.request.path_params["service"]
    asked = {"name": desk.field("name")} | ({} if desk.field("opens") == "all" else {"serviceId": service_id})
    try:
        made = await desk.do(SERVICE, "CreateServiceKey", asked, client_token=desk.field("once") or None)
    except Fault as fault:
        return await page_of(desk, service_id, fault)
    return desk.page("services/keys/made.html", made=made, service_id=service_id)


async def delete_key(desk: Desk) -> Response:
    """Delete a key, once the reader is sure."""
    service_id, key = desk.request.path_params["service"], desk.field("key")
    if desk.field("sure") != "1":
        row = await desk.do(SERVICE, "DescribeService", {"serviceId": service_id})
        return desk.page("services/keys/sure.html", service=row, key=key, name=desk.field("name"))
    try:
        await desk.do(SERVICE, "DeleteServiceKey", {"keyId": key})
    except Fault as fault:
        return await page_of(desk, service_id, fault)
    return desk.go(f"/services/{service_id}", done="key-deleted")

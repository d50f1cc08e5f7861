"""Services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leasehold.api import present
from leasehold.api.context import Call, Context, Operation
from leasehold.api.fault import bad_field, refused
from leasehold.api.ids import service_id
from leasehold.api.operations.billing import purchase
from leasehold.api.paging import DOCUMENTED, cut, place_of
from leasehold.commands.service import Created, CreateService
from leasehold.domain.service import shape_of
from leasehold.domain.whose import no_service
from leasehold.questions import ServiceFilter
from leasehold.wire import shapes as s


async def create_service(context: Context, call: Call[s.CreateServiceRequest]) -> s.CreatedService:
    """Create a service; with billing, buy the units of its first replicas too."""
    asked = call.request
    resource = asked.resource_config
    shape_of(resource.type)
    if asked.billing is not None and resource.replicas_count is None:
        raise bad_field("resourceConfig.replicasCount", "Billing buys replicas: say how many.")
    command = CreateService(
        token=call.token(),
        service_id=service_id(),
        account_id=call.caller.account_id,
        user_id=call.caller.user_id,
        name=asked.name,
        description=asked.description or "",
        url_suffix=asked.url_suffix,
        model_set_id=asked.model_set_id,
        model_id=asked.model_id,
        resource_type=resource.type,
        region=resource.region or None,
        qps=resource.qps,
        replicas=resource.replicas_count or 0,
        purchase=None if asked.billing is None else purchase(context, call.caller, asked.billing),
    )
    created: Created = await context.submit(call, command)
    return s.CreatedService(service_id=created.service_id, instance_id=created.unit_id, order_id=created.order_id)


async def describe_service(context: Context, call: Call[s.DescribeServiceRequest]) -> s.ServiceDetail:
    """Show one service."""
    wanted = call.request.service_id
    found = await context.read(call, lambda ask: ask.service(wanted))
    if found is None or found.account_id != call.caller.account_id:
        raise refused(no_service(wanted))
    return present.service(found, context.shown)


async def describe_services(context: Context, call: Call[s.DescribeServicesRequest]) -> s.ServicePage:
    """List services, a page at a time."""
    asked, account_id = call.request, call.caller.account_id
    reverse = bool(asked.page_reverse)
    scope = f"services {account_id} {reverse}"
    size, after = DOCUMENTED.of(asked.max_keys), place_of(asked.marker, scope)
    running = _running(asked.run_status)
    if running == set():
        return s.ServicePage(service_list=[], is_truncated=False, max_keys=size, marker=asked.marker)
    wanted = ServiceFilter(
        account_id=account_id,
        name_part=asked.name or None,
        running=None if running is None or len(running) > 1 else running.pop(),
        creators=None if asked.creator is None else tuple(asked.creator),
    )
    found = await context.read(call, lambda ask: ask.services(wanted, after=after, limit=size + 1, reverse=reverse))
    page = cut(found, size, scope)
    return s.ServicePage(
        service_list=[present.service(numbered.row, context.shown) for numbered in page.rows],
        is_truncated=page.is_truncated,
        max_keys=size,
        marker=asked.marker,
        next_marker=page.next_marker,
    )


def _running(statuses: Sequence[str] | None) -> set[bool] | None:
    """Return which of running (Serving) and not (New) are asked for; None: any."""
    if not statuses:
        return None
    return {status == "Serving" for status in statuses if status in ("Serving", "New")}


OPERATIONS: Final[dict[str, Operation]] = {
    "create_service": create_service,
    "describe_service": describe_service,
    "describe_services": describe_services,
}

"""The log store of a service: attaching and detaching it."""

from __future__ import annotations

from typing import Final

from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import Fault, refused
from leasebook.contract.errors import LOG_STORE_UNREACHABLE, OPERATION_NOT_SUPPORTED
from leasebook.contract.nouns import replica as r
from leasebook.domain.commands.service.log_store import AttachLogStore, DetachLogStore
from leasebook.domain.model.service import Service
from leasebook.domain.replicas.engine_route import engine_for
from leasebook.domain.replicas.planner import INSTANT
from leasebook.domain.rules.ownership import no_service
from leasebook.ports.queries.read_repository import ReadRepository

_LAST_LINES: Final = "DescribeReplicaLogs (/v2/service) has the last lines of a replica."


async def attach_log_store(context: Context, call: Call[r.AttachLogStoreRequest]) -> bool:
    """Attach a log store, once it has shown that it takes lines. Nothing is attached to a service of others."""
    asked = call.request
    if asked.service_type == "Preset":
        raise Fault(
            OPERATION_NOT_SUPPORTED,
            "Preset services run no replicas here, so that they have no lines to send. Attach a log store to a service "
            "of your own: serviceType Custom.",
            "serviceType",
        )
    command = AttachLogStore(
        token=call.token(),
        account_id=call.caller.account_id,
        user_id=call.caller.user_id,
        service_id=asked.service_id,
        region=asked.log_region,
        project=asked.log_project,
        name=asked.log_store_name,
    )
    done: bool = await context.submit_checked(call, command, lambda: _check_sendable(context, call))
    return done


async def _check_sendable(context: Context, call: Call[r.AttachLogStoreRequest]) -> None:
    """Raise Fault where lines of the service cannot reach a log store now."""
    engines = await _engines(context, call)
    if context.log_store is None:
        raise Fault(
            OPERATION_NOT_SUPPORTED,
            "This server has no log store, and attached nothing. The setting log_store.url names one to its operator. "
            + _LAST_LINES,
        )
    if engines and engines <= context.without_log_parts:
        raise Fault(
            OPERATION_NOT_SUPPORTED,
            f"The replicas of {call.request.service_id} run on the engine {' and '.join(sorted(engines))}, whose lines "
            f"cannot be sent to a log store. Nothing was attached. {_LAST_LINES}",
            "serviceId",
        )
    failure = await context.log_store()
    if failure is not None:
        raise Fault(
            LOG_STORE_UNREACHABLE,
            f"The log store of this server cannot take lines now, and nothing was attached. {failure} Try again; if it "
            "stays so, the operator has to look at the settings log_store.url and log_store.headers.",
        )


async def _engines(context: Context, call: Call[r.AttachLogStoreRequest]) -> set[str]:
    """Return the engines that run a service, or would run it on the offerings of its type; raises Fault."""
    wanted = call.request.service_id

    def look(ask: ReadRepository) -> tuple[Service | None, set[str]]:
        service = ask.service(wanted)
        if service is None:
            return None, set()
        routes, unit_type = context.rules.routes, service.shape.unit_type
        return service, {engine_for(routes, one.region, one.type) for one in ask.offerings() if one.type == unit_type}

    service, engines = await context.read(call, look)
    if service is None or service.account_id != call.caller.account_id or service.deleted_at is not None:
        raise refused(no_service(wanted))
    return engines - {INSTANT}


async def detach_log_store(context: Context, call: Call[r.DetachLogStoreRequest]) -> bool:
    """Detach the log store of a service."""
    command = DetachLogStore(token=call.token(), account_id=call.caller.account_id, service_id=call.request.service_id)
    done: bool = await context.submit(call, command)
    return done


OPERATIONS: Final[dict[str, Operation]] = {
    "attach_log_store": attach_log_store,
    "detach_log_store": detach_log_store,
}

"""Replicas: how they do, and what they wrote."""

from __future__ import annotations

from typing import Any, Final

from leasebook.api.across import accounts_meant
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import refused
from leasebook.api.paging import part
from leasebook.contract.nouns import replica as r
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.replica import Replica
from leasebook.domain.model.service import Service
from leasebook.domain.replicas.crash_loop import CARRIER
from leasebook.domain.rules.ownership import no_instance, no_service
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.read_repository import ReadRepository


async def _found(
    context: Context, call: Call[Any], service_id: str, unit_id: str | None
) -> tuple[Service, list[Replica]]:
    """Return a service and its replicas; raises Fault if the service or the instance does not exist."""
    meant = accounts_meant(call)

    def look(ask: ReadRepository) -> tuple[Service | None, Instance | None, list[Replica]]:
        meant.require(ask)
        service, unit = ask.service(service_id), None if unit_id is None else ask.unit(unit_id)
        if service is None or not meant.has(service.account_id) or service.deleted_at is not None:
            return None, None, []
        return service, unit, ask.replicas(service.account_id, service_id=service_id, unit_id=unit_id)

    service, unit, replicas = await context.read(call, look)
    if service is None:
        raise refused(no_service(service_id))
    if unit_id is not None and (unit is None or unit.account_id != service.account_id):
        raise refused(no_instance(unit_id))
    return service, replicas


async def describe_replicas(context: Context, call: Call[r.DescribeReplicasRequest]) -> r.Replicas:
    """Show a service's replicas."""
    service, replicas = await _found(context, call, call.request.service_id, call.request.instance_id)

    carriers = {row.unit_id: row for row in replicas if row.number == CARRIER}

    scope = f"replicas {service.id} {call.request.instance_id}"
    page, end = part(replicas, lambda row: row.key, call.request, scope)

    def shown(at: int | None) -> str | None:
        return None if at is None else context.shown(Instant(at))

    return r.Replicas(
        service_id=service.id,
        ready=service.ready,
        replicas=[
            r.ReplicaDetail(
                instance_id=row.unit_id,
                replica=row.number,
                name=row.name,
                model_id=row.model_id,
                engine=row.engine,
                node=row.node,
                replica_state=row.state,
                state_since=context.shown(Instant(row.since)),
                address=row.address,
                devices=list(row.devices),
                compute_units=row.units,
                restarts=row.restarts,
                next_start_time=shown(row.not_before),
                engine_end_time=shown(row.deadline),
                why=row.reason,
                down_since=shown(carriers[row.unit_id].down_since) if row.unit_id in carriers else None,
                crash_loop=row.unit_id in carriers and carriers[row.unit_id].outage == "Reported",
                trouble=row.trouble,
            )
            for row in page
        ],
        **end,
    )


async def describe_replica_logs(context: Context, call: Call[r.DescribeReplicaLogsRequest]) -> r.ReplicaLogs:
    """Show what a replica wrote."""
    asked = call.request
    _, replicas = await _found(context, call, asked.service_id, asked.instance_id)
    row = next((row for row in replicas if row.number == asked.replica), None)
    if row is None:
        return r.ReplicaLogs(log_lines=[], why="The replica does not exist and never existed.")
    lines, why = await context.replica_logs(row, asked.lines_max)
    return r.ReplicaLogs(log_lines=lines, why=why)


OPERATIONS: Final[dict[str, Operation]] = {
    "describe_replicas": describe_replicas,
    "describe_replica_logs": describe_replica_logs,
}

"""Compute units: buying, showing, releasing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any, Final

from leasehold.api import present
from leasehold.api.context import Call, Context, Operation, Streamed
from leasehold.api.fault import bad_field, refused
from leasehold.api.operations.billing import purchase
from leasehold.api.paging import OWN, cut, place_of
from leasehold.commands.purchase import Bought, BuyReplicas, BuyUnits
from leasehold.commands.release import Release, ScheduleRelease
from leasehold.commands.renewal import SetAutoRenew
from leasehold.domain.unit import Unit
from leasehold.domain.whose import no_instance, no_service
from leasehold.questions import Numbered, Questions, UnitFilter
from leasehold.wire import shapes as s

PIECE: Final = 1000
"""How many instances of a list are in memory at once."""


def _purchased(bought: Bought) -> s.Purchased:
    return s.Purchased(instance_id=bought.unit_id, order_id=bought.order_id)


async def purchase_units(context: Context, call: Call[s.PurchaseComputeUnitRequest]) -> s.Purchased:
    """Buy compute units of a type."""
    asked = call.request
    command = BuyUnits(
        token=call.token(),
        purchase=purchase(context, call.caller, asked.billing),
        region=asked.compute_unit_config.region or None,
        unit_type=asked.compute_unit_config.type,
        count=asked.compute_unit_count,
    )
    return _purchased(await context.submit(call, command))


async def purchase_replicas(context: Context, call: Call[s.PurchaseReplicasRequest]) -> s.Purchased:
    """Buy the units for replicas of a service."""
    asked = call.request
    command = BuyReplicas(
        token=call.token(),
        purchase=purchase(context, call.caller, asked.billing),
        service_id=asked.service_id,
        replicas=asked.replicas_count,
    )
    return _purchased(await context.submit(call, command))


async def describe_units(context: Context, call: Call[s.DescribeComputeUnitsRequest]) -> s.ComputeUnitList | Streamed:
    """List the account's instances: a page where one is asked for, otherwise all of them."""
    asked = call.request
    wanted = UnitFilter(
        account_id=call.caller.account_id,
        status=asked.status,
        payment_timing=asked.payment_timing,
        region=asked.region,
        type=asked.type,
    )
    if asked.marker is None and asked.max_keys is None:
        found = await context.read(call, lambda ask: ask.units(wanted, limit=PIECE + 1))
        if len(found) > PIECE:
            return _all_units(context, call, wanted)
        return s.ComputeUnitList(compute_unit_instance_list=_instances(context, found))
    scope = f"units {wanted}"
    size, after = OWN.of(asked.max_keys), place_of(asked.marker, scope) or 0
    found = await context.read(call, lambda ask: ask.units(wanted, after=after, limit=size + 1))
    page = cut(found, size, scope)
    return s.ComputeUnitList(
        compute_unit_instance_list=_instances(context, page.rows),
        is_truncated=page.is_truncated,
        max_keys=size,
        next_marker=page.next_marker,
    )


def _instances(context: Context, rows: Sequence[Numbered]) -> list[s.ComputeUnitInstance]:
    return [present.instance(numbered.row, context.shown) for numbered in rows]


def _piece(wanted: UnitFilter, after: int, ask: Questions) -> list[Numbered]:
    return ask.units(wanted, after=after, limit=PIECE)


def _all_units(context: Context, call: Call[s.DescribeComputeUnitsRequest], wanted: UnitFilter) -> Streamed:
    """List more instances than should be in memory at once, piece by piece."""

    async def pieces() -> AsyncIterator[Sequence[s.ComputeUnitInstance]]:
        after = 0
        while True:
            found = await context.read(call, partial(_piece, wanted, after))
            if not found:
                return
            yield _instances(context, found)
            after = found[-1].seq

    return Streamed("computeUnitInstanceList", pieces())


async def describe_unit(context: Context, call: Call[s.DescribeComputeUnitRequest]) -> s.ComputeUnitDetail:
    """Show one instance, and which services use it."""
    unit = await _own(context, call, call.request.instance_id)
    service_id = unit.service_id
    services = []
    if service_id is not None and present.used_units(unit):
        service = await context.read(call, lambda ask: ask.service(service_id))
        if service is not None:
            services.append(present.usage(unit, service))
    return s.ComputeUnitDetail(compute_unit_instance=present.instance(unit, context.shown), service_usage_list=services)


async def describe_service_instances(
    context: Context, call: Call[s.DescribeServiceInstancesRequest]
) -> s.ServiceInstances:
    """List the live instances of a service."""
    asked = call.request
    await _see_service(context, call, asked.service_id)
    wanted = UnitFilter(
        account_id=call.caller.account_id, service_id=asked.service_id, payment_timing=asked.payment_timing
    )
    found = await context.read(call, lambda ask: ask.units(wanted))
    return s.ServiceInstances(instances=[present.service_instance(numbered.row, context.shown) for numbered in found])


async def describe_service_instance(
    context: Context, call: Call[s.DescribeServiceInstanceRequest]
) -> s.ServiceInstanceDetail:
    """Show one instance of a service."""
    asked = call.request
    await _see_service(context, call, asked.service_id)
    unit = await _own(context, call, asked.instance_id)
    if unit.service_id != asked.service_id:
        raise refused(no_instance(asked.instance_id))
    return s.ServiceInstanceDetail(instance=present.service_instance(unit, context.shown))


async def release_unit(context: Context, call: Call[s.ReleaseComputeUnitRequest]) -> bool:
    """Release a postpaid instance now."""
    command = Release(
        token=call.token(),
        account_id=call.caller.account_id,
        unit_id=call.request.instance_id,
        service_id=None,
    )
    done: bool = await context.submit(call, command)
    return done


async def release_replicas(context: Context, call: Call[s.ReleaseReplicasRequest]) -> bool:
    """Release a postpaid instance of a service now."""
    command = Release(
        token=call.token(),
        account_id=call.caller.account_id,
        unit_id=call.request.instance_id,
        service_id=call.request.service_id,
    )
    done: bool = await context.submit(call, command)
    return done


async def schedule_release(context: Context, call: Call[s.AutoReleaseComputeUnitRequest]) -> bool:
    """Set, move or clear the release time; with instanceType, the auto-renew rule (decision 4)."""
    asked = call.request
    command: ScheduleRelease | SetAutoRenew
    if asked.instance_type is not None:
        command = _auto_renew(call, asked.instance_id, asked.instance_type, asked.auto_renew_time)
    else:
        command = ScheduleRelease(
            token=call.token(),
            account_id=call.caller.account_id,
            unit_id=asked.instance_id,
            service_id=asked.service_id,
            release_at=context.time(asked.release_time, "releaseTime") if asked.release_time else None,
        )
    done: bool = await context.submit(call, command)
    return done


async def create_auto_renew_rule(context: Context, call: Call[s.CreateAutoRenewRulesRequest]) -> bool:
    """Renew a prepaid instance whenever its term runs out."""
    asked = call.request
    command = _auto_renew(call, asked.instance_id, asked.instance_type, asked.auto_renew_time)
    done: bool = await context.submit(call, command)
    return done


def _auto_renew(
    call: Call[s.AutoReleaseComputeUnitRequest] | Call[s.CreateAutoRenewRulesRequest],
    unit_id: str,
    kind: str,
    months: int | None,
) -> SetAutoRenew:
    if kind != "ComputingUnit":
        raise bad_field("instanceType", "Only ComputingUnit instances are sold by the month here.")
    return SetAutoRenew(token=call.token(), account_id=call.caller.account_id, unit_id=unit_id, months=months or 1)


async def _own(context: Context, call: Call[Any], unit_id: str) -> Unit:
    unit = await context.read(call, lambda ask: ask.unit(unit_id))
    if unit is None or unit.account_id != call.caller.account_id:
        raise refused(no_instance(unit_id))
    return unit


async def _see_service(context: Context, call: Call[Any], service_id: str) -> None:
    service = await context.read(call, lambda ask: ask.service(service_id))
    if service is None or service.account_id != call.caller.account_id:
        raise refused(no_service(service_id))


OPERATIONS: Final[dict[str, Operation]] = {
    "purchase_units": purchase_units,
    "purchase_replicas": purchase_replicas,
    "describe_units": describe_units,
    "describe_unit": describe_unit,
    "describe_service_instances": describe_service_instances,
    "describe_service_instance": describe_service_instance,
    "release_unit": release_unit,
    "release_replicas": release_replicas,
    "schedule_release": schedule_release,
    "create_auto_renew_rule": create_auto_renew_rule,
}

"""Compute units: buying, showing, releasing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from leasebook.api.across import Meant, Owners, account_acted_in, accounts_meant, owners_of
from leasebook.api.context import Call, Context, Operation, Streamed
from leasebook.api.fault import bad_field, refused
from leasebook.api.handlers.account.funds import amount
from leasebook.api.ids import hex_id
from leasebook.api.paging import OWN, WHOLE, Start, cut, ends, page_info, start_of, unknown_marker
from leasebook.api.presenters import rows as present
from leasebook.api.presenters.billing import purchase, read_billing
from leasebook.api.presenters.tags import marked as with_tags
from leasebook.api.presenters.tags import new_tags, wanted_tags
from leasebook.contract.nouns import instance as s
from leasebook.contract.nouns import replica as r
from leasebook.contract.nouns import term as t
from leasebook.contract.policies import FULL
from leasebook.contract.shapes import PageInfo
from leasebook.domain.commands.instance.billing_switch import ChangeBilling, Turned
from leasebook.domain.commands.instance.purchase import BuyReplicas, BuyUnits, Purchased
from leasebook.domain.commands.instance.release import Release, ScheduleRelease
from leasebook.domain.commands.instance.renewal import Renew, Renewed, SetAutoRenew
from leasebook.domain.commands.instance.resize import Resize, Resized
from leasebook.domain.model.instance import Instance, Placement
from leasebook.domain.model.offering import UNITS_OF_COMPUTE, OfferingKind
from leasebook.domain.model.service import Service
from leasebook.domain.rules.ownership import no_service, owned_instance
from leasebook.domain.values.refusal import Refusal
from leasebook.domain.values.resource_tags import ResourceTags
from leasebook.domain.values.tag_policy import NO_POLICY
from leasebook.ports.queries.read_repository import Numbered, ReadRepository, UnitFilter

PIECE: Final = 1000
"""How many instances of a list are in memory at once."""


def _purchased(bought: Purchased) -> s.Purchased:
    return s.Purchased(instance_id=bought.unit_id, order_id=bought.order_id)


async def purchase_units(context: Context, call: Call[s.PurchaseComputeUnitRequest]) -> s.Purchased:
    """Buy compute units of a type."""
    asked = call.request
    tags = new_tags(asked.name, asked.tags)
    command = BuyUnits(
        token=call.token(),
        purchase=purchase(
            context,
            call.caller,
            asked.billing,
            quote_id=asked.quote_id,
            tags=tags,
            project_id=call.project(asked.project_id),
        ),
        region=asked.compute_unit_config.region or None,
        unit_type=asked.compute_unit_config.type,
        count=asked.compute_unit_count,
    )
    return _purchased(await context.submit(call, command))


async def purchase_replicas(context: Context, call: Call[r.PurchaseReplicasRequest]) -> s.Purchased:
    """Buy the units for replicas of a service."""
    asked = call.request
    command = BuyReplicas(
        token=call.token(),
        purchase=purchase(context, call.caller, asked.billing, tags=new_tags(asked.name, asked.tags)),
        service_id=asked.service_id,
        replicas=asked.replicas_count,
    )
    return _purchased(await context.submit(call, command))


async def describe_units(context: Context, call: Call[s.DescribeComputeUnitsRequest]) -> s.ComputeUnitList | Streamed:
    """List the account's instances: a page where one is asked for, otherwise all of them."""
    asked, meant = call.request, accounts_meant(call)
    wanted = UnitFilter(
        **meant.of(),
        status=asked.status,
        payment_timing=asked.payment_timing,
        region=asked.region,
        type=asked.type,
        tags=wanted_tags(asked.name, asked.tags),
        project_id=asked.project_id,
        created_by=asked.user_id,
        # The policy itself is read with each page, so that a change of it does not void markers.
        broken=NO_POLICY if asked.breaks_tag_policy else None,
    )
    long = wanted.across is not None
    if long and asked.breaks_tag_policy:
        raise bad_field("breaksTagPolicy", "Each account has a tag policy of its own: name one account.")
    if asked.coming_ends:
        return await _ends(context, call, meant, wanted)
    if asked.marker is None and asked.max_keys is None:
        owners, found = await context.read(call, lambda ask: _units(ask, meant, wanted, 0, PIECE + 1), long=long)
        if len(found.rows) > PIECE:
            return _all_units(context, call, meant, wanted)
        return s.ComputeUnitList(compute_unit_instance_list=_instances(context, owners, found))
    scope = f"units {wanted}"
    size, start = OWN.of(asked.max_keys), start_of(asked.marker, scope)

    def look(ask: ReadRepository) -> tuple[Owners, _Found]:
        return _units(ask, meant, wanted, after_of(ask, wanted, start), size + 1)

    owners, found = await context.read(call, look, long=long)
    page = cut(found.rows, size, scope)
    return s.ComputeUnitList(
        compute_unit_instance_list=_instances(context, owners, found._replace(rows=page.rows)),
        page_info=page_info(asked.marker, size, page.next_marker),
        is_truncated=page.is_truncated,
        max_keys=size,
        next_marker=page.next_marker,
    )


async def _ends(
    context: Context, call: Call[s.DescribeComputeUnitsRequest], meant: Meant, wanted: UnitFilter
) -> s.ComputeUnitList:
    """List the instances that end by themselves, the first to end first. Raises Fault."""
    asked, size = call.request, OWN.of(call.request.max_keys)
    for name, is_given in (
        ("accountId", wanted.across is not None),
        ("breaksTagPolicy", asked.breaks_tag_policy),
        ("marker", asked.marker is not None),
    ):
        if is_given:
            raise bad_field(name, "comingEnds is of one account, has one page, and does not go with breaksTagPolicy.")
    now = context.clock.now()

    def look(ask: ReadRepository) -> tuple[Owners, _Found]:
        meant.require(ask)
        return _with_owners(ask, meant, ask.coming_ends(wanted, now, size + 1))

    owners, found = await context.read(call, look)
    is_truncated = len(found.rows) > size
    return s.ComputeUnitList(
        compute_unit_instance_list=_instances(context, owners, found._replace(rows=found.rows[:size])),
        page_info=PageInfo(marker="", max_keys=size, is_truncated=is_truncated),
        is_truncated=is_truncated,
        max_keys=size,
    )


class _Found(NamedTuple):
    """Instances, and the names and tags of those that have them."""

    rows: Sequence[Numbered]
    tags: dict[str, ResourceTags]


def _instances(context: Context, owners: Owners, found: _Found) -> list[s.ComputeUnitInstance]:
    return [_instance(context, owners, one.row, found.tags.get(one.row.id)) for one in found.rows]


def _instance(context: Context, owners: Owners, unit: Instance, tags: ResourceTags | None) -> s.ComputeUnitInstance:
    shown = with_tags(present.instance(unit, context.shown, owners.zone(unit.account_id)), tags)
    marked: s.ComputeUnitInstance = owners.mark(shown, unit.account_id)
    return marked


def after_of(ask: ReadRepository, wanted: UnitFilter, start: Start) -> int:
    """Return the place after which a page of instances begins; raises Fault for an id that is not the account's."""
    if wanted.across is not None and start.row_id is not None:
        # The place of an id is looked for among those of one account.
        raise unknown_marker()
    return start.after(lambda one: ask.unit_place(wanted.account_id, one)) or 0


def _units(ask: ReadRepository, meant: Meant, wanted: UnitFilter, after: int, limit: int) -> tuple[Owners, _Found]:
    """Return instances, and the accounts that have them; raises Fault for an account that does not exist."""
    meant.require(ask)
    if wanted.broken is not None:
        account = ask.account(wanted.account_id)
        policy = None if account is None else account.tag_policy
        wanted = msgspec.structs.replace(wanted, broken=policy or NO_POLICY)
    return _with_owners(ask, meant, ask.units(wanted, after=after, limit=limit))


def _with_owners(ask: ReadRepository, meant: Meant, found: Sequence[Numbered]) -> tuple[Owners, _Found]:
    tags = ask.tags_of([numbered.row.id for numbered in found])
    return owners_of(ask, meant, [numbered.row.account_id for numbered in found]), _Found(found, tags)


def _all_units(
    context: Context, call: Call[s.DescribeComputeUnitsRequest], meant: Meant, wanted: UnitFilter
) -> Streamed:
    """List more instances than should be in memory at once, piece by piece."""

    async def pieces() -> AsyncIterator[Sequence[s.ComputeUnitInstance]]:
        after = 0
        while True:
            piece = partial(_units, meant=meant, wanted=wanted, after=after, limit=PIECE)
            owners, found = await context.read(call, piece, long=wanted.across is not None)
            if not found.rows:
                return
            yield _instances(context, owners, found)
            after = found.rows[-1].seq

    return Streamed("computeUnitInstanceList", pieces())


async def describe_unit(context: Context, call: Call[s.DescribeComputeUnitRequest]) -> s.ComputeUnitDetail:
    """Show one instance, and which services use it."""
    wanted, meant = call.request.instance_id, accounts_meant(call)

    def look(
        ask: ReadRepository,
    ) -> tuple[Owners, Instance, ResourceTags | None, list[tuple[Placement, Service | None]]]:
        unit = meant_instance(ask, meant, wanted)
        placed = unit.placements if present.used_units(unit) else ()
        tags = ask.tags_of([unit.id]).get(unit.id)
        return (
            owners_of(ask, meant, [unit.account_id]),
            unit,
            tags,
            [(one, ask.service(one.service_id)) for one in placed],
        )

    owners, unit, tags, services = await context.read(call, look)
    return s.ComputeUnitDetail(
        compute_unit_instance=_instance(context, owners, unit, tags),
        service_usage_list=[present.usage(placed, service) for placed, service in services if service is not None],
    )


async def describe_service_instances(
    context: Context, call: Call[r.DescribeServiceInstancesRequest]
) -> r.ServiceInstances:
    """List the live instances of a service."""
    asked = call.request
    await _see_service(context, call, asked.service_id)
    wanted = UnitFilter(
        account_id=call.caller.account_id,
        service_id=asked.service_id,
        payment_timing=asked.payment_timing,
        tags=wanted_tags(asked.name, asked.tags),
    )
    scope, size = f"instances {wanted}", WHOLE.of(asked.max_keys)
    start = start_of(asked.marker, scope)

    def look(ask: ReadRepository) -> _Found:
        rows = ask.units(wanted, after=after_of(ask, wanted, start), limit=size + 1)
        return _Found(rows, ask.tags_of([one.row.id for one in rows]))

    found = await context.read(call, look)
    page = cut(found.rows, size, scope)
    return r.ServiceInstances(
        instances=[
            with_tags(present.service_instance(one.row, asked.service_id, context.shown), found.tags.get(one.row.id))
            for one in page.rows
        ],
        **ends(asked, size, page.next_marker),
    )


async def describe_service_instance(
    context: Context, call: Call[r.DescribeServiceInstanceRequest]
) -> r.ServiceInstanceDetail:
    """Show one instance of a service."""
    asked = call.request
    await _see_service(context, call, asked.service_id)
    wanted = asked.instance_id
    unit, tags = await context.read(call, lambda ask: (ask.unit(wanted), ask.tags_of([wanted]).get(wanted)))
    unit = instance_of(unit, call, wanted, service_id=asked.service_id)
    shown = present.service_instance(unit, asked.service_id, context.shown)
    return r.ServiceInstanceDetail(instance=with_tags(shown, tags))


async def release_unit(context: Context, call: Call[s.ReleaseComputeUnitRequest]) -> bool:
    """Release a postpaid instance now."""
    acted = account_acted_in(call)
    command = Release(
        token=call.token(),
        account_id=acted.account_id,
        unit_id=call.request.instance_id,
        service_id=None,
        why=acted.why,
    )
    done: bool = await context.submit(call, command)
    return done


async def release_replicas(context: Context, call: Call[r.ReleaseReplicasRequest]) -> bool:
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
    asked, acted = call.request, account_acted_in(call)
    command: ScheduleRelease | SetAutoRenew
    if asked.instance_type is not None:
        if acted.account_id != call.caller.account_id:
            raise bad_field("instanceType", "Only the account itself changes how its instances are renewed.")
        command = auto_renew(call, asked.instance_id, asked.instance_type, asked.auto_renew_time)
    else:
        command = ScheduleRelease(
            token=call.token(),
            account_id=acted.account_id,
            unit_id=asked.instance_id,
            service_id=asked.service_id,
            release_at=context.time(asked.release_time, "releaseTime") if asked.release_time else None,
            by_manager=FULL in call.caller.policies,
            by_house=acted.account_id != call.caller.account_id,
            why=acted.why,
        )
    done: bool = await context.submit(call, command)
    return done


async def resize_unit(context: Context, call: Call[s.ResizeComputeUnitRequest]) -> s.Purchased:
    """Change the number of units of an instance."""
    command = Resize(
        token=call.token(),
        account_id=call.caller.account_id,
        by=call.caller.user_id,
        unit_id=call.request.instance_id,
        order_id=hex_id(),
        count=call.request.count,
        amount_max=amount(call.request.max_amount, "maxAmount"),
    )
    done: Resized = await context.submit(call, command)
    return s.Purchased(instance_id=done.unit_id, order_id=done.order_id)


async def renew_unit(context: Context, call: Call[t.RenewComputeUnitRequest]) -> t.Renewed:
    """Renew a prepaid instance."""
    asked = call.request
    if asked.months is None and asked.expiry_day is None:
        raise bad_field("months", "Say by how many months, or to which day of a month (expiryDay).")
    command = Renew(
        token=call.token(),
        account_id=call.caller.account_id,
        by=call.caller.user_id,
        unit_id=asked.instance_id,
        order_id=hex_id(),
        months=asked.months or 0,
        day=asked.expiry_day,
        by_manager=FULL in call.caller.policies,
        amount_max=amount(asked.max_amount, "maxAmount"),
    )
    done: Renewed = await context.submit(call, command)
    return t.Renewed(instance_id=done.unit_id, order_id=done.order_id, expired_time=context.shown(done.expires_at))


async def change_billing(context: Context, call: Call[t.ChangeBillingRequest]) -> t.BillingChanged:
    """Change how an instance is paid."""
    asked = call.request
    billing = read_billing(
        context, s.Billing(payment_timing=asked.payment_timing, reservation=asked.reservation), inside=""
    )
    command = ChangeBilling(
        token=call.token(),
        account_id=call.caller.account_id,
        by=call.caller.user_id,
        unit_id=asked.instance_id,
        order_id=hex_id(),
        payment_timing=billing.payment_timing,
        months=billing.months,
        auto_renew=billing.auto_renew,
        auto_renew_months=billing.auto_renew_months,
        by_manager=FULL in call.caller.policies,
        amount_max=amount(asked.max_amount, "maxAmount"),
    )
    done: Turned = await context.submit(call, command)
    return t.BillingChanged(
        instance_id=done.unit_id,
        order_id=done.order_id,
        dropped_release_time=None if done.dropped is None else context.shown(done.dropped),
    )


def auto_renew(call: Call[Any], unit_id: str, kind: OfferingKind, months: int | None) -> SetAutoRenew:
    """Return the command that sets an auto-renew rule."""
    return SetAutoRenew(
        token=call.token(), account_id=call.caller.account_id, unit_id=unit_id, months=months or 1, kind=kind
    )


def instance_of(
    unit: Instance | None,
    call: Call[Any],
    unit_id: str,
    kind: OfferingKind = UNITS_OF_COMPUTE,
    *,
    service_id: str | None = None,
) -> Instance:
    """Return the row that was read, where it is the caller's (``owned_instance``); raises Fault."""
    try:
        return owned_instance(unit, call.caller.account_id, unit_id, service_id, kind=kind)
    except Refusal as refusal:
        raise refused(refusal) from None


def meant_instance(ask: ReadRepository, meant: Meant, unit_id: str) -> Instance:
    """Return an instance of one of the accounts that are meant; raises Fault."""
    meant.require(ask)
    unit = ask.unit(unit_id)
    whose = unit.account_id if unit is not None and meant.has(unit.account_id) else ""
    try:
        return owned_instance(unit, whose, unit_id)
    except Refusal as refusal:
        raise refused(refusal) from None


async def _see_service(context: Context, call: Call[Any], service_id: str) -> None:
    service = await context.read(call, lambda ask: ask.service(service_id))
    if service is None or service.account_id != call.caller.account_id or service.deleted_at is not None:
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
    "resize_unit": resize_unit,
    "renew_unit": renew_unit,
    "change_billing": change_billing,
}

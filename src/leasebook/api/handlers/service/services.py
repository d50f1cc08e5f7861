"""Services."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

import msgspec

from leasebook.api.across import Acted, Owners, account_acted_in, accounts_meant, owners_of
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import Fault, bad_field, refused
from leasebook.api.ids import service_id
from leasebook.api.paging import DOCUMENTED, cut, page_info, part, start_of, unknown_marker
from leasebook.api.presenters import rows as present
from leasebook.api.presenters.billing import purchase
from leasebook.api.presenters.tags import new_tags, shown_tags, wanted_tags
from leasebook.contract.errors import OPERATION_NOT_SUPPORTED
from leasebook.contract.nouns import quota as c
from leasebook.contract.nouns import service as v
from leasebook.contract.nouns.resource import service_switch as sw
from leasebook.domain.commands.command import Command
from leasebook.domain.commands.service.service import (
    Created,
    CreateService,
    DeleteService,
    DeployService,
    ModifyService,
    NewService,
    Place,
    ScaleService,
    Switched,
    SwitchService,
)
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.offering import QUOTA, Offering
from leasebook.domain.model.resource.project import stored_project
from leasebook.domain.model.service import Service, shape_of
from leasebook.domain.replicas.engine_route import engine_for
from leasebook.domain.replicas.trust import hindrances
from leasebook.domain.replicas.unrun import unrun, why_counted, why_unrun
from leasebook.domain.rules.ownership import no_service
from leasebook.domain.values.money import amount_text
from leasebook.ports.queries.read_repository import Numbered, ReadRepository, ServiceFilter
from leasebook.ports.queries.tags import NO_NAMES, Names, names_of

TIMINGS: Final = {"Prepay": "Prepaid", "Postpay": "Postpaid"}


async def create_service(context: Context, call: Call[v.CreateServiceRequest]) -> v.CreatedService:
    """Create a service: on instances that there are, on units bought now, or without any."""
    asked = call.request
    if asked.billing is not None and asked.billing.charge_type == "Tokens":
        raise Fault(OPERATION_NOT_SUPPORTED, "Services are paid by compute units here, not by tokens.")
    places = asked.deployment_config.deployment_compute_unit_list if asked.deployment_config is not None else None
    command = _deployed(call, places) if places else _bought(context, call)
    created: Created = await context.submit(call, command)
    return v.CreatedService(service_id=created.service_id, instance_id=created.unit_id, order_id=created.order_id)


def _new(call: Call[v.CreateServiceRequest], qps: float | None) -> NewService:
    asked = call.request
    return NewService(
        service_id=service_id(),
        account_id=call.caller.account_id,
        user_id=call.caller.user_id,
        name=asked.name,
        description=asked.description or "",
        url_suffix=asked.url_suffix,
        model_set_id=asked.model_set_id,
        model_id=asked.model_id,
        qps=qps,
        service_type=asked.service_type or "chat",
        protocol_version=asked.protocol_version or 1,
        counted=asked.counted,
        tags=new_tags(None, asked.tags),
        project_id=stored_project(call.project(asked.project_id)),
    )


def _deployed(call: Call[v.CreateServiceRequest], places: list[v.DeploymentComputeUnit]) -> Command:
    config = call.request.deployment_config
    assert config is not None  # noqa: S101 - the places are in it
    if len({place.instance_id for place in places}) < len(places):
        raise bad_field("deploymentConfig.deploymentComputeUnitList", "An instance is named twice.")
    return DeployService(
        token=call.token(),
        new=_new(call, config.qps),
        places=tuple(Place(place.instance_id, place.deployment_replicas_count) for place in places),
        units_each=config.replica_compute_unit_count or 1,
    )


def _bought(context: Context, call: Call[v.CreateServiceRequest]) -> Command:
    asked, resource = call.request, call.request.resource_config
    if resource is None:
        raise bad_field(
            "resourceConfig",
            "Say on which instances it is to run (deploymentConfig), or what a replica takes (resourceConfig).",
        )
    shape_of(resource.type)
    if asked.billing is not None and resource.replicas_count is None:
        raise bad_field("resourceConfig.replicasCount", "Billing buys replicas: say how many.")
    return CreateService(
        token=call.token(),
        new=_new(call, resource.qps),
        resource_type=resource.type,
        region=resource.region or None,
        replicas=resource.replicas_count or 0,
        purchase=None
        if asked.billing is None
        else purchase(
            context,
            call.caller,
            asked.billing,
            tags=new_tags(None, asked.tags),
            project_id=call.project(asked.project_id),
        ),
    )


async def describe_service(context: Context, call: Call[v.DescribeServiceRequest]) -> v.ServiceDetail:
    """Show one service."""
    wanted, meant = call.request.service_id, accounts_meant(call)

    def look(ask: ReadRepository) -> tuple[Service | None, dict[str, str], list[str], Names, Owners]:
        meant.require(ask)
        row = ask.service(wanted)
        if row is None or not meant.has(row.account_id):
            return None, {}, [], NO_NAMES, owners_of(ask, meant, ())
        named = ask.services_at(row.account_id, [row.url_suffix])
        owners = owners_of(ask, meant, [row.account_id])
        return row, named, _hindrances(context, ask, row), names_of(ask, [row.created_by], [row.id]), owners

    found, named, hindered, names, owners = await context.read(call, look)
    if found is None or found.deleted_at is not None:
        raise refused(no_service(wanted))
    shown = _with_names(present.service(found, context.shown, _url(context, call, found, named)), found, names)
    shown = msgspec.structs.replace(shown, why_not_run=hindered or None)
    return owners.mark(shown, found.account_id)


def _with_names(shown: v.ServiceDetail, row: Service, names: Names) -> v.ServiceDetail:
    """Add its tags, and the name of who made it."""
    creator_name = names.person(row.account_id, row.created_by)
    return msgspec.structs.replace(shown, creator_name=creator_name, tags=shown_tags(names.things.get(row.id)))


def _hindrances(context: Context, ask: ReadRepository, row: Service) -> list[str]:
    """Say why nothing runs of a service: it is counted, or no engine is there; and which engines may not run it.

    Those are the engines of its replicas, and of offerings of its type.
    """
    if not row.runs:
        return [why_counted(row)]
    nowhere = [why_unrun(one.region, one.type) for one in unrun(context.rules.routes, ask.run_places(row.id))]
    rules, unit_type = context.rules, row.shape.unit_type
    engines = {engine_for(rules.routes, one.region, one.type) for one in ask.offerings() if one.type == unit_type}
    engines |= {one.engine for one in ask.replicas(row.account_id, service_id=row.id) if one.state != "Ready"}
    return [*nowhere, *hindrances(rules, ask.model(row.model_id), engines)]


def _url(context: Context, call: Call[Any], row: Service, named: dict[str, str]) -> str:
    """Write where a service is called: by its suffix, or by its id where an older service has that suffix."""
    return context.service_url(call, row.url_suffix if named.get(row.url_suffix) == row.id else row.id)


async def describe_services(context: Context, call: Call[v.DescribeServicesRequest]) -> v.ServicePage:
    """List services, a page at a time. None is charged by tokens."""
    asked, meant = call.request, accounts_meant(call)
    reverse = bool(asked.page_reverse)
    scope = f"services {meant.ids if meant.named else call.caller.account_id} {reverse}"
    size, start = DOCUMENTED.of(asked.max_keys), start_of(asked.marker, scope)
    if asked.charge_type == "Tokens":
        none = page_info(asked.marker, size, None)
        return v.ServicePage(service_list=[], page_info=none, is_truncated=False, max_keys=size, marker=asked.marker)
    # Done is an older word that one client still lists beside the others.
    statuses = {"Serving" if status == "Done" else status for status in asked.run_status or ()}
    wanted = ServiceFilter(
        **meant.of(),
        name_part=asked.name or None,
        service_types=tuple(asked.service_type) if asked.service_type else None,
        run_statuses=tuple(sorted(statuses)) if statuses else None,
        creators=None if asked.creator is None else tuple(asked.creator),
        payment_timing=None if asked.pay_type is None else TIMINGS[asked.pay_type],
        protocol_version=asked.protocol_version,
        tags=wanted_tags(None, asked.tags),
        project_id=asked.project_id,
    )

    def look(ask: ReadRepository) -> tuple[list[Numbered], dict[str, dict[str, str]], Names, Owners]:
        meant.require(ask)
        if wanted.across is not None and start.row_id is not None:
            # The place of an id is looked for among those of one account.
            raise unknown_marker()
        after = start.after(lambda one: ask.service_place(wanted.account_id, one))
        rows = ask.services(wanted, after=after, limit=size + 1, reverse=reverse)
        suffixes: dict[str, set[str]] = {}
        for one in rows:
            suffixes.setdefault(one.row.account_id, set()).add(one.row.url_suffix)
        named = {of: ask.services_at(of, sorted(some)) for of, some in suffixes.items()}
        names = names_of(ask, (one.row.created_by for one in rows), (one.row.id for one in rows))
        return rows, named, names, owners_of(ask, meant, suffixes)

    found, named, names, owners = await context.read(call, look, long=wanted.across is not None)
    page = cut(found, size, scope)

    def shown(row: Service) -> v.ServiceDetail:
        detail = present.service(row, context.shown, _url(context, call, row, named[row.account_id]))
        return owners.mark(_with_names(detail, row, names), row.account_id)

    return v.ServicePage(
        service_list=[shown(one.row) for one in page.rows],
        page_info=page_info(asked.marker, size, page.next_marker),
        is_truncated=page.is_truncated,
        max_keys=size,
        marker=asked.marker,
        next_marker=page.next_marker,
    )


async def modify_service(context: Context, call: Call[v.ModifyServiceRequest]) -> bool:
    """Let a service run another version of a model."""
    asked = call.request
    command = ModifyService(
        token=call.token(),
        account_id=call.caller.account_id,
        service_id=asked.service_id,
        model_set_id=asked.model_set_id,
        model_id=asked.model_id,
        counted=asked.counted,
    )
    done: bool = await context.submit(call, command)
    return done


async def scale_service(context: Context, call: Call[v.ScaleServiceRequest]) -> bool:
    """Say how many replicas of a service run on an instance."""
    asked = call.request
    replicas, field = asked.deployment_replicas_count, "deploymentReplicasCount"
    if replicas is None:
        replicas, field = asked.deployed_replicas_count, "deployedReplicasCount"
    if replicas is None:
        raise bad_field("deploymentReplicasCount", "Say how many replicas; 0 takes the service off the instance.")
    command = ScaleService(
        token=call.token(),
        account_id=call.caller.account_id,
        service_id=asked.service_id,
        unit_id=asked.instance_id,
        replicas=replicas,
        field=field,
    )
    done: bool = await context.submit(call, command)
    return done


async def deactivate_service(context: Context, call: Call[sw.DeactivateServiceRequest]) -> sw.Operation:
    """Take a service off."""
    switched = await _switch(context, call, account_acted_in(call), active=False)
    message = "The service is off." if switched.changed else "The service was off already."
    if switched.postpaid_units:
        message += (
            f" It keeps {switched.postpaid_units} postpaid instances, which go on being charged: release those that "
            "are not needed (ReleaseComputeUnit)."
        )
    return sw.Operation(operation=True, message=message)


async def activate_service(context: Context, call: Call[sw.ServiceRequest]) -> sw.Operation:
    """Let a service run again."""
    switched = await _switch(context, call, Acted(call.caller.account_id, None), active=True)
    return sw.Operation(
        operation=True, message="The service is on." if switched.changed else "The service was on already."
    )


async def _switch(context: Context, call: Call[Any], acted: Acted, *, active: bool) -> Switched:
    command = SwitchService(
        token=call.token(),
        account_id=acted.account_id,
        service_id=call.request.service_id,
        active=active,
        why=acted.why,
    )
    switched: Switched = await context.submit(call, command)
    return switched


async def delete_service(context: Context, call: Call[sw.ServiceRequest]) -> bool:
    """Delete a service that has no replicas left."""
    command = DeleteService(token=call.token(), account_id=call.caller.account_id, service_id=call.request.service_id)
    done: bool = await context.submit(call, command)
    return done


def preset_id(model: str) -> str:
    """Name a model as a preset service: always the same."""
    return f"svcp-{sha256(model.encode()).hexdigest()[:12]}"


async def describe_preset_services(context: Context, call: Call[c.DescribePresetServicesRequest]) -> c.PresetServices:
    """List the models that quota is sold of."""
    asked, account_id = call.request, call.caller.account_id

    def look(ask: ReadRepository) -> list[tuple[Offering, list[Instance]]]:
        return [(row, ask.quota(account_id, row.type, status=None)) for row in ask.offerings() if row.kind == QUOTA]

    shown = [_preset(offering, units) for offering, units in await context.read(call, look)]
    wanted = (
        (asked.service_ids, "service_id"),
        (asked.service_type, "service_type"),
        (asked.charge_type, "charge_type"),
        (asked.charge_status, "charge_status"),
    )
    found = [row for row in shown if all(not values or getattr(row, name) in values for values, name in wanted)]
    scope = f"presets {wanted}"
    page, end = part(enumerate(found), lambda one: one[:1], asked, scope, row_id=lambda one: one[1].service_id)
    return c.PresetServices(service_list=[row for _, row in page], **end)


def _preset(offering: Offering, units: list[Instance]) -> c.PresetService:
    running = any(unit.status != "Stopped" for unit in units)
    return c.PresetService(
        service_id=preset_id(offering.type),
        name=offering.type,
        model=offering.type,
        service_type="chat",
        charge_type="TPM",
        charge_status="Opened" if running else "Stopped" if units else "NotOpen",
        price_per_minute=None if offering.per_minute is None else amount_text(offering.per_minute),
    )


_ALL: Final[tuple[Any, ...]] = (
    create_service,
    describe_service,
    describe_services,
    modify_service,
    scale_service,
    deactivate_service,
    activate_service,
    delete_service,
    describe_preset_services,
)
OPERATIONS: Final[dict[str, Operation]] = {operation.__name__: operation for operation in _ALL}

"""The model repository."""

from __future__ import annotations

from typing import Any, Final

from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import Fault, refused
from leasebook.api.ids import model_id, model_set_id
from leasebook.api.paging import DOCUMENTED, cut, part, place_of
from leasebook.contract.errors import ACCESS_DENIED
from leasebook.contract.nouns import model as m
from leasebook.domain.commands.command import Command
from leasebook.domain.commands.service.model import (
    ApproveModel,
    CreateModel,
    CreateModelSet,
    DeleteModel,
    DeleteModelSet,
    WithdrawApproval,
)
from leasebook.domain.model.model import EVERYBODYS, Model, ModelSet, is_seen
from leasebook.domain.model.replica import RunSpec
from leasebook.domain.rules.ownership import no_model, no_model_set
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.read_repository import ModelSetFilter, ReadRepository


async def create_model_set(context: Context, call: Call[m.CreateCustomModelSetRequest]) -> m.CreatedModelSet:
    """Add a set of models."""
    asked = call.request
    if asked.for_everybody and not call.caller.is_operator:
        raise Fault(ACCESS_DENIED, "Only an operator adds models for everybody.", "forEverybody")
    command = CreateModelSet(
        token=call.token(),
        set_id=model_set_id(),
        owner_id=EVERYBODYS if asked.for_everybody else call.caller.account_id,
        user_id=call.caller.user_id,
        name=asked.model_set_name,
        description=asked.description or "",
    )
    made: ModelSet = await context.submit(call, command)
    return m.CreatedModelSet(model_set_id=made.id)


async def create_model(context: Context, call: Call[m.CreateCustomModelRequest]) -> m.CreatedModel:
    """Add a version to a set."""
    asked = call.request
    command = CreateModel(
        token=call.token(),
        account_id=call.caller.account_id,
        user_id=call.caller.user_id,
        operator=call.caller.is_operator,
        set_id=asked.model_set_id,
        model_id=model_id(),
        description=asked.description or "",
        run=RunSpec(
            command=tuple(asked.run.command),
            image=asked.run.image,
            env=dict(asked.run.env),
            port=asked.run.port,
            health_path=asked.run.health_path,
            cpus=asked.run.cpus,
            memory_bytes=asked.run.memory_bytes,
            accelerators=asked.run.accelerators,
            grace_s=asked.run.grace_seconds,
            application=asked.run.application,
            arguments=dict(asked.run.arguments),
            connects=tuple(asked.run.connects),
        ),
    )
    made: Model = await context.submit(call, command)
    return m.CreatedModel(model_set_id=made.set_id, model_id=made.id, version=made.version)


async def delete_model(context: Context, call: Call[m.DeleteModelRequest]) -> bool:
    """Take a version out."""
    wanted = call.request.model_id
    found = await context.read(call, lambda ask: ask.model(wanted))
    command = DeleteModel(
        token=call.token(),
        account_id=call.caller.account_id,
        operator=call.caller.is_operator,
        model_id=wanted,
        set_id="" if found is None else found.set_id,
    )
    done: bool = await context.submit(call, command)
    return done


async def delete_model_set(context: Context, call: Call[m.DeleteModelSetRequest]) -> bool:
    """Take a set out."""
    command = DeleteModelSet(
        token=call.token(),
        account_id=call.caller.account_id,
        operator=call.caller.is_operator,
        set_id=call.request.model_set_id,
    )
    done: bool = await context.submit(call, command)
    return done


async def describe_model_sets(context: Context, call: Call[m.DescribeModelSetsRequest]) -> m.ModelSetPage:
    """List the sets that the account sees."""
    source = call.request.source
    return await _page(context, call, None if source is None else source == "System")


async def describe_custom_model_sets(context: Context, call: Call[m.DescribeSomeModelSetsRequest]) -> m.ModelSetPage:
    """List the account's own sets."""
    return await _page(context, call, everybodys=False)


async def describe_system_model_sets(context: Context, call: Call[m.DescribeSomeModelSetsRequest]) -> m.ModelSetPage:
    """List everybody's sets."""
    return await _page(context, call, everybodys=True)


async def _page(context: Context, call: Call[Any], everybodys: bool | None) -> m.ModelSetPage:  # noqa: FBT001
    asked = call.request
    wanted = ModelSetFilter(account_id=call.caller.account_id, everybodys=everybodys, name_part=asked.name or None)
    reverse = bool(asked.page_reverse)
    scope = f"model sets {wanted.account_id} {everybodys} {reverse}"
    size, after = DOCUMENTED.of(asked.max_keys), place_of(asked.marker, scope)
    found = await context.read(call, lambda ask: ask.model_sets(wanted, after=after, limit=size + 1, reverse=reverse))
    page = cut(found, size, scope)
    return m.ModelSetPage(
        model_set_list=[
            m.ModelSetRow(
                model_set_id=row.id,
                model_set_name=row.name,
                source=_source(row),
                description=row.description,
                models_count=row.models,
                creator=row.created_by,
                create_time=context.shown(row.created_at),
            )
            for row in (numbered.row for numbered in page.rows)
        ],
        is_truncated=page.is_truncated,
        max_keys=size,
        marker=asked.marker,
        next_marker=page.next_marker,
    )


def _source(row: ModelSet | Model) -> m.Source:
    return "System" if row.account_id == EVERYBODYS else "Custom"


async def describe_model_set(context: Context, call: Call[m.DescribeModelSetRequest]) -> m.ModelSetDetail:
    """Show a set and its versions."""
    wanted = call.request.model_set_id
    row, models = await context.read(call, lambda ask: (ask.model_set(wanted), ask.models(wanted)))
    if row is None or not _shows(call, row):
        raise refused(no_model_set(wanted))
    page, end = part(models, lambda model: (int(model.version[1:]),), call.request, f"versions {wanted}")
    return m.ModelSetDetail(
        model_set_id=row.id,
        model_set_name=row.name,
        source=_source(row),
        description=row.description,
        creator=row.created_by,
        create_time=context.shown(row.created_at),
        model_list=[
            m.ModelRow(
                model_id=model.id,
                version=model.version,
                description=model.description,
                trusted=model.is_trusted,
                approved_by=model.approved_by,
                approve_time=_when(context, model.approved_at),
                withdraw_time=_when(context, model.withdrawn_at),
                services_count=model.services,
                creator=model.created_by,
                create_time=context.shown(model.created_at),
            )
            for model in page
        ],
        **end,
    )


async def describe_model(context: Context, call: Call[m.DescribeModelRequest]) -> m.ModelDetail:
    """Show a version."""
    wanted = call.request.model_id

    def look(ask: ReadRepository) -> tuple[Model | None, ModelSet | None]:
        model = ask.model(wanted)
        return model, None if model is None else ask.model_set(model.set_id)

    model, row = await context.read(call, look)
    if model is None or row is None or not _shows(call, model):
        raise refused(no_model(wanted))
    return _detail(context, model, row.name)


async def approve_model(context: Context, call: Call[m.ModelRequest]) -> m.ModelDetail:
    """Let a version run on every engine."""
    command = ApproveModel(token=call.token(), user_id=call.caller.user_id, model_id=call.request.model_id)
    return await _changed(context, call, command)


async def withdraw_model_approval(context: Context, call: Call[m.ModelRequest]) -> m.ModelDetail:
    """Take that back."""
    return await _changed(context, call, WithdrawApproval(token=call.token(), model_id=call.request.model_id))


async def _changed(context: Context, call: Call[m.ModelRequest], command: Command) -> m.ModelDetail:
    """Have the trust in a version changed, and show the very run block that this was about."""
    model: Model = await context.submit(call, command)
    row = await context.read(call, lambda ask: ask.model_set(model.set_id))
    return _detail(context, model, "" if row is None else row.name)


def _shows(call: Call[Any], row: ModelSet | Model) -> bool:
    """Whether the caller sees a set or a version: an operator, who is to approve them, those of all accounts."""
    return is_seen(row, call.caller.account_id) or (call.caller.is_operator and row.deleted_at is None)


def _when(context: Context, at: Instant | None) -> str | None:
    return None if at is None else context.shown(at)


def _detail(context: Context, model: Model, set_name: str) -> m.ModelDetail:
    run = model.run
    return m.ModelDetail(
        model_set_id=model.set_id,
        model_set_name=set_name,
        model_id=model.id,
        version=model.version,
        source=_source(model),
        description=model.description,
        run=m.Run(
            command=list(run.command),
            image=run.image,
            env=dict(run.env),
            port=run.port,
            health_path=run.health_path,
            cpus=run.cpus,
            memory_bytes=run.memory_bytes,
            accelerators=run.accelerators,
            grace_seconds=run.grace_s,
            application=run.application,
            arguments=dict(run.arguments),
            connects=list(run.connects),
        ),
        trusted=model.is_trusted,
        approved_by=model.approved_by,
        approve_time=_when(context, model.approved_at),
        withdraw_time=_when(context, model.withdrawn_at),
        services_count=model.services,
        creator=model.created_by,
        create_time=context.shown(model.created_at),
    )


_ALL: Final[tuple[Any, ...]] = (
    create_model_set,
    create_model,
    delete_model,
    delete_model_set,
    describe_model_sets,
    describe_custom_model_sets,
    describe_system_model_sets,
    describe_model_set,
    describe_model,
    approve_model,
    withdraw_model_approval,
)
OPERATIONS: Final[dict[str, Operation]] = {operation.__name__: operation for operation in _ALL}

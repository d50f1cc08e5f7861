"""The model repository."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import Fault, refused
from leasebook.api.ids import model_id, model_set_id
from leasebook.api.paging import DOCUMENTED, cut, part, place_of
from leasebook.api.presenters.tags import new_tags, shown_tags, wanted_tags
from leasebook.contract.errors import ACCESS_DENIED, INAPPROPRIATE_JSON, INVALID_MARKER
from leasebook.contract.models import lists as sets
from leasebook.contract.models.run import Run
from leasebook.contract.models.version_detail import (
    DescribeModelVersionRequest,
    ModelVersionDetail,
    ModelVersionSource,
    TrainSource,
)
from leasebook.contract.nouns import model as m
from leasebook.contract.shapes import PageInfo
from leasebook.domain.commands.command import Command
from leasebook.domain.commands.service.model import (
    ApproveModel,
    CreateModel,
    CreateModelSet,
    DeleteModel,
    DeleteModelSet,
    WithdrawApproval,
)
from leasebook.domain.model.model import EVERYBODYS, SOURCE_BYTES_MAX, Model, ModelSet, is_seen
from leasebook.domain.model.replica import RunSpec
from leasebook.domain.rules.ownership import no_model, no_model_set, no_model_set_named
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.read_repository import ModelSetFilter, Numbered, ReadRepository
from leasebook.ports.queries.tags import NO_NAMES, Names, names_of

SET_PREFIX: Final = "am-"
MODEL_TYPE: Final = "Text2Text"
"""The type of a set for which none was said: the documents have one for each."""


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
        model_type=asked.model_type,
        labels=tuple(asked.labels or ()),
        tags=new_tags(None, asked.tags),
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
        run=None if asked.run is None else _spec(asked.run),
        source_type=asked.source_type,
        source_meta=_source_meta(asked),
        tags=new_tags(None, asked.tags),
    )
    made: Model = await context.submit(call, command)
    return m.CreatedModel(model_set_id=made.set_id, model_id=made.id, version=made.version)


def _spec(run: Run) -> RunSpec:
    return RunSpec(
        command=tuple(run.command),
        image=run.image,
        env=dict(run.env),
        port=run.port,
        health_path=run.health_path,
        cpus=run.cpus,
        memory_bytes=run.memory_bytes,
        accelerators=run.accelerators,
        grace_s=run.grace_seconds,
        application=run.application,
        arguments=dict(run.arguments),
        connects=tuple(run.connects),
    )


def _source_meta(asked: m.CreateCustomModelRequest) -> str | None:
    """Return ``importMeta``, ``trainMeta`` or both as JSON."""
    found = {name: meta for name, meta in (("importMeta", asked.import_meta), ("trainMeta", asked.train_meta)) if meta}
    for name, meta in found.items():
        size = len(msgspec.json.encode(meta))
        if size > SOURCE_BYTES_MAX:
            raise Fault(INAPPROPRIATE_JSON, f"It has {size} bytes; at most {SOURCE_BYTES_MAX} are kept.", name)
    return msgspec.json.encode(found).decode() if found else None


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


async def describe_model_sets(context: Context, call: Call[sets.DescribeModelSetsRequest]) -> sets.ModelSetPage:
    """List the sets that the account sees."""
    source = call.request.source
    return sets.ModelSetPage(**await _page(context, call, None if source is None else source == "System"))


async def describe_custom_model_sets(
    context: Context, call: Call[sets.DescribeSomeModelSetsRequest]
) -> sets.CustomModelSetPage:
    """List the account's own sets."""
    page = await _page(context, call, everybodys=False)
    return sets.CustomModelSetPage(custom_model_set_list=page["model_set_list"], **page)


async def describe_system_model_sets(
    context: Context, call: Call[sets.DescribeSomeModelSetsRequest]
) -> sets.SystemModelSetPage:
    """List everybody's sets."""
    page = await _page(context, call, everybodys=True)
    return sets.SystemModelSetPage(system_model_set_list=page["model_set_list"], **page)


async def _page(context: Context, call: Call[Any], everybodys: bool | None) -> dict[str, Any]:  # noqa: FBT001
    """Return the fields of a page of sets."""
    asked, account_id = call.request, call.caller.account_id
    wanted = ModelSetFilter(
        account_id=account_id,
        everybodys=everybodys,
        name_part=asked.name or None,
        tags=wanted_tags(None, asked.tags),
    )
    reverse = bool(asked.page_reverse)
    scope = f"model sets {wanted.account_id} {everybodys} {reverse}"
    size = DOCUMENTED.of(asked.max_keys)
    is_id = (asked.marker or "").startswith(SET_PREFIX)
    place = None if is_id else place_of(asked.marker, scope)

    def look(
        ask: ReadRepository,
    ) -> tuple[int | None, Sequence[Numbered], dict[str, list[tuple[str, str]]], Names]:
        after = ask.model_set_place(account_id, asked.marker) if is_id else place
        found = ask.model_sets(wanted, after=after, limit=size + 1, reverse=reverse)
        ids = [one.row.id for one in found]
        return after, found, ask.versions_of(ids), names_of(ask, (one.row.created_by for one in found), ids)

    after, found, versions, names = await context.read(call, look)
    if is_id and after is None:
        raise Fault(INVALID_MARKER, "No model set that you see has this id. Begin without a marker.", "marker")
    page = cut(found, size, scope)
    info = PageInfo(
        marker=asked.marker or "", max_keys=size, is_truncated=page.is_truncated, next_marker=page.next_marker
    )
    return {
        "model_set_list": [
            sets.ModelSetRow(
                models_count=row.models,
                model_count=row.models,
                **_facts(context, row, versions.get(row.id, []), names),
            )
            for row in (numbered.row for numbered in page.rows)
        ],
        "marker": asked.marker,
        "is_truncated": info.is_truncated,
        "max_keys": info.max_keys,
        "next_marker": info.next_marker,
        "page_info": info,
    }


def _facts(context: Context, row: ModelSet, versions: Sequence[tuple[str, str]], names: Names) -> dict[str, Any]:
    """Return the fields of a set that every answer has; ``versions`` are their ids and numbers."""
    return {
        "model_set_id": row.id,
        "model_set_name": row.name,
        "model_type": row.model_type or MODEL_TYPE,
        "source": _source(row),
        "labels": list(row.labels),
        "description": row.description,
        "creator": row.created_by,
        "creator_name": names.person(row.account_id, row.created_by),
        "tags": shown_tags(names.things.get(row.id)),
        "create_time": context.shown(row.created_at),
        "modify_time": context.shown(row.last_modified_at),
        "model_ids": [model_id for model_id, _ in versions],
        "model_names": [version for _, version in versions],
    }


def _source(row: ModelSet | Model) -> sets.Source:
    return "System" if row.account_id == EVERYBODYS else "UserCreate"


async def describe_model_set(context: Context, call: Call[m.DescribeModelSetRequest]) -> m.ModelSetDetail:
    """Show a set and its versions."""
    asked, account_id = call.request, call.caller.account_id
    set_id, name = asked.model_set_id, asked.model_set_name
    tagged = wanted_tags(None, asked.tags)
    if set_id is None and name is None:
        raise Fault(INAPPROPRIATE_JSON, "Name the set: by modelSetId, or by modelSetName.", "modelSetId")

    def look(ask: ReadRepository) -> tuple[ModelSet | None, list[Model], Model | None, Names]:
        found = ask.model_set_named(account_id, name or "") if set_id is None else ask.model_set(set_id)
        # The version that a marker names may be deleted since.
        marked = ask.model(asked.marker) if asked.marker else None
        if found is None:
            return None, [], marked, NO_NAMES
        models = ask.models(found.id)
        makers = (found.created_by, *(model.created_by for model in models))
        names = names_of(ask, makers, (found.id, *(model.id for model in models)))
        if tagged:
            models = [model for model in models if tagged.has(names.things.get(model.id))]
        return found, models, marked, names

    row, models, marked, names = await context.read(call, look)
    if row is None or not _shows(call, row):
        raise refused(no_model_set(set_id) if set_id is not None else no_model_set_named(name or ""))
    scope = f"versions {row.id}"
    left = None if marked is None or marked.set_id != row.id else _place_in_set(marked)
    page, end = part(models, _place_in_set, asked, scope, row_id=lambda model: model.id, left=left)
    return m.ModelSetDetail(
        model_list=[
            m.ModelRow(
                model_id=model.id,
                version=model.version,
                runnable=model.is_runnable,
                source_type=model.source_type,
                description=model.description,
                trusted=model.is_trusted,
                approved_by=model.approved_by,
                approve_time=_when(context, model.approved_at),
                withdraw_time=_when(context, model.withdrawn_at),
                services_count=model.services,
                creator=model.created_by,
                create_time=context.shown(model.created_at),
                creator_name=names.person(model.account_id, model.created_by),
                tags=shown_tags(names.things.get(model.id)),
            )
            for model in page
        ],
        **_facts(context, row, [(model.id, model.version) for model in models], names),
        **end,
    )


async def describe_model(context: Context, call: Call[m.DescribeModelRequest]) -> m.ModelDetail:
    """Show a version."""
    model, row = await _found(context, call, call.request.model_id)
    names = await context.read(call, lambda ask: names_of(ask, [model.created_by], [model.id]))
    return _detail(context, model, row.name, names)


async def describe_model_version(context: Context, call: Call[DescribeModelVersionRequest]) -> ModelVersionDetail:
    """Show a version by the names of the first API."""
    model, row = await _found(context, call, call.request.model_version_id, "modelVersionId")
    source_type, made = model.source_type or "Import", context.shown(model.created_at)
    return ModelVersionDetail(
        model_id_str=row.id,
        model_name=row.name,
        model_version_id_str=model.id,
        version=model.version[1:],
        description=model.description,
        source_type=source_type,
        source_extra=ModelVersionSource(source_type=source_type, train_source_extra=TrainSource()),
        state="Ready",
        create_time=made,
        modify_time=made,
    )


async def _found(context: Context, call: Call[Any], model_id: str, field: str = "modelId") -> tuple[Model, ModelSet]:
    """Return a version that the caller sees, and its set; raises Fault."""

    def look(ask: ReadRepository) -> tuple[Model | None, ModelSet | None]:
        model = ask.model(model_id)
        return model, None if model is None else ask.model_set(model.set_id)

    model, row = await context.read(call, look)
    if model is None or row is None or not _shows(call, model):
        raise refused(no_model(model_id, field))
    return model, row


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

    def look(ask: ReadRepository) -> tuple[ModelSet | None, Names]:
        return ask.model_set(model.set_id), names_of(ask, [model.created_by], [model.id])

    row, names = await context.read(call, look)
    return _detail(context, model, "" if row is None else row.name, names)


def _place_in_set(model: Model) -> tuple[int]:
    return (int(model.version[1:]),)


def _shows(call: Call[Any], row: ModelSet | Model) -> bool:
    """Whether the caller sees a set or a version: an operator, who is to approve them, those of all accounts."""
    return is_seen(row, call.caller.account_id) or (call.caller.is_operator and row.deleted_at is None)


def _when(context: Context, at: Instant | None) -> str | None:
    return None if at is None else context.shown(at)


def _detail(context: Context, model: Model, set_name: str, names: Names) -> m.ModelDetail:
    meta = {} if model.source_meta is None else msgspec.json.decode(model.source_meta)
    return m.ModelDetail(
        model_set_id=model.set_id,
        model_set_name=set_name,
        model_id=model.id,
        version=model.version,
        source=_source(model),
        description=model.description,
        runnable=model.is_runnable,
        run=_run(model.run) if model.is_runnable else None,
        source_type=model.source_type,
        import_meta=meta.get("importMeta"),
        train_meta=meta.get("trainMeta"),
        trusted=model.is_trusted,
        approved_by=model.approved_by,
        approve_time=_when(context, model.approved_at),
        withdraw_time=_when(context, model.withdrawn_at),
        services_count=model.services,
        creator=model.created_by,
        create_time=context.shown(model.created_at),
        creator_name=names.person(model.account_id, model.created_by),
        tags=shown_tags(names.things.get(model.id)),
    )


def _run(run: RunSpec) -> Run:
    return Run(
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
    describe_model_version,
    approve_model,
    withdraw_model_approval,
)
OPERATIONS: Final[dict[str, Operation]] = {operation.__name__: operation for operation in _ALL}

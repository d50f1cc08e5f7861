"""The model repository: adding sets and versions, and deleting them."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book import store_queries as asked
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import MODEL_SETS, MODELS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.model import EVERYBODYS, Model, ModelSet, check_run, is_seen
from leasebook.domain.model.replica import RunSpec
from leasebook.domain.model.service import Service
from leasebook.domain.rules.bounds import bound_needs, check_bound, counted
from leasebook.domain.rules.ownership import no_model, own_model, own_model_set
from leasebook.domain.rules.resource.tag_policy import tag_new
from leasebook.domain.values import wording
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import BAD_VALUE, NO_RESOURCE, NOT_SUPPORTED, WRONG_STATE, Refusal
from leasebook.domain.values.resource_tags import NewTags
from leasebook.domain.values.rule_settings import Rules


class CreateModelSet(Command, frozen=True, kw_only=True):
    """Add a model set for one account or for all. Returns it."""

    answer: ClassVar[type] = ModelSet

    set_id: str
    owner_id: str
    user_id: str
    name: str
    description: str
    model_type: str | None = None
    labels: tuple[str, ...] = ()
    tags: NewTags = NewTags()

    def needs(self) -> Needs:
        """The new row, and the number of the account's sets."""
        yield MODEL_SETS, (self.set_id,)
        if self.owner_id != EVERYBODYS:
            yield from bound_needs(self.owner_id, counted(asked.MODEL_SETS, self.owner_id))

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> ModelSet:
        """Raises Refusal (QUOTA) for too many sets, (BAD_VALUE) for tags of a set for all accounts.

        The API has checked who may add one for all accounts.
        """
        if self.owner_id != EVERYBODYS:
            check_bound(draft, rules, asked.MODEL_SETS, self.owner_id)
        row = ModelSet(
            self.set_id,
            self.owner_id,
            self.user_id,
            self.name,
            self.description,
            now,
            model_type=self.model_type,
            labels=self.labels,
        )
        draft.add(MODEL_SETS, row)
        _tag(draft, self.tags, row)
        return row


class CreateModel(Command, frozen=True, kw_only=True):
    """Add a version to a set. Versions are numbered from V1 on, and no number is used twice. Returns it.

    ``run`` of None: only where the model comes from is said, and no engine can run the version.
    """

    answer: ClassVar[type] = Model

    account_id: str
    user_id: str
    operator: bool
    set_id: str
    model_id: str
    description: str
    run: RunSpec | None
    source_type: str | None = None
    source_meta: str | None = None
    tags: NewTags = NewTags()

    def needs(self) -> Needs:
        """The set and the new row, and the number of the account's versions."""
        yield MODEL_SETS, (self.set_id,)
        yield MODELS, (self.model_id,)
        yield from bound_needs(self.account_id, counted(asked.MODELS, self.account_id))

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Model:
        """Raises Refusal: not the caller's set, too many versions, or a run block that no engine can run."""
        found = own_model_set(draft, self.account_id, self.set_id, operator=self.operator)
        if self.run is not None:
            check_run(self.run)
        elif self.source_type is None:
            raise Refusal(
                BAD_VALUE,
                "Say how a replica is run (run: a command, an image or an application). A version that no engine is to "
                "run may say where it comes from instead (sourceType: Import or Train).",
                field="run",
            )
        if found.account_id != EVERYBODYS:
            check_bound(draft, rules, asked.MODELS, found.account_id)
        made = add_version(
            draft,
            found,
            self.model_id,
            self.user_id,
            self.description,
            RunSpec() if self.run is None else self.run,
            now,
            trusted=self.operator,
        )
        made = msgspec.structs.replace(made, source_type=self.source_type, source_meta=self.source_meta)
        draft.put(MODELS, made)
        _tag(draft, self.tags, made)
        return made


class DeleteModel(Command, frozen=True, kw_only=True):
    """Delete a version that no service uses."""

    answer: ClassVar[type] = bool

    account_id: str
    operator: bool
    model_id: str
    set_id: str

    def needs(self) -> Needs:
        """The version, and the set that the caller found it in."""
        yield MODEL_SETS, (self.set_id,)
        yield MODELS, (self.model_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Raises Refusal: not the caller's version, or services use it."""
        model = own_model(draft, self.account_id, self.model_id, operator=self.operator)
        if model.services:
            raise Refusal(
                WRONG_STATE,
                f"{model.id} is used by {wording.counted(model.services, 'service')}. Let that run another version "
                "(ModifyService), or delete it, and take the version out then.",
                field="modelId",
            )
        draft.put(MODELS, msgspec.structs.replace(model, deleted_at=now))
        found = draft.require(MODEL_SETS, model.set_id)
        left = found.models - 1
        draft.put(MODEL_SETS, msgspec.structs.replace(found, models=left, modified_at=_modified(found, now)))
        return True


class ApproveModel(Command, frozen=True, kw_only=True):
    """Let a version of any account run on every engine, even without isolation. Returns it."""

    answer: ClassVar[type] = Model

    user_id: str
    model_id: str

    def needs(self) -> Needs:
        """The version."""
        yield MODELS, (self.model_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Model:  # noqa: ARG002 - no setting matters
        """Raises Refusal (NO_RESOURCE) for an unknown version. A second approval keeps the first approver."""
        model = _any_model(draft, self.model_id)
        if not model.is_trusted:
            model = msgspec.structs.replace(model, approved_by=self.user_id, approved_at=now, withdrawn_at=None)
            draft.put(MODELS, model)
        return model


class WithdrawApproval(Command, frozen=True, kw_only=True):
    """Withdraw the approval of a version. Returns it.

    The reconciler ends its replicas that run without isolation; services that use it stay as they are.
    """

    answer: ClassVar[type] = Model

    model_id: str

    def needs(self) -> Needs:
        """The version."""
        yield MODELS, (self.model_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Model:  # noqa: ARG002 - no setting matters
        """Raises Refusal (NO_RESOURCE) for an unknown version.

        A version that was never approved can be withdrawn as well: it may have replicas from before approval existed.
        """
        model = _any_model(draft, self.model_id)
        if model.withdrawn_at is None:
            model = msgspec.structs.replace(model, approved_by=None, approved_at=None, withdrawn_at=now)
            draft.put(MODELS, model)
        return model


def _any_model(draft: Draft, model_id: str) -> Model:
    model = draft.get(MODELS, model_id)
    if model is None or model.deleted_at is not None:
        raise no_model(model_id)
    return model


class DeleteModelSet(Command, frozen=True, kw_only=True):
    """Delete a set that has no versions left."""

    answer: ClassVar[type] = bool

    account_id: str
    operator: bool
    set_id: str

    def needs(self) -> Needs:
        """The set."""
        yield MODEL_SETS, (self.set_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Raises Refusal: not the caller's set, or it has versions."""
        found = own_model_set(draft, self.account_id, self.set_id, operator=self.operator)
        if found.models:
            raise Refusal(
                WRONG_STATE,
                f"{found.id} has {found.models} versions. Take them out first (DeleteModel).",
                field="modelSetId",
            )
        draft.put(MODEL_SETS, msgspec.structs.replace(found, deleted_at=now))
        return True


def add_version(
    draft: Draft,
    found: ModelSet,
    model_id: str,
    user_id: str,
    description: str,
    run: RunSpec,
    now: Instant,
    *,
    trusted: bool,
) -> Model:
    """Add the next version to a set. It is trusted if an operator adds it."""
    number = found.made + 1
    model = Model(model_id, found.id, found.account_id, user_id, f"V{number}", description, run, now)
    if trusted:
        model = msgspec.structs.replace(model, approved_by=user_id, approved_at=now)
    draft.add(MODELS, model)
    more = found.models + 1
    draft.put(MODEL_SETS, msgspec.structs.replace(found, made=number, models=more, modified_at=_modified(found, now)))
    return model


def _tag(draft: Draft, tags: NewTags, row: ModelSet | Model) -> None:
    """Write the tags of a new set or version; raises Refusal (BAD_VALUE) for tags of one that is everybody's."""
    if tags and row.account_id == EVERYBODYS:
        raise Refusal(
            BAD_VALUE,
            "What is for everybody has no tags, because tags are an account's own. Leave them out.",
            field="tags",
        )
    tag_new(draft, tags, row.id, row.account_id)


def _modified(found: ModelSet, now: Instant) -> Instant:
    """Return when a set is modified that is modified now. The clock may be behind the last time, if it was set back."""
    return max(now, found.last_modified_at)


def model_of(service: Service | None) -> Needs:
    """Yield the version that a service runs."""
    if service is not None and service.runs:
        yield MODELS, (service.model_id,)


def run_model(draft: Draft, service: Service) -> Model | None:
    """Return the version that engines run for a service; None: the service is only counted."""
    return draft.require(MODELS, service.model_id) if service.runs else None


def is_run(draft: Draft, rules: Rules, service: Service, counted: bool | None) -> bool:  # noqa: FBT001 - as asked
    """Whether an engine runs a service's version, or its units are only counted (decision 39).

    ``counted``: the request's choice; None: it makes none. Raises Refusal (NO_RESOURCE) if no engine could run it and
    the request does not ask for counting, and Refusal (NOT_SUPPORTED) if the version does not say how it is run.
    """
    if counted:
        return False
    is_known = knows(draft, service)
    if is_known and draft.require(MODELS, service.model_id).is_runnable:
        return True
    if counted is None and rules.counts_unknown:
        return False
    if is_known:
        raise Refusal(
            NOT_SUPPORTED,
            f"{service.model_id[:64]} says where its model comes from, and has no run block that says how a replica is "
            "run, so that nothing would run, and the units would be paid. Add a version with run (CreateCustomModel, "
            '/v2/model), and name that. With "counted": true the units are bought all the same, and nothing runs on '
            "them.",
            field="modelId",
        )
    raise Refusal(
        NO_RESOURCE,
        f"The set {service.model_set_id[:64]!r} has no version {service.model_id[:64]!r} here, so that nothing would "
        "run, and the units would be paid. DescribeModelSets and DescribeModelSet (/v2/model) list what there is. With "
        '"counted": true the units are bought all the same, and nothing runs on them.',
        field="modelId",
    )


def knows(draft: Draft, service: Service) -> bool:
    """Whether the repository has the service's version, in the set that it names and visible to its account."""
    model = draft.get(MODELS, service.model_id)
    return model is not None and model.set_id == service.model_set_id and is_seen(model, service.account_id)


def use_model(draft: Draft, service: Service, by: int) -> None:
    """Add a service to its version's count (1) or remove it (-1), if an engine runs it."""
    if service.runs:
        model = draft.require(MODELS, service.model_id)
        draft.put(MODELS, msgspec.structs.replace(model, services=model.services + by))

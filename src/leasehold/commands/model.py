"""The model repository: adding sets and versions, and taking them out."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasehold.commands.command import Command, Needs
from leasehold.domain.book import MODEL_SETS, MODELS, Draft
from leasehold.domain.calendar import Instant
from leasehold.domain.model import Model, ModelSet, check_run, is_seen
from leasehold.domain.refusal import WRONG_STATE, Refusal
from leasehold.domain.replica import RunSpec
from leasehold.domain.rules import Rules
from leasehold.domain.service import Service
from leasehold.domain.whose import own_model, own_model_set


class CreateModelSet(Command, frozen=True, kw_only=True):
    """Add a set of models, to an account or for everybody. Answers it."""

    answer: ClassVar[type] = ModelSet

    set_id: str
    owner_id: str
    user_id: str
    name: str
    description: str

    def needs(self) -> Needs:
        """The new row."""
        yield MODEL_SETS, (self.set_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> ModelSet:  # noqa: ARG002 - no setting matters
        """Add it; who may add one for everybody was seen to before."""
        row = ModelSet(self.set_id, self.owner_id, self.user_id, self.name, self.description, now)
        draft.put(MODEL_SETS, row)
        return row


class CreateModel(Command, frozen=True, kw_only=True):
    """Add a version to a set. Versions are numbered from V1 on, and no number is used twice. Answers it."""

    answer: ClassVar[type] = Model

    account_id: str
    user_id: str
    operator: bool
    set_id: str
    model_id: str
    description: str
    run: RunSpec

    def needs(self) -> Needs:
        """The set and the new row."""
        yield MODEL_SETS, (self.set_id,)
        yield MODELS, (self.model_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Model:  # noqa: ARG002 - no setting matters
        """Raises Refusal where the caller may not change the set, or nothing can run the run block."""
        found = own_model_set(draft, self.account_id, self.set_id, operator=self.operator)
        check_run(self.run)
        return add_version(draft, found, self.model_id, self.user_id, self.description, self.run, now)


class DeleteModel(Command, frozen=True, kw_only=True):
    """Take a version out that no service uses."""

    answer: ClassVar[type] = bool

    account_id: str
    operator: bool
    model_id: str
    set_id: str

    def needs(self) -> Needs:
        """The version, and the set that the caller found it to belong to."""
        yield MODEL_SETS, (self.set_id,)
        yield MODELS, (self.model_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Raises Refusal where the caller may not change it, or services use it."""
        model = own_model(draft, self.account_id, self.model_id, operator=self.operator)
        if model.services:
            raise Refusal(
                WRONG_STATE,
                f"{model.services} services use {model.id}. Let them run another version (ModifyService), or delete "
                "them, and take it out then.",
                field="modelId",
            )
        draft.put(MODELS, msgspec.structs.replace(model, deleted_at=now))
        found = draft.require(MODEL_SETS, model.set_id)
        draft.put(MODEL_SETS, msgspec.structs.replace(found, models=found.models - 1))
        return True


class DeleteModelSet(Command, frozen=True, kw_only=True):
    """Take out a set that has no versions left."""

    answer: ClassVar[type] = bool

    account_id: str
    operator: bool
    set_id: str

    def needs(self) -> Needs:
        """The set."""
        yield MODEL_SETS, (self.set_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Raises Refusal where the caller may not change it, or it has versions."""
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
    draft: Draft, found: ModelSet, model_id: str, user_id: str, description: str, run: RunSpec, now: Instant
) -> Model:
    """Put the next version into a set."""
    number = found.made + 1
    model = Model(model_id, found.id, found.account_id, user_id, f"V{number}", description, run, now)
    draft.put(MODELS, model)
    draft.put(MODEL_SETS, msgspec.structs.replace(found, made=number, models=found.models + 1))
    return model


def model_of(service: Service | None) -> Needs:
    """Return the version that a service runs."""
    if service is not None and service.runs:
        yield MODELS, (service.model_id,)


def knows(draft: Draft, service: Service) -> bool:
    """Whether the repository has the service's version, in the set that it names and seen by its account."""
    model = draft.get(MODELS, service.model_id)
    return model is not None and model.set_id == service.model_set_id and is_seen(model, service.account_id)


def use_model(draft: Draft, service: Service, by: int) -> None:
    """Count that a service came to its version (1) or left it (-1), where an engine runs it."""
    if service.runs:
        model = draft.require(MODELS, service.model_id)
        draft.put(MODELS, msgspec.structs.replace(model, services=model.services + by))

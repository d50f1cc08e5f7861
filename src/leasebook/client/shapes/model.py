"""Shapes of values: model. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from leasebook.client.shape import Shape
from leasebook.client.shapes.models.run import Run
from leasebook.client.shapes.parts.common import PageInfo


class CreatedModelSet(Shape, kw_only=True):
    """The new set."""

    model_set_id: str
    """The model."""


class CreatedModel(Shape, kw_only=True):
    """The new version."""

    model_set_id: str
    """The model."""
    model_id: str
    """The version of the model. Where the repository has it, replicas of it are run; otherwise only counted."""
    version: str
    """The number of the version in its set: V1, V2 and so on."""


class ModelRow(Shape, kw_only=True):
    """A version in a list.

    ``sourceType`` is present where it was given, ``approvedBy`` and ``approveTime`` while it is trusted.
    """

    model_id: str
    """The version of the model. Where the repository has it, replicas of it are run; otherwise only counted."""
    version: str
    """The number of the version in its set: V1, V2 and so on."""
    description: str
    """Free text."""
    runnable: bool
    """Whether it has a run block, so that an engine can run it."""
    source_type: str | None = None
    """The sourceType that was given."""
    trusted: bool
    """Whether an operator made or approved it. Others run only where the engine keeps them apart completely."""
    approved_by: str | None = None
    """The operator who made or approved the version."""
    approve_time: datetime | None = None
    """When an operator made or approved it."""
    withdraw_time: datetime | None = None
    """When an operator took its approval back."""
    services_count: int
    """How many services run it that are not deleted."""
    creator: str
    """The user who added it."""
    creator_name: str | None = None
    """The name of the creator now; missing for a user of another account."""
    create_time: datetime
    """When it was made."""
    tags: dict[str, str] | None = None
    """Its tags, where it has some."""


class ModelSetDetail(Shape, kw_only=True):
    """A set, and its versions in the order in which they were added."""

    page_info: PageInfo | None = None
    """The same once more, in the form that the documents have."""
    is_truncated: bool | None = None
    """Whether more rows follow."""
    max_keys: int | None = None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
    model_set_id: str
    """The model."""
    model_set_name: str
    """The set's name for people."""
    model_type: str
    """The task of its models as it was given, or Text2Text."""
    source: str
    """UserCreate: the account's own. System: everybody's."""
    labels: list[str]
    """The words that it was given."""
    description: str
    """Free text."""
    creator: str
    """The user who added it."""
    creator_name: str | None = None
    """The name of the creator now; missing for a user of another account."""
    create_time: datetime
    """When it was made."""
    modify_time: datetime
    """When it was made, or a version was last added or deleted."""
    model_ids: list[str]
    """Its versions, in the order in which they were added."""
    model_names: list[str]
    """Their numbers in the set, in the same order: V1, V2 and so on."""
    model_list: list[ModelRow]
    """The versions, in the order in which they were added."""
    tags: dict[str, str] | None = None
    """Its tags, where it has some."""


class ModelDetail(Shape, kw_only=True):
    """A version, and how it is run, and whether an operator made or approved it.

    ``run`` is left out of a version that only says where the model comes from.
    """

    model_set_id: str
    """The model."""
    model_set_name: str
    """The set's name for people."""
    model_id: str
    """The version of the model. Where the repository has it, replicas of it are run; otherwise only counted."""
    version: str
    """The number of the version in its set: V1, V2 and so on."""
    source: str
    """UserCreate: the account's own. System: everybody's."""
    description: str
    """Free text."""
    run: Run | None = None
    """How a replica is run."""
    import_meta: dict[str, Any] | None = None
    """The importMeta that was given."""
    train_meta: dict[str, Any] | None = None
    """The trainMeta that was given."""
    runnable: bool
    """Whether it has a run block, so that an engine can run it."""
    source_type: str | None = None
    """The sourceType that was given."""
    trusted: bool
    """Whether an operator made or approved it. Others run only where the engine keeps them apart completely."""
    approved_by: str | None = None
    """The operator who made or approved the version."""
    approve_time: datetime | None = None
    """When an operator made or approved it."""
    withdraw_time: datetime | None = None
    """When an operator took its approval back."""
    services_count: int
    """How many services run it that are not deleted."""
    creator: str
    """The user who added it."""
    creator_name: str | None = None
    """The name of the creator now; missing for a user of another account."""
    create_time: datetime
    """When it was made."""
    tags: dict[str, str] | None = None
    """Its tags, where it has some."""

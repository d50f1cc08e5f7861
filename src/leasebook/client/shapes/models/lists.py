"""Shapes of values: lists. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime

from leasebook.client.shape import Shape
from leasebook.client.shapes.parts.common import PageInfo


class ModelSetRow(Shape, kw_only=True):
    """A set in a list."""

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
    models_count: int
    """How many versions it has."""
    model_count: int
    """The same as modelsCount, as the documents spell it."""
    tags: dict[str, str] | None = None
    """Its tags, where it has some."""


class ModelSetPage(Shape, kw_only=True):
    """A page of sets. ``nextMarker`` is present while more follow."""

    model_set_list: list[ModelSetRow]
    """The sets."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """The rows a page that were used."""
    marker: str | None = None
    """The marker that was given."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
    page_info: PageInfo
    """The same, as the documents have it."""


class CustomModelSetPage(Shape, kw_only=True):
    """A page of the account's own sets. ``nextMarker`` is present while more follow."""

    model_set_list: list[ModelSetRow]
    """The sets."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """The rows a page that were used."""
    marker: str | None = None
    """The marker that was given."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
    page_info: PageInfo
    """The same, as the documents have it."""
    custom_model_set_list: list[ModelSetRow]
    """The sets; modelSetList has the same."""


class SystemModelSetPage(Shape, kw_only=True):
    """A page of everybody's sets. ``nextMarker`` is present while more follow."""

    model_set_list: list[ModelSetRow]
    """The sets."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """The rows a page that were used."""
    marker: str | None = None
    """The marker that was given."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
    page_info: PageInfo
    """The same, as the documents have it."""
    system_model_set_list: list[ModelSetRow]
    """The sets; modelSetList has the same."""

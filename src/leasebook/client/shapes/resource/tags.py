"""Shapes of values: tags. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from leasebook.client.shape import Shape


class ResourceTagsDetail(Shape, kw_only=True):
    """The name and the tags of something."""

    account_id: str | None = None
    """Whose it is, where the request names accounts."""
    account_name: str | None = None
    """The name of that account."""
    resource_id: str
    """Its id."""
    name: str | None = None
    """Its name, where it was given one."""
    tags: dict[str, str]
    """Its tags, by key."""


class ResourceTagsList(Shape, kw_only=True):
    """Names and tags, in the order of the request. Things without either are left out, and those of other accounts."""

    resource_tags: list[ResourceTagsDetail]
    """The names and tags."""

"""Shapes of values: projects. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime

from leasebook.client.shape import Shape
from leasebook.client.shapes.parts.common import PageInfo


class ProjectDetail(Shape, kw_only=True):
    """A project of an account. Every account has a default one, which stays as it is."""

    project_id: str
    """Its id; `default` for the default project."""
    name: str
    """Its name."""
    description: str
    """Free text."""
    status: str
    """Active; or Closed: nothing can be in it any more."""
    creator: str | None = None
    """The user who made it."""
    create_time: datetime | None = None
    """When it was made."""
    closed_time: datetime | None = None
    """When it was closed."""


class ProjectList(Shape, kw_only=True):
    """The account's projects."""

    page_info: PageInfo | None = None
    """The same once more, in the form that the documents have."""
    is_truncated: bool | None = None
    """Whether more rows follow."""
    max_keys: int | None = None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
    projects: list[ProjectDetail]
    """The projects."""


class MovedResource(Shape, kw_only=True):
    """Where something is after a move."""

    resource_id: str
    """Its id."""
    project_id: str
    """The project that it belongs to now."""

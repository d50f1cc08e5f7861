"""Shapes of values: common. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from leasebook.client.shape import Shape


class PageInfo(Shape, kw_only=True):
    """The facts about a page in the documented form: the same as the fields beside the list."""

    marker: str
    """The marker that was given; empty for the first page."""
    max_keys: int
    """The rows a page that were used."""
    is_truncated: bool
    """Whether more rows follow."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""

"""Shapes of values: event. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from leasebook.client.shape import Shape


class CloudEvent(Shape, kw_only=True):
    """An event, in the format CloudEvents 1.0. ``data`` has the new values of everything that changed."""

    specversion: str
    """The version of CloudEvents."""
    id: str
    """Its number; later ones of an account are greater."""
    source: str
    """The account that it happened to."""
    type: str
    """The kind of event, such as unit.running."""
    subject: str | None = None
    """The instance that it happened to; absent where it happened to the account."""
    time: datetime
    """When it happened."""
    datacontenttype: str
    """The format of data."""
    data: dict[str, Any]
    """The new values of everything that changed, and the other fields of the type."""


class EventPage(Shape, kw_only=True):
    """A page of events. ``nextMarker`` is present while more follow."""

    events: list[CloudEvent]
    """The events."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""


class RemindersDetail(Shape, kw_only=True):
    """When an account is reminded of a release or an expiry, the earliest first."""

    account_id: str
    """The account."""
    before_seconds: list[int]
    """How many seconds before a release or an expiry each reminder is sent; empty: no reminders."""

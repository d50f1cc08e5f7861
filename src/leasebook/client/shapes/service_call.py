"""Shapes of values: service call. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime

from leasebook.client.shape import Shape
from leasebook.client.shapes.parts.common import PageInfo


class Metric(Shape, kw_only=True):
    """Sums of calls and tokens."""

    input_tokens_total: int
    """The tokens that went in."""
    output_tokens_total: int
    """The tokens that came out."""
    tokens_total: int
    """All tokens."""
    succeed_call_total: int
    """The calls that succeeded."""
    failure_call_total: int
    """The calls that failed."""
    call_total: int
    """All calls."""


class AppMetric(Shape, kw_only=True):
    """An app's calls of a service."""

    app_id: str
    """The app that called."""
    metric: Metric
    """The sums."""


class ServiceMetric(Shape, kw_only=True):
    """The calls of a service, by app."""

    service_id: str
    """The service."""
    service_name: str
    """The service's name for people."""
    app_list: list[AppMetric]
    """The apps that called it."""


class ServiceMetrics(Shape, kw_only=True):
    """The calls of each service. A call counts in the hour in which it was made."""

    page_info: PageInfo | None = None
    """The same once more, in the form that the documents have."""
    is_truncated: bool | None = None
    """Whether more rows follow."""
    max_keys: int | None = None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
    start_time: datetime
    """Since when."""
    end_time: datetime
    """Until when."""
    service_list: list[ServiceMetric]
    """The services."""


class IntervalMetric(Shape, kw_only=True):
    """The calls of one interval."""

    input_tokens_total: int
    """The tokens that went in."""
    output_tokens_total: int
    """The tokens that came out."""
    tokens_total: int
    """All tokens."""
    succeed_call_total: int
    """The calls that succeeded."""
    failure_call_total: int
    """The calls that failed."""
    call_total: int
    """All calls."""
    start_time: datetime
    """When the interval begins."""
    tpm: float
    """Tokens a minute, on average over the interval."""
    rpm: float
    """Calls a minute, on average over the interval."""


class AppStats(Shape, kw_only=True):
    """An app's calls of a service. Intervals without calls are left out."""

    app_id: str
    """The app that called."""
    metrics: list[IntervalMetric]
    """The intervals, oldest first."""


class ServiceStats(Shape, kw_only=True):
    """The calls of a service, by app and interval."""

    service_id: str
    """The service."""
    service_name: str
    """The service's name for people."""
    app_list: list[AppStats]
    """The apps that called it."""


class ServiceStatsPage(Shape, kw_only=True):
    """The calls of each service, by app and interval."""

    page_info: PageInfo | None = None
    """The same once more, in the form that the documents have."""
    is_truncated: bool | None = None
    """Whether more rows follow."""
    max_keys: int | None = None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
    service_list: list[ServiceStats]
    """The services."""


class CreatedServiceKey(Shape, kw_only=True):
    """The new key. Only a repeated call with its client token shows it again."""

    key_id: str
    """The id of the key."""
    key: str | None = None
    """The key, for the header Authorization: Bearer. It is never shown again."""
    name: str
    """The app that calls with it, under which its calls are counted."""
    service_id: str | None = None
    """The only service that it opens; left out: all of the account's."""


class ServiceKeyDetail(Shape, kw_only=True):
    """A key without its secret part. ``orphanReason`` is present if no active user is responsible for it."""

    account_id: str | None = None
    """Whose it is, where the request names accounts."""
    account_name: str | None = None
    """The name of that account."""
    key_id: str
    """The id of the key."""
    name: str
    """The app that calls with it, under which its calls are counted."""
    service_id: str | None = None
    """The only service that it opens; left out: all of the account's."""
    status: str
    """Active, or Deleted: it opens nothing any more."""
    creator: str
    """The user who made it."""
    creator_name: str | None = None
    """The name of the creator now; missing for a user of another account."""
    create_time: datetime
    """When it was made."""
    orphan_reason: str | None = None
    """Why no active user is responsible for the key. MakerGone: its maker is deleted; MakerMayNot: its maker may not
    make keys any more; these keys open nothing. MakerHasNoKey: its maker has no active access key; the key still
    works.
    """
    tags: dict[str, str] | None = None
    """Its tags, where it has some."""


class ServiceKeyPage(Shape, kw_only=True):
    """A page of keys. ``nextMarker`` is present while more follow."""

    key_list: list[ServiceKeyDetail]
    """The keys."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """The rows a page that were used."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""

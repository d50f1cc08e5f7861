"""What events look like: CloudEvents 1.0, in JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from leasebook.contract.nouns.instance import Id, Request, Shape, Time

EventType = Annotated[str, msgspec.Meta(max_length=64, description="Such as unit.released")]
Marker = Annotated[str, msgspec.Meta(max_length=64)]


class DescribeEventsRequest(Request, kw_only=True):
    """Ask for a page of events, newest first: of an instance, of some types, from startTime until before endTime.

    With ``oldestFirst`` they come in the order in which they happened.
    """

    instance_id: Id | None = None
    types: Annotated[list[EventType], msgspec.Meta(max_length=50)] | None = None
    start_time: Time | None = None
    end_time: Time | None = None
    oldest_first: bool | None = None
    marker: Marker | None = None
    max_keys: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | None = None


class CloudEvent(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What happened. ``subject`` is the instance; ``data`` has what changed, as it is afterwards."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str | None = None
    time: str
    datacontenttype: Literal["application/json"]
    data: dict[str, Any]


class EventPage(Shape, kw_only=True):
    """A page of events. ``nextMarker`` stands there while more follow."""

    events: list[CloudEvent]
    is_truncated: bool
    max_keys: int
    next_marker: str | None = None


class FollowEventsRequest(Request, kw_only=True):
    """Follow events as they happen: those after the event with that id, or from now on.

    The answer is a stream of server-sent events that does not end. Its ``id`` can be sent as ``Last-Event-ID``.
    """

    after: Annotated[str, msgspec.Meta(max_length=64, pattern="^[0-9]{1,18}-[0-9]{1,9}(?!\\n)$")] | None = None
    instance_id: Id | None = None
    types: Annotated[list[EventType], msgspec.Meta(max_length=50)] | None = None

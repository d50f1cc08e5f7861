"""Events, as CloudEvents 1.0 in JSON; and reminders, the events before a release or an expiry."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import ACCOUNT, EVENTS, read, write
from leasebook.contract.shapes import (
    ACCOUNTS_MEANT,
    AccountsMeant,
    Id,
    Marker,
    PageSize,
    Request,
    Shape,
    Time,
)

EventType = Annotated[
    str, Meta(max_length=64, description="Such as unit.released, or unit.* for all of a group, or * for all")
]
EventId = Annotated[str, Meta(max_length=64, pattern="^[0-9]{1,18}-[0-9]{1,9}(?!\\n)$")]
Types = Annotated[list[EventType], Meta(max_length=50)]


class DescribeEventsRequest(Request, kw_only=True):
    """Ask for a page of events, newest first: of an instance, of some types, from startTime until before endTime.

    With ``oldestFirst`` they come in the order in which they happened.
    """

    instance_id: Annotated[Id | None, Meta(description="The instance.")] = None
    types: Annotated[Types | None, Meta(description="Only events of these types.")] = None
    start_time: Annotated[Time | None, Meta(description="Since when.")] = None
    end_time: Annotated[Time | None, Meta(description="Until before when.")] = None
    oldest_first: Annotated[bool | None, Meta(description="In the order in which they happened.")] = None
    marker: Annotated[Marker | None, Meta(description="The nextMarker of the page before.")] = None
    max_keys: Annotated[
        PageSize | None, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")
    ] = None
    account_id: Annotated[AccountsMeant, Meta(description=ACCOUNTS_MEANT)] = None


class CloudEvent(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An event, in the format CloudEvents 1.0. ``data`` has the new values of everything that changed."""

    specversion: Annotated[Literal["1.0"], Meta(description="The version of CloudEvents.")]
    id: Annotated[str, Meta(description="Its number; later ones of an account are greater.")]
    source: Annotated[str, Meta(description="The account that it happened to.")]
    type: Annotated[str, Meta(description="The kind of event, such as unit.running.")]
    subject: Annotated[
        str | None, Meta(description="The instance that it happened to; absent where it happened to the account.")
    ] = None
    time: Annotated[str, Meta(description="When it happened.")]
    datacontenttype: Annotated[Literal["application/json"], Meta(description="The format of data.")]
    data: Annotated[
        dict[str, Any], Meta(description="The new values of everything that changed, and the other fields of the type.")
    ]


class EventPage(Shape, kw_only=True):
    """A page of events. ``nextMarker`` is present while more follow."""

    events: Annotated[list[CloudEvent], Meta(description="The events.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


class FollowEventsRequest(Request, kw_only=True):
    """Follow events as they happen: those after the event with that id, or from now on.

    The answer is a stream of server-sent events that does not end. Its ``id`` can be sent as ``Last-Event-ID``.
    """

    after: Annotated[
        EventId | None, Meta(description="The id of an event: those that came after it; without it, those from now on.")
    ] = None
    instance_id: Annotated[Id | None, Meta(description="The instance.")] = None
    types: Annotated[Types | None, Meta(description="Only events of these types.")] = None
    account_id: Annotated[AccountsMeant, Meta(description=ACCOUNTS_MEANT)] = None


Before = Annotated[int, Meta(ge=60, le=90 * 86400)]
"""Seconds before a release or an expiry: from a minute to ninety days."""


class SetRemindersRequest(Request, kw_only=True):
    """Set how long before a release or an expiry the account gets reminders. An operator may name another account."""

    before_seconds: Annotated[
        list[Before],
        Meta(
            max_length=8,
            description=("How many seconds before a release or an expiry each reminder is sent; empty: no reminders."),
        ),
    ]
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class DescribeRemindersRequest(Request, kw_only=True):
    """Show when the account is reminded. An operator may name another account."""

    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class RemindersDetail(Shape, kw_only=True):
    """When an account is reminded of a release or an expiry, the earliest first."""

    account_id: Annotated[str, Meta(description="The account.")]
    before_seconds: Annotated[
        list[int],
        Meta(
            description=("How many seconds before a release or an expiry each reminder is sent; empty: no reminders.")
        ),
    ]


ACTIONS: Final = (
    read(
        EVENTS,
        "DescribeEvents",
        "describe_events",
        DescribeEventsRequest,
        EventPage,
        "List what happened to the account and its instances, newest first.",
        errors=(e.INVALID_MARKER,),
        across=p.FLEET_READERS,
        example={"instanceId": "unit-xxx", "types": ["unit.bought", "unit.released"], "maxKeys": 10},
        answer={
            "events": [
                {
                    "specversion": "1.0",
                    "id": "179599042506200001-0",
                    "source": "/v2/account/00112233445566778899aabbccddeeff",
                    "type": "unit.bought",
                    "subject": "unit-xxx",
                    "time": "2026-11-30T06:13:45+08:00",
                    "datacontenttype": "application/json",
                    "data": {
                        "status": "Creating",
                        "computeUnitCount": 1,
                        "paymentTiming": "Postpaid",
                        "region": "bj",
                        "type": "gpu-1",
                        "orderId": "de30de30de30de30de30de30de30de30",
                    },
                }
            ],
            "isTruncated": False,
            "maxKeys": 10,
        },
    ),
    read(
        EVENTS,
        "FollowEvents",
        "follow_events",
        FollowEventsRequest,
        CloudEvent,
        "Follow what happens, as a stream of server-sent events.",
        across=p.FLEET_READERS,
        errors=(e.TOO_MANY_STREAMS,),
        follows=True,
        example={"types": ["unit.reminder"]},
        answer={
            "specversion": "1.0",
            "id": "179599042506200035-1",
            "source": "/v2/account/00112233445566778899aabbccddeeff",
            "type": "unit.reminder",
            "subject": "unit-c7aM0na9",
            "time": "2026-11-30T08:13:45+08:00",
            "datacontenttype": "application/json",
            "data": {
                "deadline": "2026-11-30T09:13:45+08:00",
                "offsetSeconds": 3600,
                "what": "release",
                "buyerId": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
                "links": {
                    "keep": "/links/keep.unit-c7aM0na9.1796001225000000.0a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p",
                    "release": "/links/release.unit-c7aM0na9.1796001225000000.0a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p",
                },
            },
        },
    ),
)


REMINDERS: Final = (
    write(
        ACCOUNT,
        "SetReminders",
        "set_reminders",
        SetRemindersRequest,
        RemindersDetail,
        "Set how long before a release or an expiry the account is reminded of it.",
        policies=p.MANAGERS | p.OPERATORS,
        example={"beforeSeconds": [86400, 3600]},
        answer={"accountId": "00112233445566778899aabbccddeeff", "beforeSeconds": [86400, 3600]},
    ),
    read(
        ACCOUNT,
        "DescribeReminders",
        "describe_reminders",
        DescribeRemindersRequest,
        RemindersDetail,
        "Show how long before a release or an expiry the account is reminded of it.",
        across=p.FLEET_READERS,
        policies=p.READERS | p.OPERATORS,
        example={},
        answer={"accountId": "00112233445566778899aabbccddeeff", "beforeSeconds": [86400, 3600]},
    ),
)

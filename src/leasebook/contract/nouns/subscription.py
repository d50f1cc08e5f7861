"""What subscriptions to events, and their deliveries, look like."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from leasebook.contract.nouns.event import EventType
from leasebook.contract.nouns.instance import Id, Paged, PagedRequest, Request, Shape, Time

Url = Annotated[str, msgspec.Meta(min_length=1, max_length=2000, description="Such as https://example.org/leasebook")]
Address = Annotated[str, msgspec.Meta(min_length=3, max_length=254, description="Such as ops@example.org")]
EventId = Annotated[str, msgspec.Meta(max_length=64, pattern="^[0-9]{1,18}-[0-9]{1,9}(?!\\n)$")]
Types = Annotated[list[EventType], msgspec.Meta(max_length=50)]
SubscriptionKind = Literal["Webhook", "Email"]
SubscriptionStatus = Literal["Active", "Paused", "Pending"]
WantedStatus = Literal["Active", "Paused"]
DeliveryState = Literal["Waiting", "Delivered", "GivenUp", "Dropped"]


class CreateSubscriptionRequest(Request, kw_only=True):
    """Have the account's events sent to a URL or to a mail address: of some types or all, of one instance or all."""

    kind: SubscriptionKind
    url: Url | None = None
    address: Address | None = None
    types: Types | None = None
    instance_id: Id | None = None


class SubscriptionDetail(Shape, kw_only=True):
    """A subscription. ``reason`` says why the service paused it; ``secret`` is shown once, when it is made.

    A mail address is Pending until the link that was sent to it is used. A webhook's secret was made at
    ``secretTime``; the one before it signs as well until ``oldSecretEndTime``, where that stands there.
    """

    subscription_id: str
    kind: SubscriptionKind
    url: str | None = None
    address: str | None = None
    types: list[str]
    instance_id: str | None = None
    status: SubscriptionStatus
    reason: str | None = None
    create_time: str
    secret: str | None = None
    secret_time: str | None = None
    old_secret_end_time: str | None = None
    confirm_end_time: str | None = None


class DescribeSubscriptionsRequest(PagedRequest, kw_only=True):
    """List the account's subscriptions."""


class SubscriptionList(Paged, kw_only=True):
    """The account's subscriptions, oldest first."""

    subscriptions: list[SubscriptionDetail]


class ModifySubscriptionRequest(Request, kw_only=True):
    """Pause a subscription, or have it go on; change its types, or its secret.

    While it is paused events wait for it. With ``skipMissed`` those that came until now are left out. With
    ``revokeSecret`` the old secret signs no more from now on, instead of for a day after ``rotateSecret``.
    """

    subscription_id: Id
    status: WantedStatus | None = None
    types: Types | None = None
    rotate_secret: bool | None = None
    revoke_secret: bool | None = None
    skip_missed: bool | None = None


class SubscriptionRequest(Request, kw_only=True):
    """Name a subscription."""

    subscription_id: Id


class DescribeDeliveriesRequest(Request, kw_only=True):
    """Ask for a page of deliveries, those of the newest events first."""

    subscription_id: Id | None = None
    state: DeliveryState | None = None
    instance_id: Id | None = None
    marker: Annotated[str, msgspec.Meta(max_length=256)] | None = None
    max_keys: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | None = None


class DeliveryDetail(Shape, kw_only=True):
    """An event on its way. ``deliveryId`` is what the receiver sees as ``webhook-id``, on every attempt."""

    delivery_id: str
    subscription_id: str
    event_id: str
    type: str
    instance_id: str | None = None
    state: DeliveryState
    attempts: int
    create_time: str
    next_try_time: str | None = None
    end_time: str | None = None
    answer: int | None = None
    failure: str | None = None


class DeliveryPage(Shape, kw_only=True):
    """A page of deliveries. ``nextMarker`` stands there while more follow."""

    deliveries: list[DeliveryDetail]
    is_truncated: bool
    max_keys: int
    next_marker: str | None = None


class RedeliverGivenUpRequest(Request, kw_only=True):
    """Have everything sent anew that was given up for a subscription, the oldest first: since a time, or ever.

    ``maxKeys`` bounds how much of it one call takes; call again while more is left.
    """

    subscription_id: Id
    start_time: Time | None = None
    max_keys: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | None = None


class Redelivered(Shape, kw_only=True):
    """How much is sent anew, and whether more was given up that this call did not take."""

    redelivered: int
    is_truncated: bool


class RedeliverEventRequest(Request, kw_only=True):
    """Have an event sent to a subscription anew, whether it was sent before or not, and whatever its type."""

    subscription_id: Id
    event_id: EventId

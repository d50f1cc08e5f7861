"""Shapes of values: subscription. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime

from leasebook.client.shape import Shape
from leasebook.client.shapes.parts.common import PageInfo


class SubscriptionDetail(Shape, kw_only=True):
    """A subscription. ``reason`` says why the service paused it; ``secret`` is shown once, when it is made.

    Where it is sent to is not shown of other accounts' subscriptions, except to operators.

    A mail address is Pending until the link that was sent to it is used. A webhook's secret was made at ``secretTime``;
    if ``oldSecretEndTime`` is present, the one before it also signs until then.
    """

    account_id: str | None = None
    """Whose it is, where the request names accounts."""
    account_name: str | None = None
    """The name of that account."""
    subscription_id: str
    """The subscription."""
    kind: str
    """Webhook or Email."""
    url: str | None = None
    """Where events are posted to, with Webhook: https, and a public address."""
    address: str | None = None
    """The mail address that events go to, with Email."""
    types: list[str]
    """The types that it gets; empty: all."""
    instance_id: str | None = None
    """The only instance whose events it gets."""
    status: str
    """Active, Paused, or Pending: a mail address that was not confirmed yet."""
    reason: str | None = None
    """Why the service paused it."""
    create_time: datetime
    """When it was made."""
    secret: str | None = None
    """The key that signs the webhook's messages: whsec_ and base64. It is never shown again."""
    secret_time: datetime | None = None
    """When a webhook's secret was made."""
    old_secret_end_time: datetime | None = None
    """Until when the secret before this one signs as well."""
    confirm_end_time: datetime | None = None
    """Until when the link holds by which a mail address is confirmed."""
    accounts: list[str] | None = None
    """The accounts whose events it gets, or `*`; absent: those of its own."""
    project_ids: list[str] | None = None
    """The only projects whose events it gets; absent: those of all."""
    owner_id: str | None = None
    """With accounts or projects: the user by whose policies it goes, who made or activated it."""
    name: str | None = None
    """Its name, where it was given one."""
    tags: dict[str, str] | None = None
    """Its tags, where it has some."""


class SubscriptionList(Shape, kw_only=True):
    """The account's subscriptions, oldest first."""

    page_info: PageInfo | None = None
    """The same once more, in the form that the documents have."""
    is_truncated: bool | None = None
    """Whether more rows follow."""
    max_keys: int | None = None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
    subscriptions: list[SubscriptionDetail]
    """The subscriptions."""


class DeliveryDetail(Shape, kw_only=True):
    """An event for a subscription. The receiver gets ``deliveryId`` as ``webhook-id`` with every attempt."""

    account_id: str | None = None
    """Whose it is, where the request names accounts."""
    account_name: str | None = None
    """The name of that account."""
    delivery_id: str
    """The id that the receiver gets with every attempt, as webhook-id."""
    subscription_id: str
    """The subscription."""
    event_id: str
    """The event, by its id in DescribeEvents."""
    type: str
    """The event's type."""
    instance_id: str | None = None
    """The instance that the event is about."""
    state: str
    """Waiting, Delivered, GivenUp (tried for long enough, or refused for good) or Dropped (not to be sent)."""
    attempts: int
    """How often it was tried since it waits."""
    create_time: datetime
    """Since when it waits, or waited."""
    next_try_time: datetime | None = None
    """When it is tried next, after a failure."""
    end_time: datetime | None = None
    """When it was delivered, given up or dropped."""
    answer: int | None = None
    """The HTTP status, or the mail server's code, of the last attempt."""
    failure: str | None = None
    """Why the last attempt failed."""


class DeliveryPage(Shape, kw_only=True):
    """A page of deliveries. ``nextMarker`` is present while more follow."""

    deliveries: list[DeliveryDetail]
    """The deliveries."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """The rows a page that were used."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""


class Redelivered(Shape, kw_only=True):
    """How many deliveries are sent again, and whether more given-up ones are left."""

    redelivered: int
    """How many deliveries are sent again."""
    is_truncated: bool
    """Whether more given-up deliveries are left."""

"""Subscriptions to events, and their deliveries."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract import shapes as sh
from leasebook.contract.action import NOTIFICATION, read, write
from leasebook.contract.nouns.event import EventId, Types
from leasebook.contract.shapes import (
    ACCOUNTS_MEANT,
    AccountIds,
    AccountsMeant,
    Id,
    LongMarker,
    Owned,
    Paged,
    PagedRequest,
    PageSize,
    Request,
    Shape,
    Time,
)

Url = Annotated[str, Meta(min_length=1, max_length=2000, description="Such as https://example.org/leasebook")]
Address = Annotated[str, Meta(min_length=3, max_length=254, description="Such as ops@example.org")]
SubscriptionKind = Literal["Webhook", "Email"]
SubscriptionStatus = Literal["Active", "Paused", "Pending"]
ProjectIds = Annotated[list[Id], Meta(min_length=1, max_length=100)]
WantedStatus = Literal["Active", "Paused"]
DeliveryState = Literal["Waiting", "Delivered", "GivenUp", "Dropped"]


class CreateSubscriptionRequest(Request, kw_only=True):
    """Have events sent to a URL or to a mail address: of some types or all, of one instance or all.

    They are the account's own. With ``accounts`` they are those of other accounts, for users who may see these. With
    ``projectIds`` they are those of things in these projects, which users with a policy for projects give.
    """

    kind: Annotated[SubscriptionKind, Meta(description="Webhook or Email.")]
    url: Annotated[
        Url | None, Meta(description="Where events are posted to, with Webhook: https, and a public address.")
    ] = None
    address: Annotated[Address | None, Meta(description="The mail address that events go to, with Email.")] = None
    types: Annotated[Types | None, Meta(description="Only events of these types; left out or empty: all.")] = None
    instance_id: Annotated[Id | None, Meta(description="Only events of this instance.")] = None
    accounts: Annotated[
        AccountIds | None,
        Meta(
            description=(
                "The accounts whose events are sent, or `*` alone for all, later ones included; the caller's where it "
                "is left out. To name others takes LeasebookOperatorPolicy or LeasebookSupportPolicy."
            )
        ),
    ] = None
    project_ids: Annotated[
        ProjectIds | None,
        Meta(
            description=(
                "Only what happens to instances, services and packages while they are in these projects. "
                "Required of users whose policy is for projects."
            )
        ),
    ] = None
    name: Annotated[sh.ResourceName | None, Meta(description=sh.NAME_GIVEN)] = None
    tags: Annotated[sh.Tags | None, Meta(description=sh.TAGS_GIVEN)] = None


class SubscriptionDetail(Owned, kw_only=True):
    """A subscription. ``reason`` says why the service paused it; ``secret`` is shown once, when it is made.

    Where it is sent to is not shown of other accounts' subscriptions, except to operators.

    A mail address is Pending until the link that was sent to it is used. A webhook's secret was made at
    ``secretTime``; if ``oldSecretEndTime`` is present, the one before it also signs until then.
    """

    subscription_id: Annotated[str, Meta(description="The subscription.")]
    kind: Annotated[SubscriptionKind, Meta(description="Webhook or Email.")]
    url: Annotated[
        str | None, Meta(description="Where events are posted to, with Webhook: https, and a public address.")
    ] = None
    address: Annotated[str | None, Meta(description="The mail address that events go to, with Email.")] = None
    types: Annotated[list[str], Meta(description="The types that it gets; empty: all.")]
    instance_id: Annotated[str | None, Meta(description="The only instance whose events it gets.")] = None
    status: Annotated[
        SubscriptionStatus, Meta(description="Active, Paused, or Pending: a mail address that was not confirmed yet.")
    ]
    reason: Annotated[str | None, Meta(description="Why the service paused it.")] = None
    create_time: Annotated[str, Meta(description="When it was made.")]
    secret: Annotated[
        str | None,
        Meta(description=("The key that signs the webhook's messages: whsec_ and base64. It is never shown again.")),
    ] = None
    secret_time: Annotated[str | None, Meta(description="When a webhook's secret was made.")] = None
    old_secret_end_time: Annotated[
        str | None, Meta(description="Until when the secret before this one signs as well.")
    ] = None
    confirm_end_time: Annotated[
        str | None, Meta(description="Until when the link holds by which a mail address is confirmed.")
    ] = None
    accounts: Annotated[
        list[str] | None, Meta(description="The accounts whose events it gets, or `*`; absent: those of its own.")
    ] = None
    project_ids: Annotated[
        list[str] | None,
        Meta(description="The only projects whose events it gets; absent: those of all."),
    ] = None
    owner_id: Annotated[
        str | None,
        Meta(description="With accounts or projects: the user by whose policies it goes, who made or activated it."),
    ] = None
    name: Annotated[str | None, Meta(description=sh.NAMED)] = None
    tags: Annotated[dict[str, str] | None, Meta(description=sh.TAGGED)] = None


class DescribeSubscriptionsRequest(PagedRequest, kw_only=True):
    """List the account's subscriptions."""

    account_id: Annotated[AccountsMeant, Meta(description=ACCOUNTS_MEANT)] = None
    name: Annotated[sh.ResourceName | None, Meta(description=sh.NAME_WANTED)] = None
    tags: Annotated[sh.TagFilter | None, Meta(description=sh.TAGS_WANTED)] = None


class SubscriptionList(Paged, kw_only=True):
    """The account's subscriptions, oldest first."""

    subscriptions: Annotated[list[SubscriptionDetail], Meta(description="The subscriptions.")]


class ModifySubscriptionRequest(Request, kw_only=True):
    """Pause a subscription, or have it go on; change its types, or its secret.

    While it is paused events wait for it. With ``skipMissed`` those that came until now are left out. With
    ``revokeSecret`` the old secret signs no more from now on, instead of for a day after ``rotateSecret``.
    """

    subscription_id: Annotated[Id, Meta(description="The subscription.")]
    status: Annotated[
        WantedStatus | None, Meta(description="Paused: nothing is sent, and events wait. Active: they are sent.")
    ] = None
    types: Annotated[Types | None, Meta(description="Only events of these types from now on; empty: all.")] = None
    rotate_secret: Annotated[
        bool | None, Meta(description="Whether to replace the secret; for 24 hours both sign.")
    ] = None
    revoke_secret: Annotated[
        bool | None,
        Meta(description="Whether the old secret signs no more at once; with rotateSecret, the one that is replaced."),
    ] = None
    skip_missed: Annotated[
        bool | None, Meta(description="Whether what happened until now, and did not come to wait yet, is left out.")
    ] = None


class SubscriptionRequest(Request, kw_only=True):
    """Name a subscription."""

    subscription_id: Annotated[Id, Meta(description="The subscription.")]


class DescribeDeliveriesRequest(Request, kw_only=True):
    """Ask for a page of deliveries, those of the newest events first."""

    subscription_id: Annotated[Id | None, Meta(description="Only those to this subscription.")] = None
    state: Annotated[DeliveryState | None, Meta(description="Only those in this state.")] = None
    instance_id: Annotated[Id | None, Meta(description="Only events of this instance.")] = None
    marker: Annotated[LongMarker | None, Meta(description="The nextMarker of the page before.")] = None
    max_keys: Annotated[
        PageSize | None, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")
    ] = None
    account_id: Annotated[AccountsMeant, Meta(description=ACCOUNTS_MEANT)] = None


class DeliveryDetail(Owned, kw_only=True):
    """An event for a subscription. The receiver gets ``deliveryId`` as ``webhook-id`` with every attempt."""

    delivery_id: Annotated[str, Meta(description="The id that the receiver gets with every attempt, as webhook-id.")]
    subscription_id: Annotated[str, Meta(description="The subscription.")]
    event_id: Annotated[str, Meta(description="The event, by its id in DescribeEvents.")]
    type: Annotated[str, Meta(description="The event's type.")]
    instance_id: Annotated[str | None, Meta(description="The instance that the event is about.")] = None
    state: Annotated[
        DeliveryState,
        Meta(
            description=(
                "Waiting, Delivered, GivenUp (tried for long enough, or refused for good) or Dropped (not to be sent)."
            )
        ),
    ]
    attempts: Annotated[int, Meta(description="How often it was tried since it waits.")]
    create_time: Annotated[str, Meta(description="Since when it waits, or waited.")]
    next_try_time: Annotated[str | None, Meta(description="When it is tried next, after a failure.")] = None
    end_time: Annotated[str | None, Meta(description="When it was delivered, given up or dropped.")] = None
    answer: Annotated[
        int | None, Meta(description="The HTTP status, or the mail server's code, of the last attempt.")
    ] = None
    failure: Annotated[str | None, Meta(description="Why the last attempt failed.")] = None


class DeliveryPage(Shape, kw_only=True):
    """A page of deliveries. ``nextMarker`` is present while more follow."""

    deliveries: Annotated[list[DeliveryDetail], Meta(description="The deliveries.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="The rows a page that were used.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


class RedeliverGivenUpRequest(Request, kw_only=True):
    """Send a subscription's given-up deliveries again, the oldest first, or only those given up since ``startTime``.

    ``maxKeys`` bounds how many of them one call takes; call again while more are left.
    """

    subscription_id: Annotated[Id, Meta(description="The subscription.")]
    start_time: Annotated[
        Time | None, Meta(description="Only deliveries given up from then on; left out: all that the store still has.")
    ] = None
    max_keys: Annotated[
        PageSize | None, Meta(description="How many one call takes: 100 where it is left out, 1000 at most.")
    ] = None


class Redelivered(Shape, kw_only=True):
    """How many deliveries are sent again, and whether more given-up ones are left."""

    redelivered: Annotated[int, Meta(description="How many deliveries are sent again.")]
    is_truncated: Annotated[bool, Meta(description="Whether more given-up deliveries are left.")]


class RedeliverEventRequest(Request, kw_only=True):
    """Send an event to a subscription, whether it was sent before or not, and whatever its type."""

    subscription_id: Annotated[Id, Meta(description="The subscription.")]
    event_id: Annotated[EventId, Meta(description="The event, by its id in DescribeEvents.")]


ACTIONS: Final = (
    write(
        NOTIFICATION,
        "CreateSubscription",
        "create_subscription",
        CreateSubscriptionRequest,
        SubscriptionDetail,
        "Have the account's events, or those of other accounts, sent to a URL or a mail address.",
        policies=p.MANAGERS | p.SUPPORTERS,
        errors=(
            e.OPERATION_NOT_SUPPORTED,
            e.QUOTA_EXCEEDED,
            e.INSTANCE_NOT_FOUND,
            e.TAG_POLICY_NOT_MET,
            e.INVALID_STATE,
        ),
        example={
            "kind": "Webhook",
            "url": "https://example.org/leasebook",
            "types": ["unit.released", "account.arrears"],
        },
        answer={
            "subscriptionId": "sub-xv9e1qkzu48a",
            "kind": "Webhook",
            "url": "https://example.org/leasebook",
            "types": ["account.arrears", "unit.released"],
            "status": "Active",
            "createTime": "2026-11-30T07:18:45+08:00",
            "secret": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "secretTime": "2026-11-30T07:18:45+08:00",
        },
    ),
    read(
        NOTIFICATION,
        "DescribeSubscriptions",
        "describe_subscriptions",
        DescribeSubscriptionsRequest,
        SubscriptionList,
        "List the account's subscriptions.",
        policies=p.MANAGERS | p.SUPPORTERS,
        across=p.FLEET_READERS,
        errors=(e.INVALID_MARKER,),
        example={},
        answer={
            "subscriptions": [
                {
                    "subscriptionId": "sub-k3j4h5g6f7d8",
                    "kind": "Webhook",
                    "url": "https://receiver.invalid/",
                    "types": [],
                    "status": "Active",
                    "createTime": "2026-11-30T06:13:45+08:00",
                    "secretTime": "2026-11-30T06:13:45+08:00",
                }
            ]
        },
    ),
    write(
        NOTIFICATION,
        "ModifySubscription",
        "modify_subscription",
        ModifySubscriptionRequest,
        SubscriptionDetail,
        "Pause a subscription or have it go on, change its types, or replace or revoke its secret.",
        policies=p.MANAGERS | p.SUPPORTERS,
        errors=(e.INVALID_STATE,),
        example={"subscriptionId": "sub-k3j4h5g6f7d8", "status": "Paused"},
        answer={
            "subscriptionId": "sub-k3j4h5g6f7d8",
            "kind": "Webhook",
            "url": "https://receiver.invalid/",
            "types": [],
            "status": "Paused",
            "createTime": "2026-11-30T06:13:45+08:00",
            "secretTime": "2026-11-30T06:13:45+08:00",
        },
    ),
    write(
        NOTIFICATION,
        "DeleteSubscription",
        "delete_subscription",
        SubscriptionRequest,
        bool,
        "End a subscription; what waits for it is not sent.",
        policies=p.MANAGERS | p.SUPPORTERS,
        example={"subscriptionId": "sub-k3j4h5g6f7d8"},
        answer=True,
    ),
    read(
        NOTIFICATION,
        "DescribeDeliveries",
        "describe_deliveries",
        DescribeDeliveriesRequest,
        DeliveryPage,
        "List what was sent to the account's subscriptions and what waits, newest first.",
        policies=p.READERS | p.SUPPORTERS,
        across=p.FLEET_READERS,
        errors=(e.INVALID_MARKER,),
        example={"subscriptionId": "sub-k3j4h5g6f7d8", "state": "GivenUp"},
        answer={
            "deliveries": [
                {
                    "deliveryId": "sub-k3j4h5g6f7d8-179599052232700003-1",
                    "subscriptionId": "sub-k3j4h5g6f7d8",
                    "eventId": "179599052232700003-1",
                    "type": "unit.released",
                    "instanceId": "unit-xxx",
                    "state": "GivenUp",
                    "attempts": 13,
                    "createTime": "2026-11-30T06:15:22+08:00",
                    "endTime": "2026-12-03T07:15:22+08:00",
                    "answer": 500,
                    "failure": "The receiver answered 500.",
                }
            ],
            "isTruncated": False,
            "maxKeys": 10,
        },
    ),
    write(
        NOTIFICATION,
        "RedeliverEvent",
        "redeliver_event",
        RedeliverEventRequest,
        DeliveryDetail,
        "Send an event to a subscription again.",
        policies=p.MANAGERS | p.SUPPORTERS,
        errors=(e.INVALID_STATE,),
        example={"subscriptionId": "sub-k3j4h5g6f7d8", "eventId": "17-0"},
        answer={
            "deliveryId": "sub-k3j4h5g6f7d8-17-0",
            "subscriptionId": "sub-k3j4h5g6f7d8",
            "eventId": "17-0",
            "type": "iam.accessKeyCreated",
            "state": "Waiting",
            "attempts": 0,
            "createTime": "2026-11-30T07:18:45+08:00",
        },
    ),
    write(
        NOTIFICATION,
        "RedeliverGivenUp",
        "redeliver_given_up",
        RedeliverGivenUpRequest,
        Redelivered,
        "Send a subscription's given-up deliveries again.",
        policies=p.MANAGERS | p.SUPPORTERS,
        errors=(e.INVALID_STATE,),
        example={"subscriptionId": "sub-k3j4h5g6f7d8", "startTime": "2026-11-01 00:00:00", "maxKeys": 100},
        answer={"redelivered": 0, "isTruncated": False},
    ),
    write(
        NOTIFICATION,
        "TestSubscription",
        "test_subscription",
        SubscriptionRequest,
        bool,
        "Send a test event to a subscription, the way all others go; to a Pending one, the link that confirms it.",
        policies=p.MANAGERS | p.SUPPORTERS,
        errors=(e.INVALID_STATE, e.QUOTA_EXCEEDED),
        example={"subscriptionId": "sub-k3j4h5g6f7d8"},
        answer=True,
    ),
)
"""Who manages the account says where its events go; a URL may hold a secret of the receiver's."""

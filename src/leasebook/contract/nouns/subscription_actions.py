"""The rows of the action table that subscriptions to events have."""

from __future__ import annotations

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import NOTIFICATION, Action, read, write
from leasebook.contract.nouns import subscription as n


def notification_actions() -> list[Action]:
    """Return the rows. Who manages the account says where its events go; a URL may hold a secret of the receiver's."""
    return [*_subscriptions(), *_deliveries()]


def _subscriptions() -> list[Action]:
    return [
        write(
            NOTIFICATION,
            "CreateSubscription",
            "create_subscription",
            n.CreateSubscriptionRequest,
            n.SubscriptionDetail,
            "Have the account's events sent to a URL or a mail address.",
            policies=p.MANAGERS,
            errors=(e.OPERATION_NOT_SUPPORTED, e.QUOTA_EXCEEDED, e.INSTANCE_NOT_FOUND),
        ),
        read(
            NOTIFICATION,
            "DescribeSubscriptions",
            "describe_subscriptions",
            n.DescribeSubscriptionsRequest,
            n.SubscriptionList,
            "List the account's subscriptions.",
            policies=p.MANAGERS,
            errors=(e.INVALID_MARKER,),
        ),
        write(
            NOTIFICATION,
            "ModifySubscription",
            "modify_subscription",
            n.ModifySubscriptionRequest,
            n.SubscriptionDetail,
            "Pause a subscription or have it go on, change its types, or replace or revoke its secret.",
            policies=p.MANAGERS,
            errors=(e.INVALID_STATE,),
        ),
        write(
            NOTIFICATION,
            "DeleteSubscription",
            "delete_subscription",
            n.SubscriptionRequest,
            bool,
            "End a subscription; what waits for it is not sent.",
            policies=p.MANAGERS,
        ),
    ]


def _deliveries() -> list[Action]:
    return [
        read(
            NOTIFICATION,
            "DescribeDeliveries",
            "describe_deliveries",
            n.DescribeDeliveriesRequest,
            n.DeliveryPage,
            "List what was sent to the account's subscriptions and what waits, newest first.",
            errors=(e.INVALID_MARKER,),
        ),
        write(
            NOTIFICATION,
            "RedeliverEvent",
            "redeliver_event",
            n.RedeliverEventRequest,
            n.DeliveryDetail,
            "Send an event to a subscription anew.",
            policies=p.MANAGERS,
            errors=(e.INVALID_STATE,),
        ),
        write(
            NOTIFICATION,
            "RedeliverGivenUp",
            "redeliver_given_up",
            n.RedeliverGivenUpRequest,
            n.Redelivered,
            "Send anew what was given up for a subscription.",
            policies=p.MANAGERS,
            errors=(e.INVALID_STATE,),
        ),
        write(
            NOTIFICATION,
            "TestSubscription",
            "test_subscription",
            n.SubscriptionRequest,
            bool,
            "Send a test event to a subscription, the way all others go; to a Pending one, the link that confirms it.",
            policies=p.MANAGERS,
            errors=(e.INVALID_STATE, e.QUOTA_EXCEEDED),
        ),
    ]

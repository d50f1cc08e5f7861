"""The shapes of subscriptions and deliveries."""

from __future__ import annotations

import re
from typing import Any

from tests.api.answer_words import ANY_ID, TIME, Maybe
from tests.api.scene import NOTIFICATION

SUBSCRIPTION = {
    "subscriptionId": re.compile(r"sub-[0-9a-z]{12}"),
    "kind": re.compile("Webhook|Email"),
    "url": str,
    "types": [str],
    "instanceId": Maybe(ANY_ID),
    "status": re.compile("Active|Paused|Pending"),
    "reason": Maybe(str),
    "createTime": TIME,
    "secretTime": TIME,
    "oldSecretEndTime": Maybe(TIME),
}
DELIVERY = {
    "deliveryId": re.compile(r"sub-[0-9a-z]{12}-\d+-\d+"),
    "subscriptionId": re.compile(r"sub-[0-9a-z]{12}"),
    "eventId": re.compile(r"\d+-\d+"),
    "type": str,
    "instanceId": Maybe(ANY_ID),
    "state": re.compile("Waiting|Delivered|GivenUp|Dropped"),
    "attempts": int,
    "createTime": TIME,
    "nextTryTime": Maybe(re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+08:00")),
    "endTime": Maybe(TIME),
    "answer": Maybe(int),
    "failure": Maybe(str),
}
NOTIFICATION_SHAPES: dict[tuple[str, str], Any] = {
    (NOTIFICATION, "CreateSubscription"): SUBSCRIPTION | {"secret": re.compile(r"whsec_[A-Za-z0-9+/]{43}=")},
    (NOTIFICATION, "DescribeSubscriptions"): {"subscriptions": [SUBSCRIPTION]},
    (NOTIFICATION, "ModifySubscription"): SUBSCRIPTION,
    (NOTIFICATION, "DeleteSubscription"): True,
    (NOTIFICATION, "TestSubscription"): True,
    (NOTIFICATION, "RedeliverEvent"): DELIVERY,
    (NOTIFICATION, "RedeliverGivenUp"): {"redelivered": int, "isTruncated": bool},
    (NOTIFICATION, "DescribeDeliveries"): {
        "deliveries": [DELIVERY],
        "isTruncated": bool,
        "maxKeys": int,
        "nextMarker": Maybe(str),
    },
}

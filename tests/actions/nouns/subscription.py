"""Records of the actions of ``contract.nouns.subscription``."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.actions.forms import ANY_ID, HEX_ID, MAY_END_A_PAGE, OWNER, TIME, Maybe, Unfilled
from tests.actions.office import EVER, NOWHERE, Office
from tests.actions.record import FLEET_READERS, MANAGERS, READERS, SUPPORTERS, ActionRecord, of_own
from tests.api.scene import EVENTS, NOTIFICATION

SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{43}=")
SUBSCRIPTION = {
    **OWNER,
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
    "name": Maybe(str),
    "tags": Maybe(dict),
    "accounts": Maybe([HEX_ID]),
    "projectIds": Maybe([str]),
    "ownerId": Maybe(HEX_ID),
}
DELIVERY = {
    **OWNER,
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


def create_subscription(office: Office) -> Any:
    # Of what an account may have most it has at most fifty.
    for one in office.caller.do(NOTIFICATION, "DescribeSubscriptions")["subscriptions"][:-20]:
        office.caller.do(NOTIFICATION, "DeleteSubscription", {"subscriptionId": one["subscriptionId"]})
    words = {"name": "alarms", "tags": {"team": "vision"}}
    return {**NOWHERE, "types": ["unit.bought"], "instanceId": office.caller.buy(), **words}


def modify_subscription(office: Office) -> Any:
    more = {
        "status": "Paused",
        "types": ["unit.bought"],
        "rotateSecret": True,
        "revokeSecret": True,
        "skipMissed": True,
    }
    return {**a_subscription(office), **more}


def a_subscription(office: Office) -> Any:
    asked = {**create_subscription(office), "projectIds": ["default"]}
    made = office.caller.do(NOTIFICATION, "CreateSubscription", asked)
    return {"subscriptionId": made["subscriptionId"]}


def describe_subscriptions(office: Office) -> Any:
    a_subscription(office)
    return {"name": None, "tags": {}}


def redeliver_event(office: Office) -> Any:
    one = a_subscription(office)
    office.caller.do(NOTIFICATION, "ModifySubscription", {**one, "skipMissed": True})
    (event,) = office.caller.do(EVENTS, "DescribeEvents", {"maxKeys": 1})["events"]
    return {**one, "eventId": event["id"]}


RECORDS: Final = {
    "create_subscription": ActionRecord(
        permitted=MANAGERS | SUPPORTERS,
        body=lambda office: {**create_subscription(office), "accounts": [office.user["accountId"]]},
        foreign=({**NOWHERE, "instanceId": "UNIT"},),
        shape=SUBSCRIPTION | {"secret": SECRET, "projectIds": Maybe(Unfilled([str]))},
    ),
    "describe_subscriptions": ActionRecord(
        permitted=MANAGERS | FLEET_READERS,
        body=of_own(describe_subscriptions),
        shape={"subscriptions": [SUBSCRIPTION], **MAY_END_A_PAGE},
    ),
    "modify_subscription": ActionRecord(
        permitted=MANAGERS | SUPPORTERS,
        body=modify_subscription,
        foreign=({"subscriptionId": "HOOK", "status": "Paused"},),
        shape=SUBSCRIPTION | {"secret": Maybe(SECRET), "accounts": Maybe(Unfilled([HEX_ID]))},
        example_stage=2,
    ),
    "delete_subscription": ActionRecord(
        permitted=MANAGERS | SUPPORTERS,
        body=a_subscription,
        foreign=({"subscriptionId": "HOOK"},),
        shape=True,
        example_stage=3,
    ),
    "describe_deliveries": ActionRecord(
        permitted=READERS | FLEET_READERS,
        body=of_own(
            {"subscriptionId": "sub-000000000000", "state": "GivenUp", "instanceId": "unit-00000000", "maxKeys": 3}
        ),
        searches=(
            {"instanceId": "UNIT"},
            {"subscriptionId": "HOOK"},
        ),
        shape={
            "deliveries": [DELIVERY],
            "isTruncated": bool,
            "maxKeys": int,
            "nextMarker": Maybe(str),
        },
        example_differs=True,
    ),
    "redeliver_event": ActionRecord(
        permitted=MANAGERS | SUPPORTERS,
        body=redeliver_event,
        foreign=({"subscriptionId": "HOOK", "eventId": "1-0"},),
        shape=DELIVERY,
        example_stage=1,
    ),
    "redeliver_given_up": ActionRecord(
        permitted=MANAGERS | SUPPORTERS,
        body=lambda office: {**a_subscription(office), "startTime": EVER["startTime"], "maxKeys": 3},
        foreign=({"subscriptionId": "HOOK"},),
        shape={"redelivered": int, "isTruncated": bool},
        example_stage=1,
    ),
    "test_subscription": ActionRecord(
        permitted=MANAGERS | SUPPORTERS,
        body=a_subscription,
        foreign=({"subscriptionId": "HOOK"},),
        shape=True,
        example_stage=1,
    ),
}

"""Who may keep models and keys for services, and bodies that whoever is permitted gets done."""

from __future__ import annotations

from typing import Any, Final

from tests.api.scene import EVENTS, MODEL, NOTIFICATION, SERVICE, Caller

WRITERS: Final = {"QianfanFullControlAccessPolicy", "QianfanServiceOperateAccessPolicy"}
READERS: Final = WRITERS | {"QianfanServiceReadAccessPolicy", "QianfanReadAccessPolicy"}
MANAGERS: Final = {"QianfanFullControlAccessPolicy"}
OPERATORS: Final = {"LeasebookOperatorPolicy"}

REPOSITORY: Final[dict[str, set[str]]] = {
    "create_model_set": WRITERS | OPERATORS,
    "create_model": WRITERS | OPERATORS,
    "delete_model": WRITERS | OPERATORS,
    "delete_model_set": WRITERS | OPERATORS,
    "describe_model_sets": READERS,
    "describe_custom_model_sets": READERS,
    "describe_system_model_sets": READERS,
    "describe_model_set": READERS | OPERATORS,
    "describe_model": READERS | OPERATORS,
    "approve_model": OPERATORS,
    "withdraw_model_approval": OPERATORS,
    "create_service_key": WRITERS,
    "delete_service_key": WRITERS,
    "describe_service_keys": READERS,
}


def model_bodies(root: Caller) -> dict[str, Any]:
    """Bodies of what writes models and keys."""
    made = root.do(MODEL, "CreateCustomModelSet", {"modelSetName": "talker"})
    model = root.do(MODEL, "CreateCustomModel", {**made, "run": {"command": ["talk"]}})
    return {
        "create_model_set": {"modelSetName": "talker"},
        "create_model": {**made, "run": {"command": ["talk"]}},
        "approve_model": {"modelId": model["modelId"]},
        "withdraw_model_approval": {"modelId": model["modelId"]},
        "delete_model": {"modelId": model["modelId"]},
        "delete_model_set": root.do(MODEL, "CreateCustomModelSet", {"modelSetName": "empty"}),
        "create_service_key": {"name": "shop"},
        "delete_service_key": {"keyId": root.do(SERVICE, "CreateServiceKey", {"name": "shop"})["keyId"]},
    }


SUBSCRIPTIONS: Final[dict[str, set[str]]] = {
    "create_subscription": MANAGERS,
    "describe_subscriptions": MANAGERS,
    "modify_subscription": MANAGERS,
    "delete_subscription": MANAGERS,
    "describe_deliveries": READERS,
    "redeliver_event": MANAGERS,
    "redeliver_given_up": MANAGERS,
    "test_subscription": MANAGERS,
}
NOWHERE: Final = {"kind": "Webhook", "url": "https://receiver.invalid/"}
"""A webhook to where nobody is: no resolver knows such a name."""


def subscription_bodies(root: Caller) -> dict[str, Any]:
    """Bodies of what writes subscriptions."""
    one = {"subscriptionId": root.do(NOTIFICATION, "CreateSubscription", NOWHERE)["subscriptionId"]}
    # Only what happened before it went on from here can be asked for again.
    root.do(NOTIFICATION, "ModifySubscription", {**one, "skipMissed": True})
    (event,) = root.do(EVENTS, "DescribeEvents", {"maxKeys": 1})["events"]
    return {
        "create_subscription": NOWHERE,
        "modify_subscription": {**one, "types": ["unit.bought"]},
        "delete_subscription": one,
        "redeliver_event": {**one, "eventId": event["id"]},
        "redeliver_given_up": one,
        "test_subscription": one,
    }

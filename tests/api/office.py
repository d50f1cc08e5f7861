"""Bodies for what was added to an account's office: the audit log, subscriptions, models, keys and replicas."""

from __future__ import annotations

from typing import Any

from tests.api.permitted import NOWHERE
from tests.api.scene import EVENTS, MODEL, NOTIFICATION, SERVICE, Caller

TIMES = {"startTime": "2020-01-01 00:00:00", "endTime": "2090-01-01 00:00:00"}


class AnnexeOfOffice:
    """Each method returns a body that is answered well, with every field of it that can be given."""

    operator: Caller
    service: str
    user: Any

    def describe_audit_log(self) -> Any:
        who = {"accountId": self.user["accountId"], "userId": self.user["userId"], "accessKeyId": "AKROOT"}
        what = {"action": "TopUpAccount", "code": "OK", "instanceId": "unit-00000000", "address": "127.0.0.1"}
        return {**who, **what, **TIMES, "maxKeys": 3}

    def describe_audit_proof(self) -> Any:
        return {"maxKeys": 3}

    def describe_refused_calls(self) -> Any:
        return {"address": "192.0.2.1", "accessKeyId": "AKROOT", **TIMES, "maxKeys": 3}

    def set_key_rules(self) -> Any:
        # It is for a key or for a user.
        return {"userId": self.user["userId"], "accountId": self.user["accountId"], "requires": ["Nonce", "SignedBody"]}

    def explain_unit(self) -> Any:
        return {"instanceId": self.operator.buy()}

    def describe_reminders(self) -> Any:
        return {"accountId": self.user["accountId"]}

    def create_subscription(self) -> Any:
        # Of what an account may have most it has at most fifty.
        for one in self.operator.do(NOTIFICATION, "DescribeSubscriptions")["subscriptions"][:-20]:
            self.operator.do(NOTIFICATION, "DeleteSubscription", {"subscriptionId": one["subscriptionId"]})
        return {**NOWHERE, "types": ["unit.bought"], "instanceId": self.operator.buy()}

    def test_subscription(self) -> Any:
        made = self.operator.do(NOTIFICATION, "CreateSubscription", self.create_subscription())
        return {"subscriptionId": made["subscriptionId"]}

    delete_subscription = test_subscription

    def modify_subscription(self) -> Any:
        more = {
            "status": "Paused",
            "types": ["unit.bought"],
            "rotateSecret": True,
            "revokeSecret": True,
            "skipMissed": True,
        }
        return {**self.test_subscription(), **more}

    def redeliver_event(self) -> Any:
        one = self.test_subscription()
        self.operator.do(NOTIFICATION, "ModifySubscription", {**one, "skipMissed": True})
        (event,) = self.operator.do(EVENTS, "DescribeEvents", {"maxKeys": 1})["events"]
        return {**one, "eventId": event["id"]}

    def redeliver_given_up(self) -> Any:
        return {**self.test_subscription(), "startTime": TIMES["startTime"], "maxKeys": 3}

    def describe_deliveries(self) -> Any:
        return {"subscriptionId": "sub-000000000000", "state": "GivenUp", "instanceId": "unit-00000000", "maxKeys": 3}

    def describe_replicas(self) -> Any:
        return {"serviceId": self.service, "instanceId": self.operator.buy_replicas(self.service, 1)}

    def describe_replica_logs(self) -> Any:
        return {**self.describe_replicas(), "replica": 0, "linesMax": 5}

    def create_model_set(self) -> Any:
        return {"modelSetName": "talker", "description": "words", "forEverybody": False}

    def create_model(self) -> Any:
        made = self.operator.do(MODEL, "CreateCustomModelSet", {"modelSetName": "talker"})
        run = {
            "command": ["talk"],
            "image": "talker",
            "env": {"NAME": "value"},
            "port": 8000,
            "healthPath": "/health",
            "cpus": 1.5,
            "memoryBytes": 1 << 30,
            "accelerators": 1,
            "graceSeconds": 5,
        }
        return {**made, "description": "words", "run": run}

    def delete_model_set(self) -> Any:
        return self.operator.do(MODEL, "CreateCustomModelSet", {"modelSetName": "talker"})

    describe_model_set = delete_model_set

    def delete_model(self) -> Any:
        return {"modelId": self.operator.do(MODEL, "CreateCustomModel", self.create_model())["modelId"]}

    describe_model = delete_model
    approve_model = delete_model
    withdraw_model_approval = delete_model

    def describe_model_sets(self) -> Any:
        return {"source": "Custom", "name": "talk", "maxKeys": 3, "pageReverse": True}

    def describe_custom_model_sets(self) -> Any:
        return {"name": "talk", "maxKeys": 3, "pageReverse": True}

    describe_system_model_sets = describe_custom_model_sets

    def create_service_key(self) -> Any:
        return {"name": "shop", "serviceId": self.service}

    def describe_service_keys(self) -> Any:
        return {"serviceId": self.service, "status": "Active", "maxKeys": 3}

    def delete_service_key(self) -> Any:
        return {"keyId": self.operator.do(SERVICE, "CreateServiceKey", {"name": "shop"})["keyId"]}

"""Accounts know nothing of each other: what is another's answers as if it were not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from leasebook.contract.actions import ACTIONS, TABLE
from tests.api.permitted import NOWHERE
from tests.api.scene import (
    ACCOUNT,
    CHARGE,
    EVENTS,
    IAM,
    MODEL,
    NOTIFICATION,
    RESOURCES,
    SERVICE,
    UNITS,
    Caller,
    ServiceHarness,
    a_scene,
    billing_of,
    new_service,
    order,
)

FULL, READ = "QianfanFullControlAccessPolicy", "QianfanReadAccessPolicy"
DEPLOYED = [{"instanceId": "UNIT", "deploymentReplicasCount": 1}]
BY_ID: list[tuple[str, str, dict[str, Any]]] = [
    (UNITS, "DescribeComputeUnit", {"instanceId": "UNIT"}),
    (UNITS, "ExplainComputeUnit", {"instanceId": "UNIT"}),
    (UNITS, "ReleaseComputeUnit", {"instanceId": "UNIT"}),
    (UNITS, "AutoReleaseComputeUnit", {"instanceId": "UNIT"}),
    (UNITS, "AutoReleaseComputeUnit", {"instanceId": "UNIT", "releaseTime": "2090-01-01 00:00:00"}),
    (UNITS, "AutoReleaseComputeUnit", {"instanceId": "UNIT", "releaseTime": "2020-01-01 00:00:00"}),
    (UNITS, "AutoReleaseComputeUnit", {"instanceId": "UNIT", "instanceType": "ComputingUnit"}),
    (CHARGE, "CreateAutoRenewRules", {"instanceId": "UNIT", "instanceType": "ComputingUnit"}),
    (CHARGE, "DeleteAutoRenewRules", {"instanceId": "UNIT"}),
    (CHARGE, "DescribeAutoRenewRules", {"instanceId": "UNIT"}),
    (UNITS, "ResizeComputeUnit", {"instanceId": "UNIT", "count": 2}),
    (UNITS, "ResizeComputeUnit", {"instanceId": "UNIT", "count": 100000}),
    (UNITS, "RenewComputeUnit", {"instanceId": "UNIT", "months": 1}),
    (UNITS, "ChangeBilling", {"instanceId": "UNIT", "paymentTiming": "Postpaid"}),
    (UNITS, "PurchaseComputeUnit", {**order(), "quoteId": "QUOTE"}),
    (UNITS, "PurchaseComputeUnit", {**order(count=2), "quoteId": "QUOTE"}),
    (CHARGE, "DescribeTPMResource", {"model": "ernie-4.0-8k", "instanceId": "QUOTA"}),
    (CHARGE, "ReleaseTPMResource", {"model": "ernie-4.0-8k", "instanceId": "QUOTA"}),
    (CHARGE, "ResizeTPMResource", {"instanceId": "QUOTA", "count": 2}),
    (CHARGE, "ResizeTPMResource", {"instanceId": "QUOTA"}),
    (CHARGE, "AutoReleaseTPMResource", {"instanceId": "QUOTA"}),
    (CHARGE, "DescribePackageResource", {"packageId": "PACKAGE"}),
    (SERVICE, "CountServiceCalls", {"serviceId": "MINE", "appId": "app-1", "packageId": "PACKAGE"}),
    (SERVICE, "CountServiceCalls", {"serviceId": "SERVICE", "appId": "app-1"}),
    (SERVICE, "CreateService", {**new_service(), "deploymentConfig": {"deploymentComputeUnitList": DEPLOYED}}),
    (SERVICE, "ModifyService", {"serviceId": "SERVICE", "modelSetId": "am-1", "modelId": "amv-1"}),
    (SERVICE, "ScaleService", {"serviceId": "SERVICE", "instanceId": "UNIT", "deploymentReplicasCount": 1}),
    (SERVICE, "ScaleService", {"serviceId": "MINE", "instanceId": "UNIT", "deploymentReplicasCount": 1}),
    (SERVICE, "ScaleService", {"serviceId": "SERVICE", "instanceId": "OWN", "deploymentReplicasCount": 1}),
    (SERVICE, "DeactivateService", {"serviceId": "SERVICE"}),
    (SERVICE, "ActivateService", {"serviceId": "SERVICE"}),
    (SERVICE, "DeleteService", {"serviceId": "SERVICE"}),
    (SERVICE, "DescribeService", {"serviceId": "SERVICE"}),
    (SERVICE, "DescribeReplicas", {"serviceId": "SERVICE"}),
    (SERVICE, "DescribeReplicas", {"serviceId": "MINE", "instanceId": "UNIT"}),
    (SERVICE, "DescribeReplicaLogs", {"serviceId": "SERVICE", "instanceId": "UNIT"}),
    (NOTIFICATION, "CreateSubscription", {**NOWHERE, "instanceId": "UNIT"}),
    (NOTIFICATION, "ModifySubscription", {"subscriptionId": "HOOK", "status": "Paused"}),
    (NOTIFICATION, "DeleteSubscription", {"subscriptionId": "HOOK"}),
    (NOTIFICATION, "TestSubscription", {"subscriptionId": "HOOK"}),
    (NOTIFICATION, "RedeliverEvent", {"subscriptionId": "HOOK", "eventId": "1-0"}),
    (NOTIFICATION, "RedeliverGivenUp", {"subscriptionId": "HOOK"}),
    (SERVICE, "DeleteServiceKey", {"keyId": "CALLING"}),
    (MODEL, "DescribeModelSet", {"modelSetId": "SET"}),
    (MODEL, "DescribeModel", {"modelId": "MODEL"}),
    (MODEL, "CreateCustomModel", {"modelSetId": "SET", "run": {"command": ["talk"]}}),
    (MODEL, "DeleteModel", {"modelId": "MODEL"}),
    (MODEL, "ApproveModel", {"modelId": "MODEL"}),
    (MODEL, "WithdrawModelApproval", {"modelId": "MODEL"}),
    (MODEL, "DeleteModelSet", {"modelSetId": "SET"}),
    (SERVICE, "CreateServiceKey", {"serviceId": "SERVICE", "name": "shop"}),
    (SERVICE, "DescribeServiceKeys", {"serviceId": "SERVICE"}),
    (ACCOUNT, "DescribeStatement", {"month": "2030-01", "accountId": "ACCOUNT"}),
    (RESOURCES, "PurchaseComputeUnit", {"serviceId": "SERVICE", "billing": billing_of(), "replicasCount": 1}),
    (RESOURCES, "PurchaseComputeUnit", {"serviceId": "SERVICE", "billing": billing_of(), "replicasCount": 100000}),
    (RESOURCES, "DescribeComputeUnits", {"serviceId": "SERVICE"}),
    (RESOURCES, "DescribeComputeUnit", {"serviceId": "SERVICE", "instanceId": "UNIT"}),
    (RESOURCES, "DescribeComputeUnit", {"serviceId": "MINE", "instanceId": "UNIT"}),
    (RESOURCES, "ReleaseComputeUnit", {"serviceId": "SERVICE", "instanceId": "UNIT"}),
    (RESOURCES, "ReleaseComputeUnit", {"serviceId": "MINE", "instanceId": "UNIT"}),
    (RESOURCES, "AutoReleaseComputeUnit", {"serviceId": "SERVICE", "instanceId": "UNIT"}),
    (IAM, "CreateAccessKey", {"userId": "USER"}),
    (IAM, "AttachPolicy", {"userId": "USER", "policyName": READ}),
    (IAM, "DetachPolicy", {"userId": "USER", "policyName": READ}),
    (IAM, "DisableAccessKey", {"accessKeyId": "KEY"}),
    (IAM, "DescribeUsers", {"accountId": "ACCOUNT"}),
    (IAM, "SetKeyRules", {"accessKeyId": "KEY", "requires": []}),
    (IAM, "SetKeyRules", {"userId": "USER", "requires": ["Nonce"]}),
    (IAM, "SetKeyRules", {"userId": "USER", "requires": [], "accountId": "ACCOUNT"}),
    (ACCOUNT, "DescribeRefusedCalls", {"accessKeyId": "KEY"}),
    (IAM, "CreateUser", {"accountId": "ACCOUNT"}),
    (IAM, "CreateAccessKey", {"userId": "USER", "accountId": "ACCOUNT"}),
    (IAM, "DisableAccessKey", {"accessKeyId": "KEY", "accountId": "ACCOUNT"}),
    (IAM, "AttachPolicy", {"userId": "USER", "policyName": READ, "accountId": "ACCOUNT"}),
]
NOWHEN = {"startTime": "2020-01-01 00:00:00", "endTime": "2090-01-01 00:00:00"}
BY_FILTER: list[tuple[str, str, dict[str, Any]]] = [
    (ACCOUNT, "DescribeOrders", {"instanceId": "UNIT"}),
    (ACCOUNT, "DescribePostings", {"instanceId": "UNIT"}),
    (SERVICE, "DescribeServiceMetric", {**NOWHEN, "serviceId": ["SERVICE"]}),
    (EVENTS, "DescribeEvents", {"instanceId": "UNIT"}),
    (EVENTS, "FollowEvents", {"instanceId": "UNIT"}),
    (NOTIFICATION, "DescribeDeliveries", {"instanceId": "UNIT"}),
    (NOTIFICATION, "DescribeDeliveries", {"subscriptionId": "HOOK"}),
    (ACCOUNT, "DescribeAuditLog", {"instanceId": "UNIT"}),
    (ACCOUNT, "DescribeAuditLog", {"userId": "USER"}),
]
"""What looks for something by its id, and finds nothing."""
ABSENT = {
    "UNIT": "unit-00000000",
    "QUOTA": "tpm-00000000",
    "QUOTE": "2" * 32,
    "PACKAGE": "pkg-000000000000",
    "SERVICE": "svco-000000000000",
    "USER": "0" * 32,
    "KEY": "AK0000000000000000000000",
    "ACCOUNT": "1" * 32,
    "HOOK": "sub-000000000000",
    "CALLING": "key-000000000000",
    "SET": "am-000000000000",
    "MODEL": "amv-000000000000",
}


@pytest.fixture(scope="module")
def neighbours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServiceHarness, Caller, dict[str, str]]]:
    """A service with two accounts: the one that calls, and what it would have to name of the other."""
    with a_scene(tmp_path_factory.mktemp("neighbours")) as scene:
        scene.sell(stock=1000)
        scene.sell_quota()
        owner, stranger = scene.customer(), scene.customer()
        service = owner.create_service()
        made = owner.do(MODEL, "CreateCustomModelSet", {"modelSetName": "talker"})
        theirs = {
            "UNIT": owner.buy_replicas(service, 1),
            "SERVICE": service,
            "USER": owner.do(IAM, "DescribeUsers")["users"][0]["userId"],
            "KEY": owner.desk.access_key,
            "ACCOUNT": owner.account_id(),
            "QUOTA": owner.buy_quota(),
            "QUOTE": owner.do(UNITS, "QuotePurchase", {**order(), "hold": True})["quoteId"],
            "PACKAGE": scene.grant(owner),
            "HOOK": owner.do(NOTIFICATION, "CreateSubscription", NOWHERE)["subscriptionId"],
            "CALLING": owner.do(SERVICE, "CreateServiceKey", {"name": "shop"})["keyId"],
            "SET": made["modelSetId"],
            "MODEL": owner.do(MODEL, "CreateCustomModel", {**made, "run": {"command": ["talk"]}})["modelId"],
        }
        owner.do(SERVICE, "CountServiceCalls", {"serviceId": service, "appId": "app-1", "succeeded": 1})
        yield scene, stranger, {**theirs, "MINE": stranger.create_service(), "OWN": stranger.buy()}


@pytest.mark.parametrize(("path", "action", "body"), BY_ID)
def test_what_is_another_accounts_answers_as_if_it_were_not_there(
    neighbours: tuple[ServiceHarness, Caller, dict[str, str]], path: str, action: str, body: dict[str, Any]
) -> None:
    scene, stranger, theirs = neighbours
    commits = scene.commits()
    seen = []
    for ids in (theirs, {**theirs, **ABSENT}):
        text = json.dumps(body)
        for placeholder, real in ids.items():
            text = text.replace(f'"{placeholder}"', f'"{real}"')
        answer = stranger.ask(path, action, json.loads(text))
        assert answer.status in (403, 404)
        message = answer.body["message"]
        for placeholder, real in ids.items():
            message = message.replace(real, placeholder)
        headers = {name for name in answer.headers if name != "content-length"}
        varying = {"requestId", "log_id", "message", "error_msg"}
        same = {name: value for name, value in answer.body.items() if name not in varying}
        seen.append((answer.status, headers, same, message))
    assert seen[0] == seen[1]
    assert scene.commits() == commits


@pytest.mark.parametrize(("path", "action", "body"), BY_FILTER)
def test_looking_for_what_is_another_accounts_finds_nothing(
    neighbours: tuple[ServiceHarness, Caller, dict[str, str]], path: str, action: str, body: dict[str, Any]
) -> None:
    _, stranger, theirs = neighbours
    text = json.dumps(body)
    for placeholder, real in theirs.items():
        text = text.replace(f'"{placeholder}"', f'"{real}"')
    found = stranger.do(path, action, json.loads(text))
    lists = [found] if isinstance(found, list) else [value for value in found.values() if isinstance(value, list)]
    assert lists == [[]]


def test_every_action_that_names_something_by_its_id_is_tried_on_another_account() -> None:
    named = {"instanceId", "serviceId", "userId", "accessKeyId", "packageId", "quoteId"} | {
        "subscriptionId",
        "keyId",
        "modelId",
    }
    operations = {action.operation for action in ACTIONS if named & set(action.request.__struct_encode_fields__)}
    assert operations <= {TABLE[path, action].operation for path, action, _ in (*BY_ID, *BY_FILTER)}


def test_the_id_of_another_accounts_order_opens_nothing(shared: ServiceHarness) -> None:
    bought = shared.customer().do(UNITS, "PurchaseComputeUnit", order())
    stranger = shared.customer()
    for path, action in ((ACCOUNT, "DescribeOrders"), (ACCOUNT, "DescribePostings")):
        assert stranger.refused(path, action, {"marker": bought["orderId"]}) == "InvalidMarker"
        assert stranger.refused(path, action, {"orderId": bought["orderId"]}) == "InappropriateJSON"


def test_a_user_whose_key_is_of_one_account_is_not_found_in_another(shared: ServiceHarness) -> None:
    owner, stranger = shared.customer(), shared.customer()
    user = owner.do(IAM, "CreateUser", {"name": "theirs"})
    for action, body in (
        ("CreateAccessKey", {"userId": user["userId"]}),
        ("AttachPolicy", {"userId": user["userId"], "policyName": FULL}),
    ):
        assert stranger.refused(IAM, action, body) == "ResourceNotFound"
        # An operator names the account, or means its own.
        assert shared.operator.refused(IAM, action, body) == "ResourceNotFound"

"""Every action of the table answers as documented: the very keys, with values of the very types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from leasebook.contract.action import Action
from tests.actions.forms import AMOUNT, TIME, Maybe, Unfilled, misfit, unfilled
from tests.actions.nouns.costs import SPAN
from tests.actions.office import QUOTA_MODEL, Office
from tests.actions.records import ANY_ACTION, body_of, record_of
from tests.api.scene import (
    ACCOUNT,
    CATALOG,
    CHARGE,
    CLOCK,
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
from tests.harness import Answer
from tests.log_stores import with_log_store

Key = tuple[str, str]
"""A path and an action."""


class Recorder(Caller):
    """Keeps what came back, by action."""

    kept: dict[Key, list[Any]]

    def ask(self, path: str, action: str, body: Any = None, *, query: str = "") -> Answer:
        answer = super().ask(path, action, body, query=query)
        if answer.status == 200:
            self.kept.setdefault((path, action), []).append(answer.result)
        return answer


def run_the_service(operator: Caller) -> None:
    """Call what an operator calls."""
    assert operator.do(CATALOG, "SetOffering", {"region": "sz", "type": "tpu", "stockTotal": 1})["stockFree"] == 1
    operator.do(CATALOG, "DescribeOfferings")
    operator.do(CATALOG, "DescribeEngines")
    account = operator.do(IAM, "CreateAccount", {"name": "research", "timeZone": "Europe/Berlin"})
    operator.do(ACCOUNT, "TopUpAccount", {"amount": "0.5", "accountId": account["accountId"]})
    user = {"userId": operator.do(IAM, "CreateUser", {"name": "build-server"})["userId"]}
    key = operator.do(IAM, "CreateAccessKey", user)["accessKeyId"]
    policy = {**user, "policyName": "QianfanReadAccessPolicy"}
    operator.do(IAM, "AttachPolicy", policy)
    operator.do(IAM, "DescribeUsers")
    operator.do(IAM, "DetachPolicy", policy)
    operator.do(IAM, "SetKeyRules", {**user, "requires": ["SignedBody"]})
    operator.do(IAM, "SetKeyRules", {"accessKeyId": key, "requires": ["SignedBody", "Nonce"]})
    assert operator.send(ACCOUNT, "Action=DescribeAccount", headers=[]).code == "SignatureEmpty"
    operator.do(ACCOUNT, "DescribeRefusedCalls", {"maxKeys": 5})
    operator.do(IAM, "DescribeUsers")
    operator.do(IAM, "DisableAccessKey", {"accessKeyId": key})
    operator.do(IAM, "DescribeUsers", {"accountId": account["accountId"]})
    operator.do(CLOCK, "ConfirmClock")
    operator.do(CLOCK, "DescribeClock")
    operator.do(CLOCK, "DescribeDueWork")


def use_units(caller: Caller) -> None:
    """Call the actions of units without a service."""
    unit = {"instanceId": caller.buy(release="2030-01-20 12:00:00")}
    caller.buy(months=2)
    caller.do(UNITS, "DescribeComputeUnits")
    caller.do(UNITS, "DescribeComputeUnits", {"maxKeys": 1})
    caller.do(UNITS, "DescribeComputeUnit", unit)
    caller.do(UNITS, "AutoReleaseComputeUnit", unit)
    caller.do(UNITS, "DescribeComputeUnit", unit)
    caller.do(UNITS, "ReleaseComputeUnit", unit)
    caller.do(UNITS, "DescribeComputeUnit", unit)


def use_replicas(caller: Caller, path: str, purchase: str, lists: tuple[str, ...], show: str, release: str) -> None:
    """Call the actions of the units of a service, by one path's names."""
    service = {"serviceId": caller.create_service()}
    unit = {
        "instanceId": caller.do(path, purchase, {**service, "billing": billing_of(), "replicasCount": 1})["instanceId"]
    }
    if path == CHARGE:
        rule = {"instanceId": caller.buy_replicas(service["serviceId"], 1, months=1), "instanceType": "ComputingUnit"}
        caller.do(path, "CreateAutoRenewRules", rule)
    caller.do(path, "AutoReleaseComputeUnit", {**unit, "releaseTime": "2030-01-20T12:00:00Z"})
    for name in lists:
        assert caller.do(path, name, service)["instances"]
    caller.do(path, show, service | unit)
    caller.do(UNITS, "DescribeComputeUnit", unit)
    caller.do(path, release, service | unit)
    caller.do(path, show, service | unit)


def lead_a_longer_life(caller: Caller) -> None:
    """Call the actions that resize and renew units and change their billing."""
    wanted = order(months=1)
    caller.do(UNITS, "QuotePurchase", wanted)
    quote = caller.do(UNITS, "QuotePurchase", {**wanted, "hold": True})["quoteId"]
    unit = {"instanceId": caller.do(UNITS, "PurchaseComputeUnit", {**wanted, "quoteId": quote})["instanceId"]}
    caller.do(UNITS, "ResizeComputeUnit", {**unit, "count": 2})
    caller.do(CHARGE, "ResizeComputeUnit", {**unit, "count": 3})
    caller.do(UNITS, "RenewComputeUnit", {**unit, "months": 1, "expiryDay": 20})
    caller.do(CHARGE, "CreateAutoRenewRules", {**unit, "instanceType": "ComputingUnit"})
    caller.do(CHARGE, "DescribeAutoRenewRules", unit)
    caller.do(CHARGE, "DescribeAutoRenewRules", {"maxKeys": 1})
    caller.do(CHARGE, "DeleteAutoRenewRules", unit)
    caller.do(UNITS, "ChangeBilling", {**unit, "paymentTiming": "Postpaid"})
    caller.do(UNITS, "DescribeComputeUnit", unit)
    turned = {"instanceId": caller.buy()}
    caller.do(UNITS, "ChangeBilling", {**turned, **billing_of(months=1)})
    caller.do(UNITS, "DescribeComputeUnit", turned)


def use_quota(caller: Caller) -> None:
    """Call the actions of quota and packages."""
    quota = {"instanceId": caller.buy_quota()}
    caller.do(CHARGE, "AutoReleaseTPMResource", {**quota, "releaseTime": "2030-02-01 00:00:00"})
    caller.do(CHARGE, "ResizeTPMResource", {**quota, "count": 3})
    model = {"model": "ernie-4.0-8k"}
    caller.do(CHARGE, "DescribeTPMResource", model)
    caller.do(SERVICE, "DescribePresetServices")
    caller.do(CHARGE, "ReleaseTPMResource", model | quota)
    caller.do(CHARGE, "DescribeTPMResource", model | quota)
    package = {"serviceName": "ernie", "specification": 10, "expiredTime": "2031-01-01 00:00:00"}
    granted = caller.do(CHARGE, "GrantPackageResource", package)["instance"]["packageId"]
    service = {"serviceId": caller.create_service()}
    calls = {**service, "appId": "app-1", "inputTokens": 4, "outputTokens": 6, "succeeded": 1, "packageId": granted}
    caller.do(SERVICE, "CountServiceCalls", calls)
    caller.do(CHARGE, "DescribePackageResource", {"packageId": granted})
    caller.do(CHARGE, "DescribePackageResources")
    times = {"startTime": "2030-01-15 08:00:00", "endTime": "2030-01-16 00:00:00"}
    caller.do(SERVICE, "DescribeServiceMetric", times)
    caller.do(SERVICE, "DescribeServiceStats", {**times, "interval": 60})


def subscribe(caller: Caller) -> None:
    """Call the actions of subscriptions. No message is delivered: no resolver knows the name of the receiver."""
    made = caller.do(NOTIFICATION, "CreateSubscription", {"kind": "Webhook", "url": "https://receiver.invalid/"})
    one = {"subscriptionId": made["subscriptionId"]}
    caller.do(NOTIFICATION, "DescribeSubscriptions")
    caller.do(NOTIFICATION, "ModifySubscription", {**one, "types": ["unit.bought"]})
    caller.do(NOTIFICATION, "TestSubscription", one)
    caller.buy()
    event = caller.do("/v2/events", "DescribeEvents", {"types": ["unit.running"], "maxKeys": 1})["events"][0]
    caller.do(NOTIFICATION, "ModifySubscription", {**one, "skipMissed": True})
    caller.do(NOTIFICATION, "RedeliverEvent", {**one, "eventId": event["id"]})
    caller.do(NOTIFICATION, "RedeliverGivenUp", {**one, "maxKeys": 1})
    caller.do(NOTIFICATION, "DescribeDeliveries", {"maxKeys": 1})
    caller.do(NOTIFICATION, "DeleteSubscription", one)


def run_a_service(caller: Caller) -> None:
    """Call the actions of a service on an instance that is there."""
    unit = caller.buy(count=2)
    placed = {"deploymentComputeUnitList": [{"instanceId": unit, "deploymentReplicasCount": 1}]}
    service = {
        "serviceId": caller.do(SERVICE, "CreateService", {**new_service(), "deploymentConfig": placed})["serviceId"]
    }
    caller.do(SERVICE, "ModifyService", {**service, "modelSetId": "am-1", "modelId": "amv-1"})
    for replicas in (2, 0):
        scaled = {**service, "instanceId": unit, "deploymentReplicasCount": replicas}
        caller.do(SERVICE, "ScaleService", scaled)
        caller.do(SERVICE, "DeactivateService", service)
        caller.do(SERVICE, "DescribeService", service)
        caller.do(SERVICE, "ActivateService", service)
        caller.do(SERVICE, "DescribeService", service)
    caller.do(SERVICE, "DeleteService", service)
    caller.release(unit)


def use_projects(caller: Caller) -> None:
    """Call the actions of projects, and leave something in one that was in another."""
    atlas, other = (
        {"projectId": caller.do("/v2/project", "CreateProject", {"name": name})["projectId"]}
        for name in ("atlas", "other")
    )
    caller.do("/v2/project", "ModifyProject", {**atlas, "description": "The maps."})
    unit = caller.do(UNITS, "PurchaseComputeUnit", {**order(), **other})["instanceId"]
    service = caller.do(SERVICE, "CreateService", {**new_service(), **atlas})["serviceId"]
    package = {"serviceName": "ernie", "specification": 10, "expiredTime": "2031-01-01 00:00:00", **other}
    granted = caller.do(CHARGE, "GrantPackageResource", package)["instance"]["packageId"]
    for thing in (unit, granted):
        caller.do("/v2/project", "MoveResource", {"resourceId": thing, **atlas})
    caller.do("/v2/project", "CloseProject", other)
    caller.do(SERVICE, "DescribeService", {"serviceId": service})
    caller.do("/v2/project", "DescribeProjects")


def keep_models(caller: Caller) -> None:
    """Call the actions of models, and of keys for calling services."""
    made = caller.do(
        MODEL, "CreateCustomModelSet", {"modelSetName": "talker", "labels": ["first"], "forEverybody": True}
    )
    runs = (
        {"command": ["serve"]},
        {"image": "talker:1", "port": None, "cpus": 2.5, "memoryBytes": 2**30},
        {"application": "talker:app", "arguments": {"size": "7b"}},
    )
    for run in runs:
        model = caller.do(MODEL, "CreateCustomModel", {**made, "run": run, "description": "It talks."})["modelId"]
        caller.do(MODEL, "DescribeModel", {"modelId": model})
        caller.do(MODEL, "ApproveModel", {"modelId": model})
    caller.do(MODEL, "WithdrawModelApproval", {"modelId": model})
    caller.do(MODEL, "DescribeModelSet", made)
    for name in ("DescribeModelSets", "DescribeCustomModelSets", "DescribeSystemModelSets"):
        caller.do(MODEL, name, {"maxKeys": 1})
    caller.do(MODEL, "DeleteModel", {"modelId": model})
    caller.do(MODEL, "DeleteModelSet", caller.do(MODEL, "CreateCustomModelSet", {"modelSetName": "empty"}))
    lone = caller.do(SERVICE, "CreateServiceKey", {"name": "shop", "serviceId": caller.create_service()})
    caller.do(SERVICE, "CreateServiceKey", {"name": "shop"})
    caller.do(SERVICE, "DescribeServiceKeys", {"maxKeys": 10})
    caller.do(SERVICE, "DeleteServiceKey", {"keyId": lone["keyId"]})


def lead_a_whole_life(scene: ServiceHarness, caller: Caller) -> None:
    """Call every action, in the course of one small history."""
    caller.do(CLOCK, "AdvanceClock", {"to": "2030-01-15 08:00:00"})
    caller.do(ACCOUNT, "TopUpAccount", {"amount": "5000"})
    caller.do(ACCOUNT, "DescribeAccount")
    scene.sell(stock=20)
    scene.sell_quota()
    run_the_service(caller)
    use_units(caller)
    names = ("PurchaseComputeUnit", ("DescribeComputeUnits",), "DescribeComputeUnit", "ReleaseComputeUnit")
    use_replicas(caller, RESOURCES, *names)
    use_replicas(caller, CHARGE, *names)
    older = ("DescribeServiceResources", "DescribeServiceResourceList")
    use_replicas(caller, CHARGE, "PurchaseServiceResource", older, "DescribeServiceResource", "ReleaseServiceResource")
    lead_a_longer_life(caller)
    use_quota(caller)
    run_a_service(caller)
    subscribe(caller)
    keep_models(caller)
    use_projects(caller)
    bought = caller.do(SERVICE, "CreateService", {**new_service(replicasCount=1, qps=2.5), "billing": billing_of()})
    caller.do(SERVICE, "DescribeService", {"serviceId": bought["serviceId"]})
    caller.do(SERVICE, "DescribeServices", {"maxKeys": 2})
    caller.schedule(bought["instanceId"], "2030-01-15 10:30:00")
    scene.advance("2030-03-20 08:00:00")
    caller.do(UNITS, "DescribeComputeUnits")
    for name in ("DescribeOrders", "DescribePostings"):
        caller.do(ACCOUNT, name, {"maxKeys": 3})
        caller.do(ACCOUNT, name, {"maxKeys": 100})
    caller.do(ACCOUNT, "SetReminders", {"beforeSeconds": [60, 3600]})
    caller.do(ACCOUNT, "DescribeReminders")
    for month in ("2030-01", "2030-02", "2030-03"):
        caller.do(ACCOUNT, "DescribeStatement", {"month": month})
        caller.do(ACCOUNT, "ExportCosts", {"month": month})
    caller.do(ACCOUNT, "DescribeCosts", {**SPAN, "groupBy": ["type", "tag:team"], "forecast": True})
    caller.do(ACCOUNT, "TopUpAccount", {"amount": "5000"})
    unit = caller.buy()
    caller.refused(UNITS, "RenewComputeUnit", {"instanceId": unit, "months": 1})
    caller.do(UNITS, "ExplainComputeUnit", {"instanceId": unit})
    caller.do(ACCOUNT, "DescribeAuditLog", {"maxKeys": 100})
    caller.do(ACCOUNT, "DescribeAuditLog", {"instanceId": unit})
    caller.do(ACCOUNT, "DescribeAuditProof")
    service = {"serviceId": caller.create_service()}
    caller.do(SERVICE, "DescribeReplicas", service)
    caller.do(SERVICE, "DescribeReplicaLogs", {**service, "instanceId": unit})
    caller.do(EVENTS, "DescribeEvents", {"maxKeys": 100})
    newest = caller.do(EVENTS, "DescribeEvents", {"maxKeys": 1})["events"][0]["id"]
    caller.do(EVENTS, "FollowEvents", {"after": newest})
    caller.do(ACCOUNT, "DescribeGuardRails")
    caller.do(ACCOUNT, "SetGuardRails", {"limits": {"units": {"gpu-1": 1000}, "spend": "0.5"}})
    caller.do(ACCOUNT, "DescribeGuardRails")
    caller.do(ACCOUNT, "SetTagPolicy", {"policy": {"required": ["team"]}})
    caller.do(ACCOUNT, "DescribeTagPolicy")
    caller.do(ACCOUNT, "SetTagPolicy", {"policy": {"required": None}})


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Key, list[Any]]]:
    """Everything that the actions answered in the course of one small history."""
    with a_scene(tmp_path_factory.mktemp("data"), environment=with_log_store()) as scene:
        caller = Recorder(scene.runner, scene.desk)
        caller.kept = {}
        lead_a_whole_life(scene, caller)
        yield caller.kept


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The account that the bodies of the records are for."""
    with a_scene(tmp_path_factory.mktemp("office"), environment=with_log_store()) as scene:
        scene.sell(minute="0", month="0", stock=1_000_000)
        scene.sell_quota(QUOTA_MODEL, minute="0", stock=1_000_000)
        yield Office(scene)


@ANY_ACTION
def test_a_success_has_the_documented_keys_and_types(
    kept: dict[Key, list[Any]], office: Office, action: Action
) -> None:
    shape = record_of(action).shape
    answered = office.caller.do(action.path, action.name, body_of(action, office))
    results = [answered, *kept.get((action.path, action.name), ())]
    for result in results:
        assert misfit(result, shape) is None
    assert unfilled(results, shape) == set(), (
        f"no answer had an entry in these lists, so nothing in them was looked at: call {action.name} in"
        " lead_a_whole_life, or have the body of its record find something"
    )


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ({"a": 1}, {"a": str}),
        ({"a": 1}, {"a": int, "b": int}),
        ({"a": 1, "b": 1}, {"a": int}),
        ({"a": None}, {"a": Maybe(int)}),
        ({"a": [1, "x"]}, {"a": [int]}),
        ({"a": True}, {"a": int}),
        ("2030-01-15", TIME),
        (1, True),
        ("true", True),
        ("1", (AMOUNT, None)),
        ({"a": [1]}, {"a": Unfilled([str])}),
    ],
)
def test_a_value_of_another_shape_is_found(value: Any, shape: Any) -> None:
    assert misfit(value, shape) is not None


def test_a_list_without_an_entry_in_any_answer_is_found() -> None:
    shape = {"a": [{"b": [int]}], "c": Maybe([str]), "d": Unfilled([str])}
    bare: dict[str, Any] = {"a": [], "d": []}
    assert unfilled([bare], shape) == {"result.a", "result.c"}
    assert unfilled([bare, {"a": [{"b": []}], "c": ["x"], "d": []}], shape) == {"result.a[].b"}
    assert unfilled([bare, {"a": [{"b": [1]}], "c": ["x"], "d": []}], shape) == set()


def test_a_postpaid_instance_has_a_release_time_only_with_a_schedule_and_no_duration(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    always = {
        "region": "bj",
        "status": "Running",
        "type": "gpu-1",
        "totalComputeUnits": 2,
        "usedComputeUnits": 0,
        "paymentTiming": "Postpaid",
        "startTime": "2030-01-15T08:00:00+08:00",
    }
    unit = caller.buy(count=2)
    assert caller.unit(unit) == {"instanceId": unit, **always}
    caller.schedule(unit, "2030-01-15 09:30:00")
    assert caller.unit(unit) == {"instanceId": unit, **always, "releaseTime": "2030-01-15T09:30:00+08:00"}


def test_a_prepaid_instance_has_a_term_and_no_release_time(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    unit = caller.buy(months=5)
    assert caller.unit(unit) == {
        "instanceId": unit,
        "region": "bj",
        "status": "Running",
        "type": "gpu-1",
        "totalComputeUnits": 1,
        "usedComputeUnits": 0,
        "paymentTiming": "Prepaid",
        "startTime": "2030-01-15T08:00:00+08:00",
        "expiredTime": "2030-06-15T08:00:00+08:00",
        "duration": 5,
        "durationUnit": "Month",
    }


def test_an_instance_of_a_service_tells_what_the_service_uses_of_it(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    service = caller.create_service("GPU-1-2")
    unit = caller.buy_replicas(service, 3)
    shown = caller.do(UNITS, "DescribeComputeUnit", {"instanceId": unit})
    assert shown["serviceUsageList"] == [
        {"serviceId": service, "serviceName": "translator", "replicasCount": 3, "usedComputeUnits": 6}
    ]
    assert caller.do(RESOURCES, "DescribeComputeUnits", {"serviceId": service}) == {
        "instances": [
            {
                "instanceId": unit,
                "paymentTiming": "Postpaid",
                "replicasCount": 3,
                "status": "Running",
                "startTime": "2030-01-15T08:00:00+08:00",
            }
        ]
    }

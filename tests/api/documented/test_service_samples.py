"""Samples of the public pages about services: each works unchanged, with ids of rows that exist."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.scene import RESOURCES, SERVICE, Caller, ServiceHarness, billing_of, new_service

METRIC = {"startTime": "2030-01-14T16:00:00Z", "endTime": "2030-01-15T15:59:00Z"}
"""The day in Beijing on which the services of these tests live."""
APP = "1483416575"


def deployed(*places: tuple[str, int], **config: Any) -> dict[str, Any]:
    """Return the body that creates a service on instances, as the page about CreateService has it."""
    listed = [{"instanceId": unit, "deploymentReplicasCount": replicas} for unit, replicas in places]
    body = new_service()
    del body["resourceConfig"]
    return {**body, "deploymentConfig": {"deploymentComputeUnitList": listed, **config}}


def metric(caller: Caller, **wanted: Any) -> dict[str, list[str]]:
    """Return the services of an answer, and the apps of each."""
    found = caller.do(SERVICE, "DescribeServiceMetric", {**METRIC, **wanted})["serviceList"]
    return {one["serviceId"]: [app["appId"] for app in one["appList"]] for one in found}


def called(caller: Caller, *apps: str, **new: Any) -> str:
    """Create a service, and count a call of each app; returns the service."""
    service = str(caller.do(SERVICE, "CreateService", {**new_service(), **new})["serviceId"])
    for app in apps:
        caller.do(SERVICE, "CountServiceCalls", {"serviceId": service, "appId": app, "succeeded": 1})
    return service


# --- DescribeServiceMetric -------------------------------------------------------------------------------


def test_apps_are_named_in_a_list_as_the_page_says_or_alone_as_one_client_says(either: ServiceHarness) -> None:
    caller = either.customer()
    service = called(caller, APP, "app-2", "app-3")
    sample = {"serviceId": [service], "appId": [APP], "protocolVersion": 2}
    assert metric(caller, **sample) == metric(caller, serviceId=[service], appId=APP) == {service: [APP]}
    assert metric(caller, appId=[APP, "app-3"]) == {service: [APP, "app-3"]}
    assert metric(caller, appId=[]) == metric(caller) == {service: [APP, "app-2", "app-3"]}


def test_every_service_that_is_named_is_listed_without_calls_too(either: ServiceHarness) -> None:
    caller, other = either.customer(), either.customer()
    busy, idle, foreign = called(caller, APP), called(caller), called(other, APP)
    named = [idle, busy, foreign, "svco-000000000000", idle]
    assert metric(caller, serviceId=named) == {busy: [APP], idle: []}
    assert metric(caller, serviceId=named, appId="nobody") == {busy: [], idle: []}
    assert metric(caller) == metric(caller, serviceId=[]) == {busy: [APP]}
    shown = caller.do(SERVICE, "DescribeServiceMetric", {**METRIC, "serviceId": [idle]})["serviceList"]
    assert shown == [{"serviceId": idle, "serviceName": "translator", "appList": []}]


def test_a_version_of_the_protocol_chooses_among_services_that_are_not_named(either: ServiceHarness) -> None:
    caller = either.customer()
    first, second = called(caller, APP, protocolVersion=1), called(caller, APP, protocolVersion=2)
    assert metric(caller, protocolVersion=1) == {first: [APP]}
    assert metric(caller, protocolVersion=2) == {second: [APP]}
    assert set(metric(caller, protocolVersion=2, serviceId=[first])) == {first}


@pytest.mark.parametrize(
    ("start", "end", "calls"),
    [
        ("2030-01-15 07:00:59", "2030-01-15 07:01:00", 1),
        ("2030-01-15 07:01:00", "2030-01-15 07:59:59", 0),
        ("2030-01-15 06:00:00", "2030-01-15 07:00:00", 0),
        ("2030-01-15 06:00:00", "2030-01-15 07:00:59", 1),
        ("2030-01-14T23:00:30Z", "2030-01-14T23:59:00Z", 1),
        ("2030-01-15T00:00:59+01:00", "2030-01-15T00:01:00+01:00", 1),
    ],
)
def test_the_times_of_a_metric_are_minutes(either: ServiceHarness, start: str, end: str, calls: int) -> None:
    caller = either.customer()
    service = called(caller)
    body = {"serviceId": service, "appId": APP, "succeeded": 1, "time": "2030-01-15 07:30:00"}
    caller.do(SERVICE, "CountServiceCalls", body)
    assert metric(caller, startTime=start, endTime=end) == ({service: [APP]} if calls else {})


def test_a_period_has_a_minute_at_least(either: ServiceHarness) -> None:
    body = {"startTime": "2030-01-15 07:00:59", "endTime": "2030-01-15 06:59:59"}
    assert either.customer().field_refused(SERVICE, "DescribeServiceMetric", body) == "endTime"


# --- CreateService ---------------------------------------------------------------------------------------


def test_the_list_says_how_many_replicas_run_whatever_stands_beside_it(either: ServiceHarness) -> None:
    caller = either.customer()
    unit = caller.buy(count=2)
    body = deployed((unit, 2), replicasCount=1, replicaComputeUnitCount=1)
    service = caller.do(SERVICE, "CreateService", body)["serviceId"]
    assert caller.service(service)["resourceConfig"]["replicasCount"] == 2
    assert caller.unit(unit)["usedComputeUnits"] == 2


def test_a_refusal_names_the_field_that_was_sent(either: ServiceHarness) -> None:
    caller, other = either.customer(), either.customer()
    body = {**new_service(type="GPU-9-1", replicasCount=1), "billing": billing_of()}
    assert caller.field_refused(SERVICE, "CreateService", body) == "resourceConfig.type"
    service, unit = caller.create_service("GPU-9-1"), caller.buy()
    replicas = {"serviceId": service, "replicasCount": 1, "billing": billing_of()}
    assert caller.field_refused(RESOURCES, "PurchaseComputeUnit", replicas) == "serviceId"

    def named(action: str, body: dict[str, Any]) -> str:
        message = str(caller.ask(SERVICE, action, body).body["message"])
        return message[message.index(" param[") :]

    place = " param[deploymentConfig.deploymentComputeUnitList[{}].{}]"
    assert named("CreateService", deployed((other.buy(), 1))) == place.format(0, "instanceId")
    assert named("CreateService", deployed((unit, 1), ("unit-00000000", 1))) == place.format(1, "instanceId")
    assert named("CreateService", deployed((unit, 2))) == place.format(0, "deploymentReplicasCount")
    scaled = {"serviceId": caller.create_service(), "instanceId": unit}
    assert named("ScaleService", {**scaled, "deployedReplicasCount": 9}) == " param[deployedReplicasCount]"
    assert named("ScaleService", {**scaled, "deploymentReplicasCount": 9}) == " param[deploymentReplicasCount]"

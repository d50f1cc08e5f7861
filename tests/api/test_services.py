"""Services: created in three ways, placed on instances, taken off and on, deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.scene import RESOURCES, SERVICE, UNITS, Caller, ServiceHarness, billing_of, new_service


def deployed(*places: tuple[str, int], **config: Any) -> Any:
    """Return the body that creates a service on instances."""
    listed = [{"instanceId": unit, "deploymentReplicasCount": replicas} for unit, replicas in places]
    body = new_service()
    del body["resourceConfig"]
    return {**body, "deploymentConfig": {"deploymentComputeUnitList": listed, **config}}


def scale(caller: Caller, service: str, unit: str, replicas: int) -> None:
    """Set the number of replicas of a service on an instance."""
    body = {"serviceId": service, "instanceId": unit, "deploymentReplicasCount": replicas}
    assert caller.do(SERVICE, "ScaleService", body) is True


def instances(caller: Caller, service: str) -> dict[str, int]:
    """Return the instances of a service, with its replicas there."""
    found = caller.do(RESOURCES, "DescribeComputeUnits", {"serviceId": service})["instances"]
    return {one["instanceId"]: one["replicasCount"] for one in found}


def services(caller: Caller) -> list[Any]:
    """List the services."""
    return list(caller.do(SERVICE, "DescribeServices")["serviceList"])


# --- creating --------------------------------------------------------------------------------------------


def test_a_service_without_units_is_new(either: ServiceHarness) -> None:
    caller = either.customer()
    body = {**new_service(type="GPU-1-2", region="bj", qps=2.5), "description": "into French"}
    created = caller.do(SERVICE, "CreateService", {**body, "serviceType": "completions", "protocolVersion": 2})
    assert set(created) == {"serviceId"}
    shown = caller.service(created["serviceId"])
    assert {name: shown[name] for name in ("runStatus", "chargeStatus", "chargeType", "serviceType")} == {
        "runStatus": "New",
        "chargeStatus": "NotOpen",
        "chargeType": "ComputingUnit",
        "serviceType": "completions",
    }
    assert (shown["protocolVersion"], shown["description"], shown["endpoint"]) == (2, "into French", "translator")
    assert shown["resourceConfig"] == {"type": "GPU-1-2", "replicasCount": 0, "region": "bj", "qps": 2.5}
    assert "payType" not in shown
    assert caller.balance() == "1000.00"


@pytest.mark.parametrize(
    "empty", [{}, {"deploymentConfig": {}}, {"deploymentConfig": {"deploymentComputeUnitList": []}}]
)
@pytest.mark.parametrize("months", [None, 2])
def test_a_service_that_buys_its_units_runs_on_them(either: ServiceHarness, empty: Any, months: int | None) -> None:
    caller = either.customer()
    body = {**new_service(type="GPU-1-2", replicasCount=2), "billing": billing_of(months=months), **empty}
    created = caller.do(SERVICE, "CreateService", body)
    shown = caller.service(created["serviceId"])
    assert (shown["runStatus"], shown["chargeStatus"]) == ("Serving", "Opened")
    assert shown["payType"] == ("Postpay" if months is None else "Prepay")
    unit = caller.unit(created["instanceId"])
    assert (unit["totalComputeUnits"], unit["usedComputeUnits"]) == (4, 4)
    assert instances(caller, created["serviceId"]) == {created["instanceId"]: 2}
    assert caller.balance() == ("1000.00" if months is None else "200.00")
    assert len(created["orderId"]) == 32


def test_a_service_is_deployed_on_instances_that_there_are(either: ServiceHarness) -> None:
    caller = either.customer()
    first, second = caller.buy(count=5), caller.buy(count=3, months=1)
    created = caller.do(
        SERVICE, "CreateService", deployed((first, 2), (second, 1), replicaComputeUnitCount=2, replicasCount=3, qps=1.5)
    )
    assert set(created) == {"serviceId"}
    service = caller.service(created["serviceId"])
    assert service["resourceConfig"] == {"type": "GPU-1-2", "replicasCount": 3, "qps": 1.5}
    assert (service["runStatus"], service["payType"]) == ("Serving", "Prepay,Postpay")
    assert instances(caller, created["serviceId"]) == {first: 2, second: 1}
    assert (caller.unit(first)["usedComputeUnits"], caller.unit(second)["usedComputeUnits"]) == (4, 2)


def test_a_service_that_cannot_be_deployed_is_not_created(either: ServiceHarness) -> None:
    either.sell("bj", "cpu")
    caller = either.customer()
    gpu, cpu = caller.buy(count=2), caller.buy(type="cpu")
    gone = caller.buy()
    caller.release(gone)
    listed = "deploymentConfig.deploymentComputeUnitList"
    for body, code, field in (
        (deployed((gpu, 1), (gpu, 1)), "InappropriateJSON", listed),
        (deployed((gpu, 0)), "InappropriateJSON", f"{listed}[0].deploymentReplicasCount"),
        (deployed((gpu, 1), (cpu, 1)), "OperationNotSupported", f"{listed}[1].instanceId"),
        (deployed((gpu, 2), replicaComputeUnitCount=2), "InvalidState", f"{listed}[0].deploymentReplicasCount"),
        (deployed((gpu, 3)), "InvalidState", f"{listed}[0].deploymentReplicasCount"),
        (deployed((gpu, 1), (gone, 1)), "InvalidState", f"{listed}[1].instanceId"),
        (deployed(("unit-nowhere0", 1)), "InstanceNotFound", f"{listed}[0].instanceId"),
        (deployed(), "InappropriateJSON", "resourceConfig"),
        ({**new_service(), "billing": billing_of()}, "InappropriateJSON", "resourceConfig.replicasCount"),
        (new_service(type="gpu"), "InappropriateJSON", "resourceConfig.type"),
    ):
        answer = caller.ask(SERVICE, "CreateService", body)
        assert (answer.code, answer.body["message"].endswith(f"param[{field}]")) == (code, True), answer.body
    tokens = {**new_service(replicasCount=1), "billing": {**billing_of(), "chargeType": "Tokens"}}
    assert caller.refused(SERVICE, "CreateService", tokens) == "OperationNotSupported"
    too_many = {**new_service(replicasCount=9), "billing": billing_of()}
    assert caller.refused(SERVICE, "CreateService", too_many) == "InsufficientStock"
    assert services(caller) == []
    assert (caller.unit(gpu)["usedComputeUnits"], caller.free()) == (0, 8)


# --- scaling ---------------------------------------------------------------------------------------------


def test_services_share_an_instance_and_each_is_listed_with_what_it_uses(either: ServiceHarness) -> None:
    caller = either.customer()
    unit = caller.buy(count=7)
    single, double = caller.create_service("GPU-1-1"), caller.create_service("GPU-1-2")
    scale(caller, single, unit, 3)
    scale(caller, double, unit, 2)
    assert caller.unit(unit)["usedComputeUnits"] == 7
    assert caller.usage(unit) == [
        {"serviceId": single, "serviceName": "translator", "replicasCount": 3, "usedComputeUnits": 3},
        {"serviceId": double, "serviceName": "translator", "replicasCount": 2, "usedComputeUnits": 4},
    ]
    scale(caller, single, unit, 1)
    assert caller.unit(unit)["usedComputeUnits"] == 5
    assert instances(caller, single) == {unit: 1}
    assert instances(caller, double) == {unit: 2}


def test_more_than_what_is_left_is_refused_and_nothing_moves(either: ServiceHarness) -> None:
    caller = either.customer()
    unit = caller.buy(count=5)
    single, double = caller.create_service("GPU-1-1"), caller.create_service("GPU-1-2")
    scale(caller, single, unit, 2)
    for service, replicas, most in ((single, 6, 5), (double, 2, 1)):
        body = {"serviceId": service, "instanceId": unit, "deploymentReplicasCount": replicas}
        answer = caller.ask(SERVICE, "ScaleService", body)
        assert (answer.status, answer.code) == (409, "InvalidState")
        assert answer.body["message"].endswith("param[deploymentReplicasCount]")
        assert caller.unit(unit)["usedComputeUnits"] == 2
        scale(caller, service, unit, most)
        scale(caller, service, unit, 2 if service == single else 0)


def test_none_takes_a_service_off_the_instance(either: ServiceHarness) -> None:
    caller = either.customer()
    service = caller.create_service()
    bought, other = caller.buy_replicas(service, 2), caller.buy(months=1)
    scale(caller, service, other, 1)
    assert (caller.service(service)["resourceConfig"]["replicasCount"], caller.service(service)["payType"]) == (
        3,
        "Prepay,Postpay",
    )
    scale(caller, service, bought, 0)
    assert caller.usage(bought) == []
    assert (caller.service(service)["resourceConfig"]["replicasCount"], caller.service(service)["payType"]) == (
        1,
        "Prepay",
    )
    scale(caller, service, other, 0)
    scale(caller, service, other, 0)
    shown = caller.service(service)
    assert (shown["runStatus"], shown["chargeStatus"]) == ("New", "NotOpen")
    # An instance bought for the service is listed with it as long as it lives.
    assert instances(caller, service) == {bought: 0}
    assert caller.unit(bought)["status"] == "Running"


def test_the_number_is_taken_under_both_names_that_the_documents_have(either: ServiceHarness) -> None:
    caller = either.customer()
    named = {"serviceId": caller.create_service(), "instanceId": caller.buy(count=9)}
    for more, replicas in (
        ({"deploymentReplicasCount": 4}, 4),
        ({"deployedReplicasCount": 5}, 5),
        ({"deploymentReplicasCount": 6, "deployedReplicasCount": 7}, 6),
        ({"deploymentReplicasCount": 0, "deployedReplicasCount": 7}, 0),
    ):
        assert caller.do(SERVICE, "ScaleService", {**named, **more}) is True
        assert caller.service(named["serviceId"])["resourceConfig"]["replicasCount"] == replicas
    assert caller.field_refused(SERVICE, "ScaleService", named) == "deploymentReplicasCount"
    body = {**named, "deploymentReplicasCount": -1}
    assert caller.field_refused(SERVICE, "ScaleService", body) == "deploymentReplicasCount"


def test_replicas_run_only_on_units_of_their_class_that_are_up(either: ServiceHarness) -> None:
    either.sell("bj", "cpu")
    caller = either.customer()
    service = caller.create_service()
    cpu, gone, stops = caller.buy(type="cpu"), caller.buy(), caller.buy(count=2, months=1)
    scale(caller, service, stops, 1)
    caller.release(gone)
    either.advance("2030-02-15 08:00:00")
    for unit, replicas, code in (
        (cpu, 1, "OperationNotSupported"),
        (gone, 1, "InvalidState"),
        (gone, 0, "InvalidState"),
        (stops, 2, "InvalidState"),
        ("unit-nowhere0", 1, "InstanceNotFound"),
    ):
        body = {"serviceId": service, "instanceId": unit, "deploymentReplicasCount": replicas}
        assert caller.refused(SERVICE, "ScaleService", body) == code
    scale(caller, service, stops, 0)  # a stopped instance can be taken off
    assert caller.service(service)["runStatus"] == "New"


def test_a_released_instance_takes_its_replicas_with_it(either: ServiceHarness) -> None:
    caller = either.customer()
    service, other = caller.create_service(), caller.create_service()
    unit, stays = caller.buy_replicas(service, 3), caller.buy()
    caller.do(UNITS, "ResizeComputeUnit", {"instanceId": unit, "count": 4})
    scale(caller, other, unit, 1)
    scale(caller, service, stays, 1)
    caller.release(unit)
    assert instances(caller, service) == {stays: 1}
    assert instances(caller, other) == {}
    assert caller.usage(unit) == []
    assert (caller.service(service)["runStatus"], caller.service(other)["runStatus"]) == ("Serving", "New")


# --- changing, taking off and on, deleting ---------------------------------------------------------------


def test_another_version_of_a_model_is_what_the_service_runs(either: ServiceHarness) -> None:
    caller = either.customer()
    service = caller.create_service()
    body = {"serviceId": service, "modelSetId": "am-gh0azfeb9adu", "modelId": "amv-g73j3faikzpz"}
    assert caller.do(SERVICE, "ModifyService", body) is True
    shown = caller.service(service)
    assert (shown["modelSetId"], shown["baseModel"]) == ("am-gh0azfeb9adu", "am-gh0azfeb9adu")
    assert (shown["modelId"], shown["modelVersionId"]) == ("amv-g73j3faikzpz", "amv-g73j3faikzpz")
    assert shown["updateStatus"] == "None"
    for missing in ("serviceId", "modelSetId", "modelId"):
        some = {name: value for name, value in body.items() if name != missing}
        assert caller.field_refused(SERVICE, "ModifyService", some) == missing


def test_a_service_that_is_off_keeps_its_instances_and_they_are_charged(either: ServiceHarness) -> None:
    caller = either.customer()
    service = caller.create_service()
    unit = caller.buy_replicas(service, 2)
    caller.buy_replicas(service, 1, months=1)
    answer = caller.do(SERVICE, "DeactivateService", {"serviceId": service})
    assert answer["operation"] is True
    assert "1 postpaid instance" in answer["message"]
    assert caller.service(service)["runStatus"] == "Stopped"
    assert (caller.unit(unit)["status"], caller.unit(unit)["usedComputeUnits"]) == ("Running", 2)
    again = caller.do(SERVICE, "DeactivateService", {"serviceId": service})
    assert again["operation"] is True
    assert again["message"].startswith("The service was off already.")
    either.advance("2030-01-15 09:00:00")
    assert caller.balance() == "840.00"
    assert caller.do(SERVICE, "ActivateService", {"serviceId": service})["message"] == "The service is on."
    assert caller.service(service)["runStatus"] == "Serving"
    assert caller.do(SERVICE, "ActivateService", {"serviceId": service})["message"] == "The service was on already."


def test_a_service_that_is_off_and_idle_says_nothing_of_instances(either: ServiceHarness) -> None:
    caller = either.customer()
    service = caller.create_service()
    assert caller.do(SERVICE, "DeactivateService", {"serviceId": service})["message"] == "The service is off."
    assert caller.service(service)["runStatus"] == "Stopped"


def test_a_service_is_deleted_once_it_has_no_replicas_left(either: ServiceHarness) -> None:
    caller = either.customer()
    service, other = caller.create_service(), caller.create_service()
    unit, bought = caller.buy(), caller.buy_replicas(service, 1)
    scale(caller, service, unit, 1)
    named = {"serviceId": service}
    answer = caller.ask(SERVICE, "DeleteService", named)
    assert (answer.code, "2 instances" in answer.body["message"]) == ("InvalidState", True)
    scale(caller, service, unit, 0)
    assert caller.refused(SERVICE, "DeleteService", named) == "InvalidState"
    caller.release(bought)
    assert caller.do(SERVICE, "DeleteService", named) is True
    assert [one["serviceId"] for one in services(caller)] == [other]
    purchase = {**named, "billing": billing_of(), "replicasCount": 1}
    for path, action, body in (
        (SERVICE, "DescribeService", named),
        (SERVICE, "DeleteService", named),
        (SERVICE, "ActivateService", named),
        (SERVICE, "DeactivateService", named),
        (SERVICE, "ModifyService", {**named, "modelSetId": "am-1", "modelId": "amv-1"}),
        (SERVICE, "ScaleService", {**named, "instanceId": unit, "deploymentReplicasCount": 1}),
        (SERVICE, "CountServiceCalls", {**named, "appId": "app-1"}),
        (RESOURCES, "PurchaseComputeUnit", purchase),
        (RESOURCES, "DescribeComputeUnits", named),
    ):
        assert caller.refused(path, action, body) == "ServiceNotFound"
    assert caller.unit(unit)["status"] == "Running"

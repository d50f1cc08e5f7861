"""Every action of the table answers as documented: the very keys, with values of the very types."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from leasehold.wire.actions import TABLE
from tests.api.scene import (
    ACCOUNT,
    CATALOG,
    CHARGE,
    CLOCK,
    IAM,
    RESOURCES,
    SERVICE,
    UNITS,
    Caller,
    Scene,
    a_scene,
    billing_of,
    new_service,
)
from tests.harness import Answer

Key = tuple[str, str]


class Maybe(NamedTuple):
    """A key that is there in some answers only."""

    shape: Any


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00")
AMOUNT = re.compile(r"-?\d+\.\d{2,6}")
HEX_ID = re.compile(r"[0-9a-f]{32}")
UNIT_ID = re.compile(r"unit-[0-9A-Za-z]{8}")
SERVICE_ID = re.compile(r"svco-[0-9a-z]{12}")
KEY_ID = re.compile(r"AK[0-9A-Za-z]+")
TIMING = re.compile("Prepaid|Postpaid")

PURCHASED = {"instanceId": UNIT_ID, "orderId": HEX_ID}
UNIT = {
    "instanceId": UNIT_ID,
    "region": str,
    "status": re.compile("Running|Released|Stopped"),
    "type": str,
    "totalComputeUnits": int,
    "usedComputeUnits": int,
    "paymentTiming": TIMING,
    "startTime": TIME,
    "expiredTime": Maybe(TIME),
    "releaseTime": Maybe(TIME),
    "duration": Maybe(int),
    "durationUnit": Maybe(re.compile("Month")),
}
USAGE = {"serviceId": SERVICE_ID, "serviceName": str, "replicasCount": int, "usedComputeUnits": int}
INSTANCE = {
    "instanceId": UNIT_ID,
    "paymentTiming": TIMING,
    "replicasCount": int,
    "status": re.compile("Running|Released|Stopped"),
    "startTime": TIME,
    "expiredTime": Maybe(TIME),
    "releaseTime": Maybe(TIME),
}
SERVICE_DETAIL = {
    "serviceId": SERVICE_ID,
    "name": str,
    "description": str,
    "modelSetId": str,
    "modelId": str,
    "modelVersionId": str,
    "urlSuffix": str,
    "runStatus": re.compile("New|Serving"),
    "chargeType": re.compile("ComputingUnit"),
    "chargeStatus": re.compile("NotOpen|Opened"),
    "resourceConfig": {"type": str, "replicasCount": int, "region": Maybe(str), "qps": Maybe(float)},
    "creator": HEX_ID,
    "createTime": TIME,
}
ACCOUNT_DETAIL = {"accountId": HEX_ID, "balance": AMOUNT, "currency": str, "name": str, "timeZone": str}
ORDER = {
    "orderId": HEX_ID,
    "instanceId": UNIT_ID,
    "kind": re.compile("Purchase"),
    "paymentTiming": TIMING,
    "region": str,
    "type": str,
    "count": int,
    "months": Maybe(int),
    "amount": AMOUNT,
    "createTime": TIME,
}
POSTING = {
    "postingId": re.compile(r"\d+"),
    "time": TIME,
    "kind": re.compile("TopUp|Purchase|Usage"),
    "debit": str,
    "credit": str,
    "amount": AMOUNT,
    "orderId": Maybe(HEX_ID),
    "instanceId": Maybe(UNIT_ID),
    "minutes": Maybe(int),
}
OFFERING = {
    "region": str,
    "type": str,
    "pricePerMinute": (AMOUNT, None),
    "pricePerMonth": (AMOUNT, None),
    "stockTotal": int,
    "stockFree": int,
}
CLOCK_DETAIL = {"now": TIME, "mode": re.compile("virtual")}
USER = {
    "userId": HEX_ID,
    "name": str,
    "isRoot": bool,
    "policies": [str],
    "accessKeys": [{"accessKeyId": KEY_ID, "status": re.compile("Active|Disabled"), "createTime": TIME}],
    "createTime": TIME,
}
LIST = {"computeUnitInstanceList": [UNIT], "isTruncated": Maybe(bool), "maxKeys": Maybe(int), "nextMarker": Maybe(str)}
ENDS_A_PAGE = {"isTruncated": bool, "maxKeys": int, "nextMarker": Maybe(str)}

REPLICAS = {
    "PurchaseComputeUnit": PURCHASED,
    "DescribeComputeUnits": {"instances": [INSTANCE]},
    "DescribeComputeUnit": {"instance": INSTANCE},
    "ReleaseComputeUnit": True,
    "AutoReleaseComputeUnit": True,
}
SHAPES: dict[Key, Any] = {
    **{(RESOURCES, name): shape for name, shape in REPLICAS.items()},
    **{(CHARGE, name): shape for name, shape in REPLICAS.items()},
    (CHARGE, "PurchaseServiceResource"): PURCHASED,
    (CHARGE, "DescribeServiceResources"): {"instances": [INSTANCE]},
    (CHARGE, "DescribeServiceResourceList"): {"instances": [INSTANCE]},
    (CHARGE, "DescribeServiceResource"): {"instance": INSTANCE},
    (CHARGE, "ReleaseServiceResource"): True,
    (CHARGE, "CreateAutoRenewRules"): True,
    (UNITS, "PurchaseComputeUnit"): PURCHASED,
    (UNITS, "DescribeComputeUnits"): LIST,
    (UNITS, "DescribeComputeUnit"): {"computeUnitInstance": UNIT, "serviceUsageList": [USAGE]},
    (UNITS, "ReleaseComputeUnit"): True,
    (UNITS, "AutoReleaseComputeUnit"): True,
    (SERVICE, "CreateService"): {"serviceId": SERVICE_ID, "instanceId": Maybe(UNIT_ID), "orderId": Maybe(HEX_ID)},
    (SERVICE, "DescribeService"): SERVICE_DETAIL,
    (SERVICE, "DescribeServices"): {"serviceList": [SERVICE_DETAIL], "marker": Maybe(str), **ENDS_A_PAGE},
    (ACCOUNT, "DescribeAccount"): ACCOUNT_DETAIL,
    (ACCOUNT, "TopUpAccount"): ACCOUNT_DETAIL,
    (ACCOUNT, "DescribeOrders"): {"orders": [ORDER], **ENDS_A_PAGE},
    (ACCOUNT, "DescribePostings"): {"postings": [POSTING], **ENDS_A_PAGE},
    (CATALOG, "DescribeOfferings"): {"offerings": [OFFERING]},
    (CATALOG, "SetOffering"): OFFERING,
    (CLOCK, "DescribeClock"): CLOCK_DETAIL,
    (CLOCK, "AdvanceClock"): CLOCK_DETAIL,
    (CLOCK, "ConfirmClock"): CLOCK_DETAIL,
    (IAM, "CreateAccount"): {
        "accountId": HEX_ID,
        "userId": HEX_ID,
        "accessKeyId": KEY_ID,
        "secretAccessKey": str,
    },
    (IAM, "CreateUser"): {"userId": HEX_ID, "accountId": HEX_ID},
    (IAM, "CreateAccessKey"): {"userId": HEX_ID, "accessKeyId": KEY_ID, "secretAccessKey": str},
    (IAM, "DisableAccessKey"): True,
    (IAM, "AttachPolicy"): True,
    (IAM, "DetachPolicy"): True,
    (IAM, "DescribeUsers"): {"users": [USER]},
}


def misfit(value: Any, shape: Any, where: str = "result") -> str | None:
    """Return the first place where a value is not of a shape; None where there is none."""
    match shape:
        case dict():
            required = {name for name, inner in shape.items() if not isinstance(inner, Maybe)}
            if type(value) is not dict or not required <= set(value) <= set(shape):
                return f"{where}: {value}"
            inner = {name: shape[name].shape if isinstance(shape[name], Maybe) else shape[name] for name in value}
            found = (misfit(value[name], inner[name], f"{where}.{name}") for name in value)
        case list():
            if type(value) is not list:
                return f"{where}: {value}"
            found = (misfit(item, shape[0], f"{where}[{index}]") for index, item in enumerate(value))
        case tuple():
            return None if any(misfit(value, one) is None for one in shape) else f"{where}: {value}"
        case re.Pattern():
            return None if type(value) is str and shape.fullmatch(value) else f"{where}: {value!r}"
        case type():
            return None if type(value) is shape else f"{where}: {value!r}"
        case _:
            return None if value is shape else f"{where}: {value!r}"
    return next((finding for finding in found if finding is not None), None)


class Recorder(Caller):
    """Keeps what came back, by action."""

    kept: dict[Key, list[Any]]

    def ask(self, path: str, action: str, body: Any = None, *, query: str = "") -> Answer:
        answer = super().ask(path, action, body, query=query)
        if answer.status == 200:
            self.kept.setdefault((path, action), []).append(answer.body["result"])
        return answer


def run_the_service(operator: Caller) -> None:
    """Call what an operator calls."""
    assert operator.do(CATALOG, "SetOffering", {"region": "sz", "type": "tpu", "stockTotal": 1})["stockFree"] == 1
    operator.do(CATALOG, "DescribeOfferings")
    account = operator.do(IAM, "CreateAccount", {"name": "research", "timeZone": "Europe/Berlin"})
    operator.do(ACCOUNT, "TopUpAccount", {"amount": "0.5", "accountId": account["accountId"]})
    user = {"userId": operator.do(IAM, "CreateUser", {"name": "build-server"})["userId"]}
    key = operator.do(IAM, "CreateAccessKey", user)["accessKeyId"]
    policy = {**user, "policyName": "QianfanReadAccessPolicy"}
    operator.do(IAM, "AttachPolicy", policy)
    operator.do(IAM, "DescribeUsers")
    operator.do(IAM, "DetachPolicy", policy)
    operator.do(IAM, "DisableAccessKey", {"accessKeyId": key})
    operator.do(IAM, "DescribeUsers", {"accountId": account["accountId"]})
    operator.do(CLOCK, "ConfirmClock")
    operator.do(CLOCK, "DescribeClock")


def use_units(caller: Caller) -> None:
    """Call what is called for units that stand alone."""
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
    """Call what is called for the units of a service, by one path's names."""
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


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Key, list[Any]]]:
    """Everything that the actions answered in the course of one small history."""
    with a_scene(tmp_path_factory.mktemp("data")) as scene:
        caller = Recorder(scene.runner, scene.desk)
        caller.kept = {}
        caller.do(CLOCK, "AdvanceClock", {"to": "2030-01-15 08:00:00"})
        caller.do(ACCOUNT, "TopUpAccount", {"amount": "1000"})
        caller.do(ACCOUNT, "DescribeAccount")
        scene.sell()
        run_the_service(caller)
        use_units(caller)
        names = ("PurchaseComputeUnit", ("DescribeComputeUnits",), "DescribeComputeUnit", "ReleaseComputeUnit")
        use_replicas(caller, RESOURCES, *names)
        use_replicas(caller, CHARGE, *names)
        older = ("DescribeServiceResources", "DescribeServiceResourceList")
        use_replicas(
            caller, CHARGE, "PurchaseServiceResource", older, "DescribeServiceResource", "ReleaseServiceResource"
        )
        bought = caller.do(SERVICE, "CreateService", {**new_service(replicasCount=1, qps=2.5), "billing": billing_of()})
        caller.do(SERVICE, "DescribeService", {"serviceId": bought["serviceId"]})
        caller.do(SERVICE, "DescribeServices", {"maxKeys": 2})
        caller.schedule(bought["instanceId"], "2030-01-15 10:30:00")
        scene.advance("2030-03-20 08:00:00")
        caller.do(UNITS, "DescribeComputeUnits")
        for name in ("DescribeOrders", "DescribePostings"):
            caller.do(ACCOUNT, name, {"maxKeys": 3})
            caller.do(ACCOUNT, name, {"maxKeys": 100})
        yield caller.kept


@pytest.mark.parametrize(("path", "action"), SHAPES)
def test_a_success_has_the_documented_keys_and_types(kept: dict[Key, list[Any]], path: str, action: str) -> None:
    assert kept[path, action]
    for result in kept[path, action]:
        assert misfit(result, SHAPES[path, action]) is None


def test_no_action_of_the_table_is_left_out() -> None:
    assert set(SHAPES) == set(TABLE)


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
    ],
)
def test_a_value_of_another_shape_is_found(value: Any, shape: Any) -> None:
    assert misfit(value, shape) is not None


def test_a_postpaid_instance_has_a_release_time_only_with_a_schedule_and_no_duration(fresh: Scene) -> None:
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


def test_a_prepaid_instance_has_a_term_and_no_release_time(fresh: Scene) -> None:
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


def test_an_instance_of_a_service_tells_what_the_service_uses_of_it(fresh: Scene) -> None:
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

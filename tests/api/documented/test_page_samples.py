"""Pages in the documented form: ``pageInfo``, and markers that are ids."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.scene import CHARGE, MODEL, RESOURCES, SERVICE, UNITS, Caller, ServiceHarness


def three(caller: Caller) -> tuple[list[str], list[str]]:
    """Create three services with an instance each; returns the ids of both."""
    services = [caller.create_service() for _ in range(3)]
    return services, [caller.buy_replicas(service, 1) for service in services]


def walk(caller: Caller, path: str, action: str, body: dict[str, Any], names: tuple[str, str]) -> list[str]:
    """Read a list as a script does that knows the documents only: two rows a page, by the last id that it saw."""
    found: list[str] = []
    listed, row_id = names
    info: dict[str, Any] = {"isTruncated": True}
    while info["isTruncated"]:
        marker = {"marker": found[-1]} if found else {}
        page = caller.do(path, action, {**body, "maxKeys": 2, **marker})
        info = page["pageInfo"]
        assert info == {
            "marker": marker.get("marker", ""),
            **{name: page[name] for name in ("maxKeys", "isTruncated", "nextMarker") if name in page},
        }
        assert info["isTruncated"] is ("nextMarker" in info)
        found += [row[row_id] for row in page[listed]]
        assert len(found) < 10
    return found


@pytest.mark.parametrize("reverse", [False, True])
def test_services_are_paged_by_the_last_id_that_was_seen(either: ServiceHarness, reverse: Any) -> None:
    caller = either.customer()
    services, units = three(caller)
    body = {"pageReverse": reverse}
    expected = services[::-1] if reverse else services
    assert walk(caller, SERVICE, "DescribeServices", body, ("serviceList", "serviceId")) == expected
    none = caller.do(SERVICE, "DescribeServices", {"chargeType": "Tokens"})
    assert none["pageInfo"] == {"marker": "", "maxKeys": 10, "isTruncated": False}
    caller.do(SERVICE, "ScaleService", {"serviceId": services[1], "instanceId": units[1], "deploymentReplicasCount": 0})
    caller.do(SERVICE, "DeleteService", {"serviceId": services[1]})
    after = caller.do(SERVICE, "DescribeServices", {"marker": services[1]})["serviceList"]
    assert [row["serviceId"] for row in after] == services[2:]


def test_instances_are_paged_by_the_last_id_that_was_seen(either: ServiceHarness) -> None:
    caller = either.customer()
    services, units = three(caller)
    for path, body in ((UNITS, {}), (RESOURCES, {"serviceId": services[0]})):
        name = "computeUnitInstanceList" if path == UNITS else "instances"
        found = walk(caller, path, "DescribeComputeUnits", body, (name, "instanceId"))
        assert found == (units if path == UNITS else units[:1])
    caller.release(units[1])
    page = caller.do(UNITS, "DescribeComputeUnits", {"marker": units[1]})
    assert [row["instanceId"] for row in page["computeUnitInstanceList"]] == units[2:]


def test_sums_of_calls_and_preset_services_are_paged_by_id(either: ServiceHarness) -> None:
    either.sell_quota("ernie-speed")
    either.sell_quota("ernie-lite")
    caller = either.customer()
    services = sorted(three(caller)[0])
    day = {"startTime": "2030-01-15 00:00:00", "endTime": "2030-01-16 00:00:00", "serviceId": services}
    assert walk(caller, SERVICE, "DescribeServiceMetric", day, ("serviceList", "serviceId")) == services
    whole = [row["serviceId"] for row in caller.do(SERVICE, "DescribePresetServices")["serviceList"]]
    assert len(whole) >= 2
    assert walk(caller, SERVICE, "DescribePresetServices", {}, ("serviceList", "serviceId")) == whole


def test_quota_packages_and_versions_are_paged_by_id(either: ServiceHarness) -> None:
    either.sell_quota(stock=9)
    caller = either.customer()
    quota = [caller.buy_quota() for _ in range(3)]
    model = {"model": "ernie-4.0-8k"}
    assert walk(caller, CHARGE, "DescribeTPMResource", model, ("instances", "instanceId")) == quota
    packages = [either.grant(caller) for _ in range(3)]
    assert walk(caller, CHARGE, "DescribePackageResources", {}, ("instances", "packageId")) == packages
    named = {"modelSetName": "translator"}
    model_set = {"modelSetId": caller.do(MODEL, "CreateCustomModelSet", named)["modelSetId"]}
    run = {"run": {"command": ["run"]}}
    versions = [caller.do(MODEL, "CreateCustomModel", {**model_set, **run})["modelId"] for _ in range(3)]
    found = walk(caller, MODEL, "DescribeModelSet", model_set, ("modelList", "modelId"))
    assert sorted(found) == sorted(versions)


def test_pages_go_on_after_a_package_that_was_used_up_meanwhile(either: ServiceHarness) -> None:
    caller = either.customer()
    first, second, third = (either.grant(caller, 100) for _ in range(3))
    active = {"status": "Active", "maxKeys": 2}
    page = caller.do(CHARGE, "DescribePackageResources", active)
    assert [row["packageId"] for row in page["instances"]] == [first, second]
    used = {"serviceId": caller.create_service(), "appId": "app-1", "succeeded": 1}
    caller.do(SERVICE, "CountServiceCalls", {**used, "inputTokens": 100, "packageId": second})
    after = caller.do(CHARGE, "DescribePackageResources", {**active, "marker": second})
    assert [row["packageId"] for row in after["instances"]] == [third]
    theirs = either.grant(either.customer())
    for marker in (theirs, "pkg-unknown"):
        assert caller.refused(CHARGE, "DescribePackageResources", {**active, "marker": marker}) == "InvalidMarker"


def test_pages_go_on_after_a_version_that_was_deleted_meanwhile(either: ServiceHarness) -> None:
    caller = either.customer()
    model_set, other = (
        {"modelSetId": caller.do(MODEL, "CreateCustomModelSet", {"modelSetName": name})["modelSetId"]}
        for name in ("translator", "another")
    )
    run = {"run": {"command": ["run"]}}
    first, second, third = (caller.do(MODEL, "CreateCustomModel", {**model_set, **run})["modelId"] for _ in range(3))
    elsewhere = caller.do(MODEL, "CreateCustomModel", {**other, **run})["modelId"]
    page = caller.do(MODEL, "DescribeModelSet", {**model_set, "maxKeys": 2})
    assert [row["modelId"] for row in page["modelList"]] == [first, second]
    caller.do(MODEL, "DeleteModel", {"modelId": second})
    after = caller.do(MODEL, "DescribeModelSet", {**model_set, "marker": second})
    assert [row["modelId"] for row in after["modelList"]] == [third]
    assert caller.refused(MODEL, "DescribeModelSet", {**model_set, "marker": elsewhere}) == "InvalidMarker"


def test_an_id_that_is_not_in_the_list_is_no_marker(either: ServiceHarness) -> None:
    caller, other = either.customer(), either.customer()
    services, units = three(other)
    caller.create_service()
    caller.buy()
    for path, action, ids in (
        (SERVICE, "DescribeServices", services),
        (UNITS, "DescribeComputeUnits", units),
        (SERVICE, "DescribePresetServices", services),
    ):
        for marker in (ids[0], "am-n50xxx", "x", "AAAA"):
            assert caller.refused(path, action, {"marker": marker}) == "InvalidMarker"

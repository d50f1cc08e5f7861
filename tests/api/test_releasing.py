"""Releasing units: on schedule, by hand, and what cannot be released."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.scene import ACCOUNT, CHARGE, RESOURCES, UNITS, ServiceHarness, a_scene, billing_of, order

BOTH_PATHS = [UNITS, RESOURCES]

# --- the schedule ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", BOTH_PATHS)
@pytest.mark.parametrize("time", ["2030-01-15 09:30:00", "2030-01-15T09:30:00+08:00", "2030-01-15T01:30:00Z"])
def test_at_its_release_time_and_not_before_an_instance_is_released(
    fresh: ServiceHarness, path: str, time: str
) -> None:
    caller = fresh.customer()
    unit = caller.buy(count=3)
    assert caller.do(path, "AutoReleaseComputeUnit", {"instanceId": unit, "releaseTime": time}) is True
    assert caller.unit(unit)["releaseTime"] == "2030-01-15T09:30:00+08:00"
    fresh.advance("2030-01-15T09:29:59+08:00")
    assert caller.unit(unit)["status"] == "Running"
    assert fresh.operator.free() == 7
    fresh.advance("2030-01-15T09:30:00+08:00")
    shown = caller.unit(unit)
    assert (shown["status"], shown["expiredTime"]) == ("Released", "2030-01-15T09:30:00+08:00")
    assert fresh.operator.free() == 10
    # Ninety minutes of three units at 0.5.
    assert caller.balance() == "865.00"


@pytest.mark.parametrize("time", ["2030-01-15 09:30:00", "2030-01-15T09:30:00+08:00"])
def test_a_release_time_given_with_the_purchase_is_kept_too(fresh: ServiceHarness, time: str) -> None:
    caller = fresh.customer()
    unit = caller.buy(release=time)
    assert caller.unit(unit)["releaseTime"] == "2030-01-15T09:30:00+08:00"
    fresh.advance("2030-01-15T10:00:00+08:00")
    assert caller.unit(unit)["status"] == "Released"
    assert caller.balance() == "955.00"


def test_a_later_time_moves_the_schedule_and_an_earlier_one_moves_it_back(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    unit = caller.buy(release="2030-01-15 09:00:00")
    caller.schedule(unit, "2030-01-15 12:00:00")
    fresh.advance("2030-01-15T09:30:00+08:00")
    assert caller.unit(unit)["status"] == "Running"
    caller.schedule(unit, "2030-01-15 10:00:00")
    fresh.advance("2030-01-15T10:00:00+08:00")
    assert caller.unit(unit)["status"] == "Released"


@pytest.mark.parametrize("path", BOTH_PATHS)
@pytest.mark.parametrize("cleared", [{}, {"releaseTime": None}, {"releaseTime": ""}])
def test_without_a_release_time_the_schedule_is_cleared(
    fresh: ServiceHarness, path: str, cleared: dict[str, Any]
) -> None:
    caller = fresh.customer()
    unit = caller.buy(release="2030-01-15 09:30:00")
    assert caller.do(path, "AutoReleaseComputeUnit", {"instanceId": unit, **cleared}) is True
    assert "releaseTime" not in caller.unit(unit)
    fresh.advance("2030-01-16T00:00:00Z")
    assert caller.unit(unit)["status"] == "Running"


@pytest.mark.parametrize("empty", [{}, {"releaseTime": None}, {"releaseTime": ""}])
def test_a_purchase_without_a_release_time_has_no_schedule(fresh: ServiceHarness, empty: dict[str, Any]) -> None:
    caller = fresh.customer()
    body = order()
    body["billing"] |= empty
    unit = caller.do(UNITS, "PurchaseComputeUnit", body)["instanceId"]
    assert "releaseTime" not in caller.unit(unit)


PASSED = ["2030-01-15 08:00:00", "2030-01-15T00:00:00Z", "2030-01-15 07:59:59", "2020-01-25T12:30:30+08:00"]
NO_TIMES = [
    "soon",
    "2030-01-15",
    "2030-01-15T09:30:00",
    "2030-02-30 09:30:00",
    "2030-01-15 24:00:00",
    "2030-01-01T012:30:00+08:00",
    "1893460200",
    " 2030-01-15 09:30:00",
    "2030-01-15 09:30:00\n",
    "٢٠٣٠-01-15 09:30:00",
    "9999-12-31T23:59:59-23:59",
    "9999-12-31 23:59:59",
    "9000-01-01T00:00:01Z",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
]


@pytest.mark.parametrize("time", PASSED + NO_TIMES)
def test_a_time_that_has_passed_or_is_none_is_refused_and_changes_nothing(fresh: ServiceHarness, time: str) -> None:
    caller = fresh.customer()
    unit = caller.buy(release="2030-01-15 09:30:00")
    before = fresh.rows()
    body = {"instanceId": unit, "releaseTime": time}
    assert caller.field_refused(UNITS, "AutoReleaseComputeUnit", body) == "releaseTime"
    assert caller.field_refused(RESOURCES, "AutoReleaseComputeUnit", body) == "releaseTime"
    assert caller.field_refused(UNITS, "PurchaseComputeUnit", order(release=time)) == "billing.releaseTime"
    assert fresh.rows() == before


def test_a_message_about_a_passed_time_tells_what_time_it_is(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    answer = caller.ask(UNITS, "PurchaseComputeUnit", order(release="2030-01-15 07:00:00"))
    assert "2030-01-15T07:00:00+08:00 is not in the future" in answer.body["message"]
    assert "it is 2030-01-15T08:00:00+08:00 now" in answer.body["message"]


def test_the_operators_bounds_hold_for_release_times(tmp_path_factory: pytest.TempPathFactory) -> None:
    bounds = {"LEASEBOOK_RELEASE_LEAD_MIN_SECONDS": "60", "LEASEBOOK_RELEASE_HORIZON_MAX_SECONDS": "3600"}
    with a_scene(tmp_path_factory.mktemp("data"), environment=bounds) as scene:
        scene.advance("2030-01-15 08:00:00")
        scene.sell()
        caller = scene.customer()
        for time in ("2030-01-15 08:00:59", "2030-01-15 09:00:01"):
            assert caller.field_refused(UNITS, "PurchaseComputeUnit", order(release=time)) == "billing.releaseTime"
        for time in ("2030-01-15 08:01:00", "2030-01-15 09:00:00"):
            assert caller.unit(caller.buy(release=time))["status"] == "Running"


# --- by hand ---------------------------------------------------------------------------------------------


def test_a_release_by_hand_ends_the_bill_and_gives_the_stock_back_at_once(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    unit = caller.buy(count=2, release="2030-01-15 12:00:00")
    fresh.advance("2030-01-15T08:10:30+08:00")
    caller.release(unit)
    # Eleven started minutes of two units at 0.5.
    assert caller.balance() == "989.00"
    assert fresh.operator.free() == 10
    shown = caller.unit(unit)
    assert (shown["status"], shown["expiredTime"]) == ("Released", "2030-01-15T08:10:30+08:00")
    fresh.advance("2030-01-15T13:00:00+08:00")
    assert caller.balance() == "989.00"


def test_an_instance_of_a_service_is_released_by_both_paths_and_its_replicas_stop(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    service = caller.create_service("GPU-1-2")
    first, second = caller.buy_replicas(service, 2), caller.buy_replicas(service, 1)
    assert caller.do(RESOURCES, "ReleaseComputeUnit", {"serviceId": service, "instanceId": first}) is True
    assert caller.service(service)["resourceConfig"]["replicasCount"] == 1
    caller.release(second)
    assert caller.service(service)["resourceConfig"]["replicasCount"] == 0
    assert caller.do(RESOURCES, "DescribeComputeUnits", {"serviceId": service}) == {"instances": []}
    assert fresh.operator.free() == 10


def test_an_instance_is_not_released_by_the_name_of_another_service(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    mine, other = caller.create_service(), caller.create_service()
    unit, alone = caller.buy_replicas(mine, 1), caller.buy()
    before = fresh.rows()
    for wrong in (
        {"serviceId": other, "instanceId": unit},
        {"serviceId": "svco-nowhere", "instanceId": unit},
        {"serviceId": mine, "instanceId": alone},
    ):
        assert caller.refused(RESOURCES, "ReleaseComputeUnit", wrong) == "InstanceNotFound"
        assert caller.refused(RESOURCES, "AutoReleaseComputeUnit", wrong) == "InstanceNotFound"
    assert fresh.rows() == before


@pytest.mark.parametrize("path", BOTH_PATHS)
def test_a_released_instance_can_be_seen_for_ever_and_not_released_again(fresh: ServiceHarness, path: str) -> None:
    caller = fresh.customer()
    service = caller.create_service()
    unit = caller.buy_replicas(service, 1)
    caller.release(unit)
    before = fresh.rows()
    named = {"instanceId": unit, "serviceId": service}
    assert caller.refused(path, "ReleaseComputeUnit", named) == "InvalidState"
    assert caller.refused(path, "AutoReleaseComputeUnit", named) == "InvalidState"
    later = {**named, "releaseTime": "2030-01-16 00:00:00"}
    assert caller.refused(path, "AutoReleaseComputeUnit", later) == "InvalidState"
    assert fresh.rows() == before
    fresh.advance("2035-01-01T00:00:00Z")
    assert caller.unit(unit)["status"] == "Released"
    assert caller.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"] == []
    released = caller.do(UNITS, "DescribeComputeUnits", {"status": "Released"})["computeUnitInstanceList"]
    assert [shown["instanceId"] for shown in released] == [unit]


@pytest.mark.parametrize("path", BOTH_PATHS)
def test_a_prepaid_instance_is_neither_released_by_hand_nor_on_schedule(fresh: ServiceHarness, path: str) -> None:
    caller = fresh.customer()
    service = caller.create_service()
    unit = caller.buy_replicas(service, 1, months=1)
    before = fresh.rows()
    named = {"instanceId": unit, "serviceId": service}
    assert caller.ask(path, "ReleaseComputeUnit", named).status == 409
    assert caller.refused(path, "ReleaseComputeUnit", named) == "OperationNotSupported"
    for time in ("2030-01-16 00:00:00", None, "2020-01-01 00:00:00"):
        body = {**named, "releaseTime": time}
        assert caller.ask(path, "AutoReleaseComputeUnit", body).status == 409
        assert caller.refused(path, "AutoReleaseComputeUnit", body) == "OperationNotSupported"
    assert fresh.rows() == before
    fresh.advance("2030-02-14T00:00:00Z")
    assert caller.unit(unit)["status"] == "Running"


def test_the_bill_of_an_hour_is_charged_on_the_hour_of_the_accounts_zone(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    fresh.advance("2030-01-15T08:20:30+08:00")
    unit = caller.buy()
    fresh.advance("2030-01-15T10:00:00+08:00")
    caller.release(unit)
    charges = [posting for posting in caller.postings() if posting["kind"] == "Usage"]
    assert [(charge["time"], charge["minutes"], charge["amount"]) for charge in charges] == [
        ("2030-01-15T09:00:00+08:00", 40, "20.00"),
        ("2030-01-15T10:00:00+08:00", 60, "30.00"),
    ]
    assert {charge["instanceId"] for charge in charges} == {unit}
    account = caller.do(ACCOUNT, "DescribeAccount")["accountId"]
    assert {(charge["debit"], charge["credit"]) for charge in charges} == {(f"wallet:{account}", "revenue:usage")}


# --- under the older names -------------------------------------------------------------------------------


def test_the_older_names_buy_list_show_and_release(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    service = {"serviceId": caller.create_service("GPU-1-2")}
    bought = caller.do(CHARGE, "PurchaseServiceResource", {**service, "billing": billing_of(), "replicasCount": 2})
    unit = {"instanceId": bought["instanceId"]}
    listed = caller.do(RESOURCES, "DescribeComputeUnits", service)
    assert caller.do(CHARGE, "DescribeServiceResources", service) == listed
    assert caller.do(CHARGE, "DescribeServiceResourceList", service) == listed
    shown = caller.do(RESOURCES, "DescribeComputeUnit", service | unit)
    assert shown["instance"] == listed["instances"][0]
    assert caller.do(CHARGE, "DescribeServiceResource", service | unit) == shown
    assert caller.do(CHARGE, "ReleaseServiceResource", service | unit) is True
    assert caller.unit(bought["instanceId"])["status"] == "Released"


def test_what_the_python_client_mixes_works_too(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    service = {"serviceId": caller.create_service()}
    postpaid, prepaid = (
        caller.buy_replicas(service["serviceId"], 1),
        caller.buy_replicas(service["serviceId"], 1, months=1),
    )

    def listed(timing: str | None) -> list[str]:
        found = caller.do(CHARGE, "DescribeComputeUnits", {**service, "paymentTiming": timing})["instances"]
        return [one["instanceId"] for one in found]

    assert listed(None) == [postpaid, prepaid]
    assert listed("Prepaid") == [prepaid]
    assert listed("Postpaid") == [postpaid]
    named = {**service, "instanceId": postpaid}
    assert caller.do(CHARGE, "DescribeComputeUnit", named)["instance"]["instanceId"] == postpaid
    assert caller.do(CHARGE, "ReleaseComputeUnit", named) is True
    assert caller.unit(postpaid)["status"] == "Released"


@pytest.mark.parametrize(
    ("path", "action"),
    [(CHARGE, "AutoReleaseComputeUnit"), (CHARGE, "CreateAutoRenewRules"), (UNITS, "AutoReleaseComputeUnit")],
)
@pytest.mark.parametrize(("more", "months"), [({}, 1), ({"autoRenewTimeUnit": "Month", "autoRenewTime": 6}, 6)])
def test_with_an_instance_type_a_rule_is_made_for_a_prepaid_instance(
    fresh: ServiceHarness, path: str, action: str, more: dict[str, Any], months: int
) -> None:
    caller = fresh.customer()
    unit = caller.buy(months=1)
    assert fresh.stored("auto_renew", unit) == 0
    assert caller.do(path, action, {"instanceId": unit, "instanceType": "ComputingUnit", **more}) is True
    assert fresh.stored("auto_renew", unit) == 1
    assert fresh.stored("auto_renew_months", unit) == months
    assert "releaseTime" not in caller.unit(unit)


@pytest.mark.parametrize("path", [CHARGE, UNITS, RESOURCES])
@pytest.mark.parametrize("kind", ["ComputingUnit", "TPM"])
@pytest.mark.parametrize("more", [{}, {"releaseTime": None}, {"releaseTime": "2030-01-17 00:00:00"}])
def test_a_rule_never_touches_a_schedule(fresh: ServiceHarness, path: str, kind: str, more: dict[str, Any]) -> None:
    caller = fresh.customer()
    unit = caller.buy(release="2030-01-16 00:00:00")
    before = fresh.rows()
    code = caller.refused(path, "AutoReleaseComputeUnit", {"instanceId": unit, "instanceType": kind, **more})
    assert code == ("OperationNotSupported" if kind == "ComputingUnit" else "InappropriateJSON")
    assert fresh.rows() == before
    assert caller.unit(unit)["releaseTime"] == "2030-01-16T00:00:00+08:00"


def test_a_rule_for_an_instance_that_is_gone_or_another_type_is_refused(fresh: ServiceHarness) -> None:
    caller = fresh.customer("100")
    unit = caller.buy(months=1)
    rule = {"instanceId": unit, "instanceType": "ComputingUnit"}
    tpm = {**rule, "instanceType": "TPM"}
    assert caller.field_refused(CHARGE, "CreateAutoRenewRules", tpm) == "instanceType"
    assert caller.field_refused(CHARGE, "CreateAutoRenewRules", {"instanceId": unit}) == "instanceType"
    nowhere = {**rule, "instanceId": "unit-nowhere0"}
    assert caller.refused(CHARGE, "CreateAutoRenewRules", nowhere) == "InstanceNotFound"
    fresh.advance("2030-02-20T00:00:00Z")
    assert caller.do(CHARGE, "CreateAutoRenewRules", rule) is True  # stopped, and so still renewable
    fresh.advance("2030-03-20T00:00:00Z")
    assert caller.refused(CHARGE, "CreateAutoRenewRules", rule) == "InvalidState"


def test_a_release_by_hand_leaves_no_schedule_to_be_seen_and_one_by_schedule_does(either: ServiceHarness) -> None:
    caller = either.customer()
    time = "2030-01-15T09:00:00+08:00"
    by_hand, by_schedule = caller.buy(release=time), caller.buy(release=time)
    caller.release(by_hand)
    assert "releaseTime" not in caller.unit(by_hand)
    assert caller.unit(by_schedule)["releaseTime"] == time
    either.advance("2030-01-15 09:00:00")
    assert caller.unit(by_schedule)["releaseTime"] == time
    assert "releaseTime" not in caller.unit(by_hand)

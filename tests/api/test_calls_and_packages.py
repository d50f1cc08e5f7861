"""Counting the calls of services, summing them up, and the packages of tokens that they are taken off."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.scene import CHARGE, SERVICE, Caller, ServiceHarness, new_service

DAY = {"startTime": "2030-01-15 00:00:00", "endTime": "2030-01-16 00:00:00"}
SUMS = ("inputTokensTotal", "outputTokensTotal", "tokensTotal", "succeedCallTotal", "failureCallTotal", "callTotal")


def call(caller: Caller, service: str, app: str = "app-1", **counted: Any) -> None:
    """Count calls of a service."""
    assert caller.do(SERVICE, "CountServiceCalls", {"serviceId": service, "appId": app, **counted}) is True


def sums(caller: Caller, **wanted: Any) -> dict[tuple[str, str], tuple[int, ...]]:
    """Return what was called, by service and app."""
    found = caller.do(SERVICE, "DescribeServiceMetric", {**DAY, **wanted})["serviceList"]
    return {
        (service["serviceId"], app["appId"]): tuple(app["metric"][name] for name in SUMS)
        for service in found
        for app in service["appList"]
    }


@pytest.mark.both_stores
def test_calls_are_summed_up_by_service_and_app(either: ServiceHarness) -> None:
    caller = either.customer()
    first, second = caller.create_service(), caller.create_service()
    call(caller, first, inputTokens=10, outputTokens=20, succeeded=2)
    call(caller, first, inputTokens=1, outputTokens=2, succeeded=1, failed=3)
    call(caller, first, "app-2", failed=1)
    call(caller, second, inputTokens=5, succeeded=1)
    assert sums(caller) == {
        (first, "app-1"): (11, 22, 33, 3, 3, 6),
        (first, "app-2"): (0, 0, 0, 0, 1, 1),
        (second, "app-1"): (5, 0, 5, 1, 0, 1),
    }
    assert set(sums(caller, serviceId=[first])) == {(first, "app-1"), (first, "app-2")}
    assert set(sums(caller, serviceId=[first, second])) == set(sums(caller, serviceId=[])) == set(sums(caller))
    assert set(sums(caller, appId="app-1")) == {(first, "app-1"), (second, "app-1")}
    assert set(sums(caller, appId="app-1", serviceId=[second])) == {(second, "app-1")}
    assert sums(caller, appId="app-3") == {}
    assert sums(either.customer()) == {}


def test_a_metric_names_the_service_and_the_times_that_were_asked_for(either: ServiceHarness) -> None:
    caller = either.customer()
    service = str(caller.do(SERVICE, "CreateService", {**new_service(), "name": "painter"})["serviceId"])
    call(caller, service, succeeded=1)
    times = {"startTime": "2030-01-15T00:00:00Z", "endTime": "2030-01-15T01:00:00Z"}
    shown = caller.do(SERVICE, "DescribeServiceMetric", times)
    assert (shown["startTime"], shown["endTime"]) == ("2030-01-15T08:00:00+08:00", "2030-01-15T09:00:00+08:00")
    assert [one["serviceName"] for one in shown["serviceList"]] == ["painter"]
    caller.do(SERVICE, "DeleteService", {"serviceId": service})
    # The name that a service had stays on record.
    assert caller.do(SERVICE, "DescribeServiceMetric", times) == shown


@pytest.mark.parametrize(
    ("start", "end", "calls"),
    [
        ("2030-01-15 06:00:00", "2030-01-15 07:00:00", 1),
        ("2030-01-15 07:00:00", "2030-01-15 08:00:00", 2),
        ("2030-01-15 06:00:00", "2030-01-15 08:00:00", 3),
        ("2030-01-15 07:00:00", "2030-01-15 09:00:00", 5),
        ("2030-01-15 05:00:00", "2030-01-15 06:00:00", 0),
        ("2030-01-15 06:00:59", "2030-01-15 06:59:59", 1),
        ("2030-01-15 06:00:00", "2030-01-15 07:00:01", 3),
        ("2030-01-15 06:00:00", "2030-01-15 07:00:59", 3),
        ("2030-01-15 06:00:00", "2030-01-15 07:01:00", 3),
    ],
)
def test_calls_are_counted_in_the_hour_in_which_they_were_made(
    either: ServiceHarness, start: str, end: str, calls: int
) -> None:
    caller = either.customer()
    service = caller.create_service()
    call(caller, service, succeeded=1, time="2030-01-15 06:59:59")
    call(caller, service, succeeded=1, time="2030-01-15 07:00:00")
    call(caller, service, succeeded=1, time="2030-01-14T23:59:59Z")
    call(caller, service, succeeded=3)
    found = sums(caller, startTime=start, endTime=end)
    assert sum(metric[-1] for metric in found.values()) == calls
    stats = {"startTime": start, "endTime": end, "interval": 3600}
    listed = caller.do(SERVICE, "DescribeServiceStats", stats)["serviceList"]
    shown = [row["callTotal"] for one in listed for app in one["appList"] for row in app["metrics"]]
    assert sum(shown) == calls


def test_calls_that_cannot_be_counted_or_asked_for_are_refused_by_their_field(either: ServiceHarness) -> None:
    caller = either.customer()
    service = {"serviceId": caller.create_service(), "appId": "app-1"}
    to_come = {**service, "time": "2030-01-15 08:00:01", "succeeded": 1}
    assert caller.field_refused(SERVICE, "CountServiceCalls", to_come) == "time"
    assert caller.field_refused(SERVICE, "CountServiceCalls", {**service, "failed": -1}) == "failed"
    assert caller.refused(SERVICE, "CountServiceCalls", {**service, "serviceId": "svco-1"}) == "ServiceNotFound"
    backwards = {"startTime": DAY["endTime"], "endTime": DAY["startTime"]}
    for times, field in ((backwards, "endTime"), ({"startTime": DAY["startTime"]}, "endTime"), ({}, "startTime")):
        assert caller.field_refused(SERVICE, "DescribeServiceMetric", times) == field
    assert sums(caller) == {}


# --- packages --------------------------------------------------------------------------------------------


def package(caller: Caller, package_id: str) -> Any:
    """Show a package."""
    return caller.do(CHARGE, "DescribePackageResource", {"packageId": package_id})["instance"]


def test_a_package_is_used_up_by_the_tokens_that_are_counted_on_it(either: ServiceHarness) -> None:
    caller = either.customer()
    service, package_id = caller.create_service(), either.grant(caller, 100)
    other = either.grant(caller, 100)
    shown = package(caller, package_id)
    assert {name: shown[name] for name in shown if name != "creator"} == {
        "packageId": package_id,
        "serviceName": "ernie",
        "specification": "0.1",
        "used": 0,
        "tokens": 100,
        "usedTokens": 0,
        "status": "Active",
        "startTime": "2030-01-15T08:00:00+08:00",
        "expiredTime": "2090-01-01T00:00:00+08:00",
    }
    call(caller, service, inputTokens=60, outputTokens=39, packageId=package_id)
    assert (package(caller, package_id)["usedTokens"], package(caller, package_id)["status"]) == (99, "Active")
    call(caller, service, inputTokens=0, outputTokens=5, packageId=package_id)
    assert (package(caller, package_id)["usedTokens"], package(caller, package_id)["status"]) == (100, "Exhausted")
    listed = caller.do(CHARGE, "DescribePackageResources")["instances"]
    assert [(one["packageId"], one["status"]) for one in listed] == [(package_id, "Exhausted"), (other, "Active")]
    again = {"serviceId": service, "appId": "app-1", "inputTokens": 1, "packageId": package_id}
    assert caller.refused(SERVICE, "CountServiceCalls", again) == "InvalidState"
    assert sums(caller)[service, "app-1"][:3] == (60, 44, 104)
    assert caller.balance() == "1000.00"


def test_a_package_is_over_at_its_time(either: ServiceHarness) -> None:
    caller = either.customer()
    package_id = either.grant(caller, expires="2030-01-15 09:00:00")
    either.advance("2030-01-15 08:59:59")
    assert package(caller, package_id)["status"] == "Active"
    either.advance("2030-01-15 09:00:00")
    assert package(caller, package_id)["status"] == "Expired"


def test_a_package_that_is_not_the_callers_is_not_found_and_no_call_is_counted(either: ServiceHarness) -> None:
    caller, stranger = either.customer(), either.customer()
    package_id = either.grant(caller)
    assert stranger.refused(CHARGE, "DescribePackageResource", {"packageId": package_id}) == "ResourceNotFound"
    assert stranger.do(CHARGE, "DescribePackageResources")["instances"] == []
    body = {"serviceId": stranger.create_service(), "appId": "app-1", "inputTokens": 9, "packageId": package_id}
    assert stranger.refused(SERVICE, "CountServiceCalls", body) == "ResourceNotFound"
    assert sums(stranger) == {}
    assert package(caller, package_id)["used"] == 0


def test_an_operator_gives_packages_to_accounts_that_there_are(either: ServiceHarness) -> None:
    body = {"serviceName": "ernie", "specification": 5, "expiredTime": "2030-01-15 08:00:00"}
    assert either.operator.field_refused(CHARGE, "GrantPackageResource", body) == "expiredTime"
    later = {**body, "expiredTime": "2030-01-15 08:00:01"}
    assert either.operator.refused(CHARGE, "GrantPackageResource", {**later, "accountId": "x"}) == "ResourceNotFound"
    assert either.customer().refused(CHARGE, "GrantPackageResource", later) == "AccessDenied"
    granted = either.operator.do(CHARGE, "GrantPackageResource", later)["instance"]
    assert either.operator.do(CHARGE, "DescribePackageResources")["instances"] == [granted]


@pytest.mark.parametrize(("time", "code"), [("2030-01-31 23:59:59", 200), ("2030-02-01 00:00:00", 409)])
def test_a_package_gives_nothing_from_its_end_on(either: ServiceHarness, time: str, code: int) -> None:
    caller = either.customer()
    service = caller.create_service()
    package_id = either.grant(caller, 1000, expires="2030-02-01 00:00:00")
    either.advance(time)
    body = {"serviceId": service, "appId": "app-1", "inputTokens": 1, "packageId": package_id}
    answer = caller.ask(SERVICE, "CountServiceCalls", {**body, "time": "2030-01-20 00:00:00"})
    assert answer.status == code
    assert (code == 200) or "is over since 2030-02-01T00:00:00+08:00" in answer.body["message"]
    assert package(caller, package_id)["used"] == (0.001 if code == 200 else 0)


@pytest.mark.parametrize("counted", [[1000], [1200], [999, 2], [1, 1, 2000, 1], [0, 1000, 0]])
def test_a_package_never_gives_more_than_it_has(shared: ServiceHarness, counted: list[int]) -> None:
    caller = shared.customer()
    service, package_id = caller.create_service(), shared.grant(caller, 1000)
    for tokens in counted:
        body = {"serviceId": service, "appId": "app-1", "inputTokens": tokens, "packageId": package_id}
        left = 1000 - package(caller, package_id)["usedTokens"]
        status = caller.ask(SERVICE, "CountServiceCalls", body).status
        assert status == (200 if left or not tokens else 409)
        assert package(caller, package_id)["usedTokens"] == 1000 - left + min(left, tokens)
    assert package(caller, package_id)["status"] == "Exhausted"


def listed(caller: Caller, **wanted: Any) -> list[str]:
    """List packages; returns their ids."""
    return [one["packageId"] for one in caller.do(CHARGE, "DescribePackageResources", wanted)["instances"]]


def test_packages_are_found_by_service_status_and_creator(either: ServiceHarness) -> None:
    caller = either.customer()
    active, used, over = (
        either.grant(caller),
        either.grant(caller, 5),
        either.grant(caller, expires="2030-01-15 09:00:00"),
    )
    to_come = either.grant(caller, startTime="2030-02-01 00:00:00", serviceName="deepseek-v3")
    call(caller, caller.create_service(), inputTokens=5, packageId=used)
    either.advance("2030-01-15 09:00:00")
    every = [active, used, over, to_come]
    by_status = {"Active": active, "Exhausted": used, "Expired": over, "Pending": to_come}
    assert {status: listed(caller, status=status) for status in by_status} == {
        status: [one] for status, one in by_status.items()
    }
    assert listed(caller) == listed(caller, serviceName="", creator="", status=None) == every
    assert (listed(caller, serviceName="ernie"), listed(caller, serviceName="ern")) == ([active, used, over], [])
    assert listed(caller, serviceName="deepseek-v3", status="Pending") == [to_come]
    assert listed(caller, serviceName="deepseek-v3", status="Active") == []
    creator = package(caller, active)["creator"]
    # The published sample names the user who bought the package.
    assert listed(caller, creator=creator) == listed(caller, creator="root") == every
    sample = {"serviceName": "ernie-4.5-turbo-128k", "creator": "zhangsan", "status": "Expired"}
    assert listed(caller, **sample) == []
    assert caller.field_refused(CHARGE, "DescribePackageResources", {"status": "Gone"}) == "status"
    either.advance("2030-02-01 00:00:00")
    assert listed(caller, status="Active") == [active, to_come]


def test_pages_of_packages_keep_to_what_was_asked_for(shared: ServiceHarness) -> None:
    caller = shared.customer()
    mine = [shared.grant(caller, serviceName=name) for name in ("a", "b", "a", "b", "a")]
    wanted = {"serviceName": "a", "maxKeys": 2}
    first = caller.do(CHARGE, "DescribePackageResources", wanted)
    assert [one["packageId"] for one in first["instances"]] == [mine[0], mine[2]]
    assert listed(caller, **wanted, marker=first["nextMarker"]) == [mine[4]]
    other = {**wanted, "serviceName": "b", "marker": first["nextMarker"]}
    assert caller.refused(CHARGE, "DescribePackageResources", other) == "InvalidMarker"


def test_a_package_can_be_used_from_its_start_on(either: ServiceHarness) -> None:
    caller = either.customer()
    service = caller.create_service()
    package_id = either.grant(caller, startTime="2030-01-15 09:00:00")
    assert package(caller, package_id)["startTime"] == "2030-01-15T09:00:00+08:00"
    body = {"serviceId": service, "appId": "app-1", "inputTokens": 1, "packageId": package_id}
    either.advance("2030-01-15 08:59:59")
    answer = caller.ask(SERVICE, "CountServiceCalls", body)
    assert (answer.code, package(caller, package_id)["status"]) == ("InvalidState", "Pending")
    assert "begins at 2030-01-15T09:00:00+08:00" in answer.body["message"]
    either.advance("2030-01-15 09:00:00")
    assert caller.do(SERVICE, "CountServiceCalls", body) is True
    assert (package(caller, package_id)["usedTokens"], package(caller, package_id)["status"]) == (1, "Active")


@pytest.mark.parametrize("start", ["2001-01-15 08:00:00", "2090-01-01 00:00:00", "2090-01-01 00:00:01"])
def test_a_package_begins_neither_in_the_past_nor_at_its_end(shared: ServiceHarness, start: str) -> None:
    body = {"serviceName": "ernie", "specification": 1, "expiredTime": "2090-01-01 00:00:00", "startTime": start}
    assert shared.operator.field_refused(CHARGE, "GrantPackageResource", body) == "startTime"


@pytest.mark.parametrize(
    ("tokens", "counted", "specification", "used"),
    [
        (1_000_000, 1550, "1000", "1.55"),
        (1, 1, "0.001", "0.001"),
        (1500, 1000, "1.5", "1.0"),
        (1_000_100, 100, "1000.1", "0.1"),
        (8_796_093_022_207_999, 8_796_093_022_207_997, "8796093022207.999", "8796093022207.997"),
    ],
)
def test_thousands_of_tokens_are_shown_to_the_token(
    shared: ServiceHarness, tokens: int, counted: int, specification: str, used: str
) -> None:
    caller = shared.customer()
    package_id = shared.grant(caller, tokens)
    call(caller, caller.create_service(), inputTokens=counted, packageId=package_id)
    shown = package(caller, package_id)
    assert (shown["specification"], repr(shown["used"])) == (specification, used)
    assert (shown["tokens"], shown["usedTokens"]) == (tokens, counted)
    # Published scripts compute this quotient.
    assert shown["used"] / float(shown["specification"]) == pytest.approx(counted / tokens)

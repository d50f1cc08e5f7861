"""DescribeServiceStats: the calls of services by minute, hour and day, as the page about it asks for them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.scene import SERVICE, Caller, ServiceHarness, new_service

DAY = {"startTime": "2030-01-14T16:00:00Z", "endTime": "2030-01-15T15:59:00Z"}
APP = "1483416575"


def stats(caller: Caller, **wanted: Any) -> dict[tuple[str, str], list[tuple[str, int, float, float]]]:
    """Return the intervals of each service and app: begin, tokens, tpm and rpm."""
    found = caller.do(SERVICE, "DescribeServiceStats", {**DAY, **wanted})["serviceList"]
    return {
        (one["serviceId"], app["appId"]): [
            (row["startTime"][:16], row["tokensTotal"], row["tpm"], row["rpm"]) for row in app["metrics"]
        ]
        for one in found
        for app in one["appList"]
    }


def call(caller: Caller, service: str, time: str, tokens: int = 60, app: str = APP) -> None:
    body = {"serviceId": service, "appId": app, "inputTokens": tokens, "succeeded": 1, "failed": 1, "time": time}
    assert caller.do(SERVICE, "CountServiceCalls", body) is True


def test_calls_are_summed_up_by_minute_hour_and_day(either: ServiceHarness) -> None:
    caller = either.customer()
    service = caller.create_service()
    for time in ("06:59:59", "07:00:00", "07:00:59", "07:59:00"):
        call(caller, service, f"2030-01-15 {time}")
    sample = {"serviceId": [service], "appId": [APP], "protocolVersion": 2}
    key = (service, APP)
    assert stats(caller, **sample, interval=86400) == {key: [("2030-01-15T00:00", 240, 0.166667, 0.005556)]}
    assert stats(caller, **sample, interval=3600) == {
        key: [("2030-01-15T06:00", 60, 1.0, 0.033333), ("2030-01-15T07:00", 180, 3.0, 0.1)]
    }
    minutes = [("2030-01-15T06:59", 60, 60.0, 2.0), ("2030-01-15T07:00", 120, 120.0, 4.0)]
    minutes += [("2030-01-15T07:59", 60, 60.0, 2.0)]
    assert stats(caller, **sample, interval=60) == {key: minutes}
    few = {"startTime": "2030-01-15 07:00:59", "endTime": "2030-01-15 07:01:00"}
    assert stats(caller, **few, interval=60) == {key: minutes[1:2]}
    assert stats(caller, **sample | {"appId": ["nobody"]}, interval=60) == {}
    assert stats(either.customer(), interval=60) == {}


def test_every_service_that_is_named_has_its_entry(either: ServiceHarness) -> None:
    caller, other = either.customer(), either.customer()
    busy, idle, foreign = caller.create_service(), caller.create_service(), other.create_service()
    second = caller.do(SERVICE, "CreateService", {**new_service(), "protocolVersion": 2})["serviceId"]
    for service in (busy, second):
        call(caller, service, "2030-01-15 07:00:00")
    asked = {**DAY, "interval": 3600, "serviceId": [idle, busy, foreign]}
    found = caller.do(SERVICE, "DescribeServiceStats", asked)["serviceList"]
    assert {one["serviceId"]: len(one["appList"]) for one in found} == {busy: 1, idle: 0}
    assert set(stats(caller, interval=3600, protocolVersion=2)) == {(second, APP)}
    assert set(stats(caller, interval=60)) == {(busy, APP), (second, APP)}


def test_minutes_are_kept_for_two_days(either: ServiceHarness) -> None:
    caller = either.customer()
    service = caller.create_service()
    call(caller, service, "2030-01-15 07:30:00")
    day = {"startTime": "2030-01-15 07:00:00", "endTime": "2030-01-15 07:59:00"}
    either.advance("2030-01-17 07:59:00")
    assert stats(caller, **day, interval=60) != {}
    either.advance("2030-01-17 08:00:00")
    assert stats(caller, **day, interval=60) == {}
    call(caller, service, "2030-01-17 07:10:00")
    # The next count two days later deletes the minutes of that hour from the store, and leaves the hour.
    either.advance("2030-01-17 08:10:00")
    assert stats(caller, **day, interval=3600) == {(service, APP): [("2030-01-15T07:00", 60, 1.0, 0.033333)]}


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "interval"),
        ({"interval": 61}, "interval"),
        ({"Interval": 60}, "interval"),
        ({"interval": 60, "endTime": "2030-01-16 01:00:00"}, "endTime"),
        ({"interval": 60, "endTime": "2030-01-14T15:00:00Z"}, "endTime"),
    ],
)
def test_intervals_that_cannot_be_listed_are_refused_by_their_field(
    shared: ServiceHarness, asked: dict[str, Any], field: str
) -> None:
    assert shared.operator.field_refused(SERVICE, "DescribeServiceStats", {**DAY, **asked}) == field

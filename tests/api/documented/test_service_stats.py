"""DescribeServiceStats: the calls of services by minute, hour and day, as the page about it asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leasebook.api.handlers.service import service_calls
from leasebook.ports.queries.service_calls import BEFORE_ALL
from leasebook.scheduler import old_minutes
from leasebook.scheduler.old_minutes import OldMinutes
from leasebook.store.queries.service_calls import CallQueries
from leasebook.store.verify.check import check_store
from tests.api.scene import SERVICE, Caller, ServiceHarness, new_service
from tests.copies import STORES, empty
from tests.gateway.scene import until
from tests.harness import a_service

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


@pytest.mark.both_stores
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


def test_the_server_deletes_old_minutes_also_of_apps_that_call_no_more(
    either: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(old_minutes, "LOOK_MAX", 2)
    monkeypatch.setattr(old_minutes, "DELETE_MAX", 1)
    caller = either.customer()
    service = caller.create_service()
    for app in ("a", "b", "c", "d"):
        call(caller, service, "2030-01-15 07:59:00", app=app)
    call(caller, service, "2030-01-10 07:00:00", app="b")
    running = either.running
    minutes = OldMinutes(running.store, running.sequencer, running.clock)

    def left() -> list[str]:
        looks = [either.runner.run(minutes.look()) for _ in range(3)]
        assert looks == [True, True, False], "two hours of five, two more, and the last"
        return [one.key.app_id for one in running.store.ask(lambda ask: ask.usage_after(BEFORE_ALL, 9)) if one[1]]

    either.advance("2030-01-17 07:59:59")
    assert left() == ["a", "b", "c", "d"]
    call(caller, service, "2030-01-17 07:10:00", app="d")
    either.advance("2030-01-17 08:00:00")
    looks = [either.runner.run(minutes.look()) for _ in range(4)]
    assert looks == [True, True, True, False]
    kept = [one for one in running.store.ask(lambda ask: ask.usage_after(BEFORE_ALL, 9)) if one.has_minutes]
    assert [(one.key.app_id, one.key.hour) for one in kept] == [("d", max(one.key.hour for one in kept))]
    day = {"startTime": "2030-01-15 07:00:00", "endTime": "2030-01-15 07:59:00"}
    assert len(stats(caller, **day, interval=3600)) == 4


@pytest.mark.parametrize("where", STORES)
async def test_a_server_looks_for_old_minutes_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(old_minutes, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(old_minutes, "REST_S", 0.01)
    with empty(where, tmp_path / "data", migrated=True) as store:
        async with a_service(store) as desk:
            asked = {"modelSetId": "am-0", "modelId": "amv-0", "name": "any", "urlSuffix": "any"}
            made = await desk.call(SERVICE, "CreateService", {**asked, "resourceConfig": {"type": "GPU-1-1"}})
            body = {"serviceId": made.result["serviceId"], "appId": APP, "succeeded": 1, "time": "2020-01-15 07:00:00"}
            assert (await desk.call(SERVICE, "CountServiceCalls", body)).result is True
            await until(lambda: not desk.service.store.ask(lambda ask: ask.usage_after(BEFORE_ALL, 9))[0].has_minutes)
        assert check_store(store).findings == []


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


METHODS = {"DescribeServiceMetric": "calls", "DescribeServiceStats": "call_intervals"}


@pytest.mark.parametrize("action", METHODS)
def test_a_page_of_one_asks_the_store_for_the_calls_of_that_service(
    either: ServiceHarness, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for: list[Any] = []
    method = getattr(CallQueries, METHODS[action])

    def noted(*args: Any, **choice: Any) -> Any:
        asked_for.append(choice["services"])
        return method(*args, **choice)

    monkeypatch.setattr(CallQueries, METHODS[action], noted)
    caller = either.customer()
    services = sorted(caller.create_service() for _ in range(3))
    for service in services:
        call(caller, service, "2030-01-15 07:00:00")
    body = DAY if action == "DescribeServiceMetric" else {**DAY, "interval": 3600}
    for service, before in zip(services, (None, *services), strict=False):
        asked_for.clear()
        page = caller.do(SERVICE, action, {**body, "maxKeys": 1, "marker": before})
        assert [one["serviceId"] for one in page["serviceList"]] == [service]
        assert page["isTruncated"] is (service != services[-1])
        assert asked_for == [(service,)]


@pytest.mark.parametrize("interval", [60, 3600, 86400])
def test_no_answer_has_more_intervals_than_it_may_and_the_pages_together_are_the_whole(
    either: ServiceHarness, interval: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = either.customer()
    services = sorted(caller.create_service() for _ in range(3))
    for service in services:
        for app in ("a", "b"):
            call(caller, service, "2030-01-15 07:00:00", app=app)
    body = {**DAY, "interval": interval}
    whole = caller.do(SERVICE, "DescribeServiceStats", body)["serviceList"]
    monkeypatch.setattr(service_calls, "ANSWER_MAX", 5)
    found: list[Any] = []
    sizes: list[int] = []
    marker = None
    while marker is not None or not found:
        page = caller.do(SERVICE, "DescribeServiceStats", body if marker is None else {**body, "marker": marker})
        found += page["serviceList"]
        sizes.append(sum(len(app["metrics"]) for one in page["serviceList"] for app in one["appList"]))
        marker = page.get("nextMarker")
        assert page["isTruncated"] is (marker is not None)
    assert (found, sizes) == (whole, [4, 2])
    monkeypatch.setattr(service_calls, "ANSWER_MAX", 1)
    assert caller.field_refused(SERVICE, "DescribeServiceStats", body) == "endTime"
    assert caller.field_refused(SERVICE, "DescribeServiceMetric", DAY) == "endTime"
    narrow = caller.do(SERVICE, "DescribeServiceStats", {**body, "appId": "a", "serviceId": services[:1]})
    assert [len(one["appList"]) for one in narrow["serviceList"]] == [1]

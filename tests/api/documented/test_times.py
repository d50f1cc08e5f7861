"""Times on the wire: in the service's zone, or in UTC with Z where the operator wants it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import open_up
from tests.api.scene import ACCOUNT, CHARGE, CLOCK, EVENTS, SERVICE, UNITS, a_scene

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(Z|[+-]\d\d:\d\d)")


def offsets(answer: Any) -> Iterator[str]:
    """Yield how each time in an answer ends."""
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, list):
        for one in answer:
            yield from offsets(one)
    elif isinstance(answer, str):
        yield from TIME.findall(answer)


@pytest.mark.parametrize(("output", "end"), [("zone", "+08:00"), ("utc", "Z")])
def test_every_time_is_returned_in_the_form_of_the_setting(tmp_path: Path, output: str, end: str) -> None:
    with a_scene(tmp_path, environment={"LEASEBOOK_TIME_OUTPUT": output}) as scene:
        open_up(scene)
        caller = scene.customer()
        unit, service = caller.buy(), caller.create_service()
        caller.buy(months=1)
        caller.schedule(unit, "2030-01-16 00:00:00")
        called = {"serviceId": service, "appId": "app-1", "succeeded": 1}
        caller.do(SERVICE, "CountServiceCalls", called)
        day = {"startTime": "2030-01-14T16:00:00Z", "endTime": "2030-01-15 23:59:00", "serviceId": [service]}
        to_come = scene.grant(caller, startTime="2030-02-01 00:00:00")
        shown = [
            caller.do(CHARGE, "DescribePackageResources"),
            caller.ask(SERVICE, "CountServiceCalls", {**called, "inputTokens": 1, "packageId": to_come}).body,
            caller.unit(unit),
            caller.service(service),
            caller.do(SERVICE, "DescribeServiceMetric", day),
            caller.do(UNITS, "ExplainComputeUnit", {"instanceId": unit}),
            caller.do(ACCOUNT, "DescribeOrders"),
            caller.do(EVENTS, "DescribeEvents"),
            caller.ask(
                UNITS, "AutoReleaseComputeUnit", {"instanceId": unit, "releaseTime": "2020-01-01 00:00:00"}
            ).body,
            caller.operator.do(CLOCK, "DescribeClock"),
        ]
        for answer in shown:
            found = set(offsets(answer))
            assert found == {end}, answer
        # A time without a zone is read in the service's zone with either.
        expected = {"zone": "2030-01-16T00:00:00+08:00", "utc": "2030-01-15T16:00:00Z"}[output]
        assert caller.unit(unit)["releaseTime"] == expected

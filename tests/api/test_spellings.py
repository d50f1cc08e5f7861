"""Requests under one client token are compared by meaning: times and amounts may be spelled differently."""

from __future__ import annotations

import json

import msgspec
import pytest

from leasebook.api.body.canonical import meant
from leasebook.contract.actions import ACTIONS, TABLE
from tests.api.scene import CHARGE, EVENTS, SERVICE, UNITS

ZONE = "Asia/Shanghai"
ONE, ANOTHER = "2030-01-15T09:30:00+08:00", "2030-01-15 09:30:00"
OTHER_MOMENT = "2030-01-15 09:30:01"

BILLING = {"paymentTiming": "Postpaid", "releaseTime": ONE}
BUY = {"billing": BILLING, "computeUnitConfig": {"type": "gpu-1"}, "computeUnitCount": 1}
BODIES = {
    (UNITS, "AutoReleaseComputeUnit"): {"instanceId": "unit-xxx", "releaseTime": ONE},
    (UNITS, "PurchaseComputeUnit"): BUY,
    (CHARGE, "GrantPackageResource"): {"serviceName": "m", "specification": 1, "expiredTime": ONE},
    (SERVICE, "DescribeServiceMetric"): {"startTime": ONE, "endTime": ONE},
    (SERVICE, "DescribeServiceStats"): {"startTime": ONE, "endTime": ONE, "interval": 60},
    (EVENTS, "DescribeEvents"): {"startTime": ONE},
}


def decode(request: type[msgspec.Struct], body: str) -> msgspec.Struct:
    return msgspec.json.decode(body, type=request)


@pytest.mark.parametrize(("path", "name"), BODIES)
def test_a_time_is_the_moment_that_it_names_required_or_not_and_inside_an_object(path: str, name: str) -> None:
    request, body = TABLE[path, name].request, json.dumps(BODIES[path, name])
    one, another, other = (
        meant(decode(request, body.replace(ONE, spelled)), ZONE) for spelled in (ONE, ANOTHER, OTHER_MOMENT)
    )
    assert one == another != other


def test_every_example_means_the_same_with_its_times_in_another_spelling() -> None:
    for action in ACTIONS:
        body = json.dumps(action.example)
        if ONE in body and action.operation != "advance_clock":
            one, another = (meant(decode(action.request, text), ZONE) for text in (body, body.replace(ONE, ANOTHER)))
            assert one == another, action.name

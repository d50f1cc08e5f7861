"""Records of the actions of ``contract.nouns.instance``."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.actions.forms import (
    AMOUNT,
    ANY_ID,
    HEX_ID,
    PAGE_INFO,
    PROJECT_ID,
    PURCHASED,
    SERVICE_ID,
    TIME,
    TIMING,
    UNIT_ID,
    Maybe,
)
from tests.actions.nouns.event import EVENT
from tests.actions.office import Office, billed
from tests.actions.record import FLEET_READERS, READERS, SUPPORTERS, WRITERS, ActionRecord
from tests.api.scene import IAM, order

UNIT = {
    "instanceId": UNIT_ID,
    "region": str,
    "status": re.compile("Running|Released|Stopped|BillingChanging"),
    "type": str,
    "totalComputeUnits": int,
    "usedComputeUnits": int,
    "paymentTiming": TIMING,
    "startTime": TIME,
    "expiredTime": Maybe(TIME),
    "releaseTime": Maybe(TIME),
    "duration": Maybe(int),
    "durationUnit": Maybe(re.compile("Month")),
    "accountId": Maybe(HEX_ID),
    "accountName": Maybe(str),
    "name": Maybe(str),
    "tags": Maybe(dict),
    "projectId": Maybe(PROJECT_ID),
}
ATTEMPT = {
    "time": TIME,
    "requestId": str,
    "userId": Maybe(HEX_ID),
    "userName": Maybe(str),
    "action": str,
    "code": str,
    "message": Maybe(str),
}
EXPLANATION = {
    "instanceId": ANY_ID,
    "alive": bool,
    "text": str,
    "endsTime": Maybe(TIME),
    "endsBy": Maybe(str),
    "cost": AMOUNT,
    "monthEndCost": AMOUNT,
    "currency": str,
    "events": [EVENT],
    "attempts": [ATTEMPT],
}
USAGE = {"serviceId": SERVICE_ID, "serviceName": str, "replicasCount": int, "usedComputeUnits": int}
LIST = {
    "computeUnitInstanceList": [UNIT],
    "pageInfo": Maybe(PAGE_INFO),
    "isTruncated": Maybe(bool),
    "maxKeys": Maybe(int),
    "nextMarker": Maybe(str),
}


def schedule_release(office: Office) -> Any:
    unit = office.caller.buy_replicas(office.service, 1)
    return {
        "instanceId": unit,
        "serviceId": office.service,
        "releaseTime": "2090-01-15 09:30:00",
        "accountId": office.user["accountId"],
        "reason": "Until the audit is over.",
    }


RECORDS: Final = {
    "purchase_units": ActionRecord(
        permitted=WRITERS,
        body=billed({**order(count=2), "name": "training", "tags": {"team": "vision"}, "projectId": "default"}),
        foreign=(
            {**order(), "quoteId": "QUOTE"},
            {**order(count=2), "quoteId": "QUOTE"},
            {**order(), "projectId": "PROJECT"},
        ),
        shape=PURCHASED,
    ),
    "describe_units": ActionRecord(
        permitted=READERS | FLEET_READERS,
        body=lambda office: {
            "paymentTiming": "Prepaid",
            "region": "bj",
            "type": "gpu-1",
            "status": "Running",
            "maxKeys": 5,
            "name": "training",
            "tags": {"team": "vision", "project": None},
            "projectId": "default",
            "breaksTagPolicy": False,
            "userId": office.caller.do(IAM, "DescribeUsers")["users"][0]["userId"],
            "comingEnds": False,
            "accountId": office.user["accountId"],
        },
        foreign=({"accountId": "ACCOUNT"}, {"accountId": ["ACCOUNT"]}),
        searches=({"projectId": "PROJECT"},),
        shape=LIST,
    ),
    "describe_unit": ActionRecord(
        permitted=READERS | FLEET_READERS,
        body=lambda office: {"instanceId": office.caller.buy(), "accountId": office.user["accountId"]},
        foreign=({"instanceId": "UNIT"}, {"instanceId": "UNIT", "accountId": "ACCOUNT"}),
        shape={"computeUnitInstance": UNIT, "serviceUsageList": [USAGE]},
    ),
    "release_unit": ActionRecord(
        permitted=WRITERS | SUPPORTERS,
        body=lambda office: {
            "instanceId": office.caller.buy(),
            "accountId": office.user["accountId"],
            "reason": "It is not used.",
        },
        foreign=(
            {"instanceId": "UNIT"},
            {"instanceId": "UNIT", "accountId": "ACCOUNT", "reason": "It is not used."},
        ),
        shape=True,
        example_stage=4,
    ),
    "schedule_release": ActionRecord(
        permitted=WRITERS | SUPPORTERS,
        body=schedule_release,
        foreign=(
            {"instanceId": "UNIT"},
            {"instanceId": "UNIT", "releaseTime": "2090-01-01 00:00:00"},
            {"instanceId": "UNIT", "releaseTime": "2020-01-01 00:00:00"},
            {"instanceId": "UNIT", "instanceType": "ComputingUnit"},
            {"serviceId": "SERVICE", "instanceId": "UNIT"},
            {"instanceId": "UNIT", "accountId": "ACCOUNT", "reason": "It is not used."},
        ),
        shape=True,
    ),
    "resize_unit": ActionRecord(
        permitted=WRITERS,
        body=lambda office: {"instanceId": office.caller.buy(), "count": 3, "maxAmount": "0"},
        foreign=(
            {"instanceId": "UNIT", "count": 2},
            {"instanceId": "UNIT", "count": 100000},
        ),
        shape=PURCHASED,
        example_stage=2,
    ),
    "explain_unit": ActionRecord(
        permitted=READERS | FLEET_READERS,
        body=lambda office: {"instanceId": office.caller.buy(), "accountId": office.user["accountId"]},
        foreign=({"instanceId": "UNIT"}, {"instanceId": "UNIT", "accountId": "ACCOUNT"}),
        shape=EXPLANATION,
    ),
}

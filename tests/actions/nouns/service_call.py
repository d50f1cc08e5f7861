"""Records of the actions of ``contract.nouns.service_call``."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.actions.forms import (
    ENDS_A_PAGE,
    HEX_ID,
    MAY_END_A_PAGE,
    OWNER,
    SERVICE_ID,
    SERVICE_KEY,
    SERVICE_KEY_ID,
    TIME,
    Maybe,
)
from tests.actions.office import EVER, Office
from tests.actions.record import FLEET_READERS, OPERATORS, READERS, WRITERS, ActionRecord, of_own
from tests.api.scene import SERVICE

SUMS = ("inputTokensTotal", "outputTokensTotal", "tokensTotal", "succeedCallTotal", "failureCallTotal", "callTotal")
METRICS = {
    "startTime": TIME,
    "endTime": TIME,
    "serviceList": [
        {
            "serviceId": SERVICE_ID,
            "serviceName": str,
            "appList": [{"appId": str, "metric": dict.fromkeys(SUMS, int)}],
        }
    ],
}
MONTH = {"startTime": "2030-01-01T00:00:00Z", "endTime": "2030-02-01T00:00:00Z"}
INTERVAL = {"startTime": TIME, "tpm": float, "rpm": float, **dict.fromkeys(SUMS, int)}
STATS = {
    "serviceList": [{"serviceId": SERVICE_ID, "serviceName": str, "appList": [{"appId": str, "metrics": [INTERVAL]}]}],
}
KEY_OF_A_SERVICE = {"keyId": SERVICE_KEY_ID, "name": str, "serviceId": Maybe(SERVICE_ID)}


def describe_service_metric(office: Office) -> Any:
    return {**MONTH, "serviceId": [office.service], "appId": ["app-1"], "protocolVersion": 2}


def describe_service_stats(office: Office) -> Any:
    return {**describe_service_metric(office), "interval": 86400}


def count_service_calls(office: Office) -> Any:
    sums = {"inputTokens": 3, "outputTokens": 4, "succeeded": 1, "failed": 0}
    # Of one that others count on nothing may be left.
    named = {"serviceId": office.service, "appId": "app-1", "packageId": office.scene.grant(office.caller)}
    return {**named, **sums, "time": "2020-01-01 00:00:00"}


RECORDS: Final = {
    "describe_service_metric": ActionRecord(
        permitted=READERS | FLEET_READERS,
        body=of_own(describe_service_metric),
        searches=({**EVER, "serviceId": ["SERVICE"]},),
        shape={**METRICS, **MAY_END_A_PAGE},
    ),
    "describe_service_stats": ActionRecord(
        permitted=READERS | FLEET_READERS,
        body=of_own(describe_service_stats),
        searches=({**MONTH, "interval": 86400, "serviceId": ["SERVICE"]},),
        shape={**STATS, **MAY_END_A_PAGE},
    ),
    "count_service_calls": ActionRecord(
        permitted=WRITERS,
        body=count_service_calls,
        foreign=(
            {"serviceId": "MINE", "appId": "app-1", "packageId": "PACKAGE"},
            {"serviceId": "SERVICE", "appId": "app-1"},
        ),
        shape=True,
    ),
    "create_service_key": ActionRecord(
        permitted=WRITERS,
        body=lambda office: {"name": "shop", "serviceId": office.service, "tags": {"team": "vision"}},
        foreign=({"serviceId": "SERVICE", "name": "shop"},),
        shape={**KEY_OF_A_SERVICE, "key": SERVICE_KEY},
    ),
    "describe_service_keys": ActionRecord(
        permitted=READERS | OPERATORS,
        body=of_own(lambda office: {"serviceId": office.service, "status": "Active", "maxKeys": 3, "tags": {}}),
        foreign=({"serviceId": "SERVICE"},),
        shape={
            "keyList": [
                {**KEY_OF_A_SERVICE, "status": re.compile("Active|Deleted"), "creator": HEX_ID, "createTime": TIME}
                | {"orphanReason": Maybe(str), "tags": Maybe(dict), "creatorName": Maybe(str), **OWNER}
            ],
            **ENDS_A_PAGE,
        },
        example_stage=1,
    ),
    "delete_service_key": ActionRecord(
        permitted=WRITERS,
        body=lambda office: {"keyId": office.caller.do(SERVICE, "CreateServiceKey", {"name": "shop"})["keyId"]},
        foreign=({"keyId": "CALLING"},),
        shape=True,
        example_stage=3,
    ),
}

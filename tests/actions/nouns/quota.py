"""Records of the actions of ``contract.nouns.quota``."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.actions.forms import (
    AMOUNT,
    HEX_ID,
    MAY_END_A_PAGE,
    OWNER,
    PACKAGE_ID,
    PROJECT_ID,
    QUOTA_ID,
    TIME,
    Maybe,
)
from tests.actions.office import QUOTA_MODEL, Office, billed
from tests.actions.record import (
    DATA_FULL,
    DATA_OPERATE,
    FLEET_READERS,
    OPERATORS,
    READERS,
    WRITERS,
    ActionRecord,
    of_own,
)

QUOTA = {
    **OWNER,
    "instanceId": QUOTA_ID,
    "model": str,
    "tpm": int,
    "rpm": int,
    "count": int,
    "status": re.compile("Running|Stopped"),
    "instanceStatus": re.compile("Running|Released"),
    "paymentTiming": re.compile("Postpaid"),
    "startTime": TIME,
    "expiredTime": Maybe(TIME),
    "releaseTime": Maybe(TIME),
    "name": Maybe(str),
    "tags": Maybe(dict),
    "projectId": Maybe(PROJECT_ID),
}
PACKAGE = {
    **OWNER,
    "packageId": PACKAGE_ID,
    "serviceName": str,
    "specification": re.compile(r"\d+(\.\d{1,3})?"),
    "used": float,
    "tokens": int,
    "usedTokens": int,
    "status": re.compile("Pending|Active|Exhausted"),
    "creator": HEX_ID,
    "startTime": TIME,
    "expiredTime": TIME,
    "name": Maybe(str),
    "tags": Maybe(dict),
    "projectId": Maybe(PROJECT_ID),
}
WORDS = {"name": "training", "tags": {"team": "vision"}, "projectId": "default"}
PRESET = {
    "serviceId": re.compile(r"svcp-[0-9a-f]{12}"),
    "name": str,
    "model": str,
    "serviceType": re.compile("chat"),
    "chargeType": re.compile("TPM"),
    "chargeStatus": re.compile("NotOpen|Opened"),
    "pricePerMinute": (AMOUNT, None),
}


def describe_quota(office: Office) -> Any:
    known = {"model": QUOTA_MODEL, "instanceId": office.caller.buy_quota(QUOTA_MODEL)}
    return {**known, "paymentTiming": "Postpaid", "status": "Running", **WORDS}


def grant_package(office: Office) -> Any:
    words = {"serviceName": "ernie", "specification": 1000, "expiredTime": "2090-01-15 09:30:00"}
    words |= {"startTime": "2090-01-14 09:30:00"}
    return {**words, **WORDS, "accountId": office.user["accountId"]}


def describe_preset_services() -> Any:
    kinds = {"serviceType": ["chat"], "chargeType": ["TPM"], "chargeStatus": ["NotOpen", "Opened"]}
    return {"serviceIds": ["svcp-1"], **kinds, "protocolVersion": 1}


RECORDS: Final = {
    "purchase_quota": ActionRecord(
        permitted=WRITERS,
        body=billed({"model": QUOTA_MODEL, "purchaseCount": 2, **WORDS}, timing="Postpaid", time="2090-01-15 09:30:00"),
        foreign=({**billed({"model": QUOTA_MODEL, "purchaseCount": 1}, timing="Postpaid"), "projectId": "PROJECT"},),
        shape={"instanceId": QUOTA_ID, "orderId": HEX_ID},
    ),
    "describe_quota": ActionRecord(
        permitted=READERS | FLEET_READERS,
        body=of_own(describe_quota),
        searches=(
            {"model": "ernie-4.0-8k", "instanceId": "QUOTA"},
            {"model": "ernie-4.0-8k", "projectId": "PROJECT"},
        ),
        shape={"instances": [QUOTA], **MAY_END_A_PAGE},
    ),
    "release_quota": ActionRecord(
        permitted=WRITERS,
        body=lambda office: {"model": QUOTA_MODEL, "instanceId": office.caller.buy_quota(QUOTA_MODEL)},
        foreign=({"model": "ernie-4.0-8k", "instanceId": "QUOTA"},),
        shape=True,
        example_stage=4,
    ),
    "resize_quota": ActionRecord(
        permitted=WRITERS,
        body=lambda office: {"instanceId": office.caller.buy_quota(QUOTA_MODEL), "count": 3},
        foreign=(
            {"instanceId": "QUOTA", "count": 2},
            {"instanceId": "QUOTA"},
        ),
        shape=True,
        example_stage=1,
    ),
    "schedule_quota_release": ActionRecord(
        permitted=WRITERS,
        body=lambda office: {"instanceId": office.caller.buy_quota(QUOTA_MODEL), "releaseTime": "2090-01-15 09:30:00"},
        foreign=({"instanceId": "QUOTA"},),
        shape=True,
    ),
    "describe_packages": ActionRecord(
        permitted=READERS | FLEET_READERS,
        body=of_own({"serviceName": "ernie", "status": "Active", "creator": "root", **WORDS}),
        searches=({"projectId": "PROJECT"},),
        shape={"instances": [PACKAGE], **MAY_END_A_PAGE},
    ),
    "describe_package": ActionRecord(
        permitted=READERS | FLEET_READERS,
        body=of_own(lambda office: {"packageId": office.package}),
        foreign=({"packageId": "PACKAGE"},),
        shape={"instance": PACKAGE},
    ),
    "grant_package": ActionRecord(
        permitted=OPERATORS,
        body=grant_package,
        foreign=(
            {"serviceName": "x", "specification": 1, "expiredTime": "2090-01-15 09:30:00", "projectId": "PROJECT"},
        ),
        shape={"instance": PACKAGE},
    ),
    "describe_preset_services": ActionRecord(
        permitted=READERS | {DATA_FULL, DATA_OPERATE},
        body=describe_preset_services(),
        shape={"serviceList": [PRESET], **MAY_END_A_PAGE},
    ),
}

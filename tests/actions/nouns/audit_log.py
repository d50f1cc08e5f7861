"""Records of the actions of ``contract.nouns.audit_log``."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.actions.forms import ENDS_A_PAGE, HEX_ID, OWNER, TIME, Maybe
from tests.actions.office import EVER, Office
from tests.actions.record import MANAGERS, OPERATORS, ActionRecord

AUDIT_ENTRY = {
    **OWNER,
    "time": TIME,
    "requestId": re.compile(r"[0-9a-f-]{36}"),
    "userId": Maybe(HEX_ID),
    "userName": Maybe(str),
    "accessKeyId": Maybe(str),
    "address": str,
    "path": re.compile(r"/v2/[a-z]+"),
    "action": str,
    "status": int,
    "code": str,
    "message": Maybe(str),
    "body": str,
    "names": [str],
    "hasClientToken": bool,
    "chain": str,
    "page": int,
}
HASH = re.compile(r"[0-9a-f]{64}")
AUDIT_PROOF = {
    "publicKey": HASH,
    "chains": [{"chain": str, "page": int, "hash": HASH, "time": TIME}],
    "closures": [
        {
            **dict.fromkeys(("chain", "publicKey", "signature"), str),
            **dict.fromkeys(("firstPage", "lastPage", "entriesTotal"), int),
            **dict.fromkeys(("startTime", "endTime", "closedTime"), TIME),
            **dict.fromkeys(("hashBefore", "hashAfter"), HASH),
            "counts": dict,
        }
    ],
    "isTruncated": bool,
    "maxKeys": int,
    "nextMarker": Maybe(str),
}


def describe_audit_log(office: Office) -> Any:
    who = {"accountId": office.user["accountId"], "userId": office.user["userId"], "accessKeyId": "AKROOT"}
    what = {"action": "TopUpAccount", "code": "OK", "instanceId": "unit-00000000", "address": "127.0.0.1"}
    return {**who, **what, **EVER, "maxKeys": 3}


RECORDS: Final = {
    "describe_audit_log": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=describe_audit_log,
        searches=(
            {"instanceId": "UNIT"},
            {"userId": "USER"},
        ),
        shape={"entries": [AUDIT_ENTRY], **ENDS_A_PAGE},
    ),
    "describe_audit_proof": ActionRecord(
        permitted=OPERATORS,
        body={"maxKeys": 3},
        shape=AUDIT_PROOF,
    ),
    "describe_refused_calls": ActionRecord(
        permitted=OPERATORS,
        body={"address": "192.0.2.1", "accessKeyId": "AKROOT", **EVER, "maxKeys": 3},
        foreign=({"accessKeyId": "KEY"},),
        shape={
            "rows": [
                {
                    "minute": TIME,
                    "address": Maybe(str),
                    "accessKeyId": Maybe(str),
                    "accountId": Maybe(HEX_ID),
                    "calls": int,
                    "codes": dict,
                    "firstTime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+08:00"),
                    "lastTime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+08:00"),
                    "isOverflow": bool,
                }
            ],
            "isTruncated": bool,
            "maxKeys": int,
            "nextMarker": Maybe(str),
        },
        example_differs=True,
    ),
}

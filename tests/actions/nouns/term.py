"""Records of the actions of ``contract.nouns.term``."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.actions.forms import AMOUNT, ENDS_A_PAGE, HEX_ID, OWNER, PURCHASED, TIME, TIMING, UNIT_ID, Maybe
from tests.actions.office import Office, billed
from tests.actions.record import FLEET_READERS, READERS, WRITERS, ActionRecord, of_own
from tests.api.scene import order

RULE = {
    **OWNER,
    "instanceId": UNIT_ID,
    "instanceType": re.compile("ComputingUnit"),
    "autoRenewTimeUnit": re.compile("Month"),
    "autoRenewTime": int,
    "status": re.compile("Running"),
    "expiredTime": TIME,
    "nextTryTime": TIME,
}
QUOTE = {
    "passed": bool,
    "verdicts": [{"rule": str, "passed": bool, "code": (str, None), "message": (str, None)}],
    "region": str,
    "type": str,
    "computeUnitCount": int,
    "paymentTiming": TIMING,
    "pricePerUnit": (AMOUNT, None),
    "priceUnit": re.compile("Minute|Month"),
    "amount": AMOUNT,
    "balanceNeeded": AMOUNT,
    "balance": AMOUNT,
    "currency": str,
    "quoteId": Maybe(HEX_ID),
    "quoteExpiredTime": Maybe(TIME),
}
CHANGE_QUOTE = {
    "passed": bool,
    "verdicts": [{"rule": str, "passed": bool, "code": (str, None), "message": (str, None)}],
    "instanceId": UNIT_ID,
    "region": str,
    "type": str,
    "computeUnitCount": int,
    "paymentTiming": TIMING,
    "expiredTime": Maybe(TIME),
    "pricePerUnit": Maybe(AMOUNT),
    "priceUnit": re.compile("Minute|Month"),
    "amount": AMOUNT,
    "balance": AMOUNT,
    "currency": str,
}


def create_auto_renew_rule(office: Office) -> Any:
    rule = {"instanceType": "ComputingUnit", "autoRenewTimeUnit": "Month", "autoRenewTime": 3}
    return {"instanceId": office.caller.buy(months=1), **rule}


def delete_auto_renew_rule(office: Office) -> Any:
    return {"instanceId": office.caller.buy(months=1, autoRenew=True), "instanceType": "ComputingUnit"}


RECORDS: Final = {
    "renew_unit": ActionRecord(
        permitted=WRITERS,
        body=lambda office: {
            "instanceId": office.caller.buy(months=1),
            "months": 2,
            "expiryDay": 5,
            "maxAmount": "1000",
        },
        foreign=({"instanceId": "UNIT", "months": 1}, {"instanceId": "UNIT", "months": 1, "maxAmount": "0"}),
        shape={**PURCHASED, "expiredTime": TIME},
        example_stage=1,
    ),
    "change_billing": ActionRecord(
        permitted=WRITERS,
        body=lambda office: {
            "instanceId": office.caller.buy(),
            "paymentTiming": "Prepaid",
            "reservation": billed({})["billing"]["reservation"],
            "maxAmount": "100.50",
        },
        foreign=({"instanceId": "UNIT", "paymentTiming": "Postpaid"},),
        shape={**PURCHASED, "droppedReleaseTime": Maybe(TIME)},
        example_stage=4,
    ),
    "quote_purchase": ActionRecord(
        permitted=READERS,
        body={
            **billed(order(count=2)),
            "hold": True,
            "projectId": "default",
            "name": "training",
            "tags": {"team": "vision"},
        },
        foreign=({**order(), "projectId": "PROJECT"},),
        shape=QUOTE,
    ),
    "quote_change": ActionRecord(
        permitted=READERS,
        body=lambda office: {"instanceId": office.caller.buy(months=1), "months": 2, "expiryDay": 5},
        foreign=({"instanceId": "UNIT", "months": 1}, {"instanceId": "UNIT", "count": 2}),
        shape=CHANGE_QUOTE,
        example_stage=1,
    ),
    "create_auto_renew_rule": ActionRecord(
        permitted=WRITERS,
        body=create_auto_renew_rule,
        foreign=({"instanceId": "UNIT", "instanceType": "ComputingUnit"},),
        shape=True,
        example_stage=1,
    ),
    "describe_auto_renew_rules": ActionRecord(
        permitted=READERS | FLEET_READERS,
        body=of_own(lambda office: {"instanceId": delete_auto_renew_rule(office)["instanceId"], "maxKeys": 5}),
        foreign=({"instanceId": "UNIT"},),
        shape={"rules": [RULE], **ENDS_A_PAGE},
        example_stage=2,
    ),
    "delete_auto_renew_rule": ActionRecord(
        permitted=WRITERS,
        body=delete_auto_renew_rule,
        foreign=({"instanceId": "UNIT"},),
        shape=True,
        example_stage=3,
    ),
}

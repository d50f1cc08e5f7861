"""Records of the actions of ``contract.nouns.account``."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.actions.forms import AMOUNT, ANY_ID, ENDS_A_PAGE, HEX_ID, PROJECT_ID, TIME, TIMING, Maybe
from tests.actions.office import Office
from tests.actions.record import (
    BILLING_READERS,
    FLEET_READERS,
    MANAGERS,
    OPERATORS,
    READERS,
    ActionRecord,
)

ACCOUNT_DETAIL = {
    "accountId": HEX_ID,
    "balance": AMOUNT,
    "currency": str,
    "name": str,
    "timeZone": str,
    "status": re.compile("Active|Suspended|Closed"),
    "statusReason": Maybe(str),
    "arrearsSince": Maybe(TIME),
    "createTime": TIME,
}
HOLDING = {"instances": int, "units": int}
OVERVIEW = {
    **ACCOUNT_DETAIL,
    "prepaid": HOLDING,
    "postpaid": HOLDING,
    "services": int,
    "month": re.compile(r"20\d\d-\d\d"),
    "spent": AMOUNT,
    "budget": Maybe(AMOUNT),
}
ORDER = {
    "orderId": HEX_ID,
    "instanceId": ANY_ID,
    "instanceName": Maybe(str),
    "kind": re.compile("Purchase|Renewal|Resize|Conversion"),
    "paymentTiming": TIMING,
    "region": str,
    "type": str,
    "count": int,
    "months": Maybe(int),
    "amount": AMOUNT,
    "createTime": TIME,
    "accountId": Maybe(HEX_ID),
    "accountName": Maybe(str),
}
POSTING = {
    "postingId": re.compile(r"\d+"),
    "time": TIME,
    "kind": re.compile("TopUp|Purchase|Usage|Renewal|Resize|Conversion"),
    "debit": str,
    "credit": str,
    "amount": AMOUNT,
    "orderId": Maybe(HEX_ID),
    "instanceId": Maybe(ANY_ID),
    "instanceName": Maybe(str),
    "minutes": Maybe(int),
    "count": Maybe(int),
    "price": Maybe(AMOUNT),
    "startTime": Maybe(TIME),
    "endTime": Maybe(TIME),
    "accountId": Maybe(HEX_ID),
    "accountName": Maybe(str),
    "projectId": Maybe(PROJECT_ID),
}
LINE = {
    "kind": re.compile("Purchase|Usage|Renewal|Resize|Conversion"),
    "startTime": TIME,
    "endTime": TIME,
    "minutes": Maybe(int),
    "count": int,
    "price": AMOUNT,
    "amount": AMOUNT,
    "projectId": Maybe(PROJECT_ID),
}
BILLED = {
    "instanceId": ANY_ID,
    "kind": re.compile("ComputingUnit|TPM"),
    "region": str,
    "type": str,
    "paymentTiming": TIMING,
    "amount": AMOUNT,
    "lines": [LINE],
    "name": Maybe(str),
    "tags": Maybe(dict),
}
STATEMENT = {
    "accountId": HEX_ID,
    "month": re.compile(r"2030-\d\d"),
    "startTime": TIME,
    "endTime": TIME,
    "currency": str,
    "openingBalance": AMOUNT,
    "paidIn": AMOUNT,
    "charged": AMOUNT,
    "closingBalance": AMOUNT,
    "instances": [BILLED],
    **ENDS_A_PAGE,
}


def describe_account(office: Office) -> Any:
    found = office.caller.do("/v2/account", "DescribeAccount")
    return {"accountId": found["accountId"], "name": found["name"]}


def describe_accounts(office: Office) -> Any:
    name = office.caller.do("/v2/account", "DescribeAccount")["name"]
    return {"name": name, "nameContains": name[:1], "status": "Active", "maxKeys": 3}


def describe_orders() -> Any:
    times = {"startTime": "2020-01-01 00:00:00", "endTime": "2090-01-01 00:00:00"}
    return {"maxKeys": 3, "kind": "Purchase", "instanceId": "unit-00000000", **times}


RECORDS: Final = {
    "describe_account": ActionRecord(
        permitted=READERS | BILLING_READERS,
        body=describe_account,
        foreign=({"accountId": "ACCOUNT"}, {"name": "another"}),
        shape=OVERVIEW,
    ),
    "top_up": ActionRecord(
        permitted=OPERATORS,
        body=lambda office: {"amount": "1.5", "accountId": office.user["accountId"]},
        shape=ACCOUNT_DETAIL,
    ),
    "describe_orders": ActionRecord(
        permitted=READERS | FLEET_READERS | BILLING_READERS,
        body=lambda office: {**describe_orders(), "accountId": office.user["accountId"]},
        foreign=({"accountId": "ACCOUNT"}, {"accountId": ["ACCOUNT"]}),
        searches=({"instanceId": "UNIT"},),
        shape={"orders": [ORDER], **ENDS_A_PAGE},
    ),
    "describe_postings": ActionRecord(
        permitted=READERS | BILLING_READERS,
        body=lambda office: {**describe_orders(), "kind": "Usage", "accountId": [office.user["accountId"]]},
        foreign=({"accountId": "ACCOUNT"}, {"accountId": ["ACCOUNT"]}),
        searches=({"instanceId": "UNIT"},),
        shape={"postings": [POSTING], **ENDS_A_PAGE},
    ),
    "describe_statement": ActionRecord(
        permitted=READERS | BILLING_READERS,
        body=lambda office: {"month": "2030-01", "accountId": office.user["accountId"], "maxKeys": 3},
        foreign=({"month": "2030-01", "accountId": "ACCOUNT"},),
        shape=STATEMENT,
    ),
    "describe_accounts": ActionRecord(
        permitted=BILLING_READERS,
        body=describe_accounts,
        shape={"accounts": [OVERVIEW], **ENDS_A_PAGE},
    ),
    "rename_account": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=lambda office: {"name": "renamed", "accountId": office.user["accountId"]},
        foreign=({"name": "renamed", "accountId": "ACCOUNT"},),
        shape=ACCOUNT_DETAIL,
        example_stage=1,
    ),
}

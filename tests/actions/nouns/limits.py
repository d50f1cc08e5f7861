"""Records of the actions of ``contract.nouns.limits``."""

from __future__ import annotations

from typing import Any, Final

from tests.actions.forms import AMOUNT, HEX_ID, Maybe
from tests.actions.nouns.account import ACCOUNT_DETAIL
from tests.actions.office import Office
from tests.actions.record import BILLING_READERS, MANAGERS, OPERATORS, READERS, ActionRecord
from tests.api.scene import IAM

GUARD_RAILS = {
    "accountId": HEX_ID,
    "limits": dict,
    "used": Maybe(
        {
            "units": dict,
            "userUnits": dict,
            "month": (str, None),
            "spend": AMOUNT,
            "userSpend": dict,
            "userNames": dict,
            "projects": dict,
            "tagSpend": dict,
        }
    ),
}


def set_guard_rails(office: Office) -> Any:
    limits = {
        "units": {"tpu": 1},
        "userUnits": {"*": {"tpu": 1}},
        "spend": "100000",
        "userSpend": {"*": "100000"},
        "budget": "100000",
        "budgetWarnPercent": [50],
        "budgetRefusePercent": 100,
        "releaseMaxSeconds": 86400 * 36500,
        "releaseDefaultSeconds": 86400 * 365,
        "endRequired": False,
        "extendBy": "buyer",
        "extensionsMax": 1,
        "needsApproval": {
            "units": {"tpu": 1},
            "cost": "100000",
            "releaseSeconds": 86400 * 36500,
            "months": 100,
            "lapseSeconds": 86400,
            "selfApproval": True,
        },
        "userNeedsApproval": {"*": {"units": {"tpu": 1}}},
        "tags": {"team": {"vision": {"budget": "100000", "budgetWarnPercent": [50], "budgetRefusePercent": 100}}},
        "projects": {
            "default": {
                "units": {"tpu": 1},
                "spend": "100000",
                "budget": "100000",
                "budgetWarnPercent": [50],
                "budgetRefusePercent": 100,
                "releaseMaxSeconds": 86400 * 36500,
                "endRequired": False,
                "releaseDefaultSeconds": 86400 * 365,
            }
        },
    }
    return {"limits": limits, "replace": True, "accountId": office.user["accountId"]}


def new_account(office: Office) -> Any:
    return {"accountId": office.scene.operator.do(IAM, "CreateAccount", {"name": "short-lived"})["accountId"]}


def suspend_account(office: Office) -> Any:
    return {**new_account(office), "reason": "The project ended."}


def resume_account(office: Office) -> Any:
    body = suspend_account(office)
    office.scene.operator.do(IAM, "SuspendAccount", body)
    return {"accountId": body["accountId"]}


RECORDS: Final = {
    "set_guard_rails": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=set_guard_rails,
        shape=GUARD_RAILS | {"before": Maybe(dict), "after": dict},
        example_stage=3,
    ),
    "describe_guard_rails": ActionRecord(
        permitted=READERS | OPERATORS | BILLING_READERS,
        body=lambda office: {"accountId": office.user["accountId"]},
        shape=GUARD_RAILS,
        example_stage=4,
    ),
    "suspend_account": ActionRecord(permitted=OPERATORS, body=suspend_account, shape=ACCOUNT_DETAIL, example_stage=5),
    "resume_account": ActionRecord(permitted=OPERATORS, body=resume_account, shape=ACCOUNT_DETAIL, example_stage=6),
    "close_account": ActionRecord(permitted=OPERATORS, body=new_account, shape=ACCOUNT_DETAIL, example_stage=7),
}

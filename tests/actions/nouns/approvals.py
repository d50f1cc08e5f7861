"""Records of the actions of ``contract.nouns.approval.approvals``."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.actions.forms import AMOUNT, ANY_ID, HEX_ID, SERVICE_ID, TIME, Maybe
from tests.actions.office import Office
from tests.actions.record import HOUSE, MANAGERS, OPERATORS, READERS, ActionRecord
from tests.api.scene import ACCOUNT, UNITS, order

APPROVAL_ID: Final = re.compile(r"apr-[0-9a-f]{32}")
APPROVAL = {
    "accountId": Maybe(HEX_ID),
    "accountName": Maybe(str),
    "approvalId": APPROVAL_ID,
    "status": str,
    "what": str,
    "askedBy": HEX_ID,
    "reasons": [str],
    "region": str,
    "type": str,
    "computeUnitCount": int,
    "paymentTiming": str,
    "months": Maybe(int),
    "releaseTime": Maybe(TIME),
    "pricePerUnit": AMOUNT,
    "cost": AMOUNT,
    "currency": str,
    "selfApproval": bool,
    "askTime": TIME,
    "lapseTime": TIME,
    "decidedBy": Maybe(HEX_ID),
    "decideTime": Maybe(TIME),
    "reason": Maybe(str),
    "orderId": Maybe(HEX_ID),
    "instanceId": Maybe(ANY_ID),
    "serviceId": Maybe(SERVICE_ID),
}


def asked(office: Office) -> Any:
    """Ask for a purchase that an own approval is enough for."""
    needs = {"units": {"gpu-1": 0}, "selfApproval": True}
    office.caller.do(ACCOUNT, "SetGuardRails", {"limits": {"needsApproval": needs}})
    found = APPROVAL_ID.search(office.caller.ask(UNITS, "PurchaseComputeUnit", order()).body["message"])
    assert found is not None
    office.caller.do(ACCOUNT, "SetGuardRails", {"limits": {"needsApproval": None}})
    return {"approvalId": found[0]}


def listed(office: Office) -> Any:
    asked(office)
    return {"status": "Open", "mine": False, "accountId": office.user["accountId"]}


RECORDS: Final = {
    "describe_approvals": ActionRecord(
        permitted=READERS | set(HOUSE),
        body=listed,
        foreign=({"accountId": "ACCOUNT"}, {"accountId": ["ACCOUNT"]}),
        shape={"approvals": [APPROVAL], "isTruncated": bool, "maxKeys": int, "nextMarker": Maybe(str)},
    ),
    "approve_purchase": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=asked,
        foreign=({"approvalId": "APPROVAL"},),
        shape=APPROVAL,
    ),
    "reject_purchase": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=lambda office: {**asked(office), "reason": "Use what there is."},
        foreign=({"approvalId": "APPROVAL", "reason": "Use what there is."},),
        shape=APPROVAL,
    ),
}

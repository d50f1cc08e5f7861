"""Records of the actions of ``contract.nouns.finance.statements``."""

from __future__ import annotations

import re
from typing import Final

from tests.actions.forms import AMOUNT, ENDS_A_PAGE, HEX_ID, TIME, Maybe
from tests.actions.record import BILLING_READERS, READERS, ActionRecord

SUMS: Final = {
    "accountId": HEX_ID,
    "accountName": str,
    "month": re.compile(r"2030-\d\d"),
    "startTime": TIME,
    "endTime": TIME,
    "currency": str,
    "openingBalance": AMOUNT,
    "paidIn": AMOUNT,
    "charged": AMOUNT,
    "paidOut": Maybe(AMOUNT),
    "writtenOff": Maybe(AMOUNT),
    "closingBalance": AMOUNT,
}

RECORDS: Final = {
    "describe_statements": ActionRecord(
        permitted=READERS | BILLING_READERS,
        body=lambda office: {"month": "2030-01", "accountId": [office.user["accountId"]], "maxKeys": 3},
        foreign=({"month": "2030-01", "accountId": "ACCOUNT"}, {"month": "2030-01", "accountId": ["ACCOUNT"]}),
        shape={"statements": [SUMS], **ENDS_A_PAGE},
    ),
}

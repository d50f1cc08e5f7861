"""Records of the actions of ``contract.nouns.finance.cost_export``."""

from __future__ import annotations

import re
from typing import Final

from tests.actions.record import BILLING_READERS, READERS, ActionRecord

RECORDS: Final = {
    "export_costs": ActionRecord(
        permitted=READERS | BILLING_READERS,
        body=lambda office: {
            "month": "2030-01",
            "lastMonth": "2030-02",
            "dataset": "BillingPeriod",
            "version": "1.4",
            "format": "csv",
            "bom": True,
            "accountId": office.user["accountId"],
        },
        foreign=({"month": "2030-01", "accountId": "ACCOUNT"}, {"month": "2030-01", "accountId": ["ACCOUNT"]}),
        shape=re.compile(r"\ufeff?(BillingPeriodCreated|BilledCost),(.*\n)+"),
    ),
}

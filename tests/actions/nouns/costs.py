"""Records of the actions of ``contract.nouns.finance.costs``."""

from __future__ import annotations

from typing import Any, Final

from tests.actions.forms import AMOUNT, ENDS_A_PAGE, TIME, Maybe
from tests.actions.office import Office
from tests.actions.record import BILLING_READERS, READERS, ActionRecord

SUMS = {
    "billed": AMOUNT,
    "amortised": AMOUNT,
    "forecastBilled": Maybe(AMOUNT),
    "forecastAmortised": Maybe(AMOUNT),
}
SPAN = {"from": "2030-01-01 00:00:00", "to": "2031-01-01 00:00:00"}


def describe_costs(office: Office) -> dict[str, Any]:
    """Ask by type and team, for a year and a forecast."""
    return {
        **SPAN,
        "groupBy": ["type", "tag:team"],
        "granularity": "month",
        "filter": {"kind": ["Usage", "Purchase", "Renewal"]},
        "forecast": True,
        "accountId": office.user["accountId"],
    }


RECORDS: Final = {
    "describe_costs": ActionRecord(
        permitted=READERS | BILLING_READERS,
        body=describe_costs,
        foreign=({**SPAN, "accountId": "ACCOUNT"}, {**SPAN, "accountId": ["ACCOUNT"]}),
        shape={
            "currency": str,
            "total": SUMS,
            "costs": [
                {
                    "startTime": TIME,
                    "endTime": TIME,
                    "group": {"type": str, "tag:team": (None, str)},
                    "names": Maybe({"user": str}),
                    **SUMS,
                }
            ],
            **ENDS_A_PAGE,
        },
    ),
}

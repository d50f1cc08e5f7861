"""Records of the actions of ``contract.nouns.offering``."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.actions.forms import AMOUNT, MAY_END_A_PAGE, TIME, Maybe
from tests.actions.office import Office
from tests.actions.record import OPERATORS, READERS, ActionRecord
from tests.api.scene import CATALOG

OFFERING = {
    "kind": re.compile("ComputingUnit|TPM"),
    "region": str,
    "type": str,
    "pricePerMinute": (AMOUNT, None),
    "pricePerMonth": (AMOUNT, None),
    "stockTotal": int,
    "stockFree": int,
    "stockSource": re.compile("Set|Engine"),
    "oversold": int,
    "closedTime": Maybe(TIME),
    "noRenewals": Maybe(bool),
}
SEEN: Final[dict[str, Any]] = {
    "seenTime": (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+08:00"), None),
    "ageSeconds": (int, None),
    "trouble": (str, None),
}
ENGINE_REPORT: Final[dict[str, Any]] = {
    "nodes": [
        {
            "engine": str,
            "node": (str, None),
            "counts": bool,
            "engineTypes": [{"type": str, "units": (int, None)}],
            "troubleTime": (SEEN["seenTime"][0], None),
            **SEEN,
        }
    ],
    "stocks": [
        {
            "engine": str,
            "region": (str, None),
            "type": str,
            "stockSource": (re.compile("Set|Engine"), None),
            "stockTotal": int,
            "engineUnits": (int, None),
            "stockSold": int,
            "stockFree": int,
            "difference": int,
            "oversold": int,
            **SEEN,
        }
    ],
}


def set_offering() -> Any:
    free = {"pricePerMinute": "0", "pricePerMonth": "0"}
    return {"region": "bj", "type": "gpu-1", "stockTotal": 1_000_000_000, "stockSource": "Set", **free}


def an_offering(office: Office, *, closed: bool = False) -> Any:
    # One of its own: others are bought elsewhere.
    named = {"region": "bj", "type": "short-lived"}
    office.scene.operator.do(CATALOG, "SetOffering", {**named, "pricePerMinute": "1", "stockTotal": 1})
    if closed:
        office.scene.operator.do(CATALOG, "CloseOffering", named)
    return named


RECORDS: Final = {
    "describe_offerings": ActionRecord(
        permitted=READERS,
        shape={"offerings": [OFFERING], **MAY_END_A_PAGE},
    ),
    "set_offering": ActionRecord(
        permitted=OPERATORS,
        body=set_offering(),
        shape=OFFERING,
    ),
    "close_offering": ActionRecord(
        permitted=OPERATORS,
        body=lambda office: {**an_offering(office), "noRenewals": True},
        shape=OFFERING,
        example_stage=6,
    ),
    "reopen_offering": ActionRecord(
        permitted=OPERATORS,
        body=lambda office: an_offering(office, closed=True),
        shape=OFFERING,
    ),
    "remove_offering": ActionRecord(
        permitted=OPERATORS,
        body=lambda office: an_offering(office, closed=True),
        shape=True,
        example_stage=7,
    ),
    "describe_prices": ActionRecord(
        permitted=READERS,
        body={"region": "bj", "type": "gpu-1"},
        shape={
            "region": str,
            "type": str,
            "prices": [{"pricePerMinute": (AMOUNT, None), "startTime": TIME}],
            **MAY_END_A_PAGE,
        },
    ),
    "describe_engines": ActionRecord(
        permitted=OPERATORS,
        shape={**ENGINE_REPORT, **MAY_END_A_PAGE},
    ),
}

"""Records of the actions of ``contract.nouns.fault.faults``."""

from __future__ import annotations

import re
from typing import Final

from leasebook.contract.action import FAULTS
from tests.actions.forms import Maybe
from tests.actions.office import Office
from tests.actions.record import OPERATORS, ActionRecord

FAULT = {
    "faultId": re.compile(r"fault-[1-9][0-9]*"),
    "kind": str,
    "action": Maybe(str),
    "accountId": Maybe(str),
    "left": Maybe(int),
    "happened": int,
    "probability": Maybe(float),
    "seconds": Maybe(float),
}
LISTED = {"faults": [FAULT]}
WANTED = {
    "kind": "Slow",
    "action": "DescribePrices",
    "accountId": "0" * 32,
    "count": 1,
    "probability": 0.5,
    "seed": 7,
    "seconds": 0.5,
}


def _some_set(office: Office) -> dict[str, object]:
    """Set a fault that no call has, so that there is one to list."""
    office.caller.operator.do(FAULTS, "SetFaults", {"faults": [WANTED], "replace": True})
    return {"faultIds": ["fault-0"]}


RECORDS: Final = {
    "set_faults": ActionRecord(
        permitted=OPERATORS,
        body={"faults": [WANTED], "replace": True},
        shape=LISTED,
        example_stage=8,
    ),
    "describe_faults": ActionRecord(permitted=OPERATORS, shape=LISTED, example_stage=9),
    "clear_faults": ActionRecord(
        permitted=OPERATORS,
        body=_some_set,
        shape=LISTED,
        example_stage=10,
    ),
}

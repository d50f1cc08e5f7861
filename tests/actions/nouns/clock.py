"""Records of the actions of ``contract.nouns.clock``."""

from __future__ import annotations

import re
from typing import Final

from tests.actions.forms import TIME
from tests.actions.record import ANYBODY, OPERATORS, ActionRecord
from tests.api.scene import CLOCK

CLOCK_DETAIL = {"now": TIME, "mode": re.compile("virtual")}


RECORDS: Final = {
    "describe_clock": ActionRecord(
        permitted=ANYBODY,
        shape=CLOCK_DETAIL,
    ),
    "advance_clock": ActionRecord(
        permitted=OPERATORS,
        body=lambda office: {"to": office.caller.do(CLOCK, "DescribeClock")["now"]},
        shape=CLOCK_DETAIL,
        example_stage=5,
    ),
    "confirm_clock": ActionRecord(
        permitted=OPERATORS,
        shape=CLOCK_DETAIL,
    ),
}

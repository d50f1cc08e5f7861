"""Records of the actions of ``contract.nouns.clock``."""

from __future__ import annotations

import re
from typing import Final

from tests.actions.forms import TIME, Maybe
from tests.actions.record import ANYBODY, OPERATORS, ActionRecord
from tests.api.scene import CLOCK

CLOCK_DETAIL = {"now": TIME, "mode": re.compile("virtual")}

KINDS = "renew|release|expire|retire|charge|stop|resume|remind|approval"
DUE_WORK = {
    "now": TIME,
    "oldestReleaseTime": Maybe(TIME),
    "oldestReleaseLateSeconds": int,
    "kinds": [
        {
            "kind": re.compile(KINDS),
            "overdue": int,
            "oldestTime": Maybe(TIME),
            "lateSeconds": int,
            "dueWithinHour": int,
            "done": int,
        }
    ],
    "lateness": [{"upToSeconds": (float, None), "releases": int}],
    "servers": [
        {
            "serverId": re.compile("[0-9a-f]{32}"),
            "node": str,
            "startTime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+08:00"),
            "engines": [str],
            "isAnswering": bool,
            "silentSeconds": (int, None),
        }
    ],
}

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
    "describe_due_work": ActionRecord(
        permitted=OPERATORS,
        shape=DUE_WORK,
    ),
    "confirm_clock": ActionRecord(
        permitted=OPERATORS,
        shape=CLOCK_DETAIL,
    ),
}

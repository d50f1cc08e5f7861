"""Records of the actions of ``contract.nouns.event``."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.actions.forms import ANY_ID, HEX_ID, TIME, Maybe, Unfilled
from tests.actions.office import Office
from tests.actions.record import FLEET_READERS, MANAGERS, OPERATORS, READERS, ActionRecord, of_own
from tests.api.scene import EVENTS

EVENT = {
    "specversion": re.compile(r"1\.0"),
    "id": re.compile(r"\d+-\d+"),
    "source": re.compile(r"/v2/account/[0-9a-f]{32}"),
    "type": re.compile(r"(unit|account|subscription|engine|iam|service|resource)\.[a-zA-Z]+"),
    "subject": Maybe(ANY_ID),
    "time": TIME,
    "datacontenttype": re.compile("application/json"),
    "data": dict,
}


def describe_events() -> Any:
    times = {"startTime": "2020-01-01 00:00:00", "endTime": "2090-01-01 00:00:00"}
    return {"maxKeys": 3, "instanceId": "unit-00000000", "types": ["unit.bought"], "oldestFirst": True, **times}


def follow_events(office: Office) -> Any:
    last = office.caller.do(EVENTS, "DescribeEvents", {"maxKeys": 1})["events"][0]["id"]
    return {"instanceId": "unit-00000000", "types": ["unit.bought"], "after": last}


RECORDS: Final = {
    "describe_events": ActionRecord(
        permitted=READERS | FLEET_READERS,
        body=lambda office: {**describe_events(), "accountId": office.user["accountId"]},
        foreign=({"accountId": "ACCOUNT"}, {"accountId": ["ACCOUNT"]}),
        searches=({"instanceId": "UNIT"},),
        shape={"events": [EVENT], "nextMarker": Maybe(str), "isTruncated": bool, "maxKeys": int},
    ),
    "follow_events": ActionRecord(
        permitted=READERS | FLEET_READERS,
        body=of_own(follow_events),
        searches=({"instanceId": "UNIT"},),
        shape=Unfilled([EVENT]),
    ),
    "set_reminders": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=lambda office: {"beforeSeconds": [86400, 60], "accountId": office.user["accountId"]},
        shape={"accountId": HEX_ID, "beforeSeconds": [int]},
    ),
    "describe_reminders": ActionRecord(
        permitted=READERS | OPERATORS | FLEET_READERS,
        body=lambda office: {"accountId": office.user["accountId"]},
        shape={"accountId": HEX_ID, "beforeSeconds": [int]},
    ),
}

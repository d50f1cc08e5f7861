"""Records of the actions of ``contract.nouns.resource.tags``."""

from __future__ import annotations

from typing import Any, Final

from tests.actions.forms import ANY_ID, OWNER, Maybe
from tests.actions.office import Office
from tests.actions.record import FLEET_READERS, READERS, WRITERS, ActionRecord, of_own

TAGGED = {"resourceId": ANY_ID, "name": Maybe(str), "tags": dict}


def tagged(office: Office) -> Any:
    unit = office.caller.buy()
    office.caller.do("/v2/tag", "TagResource", {"resourceId": unit, "tags": {"team": "vision"}})
    return {"resourceIds": [unit]}


RECORDS: Final = {
    "tag_resource": ActionRecord(
        permitted=WRITERS,
        body=lambda office: {"resourceId": office.caller.buy(), "tags": {"team": "vision", "empty": ""}},
        foreign=tuple(
            {"resourceId": one, "tags": {"team": "vision"}}
            for one in ("UNIT", "QUOTA", "PACKAGE", "SERVICE", "SET", "MODEL", "CALLING", "HOOK")
        ),
        shape=TAGGED,
        example_stage=2,
    ),
    "untag_resource": ActionRecord(
        permitted=WRITERS,
        body=lambda office: {"resourceId": office.caller.buy(), "tagKeys": ["team", "project"]},
        foreign=({"resourceId": "UNIT", "tagKeys": ["team"]},),
        shape=TAGGED,
        example_stage=3,
    ),
    "rename_resource": ActionRecord(
        permitted=WRITERS,
        body=lambda office: {"resourceId": office.caller.buy(), "name": "training"},
        foreign=({"resourceId": "UNIT", "name": "training"},),
        shape=TAGGED,
        example_stage=1,
    ),
    "describe_tags": ActionRecord(
        permitted=READERS | FLEET_READERS,
        body=of_own(tagged),
        searches=({"resourceIds": ["UNIT", "SERVICE", "HOOK"]},),
        shape={"resourceTags": [TAGGED | OWNER]},
        example_stage=3,
    ),
}

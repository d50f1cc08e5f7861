"""Records of the actions of ``contract.nouns.resource.tag_policy``."""

from __future__ import annotations

from typing import Any, Final

from tests.actions.forms import HEX_ID
from tests.actions.office import Office
from tests.actions.record import FLEET_READERS, MANAGERS, OPERATORS, READERS, ActionRecord

POLICY = {"required": [str], "allowed": dict}
RULES = {"required": [], "allowed": {"floor": ["1", "2"]}}


def set_tag_policy(office: Office) -> Any:
    return {"policy": RULES, "replace": True, "accountId": office.user["accountId"]}


RECORDS: Final = {
    "set_tag_policy": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=set_tag_policy,
        shape={"accountId": HEX_ID, "before": POLICY, "after": POLICY},
        example_stage=8,
    ),
    "describe_tag_policy": ActionRecord(
        permitted=READERS | FLEET_READERS,
        body=lambda office: {"accountId": office.user["accountId"]},
        shape={"accountId": HEX_ID, "policy": POLICY},
        example_stage=9,
    ),
}

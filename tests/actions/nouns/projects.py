"""Records of the actions of ``contract.nouns.resource.projects``."""

from __future__ import annotations

import re
from itertools import count
from typing import Any, Final

from tests.actions.forms import ANY_ID, HEX_ID, MAY_END_A_PAGE, PACKAGE_ID, PROJECT_ID, SERVICE_ID, TIME, Maybe
from tests.actions.office import Office
from tests.actions.record import (
    BILLING_READERS,
    FLEET_READERS,
    MANAGERS,
    OPERATORS,
    READERS,
    WRITERS,
    ActionRecord,
    of_own,
)

PROJECT = {
    "projectId": (PROJECT_ID, re.compile("default")),
    "name": str,
    "description": str,
    "status": re.compile("Active|Closed"),
    "creator": Maybe(HEX_ID),
    "createTime": Maybe(TIME),
    "closedTime": Maybe(TIME),
}
_NUMBERS = count(1)


def named() -> Any:
    """Return a name that no project has."""
    return {"name": f"atlas {next(_NUMBERS)}", "description": "The maps."}


def made(office: Office) -> Any:
    """Make a project, close it again so that there are never too many, and make another one; returns that one's id."""
    done = office.caller.do("/v2/project", "CreateProject", named())
    office.caller.do("/v2/project", "CloseProject", {"projectId": done["projectId"]})
    return {"projectId": office.caller.do("/v2/project", "CreateProject", named())["projectId"]}


def modified(office: Office) -> Any:
    return {**made(office), **named()}


RECORDS: Final = {
    "create_project": ActionRecord(permitted=MANAGERS | OPERATORS, body=of_own(lambda _office: named()), shape=PROJECT),
    "describe_projects": ActionRecord(
        permitted=READERS | FLEET_READERS | BILLING_READERS,
        body=of_own({"projectId": "default", "name": "default", "status": "Active"}),
        searches=({"projectId": "PROJECT"},),
        shape={"projects": [PROJECT], **MAY_END_A_PAGE},
    ),
    "modify_project": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=of_own(modified),
        foreign=({"projectId": "PROJECT", "name": "atlas"}, {"projectId": "PROJECT"}),
        shape=PROJECT,
    ),
    "close_project": ActionRecord(
        permitted=MANAGERS | OPERATORS,
        body=of_own(made),
        foreign=({"projectId": "PROJECT"},),
        shape=PROJECT,
        example_stage=4,
    ),
    "move_resource": ActionRecord(
        permitted=WRITERS,
        body=lambda office: {"resourceId": office.caller.buy(), **made(office)},
        foreign=(
            *({"resourceId": one, "projectId": "default"} for one in ("UNIT", "QUOTA", "PACKAGE", "SERVICE")),
            {"resourceId": "OWN", "projectId": "PROJECT"},
        ),
        shape={"resourceId": (ANY_ID, PACKAGE_ID, SERVICE_ID), "projectId": (PROJECT_ID, re.compile("default"))},
        example_stage=2,
    ),
}

"""THE table: every (path, Action), what it takes and gives, who may call it, and what can go wrong.

Dispatch, the reference page, the OpenAPI document and the command line come from it. Append only: a path and
action never change their meaning. Each noun has its rows; here they come together, in the order of the documents.
"""

from __future__ import annotations

from typing import Final

from leasebook.contract.action import CHARGE, MODEL_VERSION, RESOURCES, Action, renamed
from leasebook.contract.nouns import (
    account,
    audit_log,
    clock,
    event,
    instance,
    limits,
    model,
    offering,
    quota,
    replica,
    service,
    service_call,
    subscription,
    term,
    user,
)
from leasebook.contract.nouns.approval import approvals
from leasebook.contract.nouns.fault import faults
from leasebook.contract.nouns.finance import cost_export, costs, statements
from leasebook.contract.nouns.resource import projects, tag_policy, tags, unit_count

_LEGACY_NAMES: Final = {
    "purchase_replicas": "PurchaseServiceResource",
    "describe_service_instances": "DescribeServiceResources",
    "describe_service_instance": "DescribeServiceResource",
    "release_replicas": "ReleaseServiceResource",
}
_BY_OPERATION: Final = {action.operation: action for action in (*instance.ACTIONS, *replica.INSTANCES)}
_SCHEDULE: Final = _BY_OPERATION["schedule_release"]


def _charge_actions() -> list[Action]:
    """Return the older path: its documented names, and the newer names that the Python client sends there."""
    return [
        *(renamed(action, CHARGE, _LEGACY_NAMES[action.operation]) for action in replica.INSTANCES),
        renamed(_BY_OPERATION["describe_service_instances"], CHARGE, "DescribeServiceResourceList"),
        *(renamed(action, CHARGE) for action in replica.INSTANCES),
        renamed(_SCHEDULE, CHARGE),
        *term.AUTO_RENEW_RULES,
        renamed(_BY_OPERATION["resize_unit"], CHARGE),
        *quota.ACTIONS,
    ]


ACTIONS: Final[tuple[Action, ...]] = (
    *replica.INSTANCES,
    renamed(_SCHEDULE, RESOURCES, legacy=False),
    *instance.ACTIONS,
    *term.ACTIONS,
    *_charge_actions(),
    *service.ACTIONS,
    *quota.PRESET_SERVICES,
    *service_call.ACTIONS,
    *account.ACTIONS,
    *limits.ACTIONS,
    *offering.ACTIONS,
    *clock.ACTIONS,
    *event.ACTIONS,
    *event.REMINDERS,
    *user.ACTIONS,
    *audit_log.ACTIONS,
    *instance.EXPLAIN,
    *subscription.ACTIONS,
    *model.ACTIONS,
    *service_call.KEYS,
    *replica.ACTIONS,
    *offering.ENGINES,
    *user.KEY_RULES,
    *audit_log.REFUSED_CALLS,
    *account.LIFE,
    *limits.SUSPENSION,
    *limits.CLOSING,
    *tags.TAGS,
    *approvals.ACTIONS,
    *cost_export.ACTIONS,
    *tag_policy.TAG_POLICIES,
    *costs.COSTS,
    *projects.PROJECTS,
    *faults.ACTIONS,
    *statements.STATEMENTS,
    *term.CHANGES,
    *unit_count.COUNTS,
)

UNNAMED: Final = {MODEL_VERSION: "DescribeModelVersion"}
"""Paths of the first API, whose calls do not name an action; here their only action has a name, which may be left out.
"""
_NAMED: Final = {(action.path, action.name): action for action in ACTIONS}
TABLE: Final[dict[tuple[str, str], Action]] = {
    **_NAMED,
    **{(path, ""): _NAMED[path, name] for path, name in UNNAMED.items()},
}


def permitted_operations() -> list[Action]:
    """Return one row for each operation that a policy permits, by path and name; of several paths not an old one."""
    first: dict[str, Action] = {}
    for action in sorted(ACTIONS, key=lambda one: (one.legacy, one.path, one.name)):
        first.setdefault(action.operation, action)
    return sorted((one for one in first.values() if one.permitted), key=lambda one: (one.path, one.name))

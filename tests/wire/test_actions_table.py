"""The table of actions: whole, append only, and the same as the handlers and the pages."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module
from typing import get_args

import msgspec
from tests.actions.records import RECORDS

from leasebook.api import handlers as operations
from leasebook.api.handlers import OPERATIONS
from leasebook.contract import policies as p
from leasebook.contract.action import ALWAYS, Action
from leasebook.contract.actions import ACTIONS, TABLE
from leasebook.contract.shapes import Request
from leasebook.docsgen.reference import reference_page

MODULES = [
    import_module(module.name) for module in pkgutil.walk_packages(operations.__path__, f"{operations.__name__}.")
]
PUBLISHED: frozenset[tuple[str, str]] = frozenset(
    {
        ("/v2/computeunit", "PurchaseComputeUnit"),
        ("/v2/computeunit", "DescribeComputeUnits"),
        ("/v2/computeunit", "DescribeComputeUnit"),
        ("/v2/computeunit", "ReleaseComputeUnit"),
        ("/v2/computeunit", "AutoReleaseComputeUnit"),
        ("/v2/computeunit", "ResizeComputeUnit"),
        ("/v2/serviceresources", "PurchaseComputeUnit"),
        ("/v2/serviceresources", "DescribeComputeUnits"),
        ("/v2/serviceresources", "DescribeComputeUnit"),
        ("/v2/serviceresources", "ReleaseComputeUnit"),
        ("/v2/serviceresources", "AutoReleaseComputeUnit"),
        ("/v2/charge", "PurchaseServiceResource"),
        ("/v2/charge", "DescribeServiceResources"),
        ("/v2/charge", "DescribeServiceResourceList"),
        ("/v2/charge", "DescribeServiceResource"),
        ("/v2/charge", "ReleaseServiceResource"),
        ("/v2/charge", "PurchaseComputeUnit"),
        ("/v2/charge", "DescribeComputeUnits"),
        ("/v2/charge", "DescribeComputeUnit"),
        ("/v2/charge", "ReleaseComputeUnit"),
        ("/v2/charge", "AutoReleaseComputeUnit"),
        ("/v2/charge", "ResizeComputeUnit"),
        ("/v2/charge", "CreateAutoRenewRules"),
        ("/v2/charge", "PurchaseTPMResource"),
        ("/v2/charge", "DescribeTPMResource"),
        ("/v2/charge", "ReleaseTPMResource"),
        ("/v2/charge", "ResizeTPMResource"),
        ("/v2/charge", "AutoReleaseTPMResource"),
        ("/v2/charge", "DescribePackageResources"),
        ("/v2/charge", "DescribePackageResource"),
        ("/v2/service", "CreateService"),
        ("/v2/service", "DescribeService"),
        ("/v2/service", "DescribeServices"),
        ("/v2/service", "ScaleService"),
        ("/v2/service", "ModifyService"),
        ("/v2/service", "DeactivateService"),
        ("/v2/service", "DescribePresetServices"),
        ("/v2/service", "DescribeServiceMetric"),
        ("/v2/model", "CreateCustomModelSet"),
        ("/v2/model", "CreateCustomModel"),
        ("/v2/model", "DescribeCustomModelSets"),
        ("/v2/model", "DescribeSystemModelSets"),
        ("/v2/model", "DescribeModelSet"),
        ("/v2/model", "DescribeModel"),
        ("/v2/model", "DeleteModel"),
        ("/v2/model", "DeleteModelSet"),
        ("/wenxinworkshop/modelrepo/modelVersionDetail", ""),
        ("/v2/service", "DescribeServiceStats"),
    }
)
"""Calls of clients of the published service. None of them may ever go."""


def name_of(action: Action) -> str:
    """Name a row where it fails: a test looks at all rows, since a test for each takes a hundred times as long."""
    return f"{action.path}-{action.name}"


# --- rows and implementations ----------------------------------------------------------------------------


def test_a_path_and_an_action_stand_in_one_row_only() -> None:
    assert len({(action.path, action.name) for action in ACTIONS}) == len(ACTIONS)


def test_a_name_may_be_left_out_only_at_a_path_of_the_first_api_which_has_one_action() -> None:
    (unnamed,) = (key for key in TABLE if not key[1])
    assert unnamed == ("/wenxinworkshop/modelrepo/modelVersionDetail", "")
    assert [action for action in ACTIONS if action.path == unnamed[0]] == [TABLE[unnamed]]


def test_what_is_published_stays() -> None:
    assert set(TABLE) >= PUBLISHED


def test_every_operation_has_exactly_one_implementation_and_every_implementation_a_row() -> None:
    named = [name for module in MODULES for name in getattr(module, "OPERATIONS", ())]
    assert len(named) == len(set(named))
    assert set(named) == set(OPERATIONS) == {action.operation for action in ACTIONS}
    assert len(set(OPERATIONS.values())) == len(OPERATIONS)


def test_an_implementation_is_called_as_its_operation() -> None:
    for name, implementation in OPERATIONS.items():
        assert implementation.__name__ == name


def test_older_names_stand_at_the_older_path_and_do_what_a_newer_one_does() -> None:
    newer = {action.operation for action in ACTIONS if not action.legacy}
    for action in ACTIONS:
        if action.legacy:
            assert action.path == "/v2/charge"
            assert action.operation in newer


def test_a_row_is_written_as_actions_are() -> None:
    for action in ACTIONS:
        assert re.fullmatch(r"/v2/[a-z]+|/wenxinworkshop/modelrepo/modelVersionDetail", action.path), name_of(action)
        assert re.fullmatch(r"([A-Z][a-z]+|TPM)+", action.name), name_of(action)
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", action.operation), name_of(action)
        assert re.fullmatch(r"[A-Z].*\.", action.summary), name_of(action)
        assert issubclass(action.request, Request), name_of(action)


def test_what_describes_only_reads_and_everything_else_writes() -> None:
    for action in ACTIONS:
        assert action.writes is not action.name.startswith(("Describe", "Follow", "Explain", "Export")), name_of(action)


def test_the_errors_of_a_row_are_its_own_and_each_said_once() -> None:
    for action in ACTIONS:
        assert len(set(action.all_errors)) == len(action.all_errors), name_of(action)
        assert set(ALWAYS) <= set(action.all_errors), name_of(action)


FILTERS = {operation for operation, record in RECORDS.items() if record.searches}
"""Lists that are filtered by an id: an id that no row has gives an empty list, and no error."""


def test_whatever_names_something_by_its_id_can_answer_that_it_is_not_there() -> None:
    for action in ACTIONS:
        fields = {field.encode_name for field in msgspec.structs.fields(action.request)}
        codes = {error.code for error in action.all_errors}
        if "instanceId" in fields and action.operation not in FILTERS:
            assert "InstanceNotFound" in codes, name_of(action)
        if "serviceId" in fields and action.operation not in FILTERS:
            assert codes & {"ServiceNotFound", "InstanceNotFound"}, name_of(action)
        if {"userId", "accessKeyId", "accountId", "packageId", "quoteId"} & fields and action.operation not in FILTERS:
            assert "ResourceNotFound" in codes, name_of(action)
        if "marker" in fields:
            assert "InvalidMarker" in codes, name_of(action)


# --- policies --------------------------------------------------------------------------------------------

POLICIES = set(get_args(p.PolicyName))
READERS_ONLY = {p.READ, p.SERVICE_READ, p.DATA_FULL, p.DATA_OPERATE, p.MODEL_READ}


def test_the_policies_that_can_be_attached_are_those_that_there_are() -> None:
    constants = {value for name, value in vars(p).items() if name.isupper() and isinstance(value, str)}
    assert constants == POLICIES


def test_every_policy_of_a_row_can_be_attached_and_every_policy_permits_something() -> None:
    used = {policy for action in ACTIONS for policy in action.permitted}
    assert used == POLICIES


def test_a_policy_that_only_reads_permits_no_write_but_a_quote_which_only_keeps_a_price() -> None:
    for action in ACTIONS:
        if action.writes and action.operation not in {"quote_purchase", "quote_change"}:
            assert not action.policies & READERS_ONLY, name_of(action)


def test_a_policy_that_only_reads_every_account_permits_no_write() -> None:
    for action in ACTIONS:
        if action.writes:
            assert not action.permitted & {p.FLEET_READ, p.BILLING_READ}, name_of(action)
            assert action.across <= {p.OPERATOR, p.SUPPORT}, name_of(action)


def test_what_may_name_other_accounts_has_a_field_for_them_and_a_write_one_for_the_reason() -> None:
    for action in ACTIONS:
        fields = {field.name for field in msgspec.structs.fields(action.request)}
        assert not action.across or "account_id" in fields, name_of(action)
        assert not (action.across and action.writes) or "reason" in fields, name_of(action)


def test_full_control_permits_everything_but_what_is_an_operators() -> None:
    for action in ACTIONS:
        assert not action.policies or p.FULL in action.policies or action.policies <= p.OF_THE_HOUSE, name_of(action)


def test_names_of_one_operation_are_permitted_alike() -> None:
    for action in ACTIONS:
        same = {(other.policies, other.across) for other in ACTIONS if other.operation == action.operation}
        assert same == {(action.policies, action.across)}, name_of(action)


def sections(page: str) -> dict[tuple[str, str], str]:
    """The parts of the reference that tell of an action, by its path and name."""
    parts = re.split(r"^## (\w+) at (/[\w/]+)\n", page, flags=re.MULTILINE)
    return {(path, name): text for name, path, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)}


def test_the_reference_page_says_of_every_operation_who_may_call_it() -> None:
    said = sections(reference_page())
    told = {TABLE[key].operation: text for key, text in said.items()}
    assert len(told) == len(said)
    assert set(told) == {action.operation for action in ACTIONS}
    for action in ACTIONS:
        (line,) = (line for line in told[action.operation].splitlines() if line.startswith("- Who may call it: "))
        assert set(re.findall(r"`(\w+)`", line)) == action.policies

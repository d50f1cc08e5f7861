"""The contract has what the public pages and the official clients have of each documented action."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.published import CALLS, PENDING, PENDING_FIELDS, PENDING_OPTIONAL, PENDING_POLICIES, differences

from leasebook.contract.action import Action
from leasebook.contract.actions import TABLE
from leasebook.contract.documented import DOCUMENTED
from leasebook.contract.openapi import schemas
from leasebook.docsgen.fidelity import ContractField, fields_of
from leasebook.docsgen.published import PublishedCall, clients, corpus, member

ROOT = Path(__file__).parents[2]
HERE = [(TABLE[path, call.action], call) for path, call in CALLS if (path, call.action) in TABLE]
"""The calls whose action this service has, with its row."""


@pytest.fixture(scope="module")
def shapes() -> Mapping[str, Any]:
    return schemas()


def fields(action: Action, shapes: Mapping[str, Any]) -> Mapping[str, ContractField]:
    return {field.place: field for field in fields_of(action.request, shapes)}


def published(call: PublishedCall) -> list[tuple[str, str]]:
    return [*call.request.items(), *call.seen_request.items()]


def test_every_published_field_of_a_request_is_accepted_with_its_type(shapes: Mapping[str, Any]) -> None:
    lacking = {
        f"{action.name}: {place}"
        for action, call in HERE
        for place, words in published(call)
        if (field := fields(action, shapes).get(place)) is None or not field.has(member(words).kind)
    }
    assert lacking == PENDING_FIELDS


def test_a_field_that_a_page_leaves_open_is_required_only_with_a_reason(shapes: Mapping[str, Any]) -> None:
    required = {
        f"{action.name}: {place}"
        for action, call in HERE
        for place, words in published(call)
        if not member(words).is_required and (field := fields(action, shapes).get(place)) is not None
        if field.is_required and place not in call.stricter
    }
    assert required == PENDING_OPTIONAL
    assert all(fields(action, shapes)[place].is_required for action, call in HERE for place in call.stricter)


def refused(action: Action, call: PublishedCall) -> Iterator[str]:
    yield from (policy for policy in call.policies if policy not in action.policies)


def test_every_published_policy_permits_its_action_or_is_refused_with_a_reason() -> None:
    lacking = {
        f"{action.name}: {policy}"
        for action, call in HERE
        for policy in refused(action, call)
        if policy not in call.refuses
    }
    assert lacking == PENDING_POLICIES
    assert all(set(call.refuses) <= set(refused(action, call)) for action, call in HERE)


def test_the_corpus_has_every_documented_action_under_one_of_its_names() -> None:
    known = {(path, call.action) for path, call in CALLS}
    assert {(path, call.action) for path, call in CALLS if call.name not in PENDING} <= DOCUMENTED
    operations = {TABLE[pair].operation for pair in known if pair in TABLE}
    others = {pair: TABLE.get(pair) for pair in DOCUMENTED - known}
    assert {pair for pair, row in others.items() if row is None or row.operation not in operations} == set()


def test_every_call_has_a_source_and_a_name_of_its_own() -> None:
    names = [call.name for pages in corpus() for call in pages.calls]
    assert len(names) == len(set(names))
    assert [call.name for _, call in CALLS if not (call.addresses or call.client)] == []


def test_the_versions_of_the_clients_are_the_ones_that_are_installed() -> None:
    conformance = ROOT / "tests" / "conformance"
    pinned = re.search(r"^qianfan==(\S+)", (ROOT / "requirements" / "conformance.txt").read_text(), re.MULTILINE)
    package = json.loads((conformance / "node" / "package.json").read_text())
    module = re.search(r"bce-qianfan-sdk/go/qianfan v(\S+)", (conformance / "go" / "go.mod").read_text())
    java = re.search(r"<qianfan.version>(\S+)<", (conformance / "java" / "pom.xml").read_text())
    assert pinned is not None
    assert module is not None
    assert java is not None
    versions = [pinned[1], package["dependencies"]["@baiducloud/qianfan"], module[1], java[1]]
    assert [client.version for client in clients()] == versions


ANSWER = PublishedCall(
    name="one",
    action="DescribeOne",
    origin="table",
    answer={
        "id": "string",
        "rows": "list",
        "rows[].number": "integer",
        "note": "string?",
        "page": "object",
        "names[]": "string",
    },
    seen={"page.isTruncated": "boolean"},
)
GOOD = {"id": "a", "rows": [{"number": 5.0, "more": 1}], "page": {"isTruncated": False}, "names": ["a"], "more": None}


def test_an_answer_may_have_more_keys_and_whole_numbers_that_a_client_made_floating() -> None:
    assert differences(ANSWER, GOOD) == []
    assert differences(ANSWER, {**GOOD, "note": "a"}) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"id": 1},
        {"id": None},
        {"rows": {}},
        {"rows": []},
        {"rows": [{"number": 5}, {}]},
        {"rows": [{"number": 5.5}]},
        {"rows": [{"number": True}]},
        {"note": 1},
        {"page": {}},
        {"names": ["a", 1]},
        {"page": {"isTruncated": 0}},
    ],
)
def test_a_missing_key_another_type_and_a_list_without_rows_are_differences(changed: Mapping[str, Any]) -> None:
    assert differences(ANSWER, {**GOOD, **changed}) != []


@pytest.mark.parametrize("result", [True, [], None, "a"])
def test_another_type_of_the_result_is_a_difference(result: Any) -> None:
    assert differences(ANSWER, result) != []

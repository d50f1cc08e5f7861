"""Accounts know nothing of each other: the things of another account answer as if they were not there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import pytest

from leasebook.contract.action import Action
from leasebook.contract.actions import ACTIONS
from tests.actions.office import NOWHERE
from tests.actions.record import FULL, ActionRecord, Body
from tests.actions.records import RECORDS, record_of
from tests.api.scene import (
    ACCOUNT,
    IAM,
    MODEL,
    NOTIFICATION,
    SERVICE,
    UNITS,
    Caller,
    ServiceHarness,
    a_scene,
    order,
)
from tests.log_stores import with_log_store

NAMES: Final = frozenset(
    {"instanceId", "serviceId", "userId", "accessKeyId", "packageId", "quoteId", "subscriptionId", "keyId", "modelId"}
    | {"modelSetId", "orderId", "projectId", "resourceId"}
)
"""Fields that hold the id of a row of an account."""
ABSENT: Final = {
    "UNIT": "unit-00000000",
    "QUOTA": "tpm-00000000",
    "QUOTE": "2" * 32,
    "PACKAGE": "pkg-000000000000",
    "SERVICE": "svco-000000000000",
    "USER": "0" * 32,
    "KEY": "AK0000000000000000000000",
    "ACCOUNT": "1" * 32,
    "HOOK": "sub-000000000000",
    "CALLING": "key-000000000000",
    "SET": "am-000000000000",
    "MODEL": "amv-000000000000",
    "APPROVAL": "apr-" + "3" * 32,
    "PROJECT": "prj-000000000000",
}


@pytest.fixture(scope="module")
def neighbours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServiceHarness, Caller, dict[str, str]]]:
    """A service with two accounts: the one that calls, and what it would have to name of the other."""
    with a_scene(tmp_path_factory.mktemp("neighbours"), environment=with_log_store()) as scene:
        scene.sell(stock=1000)
        scene.sell_quota()
        owner, stranger = scene.customer(), scene.customer()
        service = owner.create_service()
        made = owner.do(MODEL, "CreateCustomModelSet", {"modelSetName": "talker"})
        theirs = {
            "UNIT": owner.buy_replicas(service, 1),
            "SERVICE": service,
            "USER": owner.do(IAM, "DescribeUsers")["users"][0]["userId"],
            "KEY": owner.desk.access_key,
            "ACCOUNT": owner.account_id(),
            "QUOTA": owner.buy_quota(),
            "QUOTE": owner.do(UNITS, "QuotePurchase", {**order(), "hold": True})["quoteId"],
            "PACKAGE": scene.grant(owner),
            "HOOK": owner.do(NOTIFICATION, "CreateSubscription", NOWHERE)["subscriptionId"],
            "CALLING": owner.do(SERVICE, "CreateServiceKey", {"name": "shop"})["keyId"],
            "SET": made["modelSetId"],
            "MODEL": owner.do(MODEL, "CreateCustomModel", {**made, "run": {"command": ["talk"]}})["modelId"],
        }
        owner.do(ACCOUNT, "SetGuardRails", {"limits": {"needsApproval": {"units": {"*": 0}}}})
        owner.refused(UNITS, "PurchaseComputeUnit", order())
        theirs["APPROVAL"] = owner.do(ACCOUNT, "DescribeApprovals")["approvals"][0]["approvalId"]
        theirs["PROJECT"] = owner.do("/v2/project", "CreateProject", {"name": "atlas"})["projectId"]
        owner.do(SERVICE, "CountServiceCalls", {"serviceId": service, "appId": "app-1", "succeeded": 1})
        yield scene, stranger, {**theirs, "MINE": stranger.create_service(), "OWN": stranger.buy()}


def cases(bodies: Callable[[ActionRecord], Sequence[Body]]) -> pytest.MarkDecorator:
    """Try every body of every record under each name of its operation."""
    return pytest.mark.parametrize(
        ("action", "body"),
        [
            pytest.param(action, body, id=f"{action.path}-{action.name}-{number}")
            for action in ACTIONS
            if action.operation in RECORDS
            for number, body in enumerate(bodies(RECORDS[action.operation]))
        ],
    )


def with_ids(body: Body, ids: Mapping[str, str]) -> Any:
    """Return a body with ids in the place of the words that stand for them."""
    text = json.dumps(body)
    for word, real in ids.items():
        text = text.replace(f'"{word}"', f'"{real}"')
    return json.loads(text)


@cases(lambda record: record.foreign)
def test_what_is_another_accounts_answers_as_if_it_were_not_there(
    neighbours: tuple[ServiceHarness, Caller, dict[str, str]], action: Action, body: Body
) -> None:
    scene, stranger, theirs = neighbours
    commits = scene.commits()
    seen = []
    for ids in (theirs, {**theirs, **ABSENT}):
        answer = stranger.ask(action.path, action.name, with_ids(body, ids))
        assert answer.status in (403, 404)
        message = answer.body["message"]
        for word, real in ids.items():
            message = message.replace(real, word)
        headers = {name for name in answer.headers if name != "content-length"}
        varying = {"requestId", "log_id", "message", "error_msg"}
        same = {name: value for name, value in answer.body.items() if name not in varying}
        seen.append((answer.status, headers, same, message))
    assert seen[0] == seen[1]
    assert scene.commits() == commits


@cases(lambda record: record.searches)
def test_looking_for_what_is_another_accounts_finds_nothing(
    neighbours: tuple[ServiceHarness, Caller, dict[str, str]], action: Action, body: Body
) -> None:
    _, stranger, theirs = neighbours
    found = stranger.do(action.path, action.name, with_ids(body, theirs))
    lists = [found] if isinstance(found, list) else [value for value in found.values() if isinstance(value, list)]
    assert lists == [[]]


def test_every_action_that_names_something_by_its_id_is_tried_on_another_account() -> None:
    untried = {
        f"{action.name} at {action.path} names a row by its id: give its record a body in foreign or in searches"
        for action in ACTIONS
        if NAMES & set(action.request.__struct_encode_fields__)
        and not (record_of(action).foreign or record_of(action).searches)
    }
    assert untried == set()


def test_the_id_of_another_accounts_order_opens_nothing(shared: ServiceHarness) -> None:
    bought = shared.customer().do(UNITS, "PurchaseComputeUnit", order())
    stranger = shared.customer()
    for path, action in ((ACCOUNT, "DescribeOrders"), (ACCOUNT, "DescribePostings")):
        assert stranger.refused(path, action, {"marker": bought["orderId"]}) == "InvalidMarker"
        assert stranger.refused(path, action, {"orderId": bought["orderId"]}) == "InappropriateJSON"


def test_a_user_whose_key_is_of_one_account_is_not_found_in_another(shared: ServiceHarness) -> None:
    owner, stranger = shared.customer(), shared.customer()
    user = owner.do(IAM, "CreateUser", {"name": "theirs"})
    for action, body in (
        ("CreateAccessKey", {"userId": user["userId"]}),
        ("AttachPolicy", {"userId": user["userId"], "policyName": FULL}),
    ):
        assert stranger.refused(IAM, action, body) == "ResourceNotFound"
        # An operator names the account, or means its own.
        assert shared.operator.refused(IAM, action, body) == "ResourceNotFound"

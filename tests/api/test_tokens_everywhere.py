"""Client tokens for every write: a call repeated with its token is done once, and secrets are shown, not kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import pytest

from leasebook.contract.action import Action
from leasebook.contract.actions import ACTIONS
from leasebook.contract.openapi import FORGETFUL
from leasebook.contract.policies import FULL
from tests.actions.office import QUOTA_MODEL, Office
from tests.actions.records import body_of
from tests.api.scene import (
    ACCOUNT,
    CATALOG,
    IAM,
    NOTIFICATION,
    SERVICE,
    UNITS,
    Caller,
    ServiceHarness,
    a_scene,
    billing_of,
    order,
)
from tests.log_stores import with_log_store

WRITES: Final = [action for action in ACTIONS if action.writes and action.operation not in FORGETFUL]
HOOK: Final = {"kind": "Webhook", "url": "https://hooks.example.org/x"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A service that gives everything away."""
    with a_scene(tmp_path_factory.mktemp("desk"), environment=with_log_store()) as scene:
        scene.sell(minute="0", month="0", stock=1_000_000)
        scene.sell_quota(QUOTA_MODEL, minute="0", stock=1_000_000)
        yield Office(scene)


@pytest.mark.parametrize("action", WRITES, ids=lambda action: f"{action.path}-{action.name}")
def test_every_write_that_is_sent_twice_with_one_token_is_done_once(desk: Office, action: Action) -> None:
    body, token = body_of(action, desk), f"&clientToken=t-{action.path}-{action.name}".replace("/", "")
    first = desk.caller.do(action.path, action.name, body, query=token)
    before = desk.scene.rows()
    assert desk.caller.do(action.path, action.name, body, query=token) == first
    assert desk.scene.rows() == before


def test_a_create_is_a_write_with_a_token(desk: Office) -> None:
    del desk
    makes = {action.operation for action in ACTIONS if action.name.startswith(("Create", "Purchase", "Grant", "Quote"))}
    assert len(makes) >= 14
    assert makes <= {action.operation for action in WRITES}


SECRETS: Final[dict[str, tuple[str, str, Any, str]]] = {
    "an account": (IAM, "CreateAccount", {"name": "research"}, "secretAccessKey"),
    "a key": (IAM, "CreateAccessKey", {}, "secretAccessKey"),
    "a subscription": (NOTIFICATION, "CreateSubscription", HOOK, "secret"),
    "a service key": (SERVICE, "CreateServiceKey", {"name": "app"}, "key"),
}


def in_the_store(scene: ServiceHarness) -> bytes:
    """Everything in the store, client tokens included."""
    with closing(sqlite3.connect(scene.directory / "leasebook.db")) as store:
        return "\n".join(store.iterdump()).encode()


@pytest.mark.parametrize("what", SECRETS)
def test_a_secret_is_shown_again_to_who_asked_and_stands_nowhere_in_plain(fresh: ServiceHarness, what: str) -> None:
    path, action, body, field = SECRETS[what]
    first = fresh.operator.do(path, action, body, query="&clientToken=again")
    again = fresh.operator.do(path, action, body, query="&clientToken=again")
    assert again == first
    assert len(first[field]) >= 32
    secret = first[field].removeprefix("whsec_")
    kept = in_the_store(fresh)
    assert secret.encode() not in kept
    assert secret.encode().hex().upper().encode() not in kept
    if what == "a key":
        # No user has more than two.
        fresh.operator.do(IAM, "DisableAccessKey", {"accessKeyId": first["accessKeyId"]})
    other = fresh.operator.do(path, action, body, query="&clientToken=another")
    assert other[field] != first[field]


@pytest.mark.parametrize("what", SECRETS)
def test_nobody_else_is_shown_a_secret_for_somebodys_token(fresh: ServiceHarness, what: str) -> None:
    path, action, body, _ = SECRETS[what]
    fresh.operator.do(path, action, body, query="&clientToken=again")
    colleague = fresh.user(fresh.operator, FULL)
    if what == "an account":
        account = fresh.operator.do(ACCOUNT, "DescribeAccount")["accountId"]
        user = next(one for one in fresh.operator.do(IAM, "DescribeUsers")["users"] if not one["isRoot"])
        operator = {"userId": user["userId"], "policyName": "LeasebookOperatorPolicy", "accountId": account}
        fresh.operator.do(IAM, "AttachPolicy", operator)
    assert colleague.refused(path, action, body, query="&clientToken=again") == "IdempotentParameterMismatch"


def test_the_secrets_that_are_shown_again_are_those_that_work(fresh: ServiceHarness) -> None:
    for _ in range(2):
        made = fresh.operator.do(IAM, "CreateAccount", {"name": "research"}, query="&clientToken=again")
        assert fresh.caller(made).do(ACCOUNT, "DescribeAccount")["accountId"] == made["accountId"]
        key = fresh.operator.do(IAM, "CreateAccessKey", {}, query="&clientToken=key")
        fresh.caller(key).do(ACCOUNT, "DescribeAccount")


def test_a_secret_that_is_void_is_not_shown_again(fresh: ServiceHarness) -> None:
    caller = fresh.operator
    key = caller.do(IAM, "CreateAccessKey", {}, query="&clientToken=key")
    caller.do(IAM, "DisableAccessKey", {"accessKeyId": key["accessKeyId"]})
    again = caller.do(IAM, "CreateAccessKey", {}, query="&clientToken=key")
    assert again == {name: value for name, value in key.items() if name != "secretAccessKey"}
    made = caller.do(SERVICE, "CreateServiceKey", {"name": "app"}, query="&clientToken=service")
    caller.do(SERVICE, "DeleteServiceKey", {"keyId": made["keyId"]})
    again = caller.do(SERVICE, "CreateServiceKey", {"name": "app"}, query="&clientToken=service")
    assert again == {name: value for name, value in made.items() if name != "key"}


def test_a_secret_that_was_replaced_once_is_replaced_once_for_one_token(fresh: ServiceHarness) -> None:
    caller = fresh.operator
    hook = caller.do(NOTIFICATION, "CreateSubscription", HOOK, query="&clientToken=hook")
    rotate = {"subscriptionId": hook["subscriptionId"], "rotateSecret": True}
    fresh.advance("2030-01-15T08:00:01+08:00")
    turned = caller.do(NOTIFICATION, "ModifySubscription", rotate, query="&clientToken=turn")
    assert turned["secret"] != hook["secret"]
    fresh.advance("2030-01-15T08:00:02+08:00")
    assert caller.do(NOTIFICATION, "ModifySubscription", rotate, query="&clientToken=turn") == turned
    shown = caller.do(NOTIFICATION, "CreateSubscription", HOOK, query="&clientToken=hook")
    assert "secret" not in shown, "the first secret is another one by now"


# --- what counts as other parameters (decision 37) --------------------------------------------------------

SAME: Final[dict[str, tuple[str, str, Any, Any]]] = {
    "an empty text": (UNITS, "PurchaseComputeUnit", order(), order() | {"quoteId": None}),
    "an empty region": (
        UNITS,
        "PurchaseComputeUnit",
        {**order(), "computeUnitConfig": {"type": "gpu-1", "region": ""}},
        {**order(), "computeUnitConfig": {"type": "gpu-1"}},
    ),
    "no release time": (
        UNITS,
        "PurchaseComputeUnit",
        {**order(), "billing": {**billing_of(), "releaseTime": ""}},
        {**order(), "billing": billing_of()},
    ),
    "a zone": (
        UNITS,
        "PurchaseComputeUnit",
        order(release="2030-01-16 09:30:00"),
        order(release="2030-01-16T01:30:00.000Z"),
    ),
    "an amount": (ACCOUNT, "TopUpAccount", {"amount": "5"}, {"amount": "5.00"}),
    "an amount in a mapping": (
        ACCOUNT,
        "SetGuardRails",
        {"limits": {"userSpend": {"*": "10"}}},
        {"limits": {"userSpend": {"*": "10.0"}}},
    ),
    "a description": (IAM, "CreateUser", {"name": ""}, {}),
}


@pytest.mark.parametrize("what", SAME)
def test_what_means_the_same_is_the_same_request(fresh: ServiceHarness, what: str) -> None:
    path, action, body, other = SAME[what]
    caller: Caller = fresh.operator
    caller.do(ACCOUNT, "TopUpAccount", {"amount": "1000"})
    first = caller.do(path, action, body, query="&clientToken=one")
    assert caller.do(path, action, other, query="&clientToken=one") == first


OTHER: Final[dict[str, tuple[str, str, Any, Any]]] = {
    "another moment": (
        UNITS,
        "PurchaseComputeUnit",
        order(release="2030-01-16 09:30:00"),
        order(release="2030-01-16T09:30:00Z"),
    ),
    "another amount": (ACCOUNT, "TopUpAccount", {"amount": "5"}, {"amount": "50"}),
    "a limit that is cleared and one that stays": (
        ACCOUNT,
        "SetGuardRails",
        {"limits": {"spend": None, "budget": "1"}},
        {"limits": {"budget": "1"}},
    ),
    "nothing said of a price": (
        CATALOG,
        "SetOffering",
        {"region": "bj", "type": "gpu-1", "stockTotal": 5, "pricePerMinute": "0.5"},
        {"region": "bj", "type": "gpu-1", "stockTotal": 5},
    ),
}


@pytest.mark.parametrize("what", OTHER)
def test_what_means_something_else_is_another_request(fresh: ServiceHarness, what: str) -> None:
    path, action, body, other = OTHER[what]
    caller = fresh.operator
    caller.do(ACCOUNT, "TopUpAccount", {"amount": "1000"})
    caller.do(path, action, body, query="&clientToken=one")
    assert caller.refused(path, action, other, query="&clientToken=one") == "IdempotentParameterMismatch"

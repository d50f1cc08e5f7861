"""A key or a policy that one server changes counts at all others from its answer on."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import pytest

from tests.crash.fleet import (
    ACCOUNT,
    CLOCK,
    IAM,
    ROUNDS,
    UNITS,
    Account,
    Fleet,
    FleetClient,
    eventually,
    offer,
    open_account,
    postpaid,
)
from tests.depth import few

FUNDS = 10_000_000


def _user(root: FleetClient, account: Account, *policies: str) -> tuple[str, Account]:
    """Add a user with these policies; returns its id and its key."""
    user_id: str = root.call(IAM, "CreateUser", {"name": "somebody", "accountId": account.id}).result["userId"]
    for policy in policies:
        _change(root, "AttachPolicy", account, user_id, policy)
    key = root.call(IAM, "CreateAccessKey", {"userId": user_id, "accountId": account.id}).result
    return user_id, Account(account.id, key["accessKeyId"], key["secretAccessKey"])


def _change(root: FleetClient, action: str, account: Account, user_id: str, policy: str) -> None:
    body = {"userId": user_id, "policyName": policy, "accountId": account.id}
    assert root.call_at(0, IAM, action, body).result is True


def _disable(root: FleetClient, account: Account, key: Account) -> None:
    body = {"accessKeyId": key.access_key, "accountId": account.id}
    assert root.call_at(0, IAM, "DisableAccessKey", body).result is True


FULL = "QianfanFullControlAccessPolicy"
OPERATOR = "LeasebookOperatorPolicy"
WRITE = (UNITS, "PurchaseComputeUnit", postpaid("keyed"))
READ: tuple[str, str, dict[str, Any]] = (ACCOUNT, "DescribeAccount", {})
TIME: tuple[str, str, dict[str, Any]] = (CLOCK, "DescribeClock", {})


@pytest.mark.parametrize("request_", [WRITE, READ, TIME], ids=["write", "read", "clock"])
def test_a_key_disabled_through_one_server_is_refused_by_the_others_at_once(
    trio: Fleet, root: FleetClient, request_: tuple[str, str, dict[str, Any]]
) -> None:
    offer(root, "keyed", stock=100_000)
    account = open_account(root, "disabled", FUNDS)
    for _ in range(few(2, 5) * ROUNDS):
        _, key = _user(root, account, FULL)
        with key.caller(trio.ports) as caller:
            for server in (1, 2):
                assert caller.call_at(server, *request_).status == HTTPStatus.OK
            _disable(root, account, key)
            for server in (1, 2, 0):
                assert caller.call_at(server, *request_).code == "InvalidAccessKeyId", f"server {server}"


def test_a_policy_detached_through_one_server_is_gone_at_the_others_at_once(trio: Fleet, root: FleetClient) -> None:
    offer(root, "keyed", stock=100_000)
    account = open_account(root, "detached", FUNDS)
    for _ in range(few(2, 5) * ROUNDS):
        user_id, key = _user(root, account, FULL)
        with key.caller(trio.ports) as caller:
            for server in (1, 2):
                assert caller.call_at(server, *WRITE).status == HTTPStatus.OK
            _change(root, "DetachPolicy", account, user_id, FULL)
            for server in (1, 2, 0):
                assert caller.call_at(server, *WRITE).code == "AccessDenied", f"server {server}"
                assert caller.call_at(server, *READ).code == "AccessDenied", f"server {server}"


def test_a_policy_attached_through_one_server_counts_at_the_others_at_once(trio: Fleet, root: FleetClient) -> None:
    offer(root, "keyed", stock=100_000)
    account = open_account(root, "attached", FUNDS)
    for _ in range(few(2, 5) * ROUNDS):
        user_id, key = _user(root, account)
        with key.caller(trio.ports) as caller:
            for server in (1, 2):
                assert caller.call_at(server, *READ).code == "AccessDenied"
            _change(root, "AttachPolicy", account, user_id, FULL)
            for server in (1, 2, 0):
                assert caller.call_at(server, *READ).status == HTTPStatus.OK, f"server {server}"
                assert caller.call_at(server, *WRITE).status == HTTPStatus.OK, f"server {server}"


def test_an_operator_who_lost_the_policy_confirms_no_clock_at_another_server(trio: Fleet, root: FleetClient) -> None:
    account = open_account(root, "operators", 0)
    for _ in range(few(1, 3) * ROUNDS):
        user_id, key = _user(root, account, OPERATOR)
        with key.caller(trio.ports) as caller:
            assert caller.call_at(1, CLOCK, "ConfirmClock").status == HTTPStatus.OK
            _change(root, "DetachPolicy", account, user_id, OPERATOR)
            assert caller.call_at(1, CLOCK, "ConfirmClock").code == "AccessDenied"


class Hammer:
    """Calls one server again and again until its key is refused, in a thread of its own."""

    def __init__(self, caller: FleetClient, server: int, request: tuple[str, str, dict[str, Any]]) -> None:
        self._caller = caller
        self._server = server
        self._request = request
        self.let_in = 0
        self.last_sent_at = 0.0
        """When the last request that got in was sent."""

    def run(self) -> None:
        """Call until refused."""
        with self._caller:
            while True:
                sent_at = time.monotonic()
                answer = self._caller.call_at(self._server, *self._request)
                if answer.status != HTTPStatus.OK:
                    assert answer.code == "InvalidAccessKeyId"
                    return
                self.let_in += 1
                self.last_sent_at = sent_at


def test_no_request_sent_after_a_key_was_disabled_gets_in_anywhere(trio: Fleet, root: FleetClient) -> None:
    offer(root, "keyed", stock=1_000_000)
    account = open_account(root, "hammered", FUNDS)
    for _ in range(few(1, 2) * ROUNDS):
        _, key = _user(root, account, FULL)
        hammers = [Hammer(key.caller(trio.ports), n % 3, WRITE if n % 2 else READ) for n in range(9)]
        with ThreadPoolExecutor(len(hammers)) as threads:
            runs = [threads.submit(hammer.run) for hammer in hammers]
            try:
                eventually("all are at it", lambda: all(hammer.let_in for hammer in hammers))  # noqa: B023
            finally:
                _disable(root, account, key)
                disabled_at = time.monotonic()
            for run in runs:
                run.result(timeout=30)
        assert max(hammer.last_sent_at for hammer in hammers) <= disabled_at

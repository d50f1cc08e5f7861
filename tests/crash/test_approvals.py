"""A server that is killed between a request for an approval, its approval and the purchase: each is done once."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.crash.fleet import (
    ACCOUNT,
    ROUNDS,
    UNITS,
    Account,
    FleetClient,
    Process,
    check,
    dice,
    fleet,
    offer,
    open_account,
    prepaid,
)
from tests.crash.lone import data_of, every_page, lone_server, prove_books, root_of
from tests.depth import some
from tests.postgres import shared_server

TYPE = "approved"
KILLS = 2 * ROUNDS


@contextmanager
def a_server(store: str, folder: Path) -> Iterator[Process]:
    """Run one server on a store of its own; its books must be right in the end."""
    if store == "sqlite":
        with lone_server(folder) as server:
            yield server
            server.stop()
        prove_books(data_of(folder))
    else:
        with shared_server().database(migrated=True) as url, fleet(url, folder, servers=1) as found:
            yield found.servers[0]
            check(url)


def restart(server: Process) -> None:
    """End it as a power cut does, and wait until it serves again."""
    server.kill()
    server.start()
    server.wait()


def asked(buyer: FleetClient, token: str) -> str:
    """Ask for a purchase that needs an approval; returns the request."""
    answer = buyer.call(UNITS, "PurchaseComputeUnit", prepaid(TYPE, 2), token=token)
    assert answer.code == "ApprovalNeeded", answer.body
    return str(answer.body["message"].partition("the request ")[2].split()[0])


def approved(server: Process, account: Account, request: str, pause_s: float) -> Any:
    """Approve it, and kill the server meanwhile; returns the answer to the call, which is sent again until it comes."""
    assert server.port is not None
    with account.caller([server.port]) as approver, ThreadPoolExecutor(1) as thread:
        given = {"approvalId": request}
        answer = thread.submit(approver.call, ACCOUNT, "ApprovePurchase", given, token=uuid.uuid4().hex)
        threading.Event().wait(pause_s)
        restart(server)
        return answer.result(60)


@pytest.mark.crash
@pytest.mark.parametrize("store", some(["sqlite", "postgres"], 1))
def test_a_purchase_that_needs_an_approval_is_made_once_whenever_the_server_is_killed(
    store: str, tmp_path: Path
) -> None:
    random = dice()
    with a_server(store, tmp_path) as server:
        with root_of(server) as root:
            offer(root, TYPE, stock=1000)
            account = open_account(root, "asking", 100_000)
        assert server.port is not None
        with account.caller([server.port]) as buyer:
            needs = {"needsApproval": {"units": {TYPE: 1}, "selfApproval": True}}
            assert buyer.call(ACCOUNT, "SetGuardRails", {"limits": needs}).status == 200
            made = []
            for _ in range(KILLS):
                token = uuid.uuid4().hex
                request = asked(buyer, token)
                restart(server)
                # The request is there, and the same call asks for nothing new.
                assert asked(buyer, token) == request
                waiting = buyer.call(ACCOUNT, "DescribeApprovals", {"status": "Open"}).result["approvals"]
                assert [row["approvalId"] for row in waiting] == [request]
                answer = approved(server, account, request, random.uniform(0, 0.03))
                assert answer.status == 200, answer.body
                bought = buyer.call(UNITS, "PurchaseComputeUnit", prepaid(TYPE, 2), token=token).result
                assert bought["instanceId"] == answer.result["instanceId"]
                made.append(bought["instanceId"])
                again = buyer.call(ACCOUNT, "ApprovePurchase", {"approvalId": request}, token=uuid.uuid4().hex)
                assert again.code == "InvalidState", again.body
            there = [row["instanceId"] for row in every_page(buyer, UNITS, "DescribeComputeUnits", INSTANCES)]
            assert sorted(there) == sorted(made)
            used = buyer.call(ACCOUNT, "DescribeGuardRails").result["used"]
            assert used["spend"] == f"{20 * KILLS}.00"


INSTANCES = "computeUnitInstanceList"

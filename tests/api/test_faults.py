"""Faults on either store: a committed call stays, and a refused one leaves nothing."""

from __future__ import annotations

from typing import Any

import pytest

from leasebook.contract.action import FAULTS
from tests.api.scene import ACCOUNT, UNITS, Caller, ServiceHarness, order


def having(caller: Caller, kind: str, **more: Any) -> None:
    """Have a fault happen to the next call of a caller that can have it."""
    account = caller.do(ACCOUNT, "DescribeAccount")["accountId"]
    wanted = {"kind": kind, "accountId": account, "count": 1, **more}
    caller.operator.do(FAULTS, "SetFaults", {"faults": [wanted], "replace": True})


def statuses(caller: Caller) -> list[str]:
    found = caller.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"]
    return sorted(unit["status"] for unit in found)


@pytest.mark.both_stores
def test_a_purchase_that_failed_after_its_commit_is_there_and_the_audit_log_says_how_it_was_answered(
    either: ServiceHarness,
) -> None:
    buyer = either.customer()
    having(buyer, "ErrorAfter", action="PurchaseComputeUnit")
    token = {"clientToken": "once"}
    failed = buyer.ask(UNITS, "PurchaseComputeUnit", order() | token)
    assert (failed.status, failed.code) == (500, "InternalError")
    assert statuses(buyer) == ["Running"]
    buyer.do(UNITS, "PurchaseComputeUnit", order() | token)
    assert statuses(buyer) == ["Running"]
    refused = failed.body["requestId"]
    entries = buyer.do(ACCOUNT, "DescribeAuditLog", {"maxKeys": 50})["entries"]
    assert "InternalError" in [entry["code"] for entry in entries if entry["requestId"] == refused]


def test_a_refusal_and_an_absent_store_leave_the_books_as_they_were(either: ServiceHarness) -> None:
    buyer = either.customer()
    before = buyer.do(ACCOUNT, "DescribeAccount")
    for kind in ("InsufficientStock", "InsufficientBalance", "StoreUnavailable", "ErrorBefore"):
        having(buyer, kind)
        buyer.refused(UNITS, "PurchaseComputeUnit", order())
    assert buyer.do(ACCOUNT, "DescribeAccount") == before
    assert statuses(buyer) == []


def test_an_engine_that_fails_or_waits_is_seen_on_either_store(either: ServiceHarness) -> None:
    buyer = either.customer()
    having(buyer, "EngineSilent")
    buyer.buy()
    assert statuses(buyer) == ["Creating"]
    buyer.operator.do(FAULTS, "ClearFaults")
    assert statuses(buyer) == ["Running"]
    having(buyer, "EngineFails")
    buyer.buy()
    # The engine reports it after the batch; the next calls let it.
    for _ in range(100):
        if "CreateFailed" in statuses(buyer):
            break
    assert statuses(buyer) == ["CreateFailed", "Running"]

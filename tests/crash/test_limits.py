"""Many buyers on several servers get exactly what an account's limit leaves."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest

from tests.crash.fleet import ACCOUNT, UNITS, Fleet, FleetClient, offer, open_account, postpaid, prepaid
from tests.crash.lone import PER_MONTH, all_at_once, outcomes
from tests.depth import few, some
from tests.harness import Answer

BUYERS, MOST, ROUNDS = 64, 20, few(1, 3)


def limits_of(rule: str, unit_type: str) -> tuple[bool, dict[str, Any]]:
    """Return limits of one kind that leave room for ``MOST``, and whether they are on units."""
    most = str(MOST * PER_MONTH)
    match rule:
        case "units":
            return True, {"units": {unit_type: MOST}}
        case "userUnits":
            return True, {"userUnits": {"*": {unit_type: MOST}}}
        case "spend":
            return False, {"spend": most}
        case "userSpend":
            return False, {"userSpend": {"*": most}}
        case "tags":
            return False, {"tags": {"team": {"vision": {"budget": most, "budgetRefusePercent": 100}}}}
        case _:
            return False, {"budget": most, "budgetRefusePercent": 100}


@pytest.mark.crash
@pytest.mark.parametrize("rule", some(["units", "userUnits", "spend", "userSpend", "budget", "tags"], 2))
def test_a_limit_holds_on_all_servers_together(trio: Fleet, root: FleetClient, rule: str) -> None:
    for _ in range(ROUNDS):
        unit_type = f"limited-{uuid.uuid4().hex[:8]}"
        offer(root, unit_type, stock=1000)
        account = open_account(root, "limited", 100_000)
        by_units, limits = limits_of(rule, unit_type)
        with account.caller(trio.ports) as caller:
            assert caller.call(ACCOUNT, "SetGuardRails", {"limits": limits}).status == 200
            body = (postpaid(unit_type) if by_units else prepaid(unit_type)) | {"tags": {"team": "vision"}}
            buyers = [account.caller(trio.ports).starting_at(number) for number in range(BUYERS)]

            def buy(buyer: FleetClient, body: dict[str, Any] = body) -> Answer:
                return buyer.call(UNITS, "PurchaseComputeUnit", body, token=uuid.uuid4().hex)

            answers = all_at_once(buyers, buy)
            assert outcomes(answers) == {"bought": MOST, "QuotaExceeded": BUYERS - MOST}
            used = caller.call(ACCOUNT, "DescribeGuardRails").result["used"]
            assert used["units"] == {unit_type: MOST}
            assert Decimal(used["spend"]) == (0 if by_units else MOST * PER_MONTH)
    assert "right" in trio.check()


@pytest.mark.crash
def test_first_limits_that_race_with_purchases_on_other_servers_count_them_all(trio: Fleet, root: FleetClient) -> None:
    for _ in range(ROUNDS):
        unit_type = f"raced-{uuid.uuid4().hex[:8]}"
        offer(root, unit_type, stock=1000)
        account = open_account(root, "raced", 100_000)
        callers = [account.caller(trio.ports).starting_at(number) for number in range(BUYERS)]
        setter = callers[BUYERS // 2]
        limits: dict[str, Any] = {"limits": {"units": {unit_type: BUYERS}}}

        def call(
            caller: FleetClient, setter: FleetClient = setter, limits: dict[str, Any] = limits, kind: str = unit_type
        ) -> Answer:
            if caller is setter:
                return caller.call(ACCOUNT, "SetGuardRails", limits, token=uuid.uuid4().hex)
            return caller.call(UNITS, "PurchaseComputeUnit", postpaid(kind), token=uuid.uuid4().hex)

        assert {answer.status for answer in all_at_once(callers, call)} == {200}
        with account.caller(trio.ports) as caller:
            used = caller.call(ACCOUNT, "DescribeGuardRails").result["used"]
            assert used["units"] == {unit_type: BUYERS - 1}
    assert "right" in trio.check()

"""Many buyers and little to buy, on one real server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.crash.fleet import ACCOUNT, CATALOG, UNITS, FleetClient, Process, offer, open_account, postpaid, prepaid
from tests.crash.lone import PER_MONTH, all_at_once, data_of, lone_server, outcomes, prove_books, root_of

BUYERS = 64
SOLD = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("races")
    with lone_server(folder) as running:
        yield running
        running.stop()
    prove_books(data_of(folder))


@pytest.fixture
def root(server: Process) -> Iterator[FleetClient]:
    with root_of(server) as caller:
        yield caller


def _free(root: FleetClient, unit_type: str) -> int:
    offerings = root.call(CATALOG, "DescribeOfferings").result["offerings"]
    (free,) = (row["stockFree"] for row in offerings if row["type"] == unit_type)
    return int(free)


def _race(
    server: Process, root: FleetClient, body: dict[str, Any], funds: int, tokens: list[str]
) -> tuple[Any, FleetClient]:
    assert server.port is not None
    account = open_account(root, "race", funds)
    buyers = [account.caller([server.port]) for _ in tokens]
    given = {id(buyer): token for buyer, token in zip(buyers, tokens, strict=True)}
    answers = all_at_once(buyers, lambda buyer: buyer.call(UNITS, "PurchaseComputeUnit", body, token=given[id(buyer)]))
    return answers, account.caller([server.port])


@pytest.mark.crash
def test_the_last_units_are_sold_once(server: Process, root: FleetClient) -> None:
    for body in (postpaid, prepaid):
        unit_type = f"rare-{uuid.uuid4().hex[:8]}"
        offer(root, unit_type, stock=SOLD)
        answers, customer = _race(server, root, body(unit_type), 10_000, [uuid.uuid4().hex for _ in range(BUYERS)])
        assert outcomes(answers) == {"bought": SOLD, "InsufficientStock": BUYERS - SOLD}
        assert _free(root, unit_type) == 0
        with customer:
            units = customer.call(UNITS, "DescribeComputeUnits").result["computeUnitInstanceList"]
        bought = {answer.result["instanceId"] for answer in answers if answer.status == 200}
        assert len(bought) == SOLD
        assert {unit["instanceId"] for unit in units} == bought


@pytest.mark.crash
def test_the_last_money_is_spent_once(server: Process, root: FleetClient) -> None:
    unit_type = f"plenty-{uuid.uuid4().hex[:8]}"
    offer(root, unit_type, stock=1000)
    funds = int(SOLD * PER_MONTH) + 5
    answers, customer = _race(server, root, prepaid(unit_type), funds, [uuid.uuid4().hex for _ in range(BUYERS)])
    assert outcomes(answers) == {"bought": SOLD, "InsufficientBalance": BUYERS - SOLD}
    with customer:
        assert Decimal(customer.call(ACCOUNT, "DescribeAccount").result["balance"]) == 5
    assert _free(root, unit_type) == 1000 - SOLD


@pytest.mark.crash
def test_copies_of_one_purchase_that_arrive_together_buy_once(server: Process, root: FleetClient) -> None:
    unit_type = f"once-{uuid.uuid4().hex[:8]}"
    offer(root, unit_type, stock=1000)
    answers, customer = _race(server, root, prepaid(unit_type), 10_000, [uuid.uuid4().hex] * BUYERS)
    assert outcomes(answers) == {"bought": BUYERS}
    assert len({(answer.result["instanceId"], answer.result["orderId"]) for answer in answers}) == 1
    assert _free(root, unit_type) == 999
    with customer:
        assert Decimal(customer.call(ACCOUNT, "DescribeAccount").result["balance"]) == 10_000 - PER_MONTH

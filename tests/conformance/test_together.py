"""Several clients at once: each gets its own instances, once, and the account adds up."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from tests.conformance.programs import Program, ProgramAnswer, finish
from tests.conformance.server import ConformanceServer
from tests.conformance.toolchains import Toolchain
from tests.depth import few

pytestmark = pytest.mark.conformance

PROCESSES = few(2, 3)
PURCHASES = 5


@pytest.fixture(params=few(["go"], ["python", "node", "go", "java"]))
def client(request: pytest.FixtureRequest, server: ConformanceServer, tmp_path: Path) -> Program:
    """Each official client in turn; in an ordinary run the quickest, because the test of all languages has the rest."""
    return Program(request.getfixturevalue(f"{request.param}_client"), server.base_url, tmp_path)


def distinct_instances(answers: Sequence[ProgramAnswer]) -> set[str]:
    refused = [answer.error for answer in answers if not answer.ok]
    assert refused == []
    instances = {str(answer.result["instanceId"]) for answer in answers}
    orders = {str(answer.result["orderId"]) for answer in answers}
    assert len(instances) == len(orders) == len(answers)
    return instances


def test_processes_that_buy_side_by_side_get_units_of_their_own(client: Program) -> None:
    answers = finish([client.start("burst", str(PURCHASES)) for _ in range(PROCESSES)])
    assert len(distinct_instances(answers)) == PROCESSES * PURCHASES


def test_four_languages_at_once_leave_an_account_that_adds_up(
    all_clients: tuple[Toolchain, ...], untouched_server: ConformanceServer, tmp_path: Path
) -> None:
    clients = [Program(toolchain, untouched_server.base_url, tmp_path) for toolchain in all_clients]
    balance_before, orders_before = account(clients[0])

    scenarios = few(["burst+purchase-prepaid"], ["burst", "purchase-prepaid"])
    said = finish([client.start(scenario, str(PURCHASES)) for scenario in scenarios for client in clients])
    # Of scenarios that are joined each begins with its name, which is no call.
    bought = [answer for answer in said if answer.call]
    assert len(distinct_instances(bought)) == len(clients) * (PURCHASES + 1)

    balance_after, orders_after = account(clients[0])
    new = {order: amount for order, amount in orders_after.items() if order not in orders_before}
    assert set(new) == {answer.result["orderId"] for answer in bought}
    assert sum(amount > 0 for amount in new.values()) == len(clients)  # those for months
    assert balance_after == balance_before - sum(new.values())


def account(client: Program) -> tuple[Decimal, dict[str, Decimal]]:
    """The balance, and what each order cost."""
    pages = finish([client.start("books")])
    balances = [Decimal(page.result["balance"]) for page in pages if page.call == "account"]
    orders = [order for page in pages if page.call == "orders" for order in page.result["orders"]]
    assert len({order["orderId"] for order in orders}) == len(orders)
    return balances[0], {order["orderId"]: Decimal(order["amount"]) for order in orders}

"""A paused server is not waited for, whatever it was doing."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from random import Random

import pytest

from tests.crash.conftest import PAUSED_ROLE
from tests.crash.fleet import (
    UNITS,
    DatabaseProbe,
    Fleet,
    FleetClient,
    Process,
    books,
    dice,
    eventually,
    offer,
    open_account,
    postpaid,
)

DELAY_MAX_S = 10.0 + 20.0
"""Ten seconds while one server does not move; the rest is a busy machine. It is paused until all others went on."""
FUNDS = 10_000_000


class PausedServerClient:
    """Buys without end, and counts its answers."""

    def __init__(self, caller: FleetClient) -> None:
        self.caller = caller
        self.answered = 0

    def run(self, stop: threading.Event) -> None:
        """Go on until ``stop`` is called."""
        with self.caller:
            while not stop.is_set():
                answer = self.caller.call(UNITS, "PurchaseComputeUnit", postpaid("busy"), token=uuid.uuid4().hex)
                assert answer.status == HTTPStatus.OK, answer
                self.answered += 1


def _go_on(who: str, clients: list[PausedServerClient], *, within_s: float) -> None:
    """Wait until each of them has sent a request from now on and been answered."""
    goal = [client.answered + 2 for client in clients]
    eventually(
        f"{who} go on",
        lambda: all(client.answered >= count for client, count in zip(clients, goal, strict=True)),
        within_s=within_s,
    )


IN_THE_WAY = (
    "SELECT DISTINCT holder.state, holder.state_change FROM pg_stat_activity waiter, pg_stat_activity holder "
    "WHERE holder.pid = ANY(pg_blocking_pids(waiter.pid)) AND waiter.wait_event_type = 'Lock' "
    f"AND holder.usename = '{PAUSED_ROLE}' AND holder.wait_event = 'ClientRead'"
)
"""The database waits for the first server to go on, and another server waits for the database."""


def _pause_in_the_way(server: Process, where: str, seen: DatabaseProbe, random: Random) -> None:
    """Stop a server in the middle of a transaction that another one waits for, its session in that state."""
    wait = threading.Event()
    for _ in range(3000):
        server.pause()
        # Bytes that were under way when it stopped still arrive; the state that stays the same after that is its own.
        wait.wait(0.03)
        rows = seen.rows(IN_THE_WAY)
        if [row[0] for row in rows] == [where] and not wait.wait(0.1) and rows == seen.rows(IN_THE_WAY):
            return
        server.resume()
        wait.wait(random.uniform(0.001, 0.02))
    raise AssertionError(f"never caught {where}")


@pytest.mark.crash
@pytest.mark.parametrize("where", ["active", "idle in transaction"])
def test_a_server_that_stands_still_in_a_batch_holds_up_the_others_for_ten_seconds_at_most(
    trio: Fleet, root: FleetClient, where: str
) -> None:
    random = dice()
    offer(root, "busy", stock=10_000_000)
    account = open_account(root, "busy", FUNDS)
    paused = trio.servers[0]
    stop = threading.Event()
    own = [PausedServerClient(account.caller(trio.ports[:1], timeout_s=60)) for _ in range(6)]
    others = [
        PausedServerClient(account.caller(trio.ports[1:], timeout_s=60).starting_at(number)) for number in range(10)
    ]
    with ThreadPoolExecutor(16) as threads, books(trio.url) as seen:
        runs = [threads.submit(client.run, stop) for client in (*own, *others)]
        try:
            _go_on("all", [*own, *others], within_s=60)
            _pause_in_the_way(paused, where, seen, random)
            _go_on("the others", others, within_s=60)
            paused.resume()
            _go_on("its own", own, within_s=60)
        finally:
            paused.resume()
            stop.set()
        for run in runs:
            run.result()
        orders = seen.value("SELECT count(*) FROM orders WHERE account_id = %s", account.id)
    slowest = max(client.caller.slowest_s for client in others)
    print(f"the others waited {slowest:.1f} s at most")
    assert slowest <= DELAY_MAX_S
    assert all(set(client.caller.seen) == {(HTTPStatus.OK, "")} for client in others)
    assert orders == sum(client.answered for client in (*own, *others))
    trio.check()

"""A server that is killed at any moment: what was acknowledged stays, what was not happens at most once."""

from __future__ import annotations

import os
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.crash.fleet import (
    ROUNDS,
    UNITS,
    Account,
    FleetClient,
    Process,
    eventually,
    moment,
    offer,
    open_account,
    postpaid,
    prepaid,
)
from tests.crash.lone import Record, data_of, lone_server, prove, prove_books, root_of, show
from tests.depth import few

KILLS = int(os.environ.get("LEASEBOOK_TEST_KILLS") or few(1, 3) * ROUNDS)
FUNDS = 10_000_000
REST_S = few(0.02, 0.0)
"""Between two calls of one buyer."""
TYPE = "killed"


def _dice() -> Random:
    """Return dice that fall the same way again where the seed is given that they print."""
    seed = os.environ.get("LEASEBOOK_TEST_SEED") or uuid.uuid4().hex[:8]
    print(f"LEASEBOOK_TEST_SEED={seed}")
    return Random(seed)  # noqa: S311 - nothing is kept secret with it


class CrashBuyer:
    """Buys, schedules and releases, and writes down what was acknowledged. Of one thread.

    Its caller sends every request that is not answered again, with the same client token.
    """

    def __init__(self, caller: FleetClient, random: Random) -> None:
        self.records: list[Record] = []
        self.ends: dict[str, str | None] = {}
        self.caller = caller
        self._random = random
        self._free: list[str] = []

    def run(self, stop: threading.Event) -> None:
        """Go on until ``stop`` is called."""
        with self.caller:
            while not stop.wait(REST_S):
                self._random.choices((self._lease, self._subscribe, self._take, self._schedule, self._give_back))[0]()

    def _soon(self) -> str:
        return moment(self._random.uniform(1, 2))

    def _buy(self, body: dict[str, Any], end: str | None) -> str | None:
        token = uuid.uuid4().hex
        answer = self.caller.call(UNITS, "PurchaseComputeUnit", body, token=token)
        if answer.status == HTTPStatus.BAD_REQUEST and end == "Schedule":
            return None  # its release time has passed while there was no server
        unit_id: str = answer.result["instanceId"]
        self.records.append(Record(token, body, unit_id, answer.result["orderId"]))
        self.ends[unit_id] = end
        return unit_id

    def _lease(self) -> None:
        self._buy(postpaid(TYPE, self._soon(), self._random.randint(1, 3)), "Schedule")

    def _subscribe(self) -> None:
        self._buy(prepaid(TYPE, self._random.randint(1, 3), self._random.randint(1, 3)), None)

    def _take(self) -> None:
        unit_id = self._buy(postpaid(TYPE), None)
        assert unit_id is not None
        self._free.append(unit_id)

    def _schedule(self) -> None:
        self._end("AutoReleaseComputeUnit", "Schedule", {"releaseTime": self._soon()})

    def _give_back(self) -> None:
        self._end("ReleaseComputeUnit", "User", {})

    def _end(self, action: str, reason: str, more: dict[str, Any]) -> None:
        if not self._free:
            return
        unit_id = self._free.pop()
        answer = self.caller.call(UNITS, action, {"instanceId": unit_id, **more}, token=uuid.uuid4().hex)
        if answer.status == HTTPStatus.BAD_REQUEST and reason == "Schedule":
            self._free.append(unit_id)
            return
        assert answer.result is True
        self.ends[unit_id] = reason


def _kill_and_restart(server: Process, random: Random) -> None:
    """Kill it at a random moment, now and then while it starts, too."""
    pause = threading.Event()
    pause.wait(random.uniform(0.2, 1.2))
    server.kill()
    server.start()
    while random.random() < 0.3:
        pause.wait(random.uniform(0.0, 1.0))
        server.kill()
        server.start()
    server.wait()


@pytest.mark.crash
def test_a_server_that_is_killed_again_and_again_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    random = _dice()
    with lone_server(tmp_path) as server:
        with root_of(server) as root:
            offer(root, TYPE, stock=1_000_000)
            account = open_account(root, "customer", FUNDS)
        shoppers = [CrashBuyer(_caller(account, server), Random(random.random())) for _ in range(12)]  # noqa: S311
        stop = threading.Event()
        with ThreadPoolExecutor(len(shoppers)) as threads:
            running = [threads.submit(shopper.run, stop) for shopper in shoppers]
            try:
                for _ in range(KILLS):
                    _kill_and_restart(server, random)
                so_far = sum(len(shopper.records) for shopper in shoppers)
                enough = max(20 * KILLS, so_far + 20)  # The last server, too, has work behind it.
                eventually(
                    f"{enough} purchases are acknowledged",
                    lambda: any(run.done() for run in running) or sum(len(one.records) for one in shoppers) > enough,
                    within_s=60,
                )
            finally:
                stop.set()
            for run in running:
                run.result()
        records = [record for shopper in shoppers for record in shopper.records]
        ends = {unit_id: end for shopper in shoppers for unit_id, end in shopper.ends.items()}
        unanswered = sum(shopper.caller.seen[0, ""] for shopper in shoppers)
        print(f"{KILLS} kills, {len(records)} purchases acknowledged, {unanswered} tries that nobody answered")
        with _caller(account, server) as customer:
            _wait_for_releases(customer, ends)
            _send_again(customer, random.sample(records, 20))
            prove(customer, records, ends, funds=FUNDS, unit_type=TYPE)
        assert len(records) > 20 * KILLS
        server.stop()
    prove_books(data_of(tmp_path))


def _caller(account: Account, server: Process) -> FleetClient:
    assert server.port is not None
    return account.caller([server.port])


def _wait_for_releases(customer: FleetClient, ends: dict[str, str | None]) -> None:
    """Wait until everything is gone that was to be released."""
    waiting = {unit_id for unit_id, end in ends.items() if end is not None}

    def all_gone() -> bool:
        while waiting:
            unit_id = waiting.pop()
            if show(customer, unit_id)["status"] != "Released":
                waiting.add(unit_id)
                return False
        return True

    eventually("every release is done", all_gone, within_s=60)


def _send_again(customer: FleetClient, records: list[Record]) -> None:
    """Send purchases again that were answered long ago: the first answer comes again, and nothing is bought."""
    for record in records:
        answer = customer.call(UNITS, "PurchaseComputeUnit", record.body, token=record.token)
        assert answer.result == {"instanceId": record.unit_id, "orderId": record.order_id}
        more = {**record.body, "computeUnitCount": record.size + 1}
        assert (
            customer.call(UNITS, "PurchaseComputeUnit", more, token=record.token).code == "IdempotentParameterMismatch"
        )

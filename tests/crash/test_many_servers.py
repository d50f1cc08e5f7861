"""Several servers on one database: nothing is lost, doubled, sold twice or done early, whichever of them is hurt."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Any, Self

import pytest

from leasebook.domain.commands.store.demo import REGIONS
from leasebook.server.composition import DEMO_OFFERINGS
from tests.crash.fleet import (
    ACCOUNT,
    CATALOG,
    ROUNDS,
    UNITS,
    Account,
    Bought,
    Fleet,
    FleetClient,
    Process,
    books,
    check_ends,
    dice,
    eventually,
    fleet,
    moment,
    offer,
    open_account,
    postpaid,
    prepaid,
    seeded,
)
from tests.depth import few
from tests.postgres import shared_server

LATENESS_MAX_S = 30.0
"""A paused server keeps its rows for 5 s; then others look for due work every second. The rest is a busy machine."""
FUNDS = 10_000_000
REST_S = few(0.05, 0.0)
"""Between two calls of one buyer."""
TROUBLE_S = few(2.5, 5.0 if ROUNDS == 1 else 7.0 * ROUNDS)


class ThreadedBuyer:
    """Buys, schedules and releases in a thread of its own, and writes down the answers."""

    def __init__(self, ports: list[int], account: Account, random: Random, number: int) -> None:
        self.account = account
        # Of a server that is paused it waits for no answer for long.
        self.caller = account.caller(ports, timeout_s=3.0).starting_at(number)
        self.bought: list[Bought] = []
        self.ends: dict[str, str | None] = {}
        """How each instance is to end, as far as it is."""
        self.refused = 0
        self._random = random
        self._open: list[str] = []

    def run(self, stop: threading.Event) -> None:
        """Go on until ``stop`` is called."""
        actions = (self._lease, self._subscribe, self._take, self._schedule, self._give_back)
        with self.caller:
            while not stop.wait(REST_S):
                self._random.choices(actions, (5, 1, 2, 2, 1))[0]()

    def _buy(self, body: dict[str, Any], end: str | None = None) -> str | None:
        token = uuid.uuid4().hex
        answer = self.caller.call(UNITS, "PurchaseComputeUnit", body, token=token)
        if answer.status == HTTPStatus.BAD_REQUEST and end == "Schedule":
            self.refused += 1  # the moment has passed while no server answered
            return None
        unit_id: str = answer.result["instanceId"]
        self.bought.append(Bought(token, self.account.id, unit_id, answer.result["orderId"]))
        self.ends[unit_id] = end
        return unit_id

    def _soon(self) -> str:
        return moment(self._random.uniform(1, 3))

    def _lease(self) -> None:
        self._buy(postpaid("chaos", self._soon(), self._random.randint(1, 3)), "Schedule")

    def _subscribe(self) -> None:
        self._buy(prepaid("chaos", months=self._random.randint(1, 3)))

    def _take(self) -> None:
        unit_id = self._buy(postpaid("chaos"))
        assert unit_id is not None
        self._open.append(unit_id)

    def _schedule(self) -> None:
        if not self._open:
            return
        unit_id = self._open.pop()
        body = {"instanceId": unit_id, "releaseTime": self._soon()}
        answer = self.caller.call(UNITS, "AutoReleaseComputeUnit", body, token=uuid.uuid4().hex)
        if answer.status == HTTPStatus.BAD_REQUEST:
            self.refused += 1
            self._open.append(unit_id)
            return
        assert answer.result is True
        self.ends[unit_id] = "Schedule"

    def _give_back(self) -> None:
        if not self._open:
            return
        unit_id = self._open.pop()
        answer = self.caller.call(UNITS, "ReleaseComputeUnit", {"instanceId": unit_id}, token=uuid.uuid4().hex)
        assert answer.result is True
        self.ends[unit_id] = "User"


class FaultInjector:
    """Kills and pauses processes of a fleet, but leaves one server alone at any time."""

    def __init__(self, fleet: Fleet, random: Random) -> None:
        self._fleet = fleet
        self._random = random
        self._paused: dict[Process, float] = {}
        self._starting: set[Process] = set()
        self.done: list[str] = []

    def make(self, seconds: float) -> None:
        """Make trouble for a number of seconds, and see that all are well again."""
        until = time.monotonic() + seconds
        wait = threading.Event()
        while time.monotonic() < until:
            self._end_pauses()
            self._starting = {process for process in self._starting if not process.is_ready()}
            victim = self._victim()
            if victim is not None:
                self._hurt(victim)
            wait.wait(self._random.uniform(0.2, 0.6))
        self._end_pauses(everyone=True)
        for process in self._starting:
            process.wait()

    def _victim(self) -> Process | None:
        well = [
            process for process in self._fleet.servers if process not in self._paused | dict.fromkeys(self._starting)
        ]
        candidates = [
            process
            for process in (*self._fleet.servers, *self._fleet.workers)
            if process not in self._paused and process not in self._starting and (process not in well or len(well) > 1)
        ]
        return self._random.choice(candidates) if candidates else None

    def _hurt(self, victim: Process) -> None:
        if not self._paused and self._random.random() < 0.4:
            victim.pause()
            self._paused[victim] = time.monotonic() + self._random.uniform(1.0, 4.0)
            self.done.append(f"pause {victim.name}")
        else:
            victim.kill()
            victim.start()
            self._starting.add(victim)
            self.done.append(f"kill {victim.name}")

    def _end_pauses(self, *, everyone: bool = False) -> None:
        now = time.monotonic()
        for process in [process for process, end in self._paused.items() if everyone or end < now]:
            process.resume()
            del self._paused[process]


class Watch:
    """Looks again and again how late the oldest release is, from a thread of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")
        self.latest_s = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with books(self._url) as seen:
            while not self._stop.wait(0.1):
                self.latest_s = max(self.latest_s, seen.overdue_s())


@pytest.mark.crash
def test_servers_that_are_killed_and_paused_lose_nothing_and_every_release_comes_in_time(tmp_path: Path) -> None:
    random = dice()
    with shared_server().database(migrated=True) as url, fleet(url, tmp_path, servers=3, workers=2) as servers:
        with servers.root() as root:
            offer(root, "chaos", stock=1_000_000)
            accounts = [open_account(root, f"customer {number}", FUNDS) for number in range(4)]
        shoppers = [
            ThreadedBuyer(servers.ports, accounts[number % 4], seeded(random.random()), number) for number in range(24)
        ]
        trouble = FaultInjector(servers, random)
        stop = threading.Event()
        with Watch(url) as watch, ThreadPoolExecutor(len(shoppers)) as threads, books(url) as seen:
            running = [threads.submit(shopper.run, stop) for shopper in shoppers]
            try:
                trouble.make(TROUBLE_S)
            finally:
                stop.set()
            for run in running:
                run.result()
            eventually("every release is done", lambda: seen.scheduled() == 0, within_s=LATENESS_MAX_S + 5)
        bought = [row for shopper in shoppers for row in shopper.bought]
        print(f"{len(bought)} purchases, latest release {watch.latest_s:.1f} s late, {trouble.done}")
        assert watch.latest_s <= LATENESS_MAX_S
        assert len(bought) > 100
        with books(url) as seen:
            seen.check_purchases(bought, [account.id for account in accounts])
            seen.check_money({account.id: FUNDS for account in accounts})
            check_ends(seen, {unit_id: end for shopper in shoppers for unit_id, end in shopper.ends.items()})
        servers.check()
        for process in (*servers.servers, *servers.workers):
            assert '"level":"error"' not in process.log(), process.log()[-4000:]
            process.stop()


def _all_at_once(callers: list[FleetClient], call: Callable[[FleetClient], Any]) -> list[Any]:
    """Have everybody call in the same moment; returns what each was answered."""
    ready = threading.Barrier(len(callers))

    def one(caller: FleetClient) -> Any:
        with caller:
            ready.wait(30)
            return call(caller)

    with ThreadPoolExecutor(len(callers)) as threads:
        return list(threads.map(one, callers))


def _outcomes(answers: list[Any]) -> Counter[str]:
    return Counter("bought" if answer.status == HTTPStatus.OK else answer.code for answer in answers)


def test_the_last_units_are_sold_once_however_many_servers_sell_them(trio: Fleet, root: FleetClient) -> None:
    for _ in range(ROUNDS):
        unit_type = f"rare-{uuid.uuid4().hex[:8]}"
        offer(root, unit_type, stock=20)
        account = open_account(root, unit_type, FUNDS)
        buyers = [account.caller(trio.ports).starting_at(number) for number in range(64)]
        wanted = postpaid(unit_type)
        answers = _all_at_once(buyers, partial(FleetClient.call, path=UNITS, action="PurchaseComputeUnit", body=wanted))
        assert _outcomes(answers) == {"bought": 20, "InsufficientStock": 44}
        left = {row["type"]: row["stockFree"] for row in root.call(CATALOG, "DescribeOfferings").result["offerings"]}
        assert left[unit_type] == 0
    trio.check()


def test_the_last_money_is_spent_once_however_many_servers_take_it(trio: Fleet, root: FleetClient) -> None:
    offer(root, "subscription", stock=100_000, per_month="10")
    wanted = prepaid("subscription")
    for _ in range(ROUNDS):
        account = open_account(root, "all at once", 205)
        buyers = [account.caller(trio.ports).starting_at(number) for number in range(64)]
        answers = _all_at_once(buyers, partial(FleetClient.call, path=UNITS, action="PurchaseComputeUnit", body=wanted))
        assert _outcomes(answers) == {"bought": 20, "InsufficientBalance": 44}
        with account.caller(trio.ports) as customer:
            assert customer.call(ACCOUNT, "DescribeAccount").result["balance"] == "5.00"
    trio.check()


def test_servers_that_start_together_on_an_empty_database_found_one_store(tmp_path: Path) -> None:
    for number in range(ROUNDS):
        with (
            shared_server().database() as url,
            fleet(url, tmp_path / str(number), servers=4) as servers,
            servers.root() as root,
            books(url) as seen,
        ):
            assert seen.value("SELECT count(*) FROM accounts") == 1
            assert seen.value("SELECT count(*) FROM users") == 1
            assert seen.value("SELECT count(*) FROM access_keys") == 1
            assert seen.value("SELECT count(*) FROM offerings") == len(REGIONS) * len(DEMO_OFFERINGS)
            answers = {root.call_at(server, ACCOUNT, "DescribeAccount").result["accountId"] for server in range(4)}
            assert answers == {seen.value("SELECT id FROM accounts")}
            servers.check()
            for server in servers.servers:
                assert '"level":"error"' not in server.log(), server.log()[-4000:]
                server.stop()

"""PostgreSQL goes away, at whatever moment: answered calls stay done, and others are done once or refused."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psycopg
import pytest

from leasebook.store.opening import Target
from leasebook.store.postgres.timeouts import Patience
from leasebook.store.verify.check import check_store
from tests.crash.fleet import (
    ACCOUNT,
    CATALOG,
    ROUNDS,
    UNITS,
    Account,
    Bought,
    Fleet,
    books,
    eventually,
    fleet,
    offer,
    open_account,
    postpaid,
    prepaid,
)
from tests.crash.proxy import CutPoint, Proxy, proxy
from tests.depth import few
from tests.harness import Answer, Client, a_service
from tests.postgres import NoPostgresError, PostgresServer, shared_server

FUNDS = 10_000_000
REST_S = few(0.05, 0.0)
"""Between two calls of one customer."""
BACK_S = 60.0
"""Seconds until a test gives up waiting for a database that is back."""

# --- a server whose database comes and goes ---------------------------------------------------------------


@pytest.fixture(scope="module")
def durable() -> Iterator[PostgresServer]:
    """A PostgreSQL that survives being killed."""
    try:
        server = PostgresServer(durable=True)
    except NoPostgresError as error:
        if os.environ.get("LEASEBOOK_REQUIRE_TOOLCHAINS"):
            raise
        pytest.skip(str(error))
    yield server
    server.remove()


@pytest.fixture(scope="module")
def served(durable: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One server on it."""
    with durable.database(migrated=True) as url, fleet(url, tmp_path_factory.mktemp("served"), servers=1) as servers:
        yield servers


class Customer:
    """Buys and looks, in a thread of its own, and writes down the answers."""

    def __init__(self, ports: list[int], account: Account, *, buys: bool) -> None:
        self.account = account
        self.caller = account.caller(ports, timeout_s=30)
        self.buys = buys
        self.bought: list[Bought] = []
        self.looked = 0

    @property
    def answered(self) -> int:
        """How many answers there were."""
        return len(self.bought) + self.looked

    def run(self, stop: threading.Event) -> None:
        """Go on until ``stop`` is called."""
        with self.caller:
            while not stop.wait(REST_S):
                self._buy() if self.buys else self._look()

    def _buy(self) -> None:
        token = uuid.uuid4().hex
        body = prepaid("lasting") if len(self.bought) % 2 else postpaid("lasting")
        result = self.caller.call(UNITS, "PurchaseComputeUnit", body, token=token).result
        self.bought.append(Bought(token, self.account.id, result["instanceId"], result["orderId"]))

    def _look(self) -> None:
        asked: tuple[tuple[str, str, dict[str, int]], ...] = (
            (UNITS, "DescribeComputeUnits", {"maxKeys": 10}),
            (ACCOUNT, "DescribeAccount", {}),
            (CATALOG, "DescribeOfferings", {}),
        )
        assert self.caller.call(*asked[self.looked % 3]).status == HTTPStatus.OK
        self.looked += 1


def _fast(server: PostgresServer, url: str) -> None:
    del url
    server.stop("fast")
    server.start()


def _immediate(server: PostgresServer, url: str) -> None:
    del url
    server.stop("immediate")
    server.start()


def _one_crash(server: PostgresServer, url: str) -> None:
    """Kill one session's process, after which PostgreSQL starts over by itself."""
    with psycopg.connect(url, autocommit=True) as connection:
        ((pid,),) = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'leasebook' LIMIT 1"
        ).fetchall()
    os.kill(pid, signal.SIGKILL)
    eventually("PostgreSQL starts over", lambda: _lets_in(server), within_s=60)


def _lets_in(server: PostgresServer) -> bool:
    try:
        psycopg.connect(server.url("postgres"), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _cut_off(server: PostgresServer, url: str) -> None:
    del server
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leasebook'"
        )


@pytest.mark.crash
@pytest.mark.parametrize("trouble", [_fast, _immediate, _one_crash, _cut_off], ids=lambda trouble: trouble.__name__[1:])
def test_what_was_answered_outlives_the_database(
    durable: PostgresServer, served: Fleet, trouble: Callable[[PostgresServer, str], None]
) -> None:
    with served.root() as root:
        offer(root, "lasting", stock=10_000_000)
        accounts = [open_account(root, f"{trouble.__name__} {number}", FUNDS) for number in range(4)]
    customers = [Customer(served.ports, accounts[number % 4], buys=number < 12) for number in range(16)]
    stop = threading.Event()
    said = len(served.servers[0].log())
    with ThreadPoolExecutor(len(customers)) as threads:
        runs = [threads.submit(customer.run, stop) for customer in customers]
        try:
            for _ in range(few(1, 2) * ROUNDS):
                _all_answered(customers, within_s=60)
                trouble(durable, served.url)
                _all_answered(customers, within_s=BACK_S)
        finally:
            stop.set()
        for run in runs:
            run.result()
    seen = sum((customer.caller.seen for customer in customers), Counter[tuple[int, str]]())
    print(dict(seen))
    assert set(seen) <= {(HTTPStatus.OK, ""), (HTTPStatus.SERVICE_UNAVAILABLE, "StoreUnavailable")}
    assert '"exception"' not in served.servers[0].log_since(said)
    with books(served.url) as kept:
        ids = [account.id for account in accounts]
        kept.check_purchases([row for customer in customers for row in customer.bought], ids)
        kept.check_money(dict.fromkeys(ids, FUNDS))
    served.check()


def _all_answered(customers: list[Customer], *, within_s: float) -> None:
    """Wait until each of them was answered twice, so that the second time was asked for from now on."""
    goal = [customer.answered + 2 for customer in customers]
    eventually(
        "all are answered",
        lambda: all(customer.answered >= count for customer, count in zip(customers, goal, strict=True)),
        within_s=within_s,
    )


# --- connections that are cut at a chosen moment ----------------------------------------------------------


@asynccontextmanager
async def _behind(proxy: Proxy, folder: Path, environment: Mapping[str, str]) -> AsyncIterator[Client]:
    """A service that reaches its database through the proxy, with units to sell and money to buy them."""
    async with a_service(Target(folder / "data", proxy.url), environment=environment) as desk:
        await desk.advance("2030-01-15T00:00:00Z")
        offering = {"region": "bj", "type": "gpu-1", "pricePerMinute": "0.5", "pricePerMonth": "10", "stockTotal": 999}
        assert (await desk.call(CATALOG, "SetOffering", offering)).status == HTTPStatus.OK
        assert (await desk.call(ACCOUNT, "TopUpAccount", {"amount": "100000"})).status == HTTPStatus.OK
        yield desk


Scene = Callable[[Proxy, Client, str], Any]


def _play(folder: Path, scene: Scene, server: PostgresServer | None = None, **environment: str) -> None:
    """Run a scene behind a proxy; the books must be right in the end."""

    async def whole(proxy: Proxy, url: str) -> None:
        async with _behind(proxy, folder, environment) as desk:
            await scene(proxy, desk, url)

    with (server or shared_server()).database(migrated=True) as url:
        with proxy(url) as between:
            asyncio.run(whole(between, url))
        assert check_store(Target(folder, url)).findings == []


async def _buy(desk: Client, body: Mapping[str, Any] | None = None) -> Answer:
    return await desk.call(UNITS, "PurchaseComputeUnit", body or prepaid("gpu-1"))


def _check_bought(url: str, answers: list[Answer]) -> None:
    """Fail unless every purchase was answered as done, and done once."""
    acknowledged = {(answer.result["orderId"], answer.result["instanceId"]) for answer in answers}
    assert len(acknowledged) == len(answers)
    with books(url) as seen:
        assert set(seen.rows("SELECT id, unit_id FROM orders")) == acknowledged
        assert {row[0] for row in seen.rows("SELECT id FROM units")} == {unit_id for _, unit_id in acknowledged}


@pytest.mark.parametrize("cut", CutPoint)
def test_a_connection_cut_at_the_commit_is_never_noticed_by_who_buys(tmp_path: Path, cut: CutPoint) -> None:
    async def scene(proxy: Proxy, desk: Client, url: str) -> None:
        answers = []
        for _ in range(few(1, 3) * ROUNDS):
            proxy.arm("COMMIT", cut)
            answers += await asyncio.gather(*(_buy(desk) for _ in range(8)))
            assert not proxy.is_armed
        assert proxy.cuts == few(1, 3) * ROUNDS
        _check_bought(url, answers)

    _play(tmp_path, scene)


def test_a_connection_cut_anywhere_in_a_batch_is_never_noticed_by_who_buys(tmp_path: Path) -> None:
    async def scene(proxy: Proxy, desk: Client, url: str) -> None:
        answers = [await _buy(desk)]
        for packet in range(1, 60):
            proxy.arm_at(packet)
            answers += await asyncio.gather(*(_buy(desk) for _ in range(3)))
            proxy.disarm()
        assert proxy.cuts > 20
        _check_bought(url, answers)

    _play(tmp_path, scene)


@pytest.mark.parametrize("cut", CutPoint)
def test_due_work_is_done_once_and_in_order_where_the_connection_is_cut_at_its_commit(
    tmp_path: Path, cut: CutPoint
) -> None:
    async def scene(proxy: Proxy, desk: Client, url: str) -> None:
        for minute in range(0, 60, 5):
            assert (await _buy(desk, postpaid("gpu-1", f"2030-01-15T01:{minute:02}:00Z"))).status == HTTPStatus.OK
        for minute in range(0, 60, 10):
            proxy.arm("COMMIT", cut)
            await desk.advance(f"2030-01-15T01:{minute:02}:30Z")
            assert not proxy.is_armed
        await desk.advance("2030-01-15T02:00:00Z")
        with books(url) as seen:
            assert seen.value("SELECT count(*) FROM units WHERE status = 'Released' AND ended_at = release_at") == 12
            charged = [at for (at,) in seen.rows("SELECT at FROM postings WHERE kind = 'Usage' ORDER BY seq")]
            assert charged == sorted(charged)
            assert seen.value("SELECT sum(minutes) FROM postings WHERE kind = 'Usage'") == sum(range(60, 120, 5))

    _play(tmp_path, scene)


def test_while_the_database_is_away_answers_say_that_nothing_was_done_and_then_it_is_back(tmp_path: Path) -> None:
    async def scene(proxy: Proxy, desk: Client, url: str) -> None:
        proxy.closes_with_cut = True
        proxy.arm("BEGIN", CutPoint.BEFORE)
        answers = await asyncio.gather(*(_buy(desk) for _ in range(4)))
        proxy.cut_all()
        answers += [await desk.call(ACCOUNT, "DescribeAccount"), await desk.call(UNITS, "DescribeComputeUnits")]
        assert [answer.code for answer in answers] == ["StoreUnavailable"] * 6
        ready = await desk.send("/readyz", "", b"", method="GET")
        assert ready.status == HTTPStatus.SERVICE_UNAVAILABLE
        told = json.dumps([answer.body for answer in (*answers, ready)])
        # The address of the database, and its name there, are private.
        assert not any(word in told for word in ("127.0.0.1", str(proxy.port), "port", "server at")), told
        proxy.closes_with_cut = proxy.is_closed = False
        async with asyncio.timeout(BACK_S):
            bought = await _buy(desk)
            assert (await desk.call(ACCOUNT, "DescribeAccount")).result["balance"] == "99990.00"
        _check_bought(url, [bought])

    _play(tmp_path, scene, LEASEBOOK_STORE_AWAY_SECONDS="0")


def test_who_reads_while_the_database_restarts_waits_or_gets_a_refusal_to_try_again(tmp_path: Path) -> None:
    async def scene(proxy: Proxy, desk: Client, url: str) -> None:
        for _ in range(few(1, 3) * ROUNDS):
            proxy.is_closed = True
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leasebook'"
                )
            reads = [asyncio.create_task(desk.call(ACCOUNT, "DescribeAccount")) for _ in range(12)]
            await asyncio.sleep(0)
            proxy.is_closed = False
            answers = await asyncio.gather(*reads)
            assert {answer.status for answer in answers} <= {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}

    _play(tmp_path, scene)


def test_the_answer_is_neither_yes_nor_no_where_the_database_is_lost_in_the_act_and_nothing_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(proxy: Proxy, desk: Client, url: str) -> None:
        monkeypatch.setattr(Patience, "doubt_s", 0.3)
        for committed, cut in enumerate((CutPoint.BEFORE, CutPoint.ANSWERED)):
            # Entries that wait to be written would otherwise be the batch that is cut.
            await desk.service.sequencer.flush()
            proxy.closes_with_cut = True
            proxy.arm("COMMIT", cut)
            answer = await desk.call(ACCOUNT, "TopUpAccount", {"amount": "7"})
            assert answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            assert "Nothing was done" not in answer.body["message"]
            proxy.closes_with_cut = proxy.is_closed = False
            with books(url) as seen:
                assert seen.value("SELECT count(*) FROM postings WHERE amount = 7000000") == committed
            assert (await desk.call(ACCOUNT, "DescribeAccount")).result["balance"] == f"{100_000 + 7 * committed}.00"

    _play(tmp_path, scene)


@pytest.mark.crash
def test_a_database_that_crashed_does_not_take_another_transaction_for_the_one_that_was_lost(tmp_path: Path) -> None:
    server = PostgresServer()
    try:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            # Uncommitted changes stay in memory for long, and so are lost in a crash.
            connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
            connection.execute("SELECT pg_reload_conf()")

        async def scene(proxy: Proxy, desk: Client, url: str) -> None:
            with books(url) as seen:
                ((before,),) = seen.rows("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
            proxy.closes_with_cut = True
            proxy.arm("COMMIT", CutPoint.BEFORE)
            purchase = asyncio.create_task(_buy(desk))
            await asyncio.to_thread(eventually, "the commit is cut", lambda: not proxy.is_armed)
            await asyncio.to_thread(server.stop, "immediate")
            await asyncio.to_thread(server.start)
            _use_numbers(url, before + 100)
            proxy.is_closed = False
            answer = await purchase
            # Where the outcome cannot be known, no caller gets the answer that it was done.
            _check_bought(url, [answer] if answer.status == HTTPStatus.OK else [])

        _play(tmp_path, scene, server)
    finally:
        server.remove()


def _use_numbers(url: str, until: int) -> None:
    """Commit other transactions, as another server would, until their numbers have come so far."""
    with books(url) as seen:
        while seen.value("SELECT pg_current_xact_id()::text::bigint") < until:
            pass

"""Servers that die between sending an event and noting it, and servers that share the sending."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.crash.fleet import UNITS, FleetClient, Process, check, eventually, offer, open_account, postpaid
from tests.crash.lone import NAME, data_of, lone_server, prove_books, root_of
from tests.depth import few
from tests.harness import ROOT_KEY, ROOT_SECRET
from tests.ports import free_port
from tests.postgres import shared_server

PATH = "/v2/notification"
TYPE = "told"
LIFE = ("unit.bought", "unit.running", "unit.releasing", "unit.released")

pytestmark = pytest.mark.crash


class DeliveryLog:
    """Keeps the ids that arrive, in the order in which they do, and which of them are under way."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.under_way: set[str] = set()
        self.twice_at_once: list[str] = []
        self.hanging = threading.Event()
        self.hanging.set()
        self.port = 0
        self._lock = threading.Lock()

    def take(self, message_id: str) -> None:
        """Take one; answer when nothing hangs."""
        with self._lock:
            if message_id in self.under_way:
                self.twice_at_once.append(message_id)
            self.under_way.add(message_id)
            self.ids.append(message_id)
        self.hanging.wait(60)
        # As long as a receiver takes, so that attempts of several servers overlap.
        time.sleep(0.005)
        with self._lock:
            self.under_way.discard(message_id)


@contextmanager
def a_receiver() -> Iterator[DeliveryLog]:
    receiver = DeliveryLog()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            receiver.take(self.headers["webhook-id"])
            try:
                self.send_response(204)
                self.end_headers()
            except OSError:
                # The server that sent it is dead.
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.hanging.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings under which the receiver may be called."""
    path = tmp_path / "leasebook.toml"
    path.write_text('[webhook]\nallow_http = "yes"\nallow_private = "127.0.0.0/8"\ntimeout_seconds = 30\n')
    return path


def subscribe(caller: FleetClient, receiver: DeliveryLog, **more: Any) -> str:
    body = {"kind": "Webhook", "url": f"http://127.0.0.1:{receiver.port}/", **more}
    return str(caller.call(PATH, "CreateSubscription", body).result["subscriptionId"])


def delivered(caller: FleetClient, count: int) -> list[Any]:
    """Wait until ``count`` are delivered and none waits."""

    def look() -> list[Any]:
        rows: list[Any] = caller.call(PATH, "DescribeDeliveries", {"maxKeys": 1000}).result["deliveries"]
        return rows if len(rows) >= count and all(row["state"] == "Delivered" for row in rows) else []

    found: list[Any] = eventually(f"{count} are delivered", look)
    return found


def test_what_was_sent_and_not_noted_when_the_server_was_killed_is_sent_again_under_the_same_id(
    tmp_path: Path, config: Path
) -> None:
    with a_receiver() as receiver, lone_server(tmp_path, "--config", str(config)) as server:
        with root_of(server) as root:
            offer(root, TYPE, stock=10)
            account = open_account(root, "customer", 1000)
        with account.caller([server.port or 0]) as caller:
            subscribe(caller, receiver, types=["unit.bought"])
            receiver.hanging.clear()
            caller.call(UNITS, "PurchaseComputeUnit", postpaid(TYPE))
            eventually("it is under way", lambda: receiver.ids)
            server.kill()
            receiver.hanging.set()
            server.start()
            server.wait()
            (row,) = delivered(caller, 1)
            assert receiver.ids == [row["deliveryId"]] * 2
            assert row["attempts"] == 1
        server.stop()
    prove_books(data_of(tmp_path))


@contextmanager
def servers(folder: Path, url: str, config: Path, count: int) -> Iterator[list[Process]]:
    made = [
        Process(f"{NAME}-{number}", folder, ("serve", "--store", url, "--config", str(config)), free_port())
        for number in range(count)
    ]
    try:
        yield made
    finally:
        for process in made:
            process.remove()


def test_a_server_that_dies_is_replaced_by_another_one_when_its_lease_is_over_and_not_before(
    tmp_path: Path, config: Path
) -> None:
    database = shared_server().database(migrated=True)
    with a_receiver() as receiver, database as url, servers(tmp_path, url, config, 2) as (first, second):
        first.start()
        first.wait()
        with FleetClient([first.port or 0], ROOT_KEY, ROOT_SECRET) as root:
            offer(root, TYPE, stock=10)
            account = open_account(root, "customer", 1000)
        with account.caller([first.port or 0]) as caller:
            subscribe(caller, receiver, types=["unit.bought"])
            receiver.hanging.clear()
            caller.call(UNITS, "PurchaseComputeUnit", postpaid(TYPE))
            eventually("it is under way", lambda: receiver.ids)
            first.kill()
            receiver.hanging.set()
        second.start()
        second.wait()
        with account.caller([second.port or 0]) as caller:
            # The other one is at work: it delivers what comes new.
            caller.call(UNITS, "PurchaseComputeUnit", postpaid(TYPE))
            eventually("another is delivered", lambda: len(receiver.ids) == 2)
            assert len(set(receiver.ids)) == 2
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("UPDATE lanes SET leased_until = 1 WHERE leased_until IS NOT NULL")
            rows = delivered(caller, 2)
            assert Counter(receiver.ids) == {rows[1]["deliveryId"]: 2, rows[0]["deliveryId"]: 1}
        second.stop()
        check(url)


def test_two_servers_share_the_sending_and_send_nothing_twice_and_each_instance_in_order(
    tmp_path: Path, config: Path
) -> None:
    units = few(16, 40)
    database = shared_server().database(migrated=True)
    with a_receiver() as receiver, database as url, servers(tmp_path, url, config, 2) as both:
        for server in both:
            server.start()
            server.wait()
        ports = [server.port or 0 for server in both]
        with FleetClient(ports, ROOT_KEY, ROOT_SECRET) as root:
            offer(root, TYPE, stock=units)
            account = open_account(root, "customer", 100_000)
        with account.caller(ports) as caller:
            subscribe(caller, receiver)

        def one(number: int) -> None:
            with account.caller(ports).starting_at(number) as caller:
                for _ in range(units // 4):
                    bought = caller.call(UNITS, "PurchaseComputeUnit", postpaid(TYPE)).result
                    caller.call(UNITS, "ReleaseComputeUnit", {"instanceId": bought["instanceId"]})

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(one, range(4)))
        with account.caller(ports) as caller:
            rows = delivered(caller, 4 * units)
        assert receiver.twice_at_once == []
        assert len(receiver.ids) == len(set(receiver.ids)) == len(rows)
        by_id = {row["deliveryId"]: row for row in rows}
        told: dict[str, list[str]] = {}
        for message_id in receiver.ids:
            row = by_id[message_id]
            told.setdefault(row["instanceId"], []).append(row["type"])
        assert len(told) == units
        assert all(tuple(types) == LIFE for types in told.values())
        for server in both:
            server.stop()
        check(url)

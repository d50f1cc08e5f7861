"""A server of this version and one of the next on one store: the older stops writing, unless the two get on."""

from __future__ import annotations

import http.client
import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from leasebook.store import revisions
from leasebook.store.newer import WRITABLE_FROM
from tests.crash.fleet import (
    ACCOUNT,
    UNITS,
    Account,
    Fleet,
    Process,
    books,
    environment,
    eventually,
    fleet,
    offer,
    open_account,
    postpaid,
)
from tests.crash.lone import data_of, every_page, leasebook, lone_server, root_of
from tests.forked import run
from tests.newer import NEXT, write_next
from tests.ports import free_port
from tests.postgres import shared_server

TYPE = "lasting"
STOPPED = "the store cannot write"
START_S = 180.0
"""How long a server may take to serve on a machine that is busy with other work."""

pytestmark = pytest.mark.crash


def page(port: int | None, path: str) -> tuple[int, Any]:
    """Return the answer to a monitor."""
    connection = http.client.HTTPConnection("127.0.0.1", port or 0, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


class RetryingBuyer:
    """Buys with client tokens from any server that answers, until it is stopped, and keeps acknowledged purchases."""

    def __init__(self, account: Account, ports: list[int]) -> None:
        self.caller = account.caller(ports, patience_s=START_S)
        self.orders: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        with self.caller:
            while not stop.wait(0.05):
                answer = self.caller.call(UNITS, "PurchaseComputeUnit", postpaid(TYPE), token=uuid.uuid4().hex)
                self.orders.add(answer.result["orderId"])


@contextmanager
def buying(servers: Fleet, more: int) -> Iterator[list[RetryingBuyer]]:
    """Have everybody buy meanwhile; then every purchase that was acknowledged is there, and no other."""
    with servers.root() as root:
        offer(root, TYPE, stock=1_000_000)
        account = open_account(root, uuid.uuid4().hex, 1_000_000)
    buyers = [RetryingBuyer(account, [*servers.ports, more]) for _ in range(4)]
    stop = threading.Event()
    with ThreadPoolExecutor(len(buyers)) as threads:
        runs = [threads.submit(buyer.run, stop) for buyer in buyers]
        try:
            yield buyers
        finally:
            stop.set()
        for run in runs:
            run.result()
    told = set().union(*(buyer.orders for buyer in buyers))
    with account.caller([more]) as caller:
        assert {order["orderId"] for order in every_page(caller, ACCOUNT, "DescribeOrders", "orders")} == told
    assert len(told) > 20


def prove_with_next(url: str, migration: Path) -> None:
    """Have the next version prove the books: nothing is wrong, and nothing is worth a remark."""
    done = run(["check", "--store", url], env=environment(), migrations=migration)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "remark" not in done.stdout, done.stdout


def test_a_server_whose_store_a_newer_one_migrates_stops_writing_in_the_middle_of_the_crowd(tmp_path: Path) -> None:
    migration = write_next(tmp_path / "migration")
    with (
        shared_server().database(migrated=True) as url,
        fleet(url, tmp_path / "old", servers=1) as servers,
        next_server(tmp_path, url, migration) as later,
    ):
        (old,) = servers.servers
        with buying(servers, later.port or 0) as buyers:
            eventually("they buy", lambda: sum(len(buyer.orders) for buyer in buyers) > 20)
            later.start()
            eventually("the newer one serves", later.is_ready, within_s=START_S)
            eventually("the old one says that it is broken", lambda: page(old.port, "/healthz")[0] == 500, within_s=60)
            before = sum(len(buyer.orders) for buyer in buyers)
            eventually("they buy of the newer one", lambda: sum(len(one.orders) for one in buyers) > before + 20)
        status, ready = page(old.port, "/readyz")
        assert status == 503
        assert f"brought to schema {NEXT}" in ready["reasons"][-1]
        with servers.root() as root:
            refused = root.call_at(0, UNITS, "PurchaseComputeUnit", postpaid(TYPE))
        assert (refused.status, refused.code) == (503, "StoreUnavailable")
        assert "newer version" in refused.body["message"]
        assert old.log().count(STOPPED) == 1
        assert "waits for the store" not in old.log()
        old.stop()
        prove_with_next(url, migration)


@contextmanager
def next_server(folder: Path, url: str, migration: Path) -> Iterator[Process]:
    """Make the next version's server; the caller starts it."""

    server = Process("next", folder, ("serve", "--store", url), free_port(), migrations=migration)
    try:
        yield server
    finally:
        server.remove()


def test_versions_that_are_declared_compatible_work_side_by_side_and_the_books_are_right(tmp_path: Path) -> None:
    migration = write_next(tmp_path / "migration", writable_from=revisions.latest())
    with (
        shared_server().database(migrated=True) as url,
        fleet(url, tmp_path / "old", servers=1) as servers,
        next_server(tmp_path, url, migration) as later,
    ):
        with buying(servers, later.port or 0) as buyers:
            later.start()
            eventually("the newer one serves", later.is_ready, within_s=START_S)
            before = sum(len(buyer.orders) for buyer in buyers)
            for number, buyer in enumerate(buyers):
                buyer.caller.starting_at(number)
            eventually("they buy of both", lambda: sum(len(one.orders) for one in buyers) > before + 40)
        assert page(servers.servers[0].port, "/healthz")[0] == 200
        assert servers.servers[0].log().count(STOPPED) == 0
        with books(url) as seen:
            assert seen.value("SELECT version_num FROM alembic_version") == NEXT
        prove_with_next(url, migration)


def test_beside_a_server_on_a_directory_nobody_migrates_and_who_changes_its_file_by_hand_stops_it(
    tmp_path: Path,
) -> None:
    migration = write_next(tmp_path / "migration")
    with lone_server(tmp_path) as server:
        done = run(["migrate", "--data", str(data_of(tmp_path))], env=environment(), migrations=migration)
        assert done.returncode == 2
        assert "Another server works on the data directory" in done.stderr
        with root_of(server) as root, closing(sqlite3.connect(data_of(tmp_path) / "leasebook.db")) as file:
            offer(root, TYPE, stock=10)
            file.execute("INSERT INTO facts (name, value) VALUES (?, ?)", (WRITABLE_FROM, revisions.latest()))
            file.execute("UPDATE alembic_version SET version_num = ?", (NEXT,))
            file.commit()
            offer(root, TYPE, stock=11)
            file.execute("DELETE FROM facts WHERE name = ?", (WRITABLE_FROM,))
            file.commit()
            refused = root.call_at(0, "/v2/catalog", "SetOffering", {"region": "bj", "type": TYPE, "stockTotal": 9})
            assert (refused.status, refused.code) == (503, "StoreUnavailable")
            assert page(server.port, "/healthz")[0] == 500
            assert server.log().count(STOPPED) == 1
        server.stop()
    assert "newer version" in leasebook("serve", "--data", data_of(tmp_path), "--port", "0").stderr

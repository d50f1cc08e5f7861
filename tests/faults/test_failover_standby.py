"""The database's primary is lost and its standby promoted, or takes no writes for a moment: back by themselves."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.crash.fleet import (
    ACCOUNT,
    ROUNDS,
    UNITS,
    Account,
    FleetClient,
    Process,
    books,
    check,
    eventually,
    moment,
    offer,
    open_account,
    postpaid,
)
from tests.depth import few
from tests.faults.databases import Standby, follows, pair, patient, run_on, several
from tests.harness import ROOT_KEY, ROOT_SECRET
from tests.ports import free_port
from tests.postgres import MIGRATED, PostgresServer

FUNDS = 1_000_000


class Site:
    """Two database hosts, one that takes writes and its standby, and a server that knows both."""

    def __init__(self, folder: Path) -> None:
        self.primary: PostgresServer
        self.primary, self.standby = pair()
        self._database = "books"
        self.lost_port = 0
        run_on(self.primary, f"CREATE DATABASE {self._database} TEMPLATE {MIGRATED}")
        address = several(self.standby, self.primary, database=self._database)
        self.server = Process("server", folder, ("serve", "--store", address), free_port(), variables=patient(answer=3))
        self.server.start()
        self.server.wait()
        self.port: int = self.server.port or 0

    @property
    def url(self) -> str:
        """The address of the database that takes writes."""
        return self.primary.url(self._database)

    def root(self) -> FleetClient:
        return FleetClient([self.port], ROOT_KEY, ROOT_SECRET, timeout_s=60)

    def page(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return what a monitor sees."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def lose_the_primary(self) -> None:
        follows(self.standby, self.primary)
        self.primary.stop("immediate")

    def promote(self) -> None:
        self.standby.promote()
        self.lost_port = self.primary.port
        self.primary.remove()
        self.primary = self.standby

    def remove(self) -> None:
        self.server.remove()
        for one in {self.primary, self.standby}:
            one.remove()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.remove()


@pytest.fixture
def account(site: Site) -> Account:
    with site.root() as root:
        offer(root, "kept", stock=100_000)
        return open_account(root, "kept", FUNDS)


def _is_refused(site: Site, caller: FleetClient, words: str) -> None:
    """Fail unless purchases, reads and monitors get the answer that the store is away."""
    answer = caller.call_at(0, UNITS, "PurchaseComputeUnit", postpaid("kept"))
    assert (answer.status, answer.code) == (HTTPStatus.SERVICE_UNAVAILABLE, "StoreUnavailable")
    assert answer.body["message"].startswith("Nothing was done: ")
    status, page = site.page("/readyz")
    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    assert any(words in reason for reason in page["reasons"]), page
    assert site.page("/healthz")[0] == HTTPStatus.OK


def _comes_back(caller: FleetClient) -> float:
    """Return how long it takes until a purchase is done."""
    began = time.monotonic()

    def buys() -> bool:
        return caller.call_at(0, UNITS, "PurchaseComputeUnit", postpaid("kept")).status == HTTPStatus.OK

    eventually("units are sold", buys)
    return time.monotonic() - began


def _is_released(site: Site, unit_id: str) -> None:
    query = "SELECT status FROM units WHERE id = %s"
    with books(site.url) as seen:
        eventually("it is released", lambda: seen.value(query, unit_id) == "Released")


def _no_traceback(site: Site, said: int) -> None:
    told = site.server.log_since(said)
    assert '"exception"' not in told, told[-3000:]
    assert "Traceback" not in told


def test_after_a_read_only_moment_it_sells_and_releases_again_by_itself(site: Site, account: Account) -> None:
    with account.caller([site.port], timeout_s=60) as caller:
        for _ in range(ROUNDS):
            said = len(site.server.log())
            bought = caller.call(UNITS, "PurchaseComputeUnit", postpaid("kept", moment(1.0)))
            run_on(site.primary, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
            eventually("it is not ready", lambda: site.page("/readyz")[0] != HTTPStatus.OK)
            _is_refused(site, caller, "takes no writes")
            assert caller.call_at(0, ACCOUNT, "DescribeAccount").status == HTTPStatus.OK, "reads go on"
            run_on(site.primary, "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
            took = _comes_back(caller)
            print(f"back after {took:.1f} s")
            _is_released(site, bought.result["instanceId"])
            eventually("it is ready", lambda: site.page("/readyz")[0] == HTTPStatus.OK)
            _no_traceback(site, said)


def test_a_promoted_standby_is_found_and_due_work_goes_on_there(site: Site, account: Account) -> None:
    for round_number in range(ROUNDS):
        if round_number:
            site.standby = Standby(site.primary, site.lost_port)
        said = len(site.server.log())
        with account.caller([site.port], timeout_s=60) as caller:
            bought = caller.call(UNITS, "PurchaseComputeUnit", postpaid("kept", moment(1.5)))
            site.lose_the_primary()
            _is_refused(site, caller, "takes no writes")
            site.promote()
            took = _comes_back(caller)
            print(f"back after {took:.1f} s")
            _is_released(site, bought.result["instanceId"])
        eventually("it is ready", lambda: site.page("/readyz")[0] == HTTPStatus.OK)
        _no_traceback(site, said)
        check(site.url)


def test_sessions_that_are_ended_or_cancelled_are_replaced(site: Site, account: Account) -> None:
    said = len(site.server.log())
    with account.caller([site.port], timeout_s=60) as caller, psycopg.connect(site.url, autocommit=True) as operator:
        for end in ("pg_terminate_backend", "pg_cancel_backend"):
            for _ in range(few(2, 5) * ROUNDS):
                operator.execute(
                    f"SELECT {end}(pid) FROM pg_stat_activity WHERE application_name = 'leasebook'".encode()
                )
                answer = caller.call(UNITS, "PurchaseComputeUnit", postpaid("kept"))
                assert answer.status == HTTPStatus.OK
        assert set(caller.seen) <= {(HTTPStatus.OK, ""), (HTTPStatus.SERVICE_UNAVAILABLE, "StoreUnavailable")}
    _no_traceback(site, said)

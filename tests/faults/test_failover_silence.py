"""The database freezes, or its machine vanishes: no caller hangs, monitors see it, and it goes on when it is back."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from http import HTTPStatus
from typing import Any

import pytest

from leasebook.store.postgres.presence import WAIT_MAX_S
from leasebook.store.postgres.timeouts import Patience
from tests.crash.fleet import ACCOUNT, ROUNDS, UNITS, FleetClient, Process, eventually, offer, open_account, postpaid
from tests.faults.databases import FarServer, frozen, need_postgres, patient
from tests.harness import ROOT_KEY, ROOT_SECRET
from tests.ports import free_port

BOUND_S = 10.0
ANSWERED_S = 60.0
"""Seconds until a test gives up. The database is silent until all answers are there: who waited for it would have
none, however quick the machine is."""


def test_nobody_waits_for_ten_seconds_where_nothing_is_set() -> None:
    """The sum of all waits of a call, where the database is silent from its first moment on."""
    patience = Patience()
    readiness_looks_every_s = 1.0
    assert readiness_looks_every_s + patience.silent_s + WAIT_MAX_S < BOUND_S
    assert patience.away_s + WAIT_MAX_S < BOUND_S
    assert patience.connect_s + WAIT_MAX_S + patience.away_s < BOUND_S
    assert patience.doubt_s < BOUND_S
    assert patience.in_the_way_ms / 1000 < patience.answer_s
    assert patience.unacknowledged_s < patience.silent_s


def _page(port: int, path: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWERED_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def _play(server: Process, trouble: Callable[[], AbstractContextManager[Any]]) -> None:
    """Buy and look while the database is silent, and once it is back."""
    port = server.port or 0
    with FleetClient([port], ROOT_KEY, ROOT_SECRET, timeout_s=ANSWERED_S) as root:
        offer(root, "silent", stock=1000)
        account = open_account(root, "silent", 1000)
    said = len(server.log())
    with ExitStack() as stack:
        callers = [stack.enter_context(account.caller([port], timeout_s=ANSWERED_S)) for _ in range(12)]
        for _ in range(ROUNDS):
            _once(port, callers, trouble)
    assert "Traceback" not in server.log_since(said)
    assert '"exception"' not in server.log_since(said)


def _once(port: int, callers: list[FleetClient], trouble: Callable[[], AbstractContextManager[Any]]) -> None:
    with trouble():
        _all_are_refused(callers)
        status, page = _page(port, "/readyz")
        assert status == HTTPStatus.SERVICE_UNAVAILABLE, page
        assert any("database" in reason for reason in page["reasons"]), page
        assert _page(port, "/healthz")[0] == HTTPStatus.OK
        # Later callers are answered, too, whatever is still stuck.
        _all_are_refused(callers[:3])
    began = time.monotonic()

    def sells() -> bool:
        answer = callers[0].call_at(0, UNITS, "PurchaseComputeUnit", postpaid("silent"))
        return answer.status == HTTPStatus.OK

    eventually("units are sold again", sells)
    eventually("it is ready", lambda: _page(port, "/readyz")[0] == HTTPStatus.OK)
    print(f"back after {time.monotonic() - began:.1f} s")


def _all_are_refused(callers: list[FleetClient]) -> None:
    """Fail unless every call now gets the answer, in time, that the store is away and nothing was done."""
    answers: list[Any] = [None] * len(callers)

    def ask(number: int) -> None:
        path, action = ((UNITS, "PurchaseComputeUnit"), (ACCOUNT, "DescribeAccount"))[number % 2]
        answers[number] = callers[number].call_at(0, path, action, postpaid("silent") if path is UNITS else {})

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(callers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(ANSWERED_S + 5)
    for answer in answers:
        assert answer is not None, "no server answered in time"
        assert (answer.status, answer.code) == (HTTPStatus.SERVICE_UNAVAILABLE, "StoreUnavailable")
        assert answer.body["message"].startswith("Nothing was done: ")


@pytest.fixture(scope="module")
def far() -> Iterator[FarServer]:
    """A database on a machine of its own."""
    if os.getuid() != 0:
        pytest.skip("a network of its own takes root")
    need_postgres()
    server = FarServer(os.getpid() % 250 + 1)
    yield server
    server.remove()


@pytest.fixture(scope="module")
def server(far: FarServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server that waits for little."""
    with far.database(migrated=True) as url:
        started = Process(
            "server", tmp_path_factory.mktemp("far"), ("serve", "--store", url), free_port(), variables=patient()
        )
        started.start()
        try:
            started.wait()
            yield started
        finally:
            started.remove()


@pytest.mark.parametrize("trouble", ["freezes", "vanishes"])
def test_a_database_that_is_silent_keeps_nobody_waiting(far: FarServer, server: Process, trouble: str) -> None:
    _play(server, (lambda: frozen(far)) if trouble == "freezes" else far.vanished)

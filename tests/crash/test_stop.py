"""A server that is asked to stop while everybody buys: each request is done, or plainly not."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.crash.fleet import UNITS, FleetClient, eventually, moment, offer, open_account, postpaid
from tests.crash.lone import WITHOUT_END, Record, data_of, lone_server, prove, prove_books, root_of
from tests.depth import few

CLIENTS = few(32, 64)
REST_S = few(0.02, 0.0)
"""Between two purchases of one."""
FUNDS = 10_000_000
TYPE = "stopped"


def _buy(caller: FleetClient, stop: threading.Event, records: list[Record]) -> None:
    with caller:
        while not stop.wait(REST_S):
            token, body = uuid.uuid4().hex, postpaid(TYPE, moment(3600))
            bought = caller.call(UNITS, "PurchaseComputeUnit", body, token=token).result
            records.append(Record(token, body, bought["instanceId"], bought["orderId"]))


def _has(records: list[Record], wanted: int) -> bool:
    return len(records) >= wanted


@pytest.mark.crash
def test_a_server_that_stops_while_everybody_buys_leaves_nothing_half_done(tmp_path: Path) -> None:
    with lone_server(tmp_path, variables=WITHOUT_END) as server:
        assert server.port is not None
        with root_of(server) as root:
            offer(root, TYPE, stock=1_000_000)
            account = open_account(root, "customer", FUNDS)
        callers = [account.caller([server.port]) for _ in range(CLIENTS)]
        stop = threading.Event()
        records: list[Record] = []
        with ThreadPoolExecutor(CLIENTS) as threads:
            running = [threads.submit(_buy, caller, stop, records) for caller in callers]
            try:
                for _ in range(2):
                    wanted = len(records) + 2 * CLIENTS
                    eventually("everybody buys", partial(_has, records, wanted))
                    # It may take ten minutes for answers under way, and does not wait for connections that are idle.
                    server.stop()
                    server.start()
                    server.wait()
            finally:
                stop.set()
            for run in running:
                run.result()
        seen = {key for caller in callers for key in caller.seen}
        assert seen <= {(HTTPStatus.OK, ""), (HTTPStatus.SERVICE_UNAVAILABLE, "Overloaded"), (0, "")}
        assert (0, "") in seen, "no caller noticed that the server was gone"
        with account.caller([server.port]) as customer:
            prove(customer, records, dict.fromkeys(record.unit_id for record in records), funds=FUNDS, unit_type=TYPE)
        assert '"level":"error"' not in server.log()
        server.stop()
    prove_books(data_of(tmp_path))

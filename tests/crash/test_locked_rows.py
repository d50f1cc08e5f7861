"""A session of the database that holds one account's row, on real servers: only that account waits."""

from __future__ import annotations

import statistics
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus

import psycopg
import pytest

from tests.crash.fleet import (
    UNITS,
    Account,
    Fleet,
    FleetClient,
    books,
    eventually,
    moment,
    offer,
    open_account,
    postpaid,
)

FUNDS = 1_000_000
HELD_S = 10.0
REST_S = 0.02
"""Between two purchases of one, so that they leave the machine to others."""
SLOW_S = 4.0
"""A row is waited for in a batch for half a second, once on each server; the rest is a busy machine."""
REFUSED_S = 8.0 + 4.0


@contextmanager
def row_locked(url: str, account: Account) -> Iterator[None]:
    """Hold the row of an account in a session that is none of the service's."""
    with psycopg.connect(url, application_name="psql") as session:
        session.execute("SELECT 1 FROM accounts WHERE id = %s FOR UPDATE", (account.id,))
        yield
        session.rollback()


class TimedBuyer:
    """Buys without end, once each time, and writes down how long each answer took."""

    def __init__(self, port: int, account: Account) -> None:
        self.caller = account.caller([port], timeout_s=60)
        self.times: list[float] = []
        self.seen: Counter[str] = Counter()

    def run(self, stop: threading.Event) -> None:
        """Go on until ``stop`` is called."""
        with self.caller:
            while not stop.wait(REST_S):
                began = time.monotonic()
                body = postpaid("locked") | {"clientToken": uuid.uuid4().hex}
                answer = self.caller.call_at(0, UNITS, "PurchaseComputeUnit", body)
                self.times.append(time.monotonic() - began)
                self.seen["" if answer.status == HTTPStatus.OK else answer.code] += 1


@pytest.mark.crash
def test_a_row_locked_from_outside_stops_only_those_who_need_it_and_its_due_work_is_done_once_after(
    trio: Fleet, root: FleetClient
) -> None:
    offer(root, "locked", stock=1_000_000)
    a, b = open_account(root, "a", FUNDS), open_account(root, "b", FUNDS)
    port = trio.ports[1]
    stop = threading.Event()
    with a.caller([port]) as first, b.caller([port]) as second:
        ends = moment(3)
        mine = first.call(UNITS, "PurchaseComputeUnit", postpaid("locked", ends)).result["instanceId"]
        others = second.call(UNITS, "PurchaseComputeUnit", postpaid("locked", ends)).result["instanceId"]
    blocked, free = TimedBuyer(port, a), TimedBuyer(port, b)
    released = "SELECT status IN ('Releasing', 'Released') FROM units WHERE id = %s"
    with ThreadPoolExecutor(2) as threads, books(trio.url) as seen:
        with row_locked(trio.url, a):
            held_at = time.monotonic()
            runs = [threads.submit(buyer.run, stop) for buyer in (blocked, free)]
            eventually("the other's instance is released", lambda: seen.value(released, others), within_s=60)
            assert not seen.value(released, mine)
            time.sleep(max(0.0, held_at + HELD_S - time.monotonic()))
            assert not seen.value(released, mine)
            answered = len(blocked.times)
        eventually("its own instance is released", lambda: seen.value(released, mine), within_s=60)
        eventually("its calls are answered", lambda: len(blocked.times) > answered + 2, within_s=60)
        stop.set()
        for run in runs:
            run.result()
        charged = seen.rows(
            "SELECT unit_id, count(*), count(DISTINCT until) FROM postings WHERE unit_id IN (%s, %s) GROUP BY unit_id",
            mine,
            others,
        )
        bought = {who.id: seen.value("SELECT count(*) FROM orders WHERE account_id = %s", who.id) for who in (a, b)}
        late = seen.rows("SELECT id, released_at - release_at FROM units WHERE id IN (%s, %s)", mine, others)
    print(f"{len(free.times)} calls of the other, the slowest took {max(free.times):.2f} s; {blocked.seen}")
    assert set(free.seen) == {""}
    assert max(free.times) < SLOW_S
    # Each server finds out by itself, and then no caller waits any more: without that there would be a call or two in
    # all.
    assert statistics.median(free.times) < SLOW_S / 4
    assert len(free.times) > HELD_S
    assert set(blocked.seen) == {"", "RowsLocked"}
    assert max(blocked.times) < REFUSED_S
    # A refused call was not done; an answered one was, once.
    assert bought == {a.id: blocked.seen[""] + 1, b.id: free.seen[""] + 1}
    assert {row[0]: row[1:] for row in late}.keys() == {mine, others}
    assert len(charged) == 2
    assert all(count == 1 for _, count, _ in charged)
    trio.check()

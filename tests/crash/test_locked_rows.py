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
    DatabaseProbe,
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
USUAL_S = 1.0
"""A row is waited for in a batch for half a second, once on each server; the rest is a busy machine."""
RELEASED = "SELECT status IN ('Releasing', 'Released') FROM units WHERE id = %s"


@contextmanager
def row_locked(url: str, account: Account) -> Iterator[None]:
    """Hold the row of an account in a session that is none of the service's."""
    with psycopg.connect(url, application_name="psql") as session:
        session.execute("SELECT 1 FROM accounts WHERE id = %s FOR UPDATE", (account.id,))
        yield
        session.rollback()


@contextmanager
def locked_before_a_release(
    trio: Fleet, seen: DatabaseProbe, account: Account, other: Account
) -> Iterator[tuple[str, str, int]]:
    """Buy an instance for each account, which ends soon, and hold the first account's row before they end.

    Yields both instances, and how often they were bought: on a busy machine the row may come too late.
    """
    for times, lead_s in enumerate((3.0, 10.0, 40.0), 1):
        wanted, units = postpaid("locked", moment(lead_s)), []
        for buyer in (account, other):
            with buyer.caller([trio.ports[1]]) as caller:
                units.append(caller.call(UNITS, "PurchaseComputeUnit", wanted).result["instanceId"])
        with row_locked(trio.url, account):
            if not seen.value(RELEASED, units[0]):
                yield units[0], units[1], times
                return
    raise AssertionError("the row was never locked before the release")


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
    blocked, free = TimedBuyer(port, a), TimedBuyer(port, b)
    with ThreadPoolExecutor(2) as threads, books(trio.url) as seen:
        try:
            with locked_before_a_release(trio, seen, a, b) as (mine, others, times):
                held_at = time.monotonic()
                runs = [threads.submit(buyer.run, stop) for buyer in (blocked, free)]
                eventually("the other's instance is released", lambda: seen.value(RELEASED, others))
                assert not seen.value(RELEASED, mine)
                # The row is held until then: a call that waited for its end would not be refused.
                eventually("a call that needs the row is refused", lambda: blocked.seen["RowsLocked"])
                time.sleep(max(0.0, held_at + HELD_S - time.monotonic()))
                assert not seen.value(RELEASED, mine)
                answered = len(blocked.times)
            eventually("its own instance is released", lambda: seen.value(RELEASED, mine))
            eventually("its calls are answered", lambda: len(blocked.times) > answered + 2)
        finally:
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
    # Each server finds out by itself, and then no caller waits any more: without that there would be a call or two in
    # all.
    assert statistics.median(free.times) < USUAL_S
    assert len(free.times) > HELD_S
    assert set(blocked.seen) == {"", "RowsLocked"}
    # A refused call was not done; an answered one was, once.
    assert bought == {a.id: blocked.seen[""] + times, b.id: free.seen[""] + times}
    assert {row[0]: row[1:] for row in late}.keys() == {mine, others}
    assert len(charged) == 2
    assert all(count == 1 for _, count, _ in charged)
    trio.check()

"""Hundreds of releases in the same moment, and servers that are killed in the middle of it: each is done once."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from random import Random

import pytest

from leasebook.domain.rules.metering import minutes_started
from leasebook.domain.values.calendar import Instant
from leasebook.store.sqlite.store import FILE
from tests.crash.fleet import (
    ROUNDS,
    UNITS,
    Account,
    Bought,
    Process,
    books,
    check_ends,
    dice,
    eventually,
    fleet,
    offer,
    open_account,
    postpaid,
)
from tests.crash.lone import Record, data_of, lone_server, prove, prove_books, root_of
from tests.depth import few
from tests.postgres import shared_server

TYPE, FUNDS = "stormy", 10_000_000
UNITS_IN_ALL, BUYERS = (few(180, 360), 12) if ROUNDS == 1 else (1200, 12)
IN_A_BATCH = UNITS_IN_ALL // 10
"""Most pieces of due work in a batch, whether callers are active or not, so that there are several batches."""
LEAD_S = few(6.0, 10.0 if ROUNDS == 1 else 12.0)
"""Seconds from the first purchase to the storm, by which all purchases are made. A busy machine takes longer."""
SLOWER = 20
"""Bound on the time of a purchase in a crowd, in times of a single read."""
KILLS = few(1, 2) * ROUNDS
RELEASED = "SELECT count(*) FROM units WHERE status = 'Released'"


def settings_of(folder: Path) -> tuple[str, ...]:
    """Have a server take little at a time."""
    path = folder / "settings.toml"
    path.write_text(f"[due]\nbatch_max = {IN_A_BATCH}\n")
    return "--config", str(path)


def buy_a_storm(account: Account, ports: list[int]) -> tuple[datetime, list[Record]]:
    """Buy instances that are all released at one moment; returns that and the purchases."""
    at = (datetime.now(UTC) + timedelta(seconds=max(LEAD_S, _crowd_s(account, ports)))).replace(microsecond=0)

    def some(number: int) -> list[Record]:
        bought = []
        with account.caller(ports).starting_at(number) as caller:
            for _ in range(UNITS_IN_ALL // BUYERS):
                token, body = uuid.uuid4().hex, postpaid(TYPE, at.isoformat())
                found = caller.call(UNITS, "PurchaseComputeUnit", body, token=token).result
                bought.append(Record(token, body, found["instanceId"], found["orderId"]))
        return bought

    with ThreadPoolExecutor(BUYERS) as threads:
        records = [record for found in threads.map(some, range(BUYERS)) for record in found]
    assert datetime.now(UTC) < at, "the machine is too slow for this test"
    return at, records


def _crowd_s(account: Account, ports: list[int]) -> float:
    """Return how long the crowd may take for its purchases on this machine, by the time of a few reads."""
    reads = 5
    with account.caller(ports) as caller:
        began = time.monotonic()
        for _ in range(reads):
            caller.call(UNITS, "DescribeComputeUnits")
        return (time.monotonic() - began) / reads * SLOWER * UNITS_IN_ALL / BUYERS


def kill_in_the_storm(victims: list[Process], released: Callable[[], int], random: Random) -> None:
    """Kill one after the other as soon as a random number are released, and start it again."""
    turns = cycle(victims)
    marks = sorted(random.sample(range(1, UNITS_IN_ALL - 4 * IN_A_BATCH), KILLS))
    for mark in marks:
        eventually(f"{mark} are released", lambda mark=mark: released() >= mark, every_s=0.001)  # type: ignore[misc]
        victim = next(turns)
        victim.kill()
        victim.start()
        if len(victims) == 1:
            victim.wait()
    print(f"killed when {marks} were released")
    eventually("all are released", lambda: released() == UNITS_IN_ALL, within_s=60)
    for victim in victims:
        victim.wait()


@contextmanager
def counting(data: Path) -> Iterator[Callable[[], int]]:
    """Count released instances in a data directory that a server uses."""
    with closing(sqlite3.connect(f"file:{data / FILE}?mode=ro", uri=True, timeout=30)) as connection:
        yield lambda: int(connection.execute(RELEASED).fetchone()[0])


@pytest.mark.crash
def test_a_server_that_is_killed_in_a_storm_of_releases_goes_on_where_it_was(tmp_path: Path) -> None:
    random = dice()
    with lone_server(tmp_path, *settings_of(tmp_path)) as server:
        assert server.port is not None
        with root_of(server) as root:
            offer(root, TYPE, stock=1_000_000)
            account = open_account(root, "customer", FUNDS)
        _, records = buy_a_storm(account, [server.port])
        with counting(data_of(tmp_path)) as released:
            kill_in_the_storm([server], released, random)
        with account.caller([server.port]) as customer:
            ends: dict[str, str | None] = {record.unit_id: "Schedule" for record in records}
            prove(customer, records, ends, funds=FUNDS, unit_type=TYPE)
        server.stop()
    prove_books(data_of(tmp_path))


@pytest.mark.crash
def test_servers_and_workers_that_are_killed_in_a_storm_share_what_is_left(tmp_path: Path) -> None:
    random = dice()
    with shared_server().database(migrated=True) as url, fleet(url, tmp_path, servers=2, workers=1) as servers:
        with servers.root() as root:
            offer(root, TYPE, stock=1_000_000)
            account = open_account(root, "customer", FUNDS)
        at, records = buy_a_storm(account, servers.ports)
        with books(url) as seen:
            victims = [*servers.workers, *servers.servers]
            kill_in_the_storm(victims, lambda: int(seen.value(RELEASED)), random)
            bought = [Bought(record.token, account.id, record.unit_id, record.order_id) for record in records]
            seen.check_purchases(bought, [account.id])
            seen.check_money({account.id: FUNDS})
            check_ends(seen, {record.unit_id: "Schedule" for record in records})
            # Some of it perhaps at a full hour, just before.
            charged = seen.rows(
                "SELECT u.id, u.started_at, sum(p.minutes), max(p.at) FROM units u JOIN postings p ON p.unit_id = u.id "
                "WHERE p.kind = 'Usage' GROUP BY u.id, u.started_at"
            )
        assert {unit_id for unit_id, *_ in charged} == {record.unit_id for record in records}
        for unit_id, started_at, minutes, last_at in charged:
            assert (minutes, last_at <= _us(at)) == (minutes_started(started_at, _us(at)), True), unit_id
        servers.check()
        for process in (*servers.servers, *servers.workers):
            assert '"level":"error"' not in process.log(), process.log()[-4000:]
            process.stop()


def _us(at: datetime) -> Instant:
    return Instant(int(at.timestamp()) * 1_000_000)

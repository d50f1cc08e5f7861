"""A server on either store that people buy of without a pause, while machine, database, disk and replicas fail.

A phase makes one kind of trouble, once, and returns when that is over; then the stand waits until the server serves
again, and proves that nothing acknowledged was lost, nothing was done twice, nothing early, and nothing later than
``LATE_S`` after the server was back. Other kinds of trouble are added to ``PHASES``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Any, Final, Literal

import psycopg

from tests.crash.fleet import (
    ACCOUNT,
    UNITS,
    Account,
    FleetClient,
    Process,
    eventually,
    moment,
    offer,
    open_account,
    postpaid,
)
from tests.crash.lone import leasebook
from tests.crash.test_replicas import keepers, running
from tests.faults.nasty import NASTY, program
from tests.harness import ROOT_KEY, ROOT_SECRET
from tests.ports import free_port
from tests.postgres import PostgresServer

Kind = Literal["sqlite", "postgres"]
TYPE, NASTY_TYPE = "lasting", "nasty"
FUNDS: Final = 100_000_000
STOCK: Final = 1_000_000
ROOM: Final = 64
LATE_S: Final = 5.0
"""Seconds that overdue work may take once the server is back."""
SLACK_S: Final = float(os.environ.get("LEASEBOOK_TEST_SLACK", "25"))
"""Seconds more for a machine that is busy with other work."""
SHOPPERS: Final = 4
REST_S: Final = 0.02
"""Between two purchases of one, so that hours of them can be proved."""
PATIENCE_S: Final = 120.0
"""Seconds that a start may take on a machine that is busy with other work."""
GONE_WITHIN_S: Final = 90.0
_OVER: Final = "('Released', 'CreateFailed')"


class StandbyBuyer:
    """Buys with client tokens, some of it until a moment soon, and writes down what was acknowledged."""

    def __init__(self, caller: FleetClient, dice: Random) -> None:
        self.caller = caller
        self.orders: dict[str, str] = {}
        self._dice = dice

    def run(self, stop: threading.Event) -> None:
        """Go on until ``stop`` is set; the purchase under way is finished."""
        while not stop.wait(REST_S):
            at = moment(self._dice.uniform(1, 3)) if self._dice.random() < 0.5 else None
            body, token = postpaid(TYPE, at), uuid.uuid4().hex
            answer = self.caller.call(UNITS, "PurchaseComputeUnit", body, token=token)
            if answer.status == HTTPStatus.BAD_REQUEST and at is not None:
                continue  # that moment has passed while there was no server
            result = answer.result
            assert result["orderId"] not in self.orders, "two purchases were answered with one order"
            self.orders[result["orderId"]] = result["instanceId"]
            if at is None and self._dice.random() < 0.5:
                self._release(result["instanceId"])

    def _release(self, unit_id: str) -> None:
        token = uuid.uuid4().hex
        answer = self.caller.call(UNITS, "ReleaseComputeUnit", {"instanceId": unit_id}, token=token)
        assert answer.result is True


class Stand:
    """See the module."""

    def __init__(
        self, kind: Kind, folder: Path, server: Process, database: PostgresServer | None, url: str | None
    ) -> None:
        self.kind: Final = kind
        self.folder = folder
        self.server = server
        self.database = database
        self.url = url
        self.times: Counter[str] = Counter()
        self.back_s: defaultdict[str, list[float]] = defaultdict(list)
        """From the end of each trouble to the first answered purchase after it."""
        self.late_s = 0.0
        """How long after it was ready again what fell due meanwhile was not done, at worst."""
        self.checks = 0
        self.acknowledged: dict[str, str] = {}
        self._proved_until = 0
        """The number of the last order that was compared with the answers to buyers."""
        self.root = FleetClient([server.port or 0], ROOT_KEY, ROOT_SECRET, patience_s=120)
        self.account = self._open()

    def _open(self) -> Account:
        offer(self.root, TYPE, stock=STOCK)
        offer(self.root, NASTY_TYPE, stock=ROOM)
        mine = self.root.call(ACCOUNT, "TopUpAccount", {"amount": str(FUNDS)}, token=uuid.uuid4().hex)
        assert mine.status == HTTPStatus.OK, mine
        return open_account(self.root, "shoppers", FUNDS)

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        """Ask the store, past the server."""
        if self.url is None:
            path = f"file:{self.folder / 'server' / 'leasebook.db'}?mode=ro"
            with closing(sqlite3.connect(path, uri=True, timeout=10)) as file:
                return file.execute(text).fetchall()
        with psycopg.connect(self.url, autocommit=True, connect_timeout=10) as database:
            return database.execute(text.encode()).fetchall()

    def round(self, phase: str, dice: Random) -> None:
        """Let buyers buy, make that trouble, and prove the books afterwards."""
        stop = threading.Event()
        callers = [self.account.caller([self.server.port or 0], patience_s=120) for _ in range(SHOPPERS)]
        shoppers = [StandbyBuyer(caller, dice) for caller in callers]
        new: dict[str, str] = {}
        with ThreadPoolExecutor(SHOPPERS) as threads:
            runs = [threads.submit(shopper.run, stop) for shopper in shoppers]
            try:
                PHASES[phase](self, dice)
                over = time.monotonic()
                self._back(phase, over, shoppers)
            finally:
                stop.set()
            for run in runs:
                run.result()
        for shopper in shoppers:
            shopper.caller.close()
            assert not self.acknowledged.keys() & shopper.orders.keys(), "an order was answered twice"
            new |= shopper.orders
            self.acknowledged |= shopper.orders
        self.times[phase] += 1
        self._prove_orders(new)

    def _back(self, phase: str, over: float, shoppers: list[StandbyBuyer]) -> None:
        before = sum(len(one.orders) for one in shoppers)
        eventually("it serves again", self.server.is_ready, within_s=PATIENCE_S)
        ready = time.monotonic()
        eventually(
            "a purchase succeeds again", lambda: sum(len(one.orders) for one in shoppers) > before, within_s=PATIENCE_S
        )
        self.back_s[phase].append(time.monotonic() - over)
        eventually("nothing is overdue", lambda: self._overdue_s() < 1.0, within_s=LATE_S + SLACK_S, every_s=0.05)
        self.late_s = max(self.late_s, time.monotonic() - ready)

    def _overdue_s(self) -> float:
        """Return how late the oldest release is that was not begun; fails for one that was begun early."""
        now = time.time_ns() // 1000
        early = f"SELECT count(*) FROM units WHERE end_reason = 'Schedule' AND release_at > {now + 100_000}"
        assert self.rows(early) == [(0,)], "released early"
        waiting = "SELECT min(release_at) FROM units WHERE status IN ('Creating', 'Running', 'Stopped')"
        ((oldest,),) = self.rows(waiting)
        return 0.0 if oldest is None else max(0.0, (now - int(oldest)) / 1e6)

    def _prove_orders(self, answered: dict[str, str]) -> None:
        """Compare the orders since the last round with the answers to buyers in this one, at the cost of one round."""
        mine = f"kind = 'Purchase' AND account_id = '{self.account.id}'"
        rows = self.rows(f"SELECT id, unit_id, seq FROM orders WHERE {mine} AND seq > {self._proved_until}")
        found = {order: unit for order, unit, _ in rows}
        assert len(found) == len(rows) == len(set(found.values()))
        self._proved_until = max((seq for _, _, seq in rows), default=self._proved_until)
        # The orders that were proved in earlier rounds are still there.
        assert self.rows(f"SELECT count(*) FROM orders WHERE {mine}") == [(len(self.acknowledged),)]
        assert not answered.items() - found.items(), f"acknowledged and lost: {answered.items() - found.items()}"
        assert not found.items() - answered.items(), (
            f"bought, and no answer says so: {found.items() - answered.items()}"
        )
        wrong = "SELECT count(*) FROM units WHERE end_reason = 'Schedule' AND ended_at <> release_at"
        assert self.rows(wrong) == [(0,)], "ended at another moment than its release time"

    def check(self) -> None:
        """Have the command line prove the books, while they are served."""
        where = ("--data", self.folder / "server") if self.url is None else ("--store", self.url)
        done = leasebook("check", *where)
        assert done.returncode == 0, f"check ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        self.checks += 1


@contextmanager
def a_stand(kind: Kind, folder: Path) -> Iterator[Stand]:
    """Serve on a store of that kind; ends all that it started."""
    config = folder / "leasebook.toml"
    config.write_text(
        f'engines = "{NASTY_TYPE}=process, *=instant"\n'
        f'[engines_process]\nunits = "{NASTY_TYPE}={ROOM}"\ndisk_max_bytes = {4 << 20}\n'
        "[reconciler]\nlease_seconds = 2\n"
    )
    with contextlib.ExitStack() as stack:
        database = url = None
        words = ["serve", "--config", str(config)]
        if kind == "postgres":
            database = PostgresServer(durable=True)
            stack.callback(database.remove)
            url = stack.enter_context(database.database(migrated=True))
            words += ["--store", url]
        server = Process("server", folder, words, free_port())
        stack.callback(_end_keepers, folder)
        stack.callback(server.remove)
        server.start()
        eventually("it serves", server.is_ready, within_s=PATIENCE_S)
        stand = Stand(kind, folder, server, database, url)
        stack.callback(stand.root.close)
        yield stand


def _end_keepers(folder: Path) -> None:
    for pid in keepers(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


# --- phases -----------------------------------------------------------------------------------------------


def kill_server(stand: Stand, dice: Random) -> None:
    """Kill the server at a random moment, now and then while it starts, too."""
    time.sleep(dice.uniform(0.3, 1.2))
    stand.server.kill()
    stand.server.start()
    while dice.random() < 0.25:
        time.sleep(dice.uniform(0.0, 0.8))
        stand.server.kill()
        stand.server.start()


def crash_database(stand: Stand, dice: Random) -> None:
    """Stop PostgreSQL as a crash does and start it, or kill one of its sessions, so that it starts over."""
    assert stand.database is not None
    time.sleep(dice.uniform(0.3, 1.0))
    if dice.random() < 0.5:
        stand.database.stop("immediate")
        stand.database.start()
        return
    sessions = "SELECT pid FROM pg_stat_activity WHERE application_name = 'leasebook' ORDER BY pid"
    pids = eventually("the server has sessions", lambda: stand.rows(sessions), within_s=PATIENCE_S)
    # One that has just ended by itself needs no end.
    with contextlib.suppress(ProcessLookupError):
        os.kill(dice.choice(pids)[0], signal.SIGKILL)
    eventually("PostgreSQL starts over", lambda: _answers(stand), within_s=60)


def _answers(stand: Stand) -> bool:
    try:
        return bool(stand.rows("SELECT 1"))
    except psycopg.Error:
        return False


def full_disk(stand: Stand, dice: Random) -> None:
    """Let no file grow for a moment: of the server on the embedded store, of every process of the database else."""
    time.sleep(dice.uniform(0.3, 1.0))
    pids = [stand.server.process.pid]
    if stand.database is not None:
        pids = [pid for (pid,) in stand.rows("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")]
    _limit_files(stand, pids, "1")
    time.sleep(dice.uniform(0.2, 1.0))
    _limit_files(stand, pids, "unlimited")
    if stand.database is not None:
        eventually("PostgreSQL answers", lambda: _answers(stand), within_s=60)


def _limit_files(stand: Stand, pids: Sequence[int], most: str) -> None:
    """Let no file of these processes grow beyond a number of bytes; as their own user, for another may not."""
    user = {} if stand.database is None else stand.database.owner
    for pid in pids:
        # One that has ended meanwhile needs none.
        command = ["prlimit", f"--pid={pid}", f"--fsize={most}:unlimited"]
        subprocess.run(command, check=False, capture_output=True, cwd="/", **user)


def nasty_replicas(stand: Stand, dice: Random, kinds: tuple[str, ...] | None = None) -> None:
    """Run replicas of nasty kinds, kill the server in the middle now and then, and have all of them gone."""
    units = {kind: _deploy(stand, kind) for kind in kinds or dice.sample(sorted(NASTY), 3)}
    time.sleep(dice.uniform(0.5, 4.0))
    if dice.random() < 0.5:
        stand.server.kill()
        stand.server.start()
    for unit in units.values():
        answer = stand.root.call(UNITS, "ReleaseComputeUnit", {"instanceId": unit}, token=f"end-{unit}")
        # One that could not run at all may have been given up by itself.
        assert answer.status == HTTPStatus.OK or stand.rows(f"SELECT status FROM units WHERE id = '{unit}'")[0][0] in (
            "CreateFailed",
            "Released",
        ), answer
    named = ", ".join(f"'{unit}'" for unit in units.values())
    waiting = f"SELECT id FROM units WHERE id IN ({named}) AND status NOT IN {_OVER}"
    eventually(f"{sorted(units)} are gone", lambda: not stand.rows(waiting), within_s=GONE_WITHIN_S, every_s=0.2)
    assert running(units.values()) == [], "a replica that is called gone runs"
    held = "SELECT stock_total - stock_free FROM offerings WHERE region = 'bj' AND type = "
    assert stand.rows(f"{held}'{NASTY_TYPE}'") == [(0,)], "stock was not given back"


def _deploy(stand: Stand, kind: str) -> str:
    model, service = "/v2/model", "/v2/service"
    name = uuid.uuid4().hex[:12]
    made = stand.root.call(model, "CreateCustomModelSet", {"modelSetName": name}, token=f"set-{name}").result
    run = {
        "command": [sys.executable, "-c", program(kind), "{port}"],
        "graceSeconds": 1.0,
        "healthPath": "/",
    }
    body = {"modelSetId": made["modelSetId"], "run": run}
    version = stand.root.call(model, "CreateCustomModel", body, token=f"model-{name}").result["modelId"]
    body = {
        "modelSetId": made["modelSetId"],
        "modelId": version,
        "name": name,
        "urlSuffix": name,
        "resourceConfig": {"type": f"{NASTY_TYPE}-1", "region": "bj", "replicasCount": 1},
        "billing": {"paymentTiming": "Postpaid"},
    }
    answer = stand.root.call(service, "CreateService", body, token=name)
    assert answer.status == HTTPStatus.OK, answer
    return str(answer.result["instanceId"])


Phase = Callable[[Stand, Random], None]
PHASES: Final[dict[str, Phase]] = {
    "kill": kill_server,
    "database": crash_database,
    "disk": full_disk,
    "replicas": nasty_replicas,
}
"""Each kind of trouble by name."""
ONLY: Final[dict[str, Kind]] = {"database": "postgres"}
"""Phases that there are on one kind of store alone."""


def phases_of(kind: Kind) -> list[str]:
    """Return the kinds of trouble that a store of that kind can have."""
    return [name for name in PHASES if ONLY.get(name, kind) == kind]


def a_folder() -> tempfile.TemporaryDirectory[str]:
    """Make a folder for a stand that runs outside of the tests."""
    return tempfile.TemporaryDirectory(prefix="leasebook-stand-")

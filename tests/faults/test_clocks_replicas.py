"""Replicas of a server on PostgreSQL while the database's clock or the server's own is set, forwards and back."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leasebook.domain.values.calendar import MINUTE_US, SECOND_US
from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.crash.fleet import ACCOUNT, CATALOG, CLOCK, UNITS, Process, books
from tests.crash.test_replicas import MODEL, SERVES, SERVICE, keepers, running
from tests.faults.moved_clock import SEEN_WITHIN_S, MovedClock, a_moved_database, ask, eventually, reasons
from tests.ports import free_port

pytestmark = pytest.mark.crash

HOUR_S = 3600
LEASE_S = 2
OUTLIVES_S = 3 * LEASE_S
"""A replica that still runs this long after a jump got a new deadline since."""
TYPE = "clocked"


class ClockedReplicas:
    """A server with the process engine, under a clock of its own, on a database under another one."""

    def __init__(self, folder: Path, url: str, database: MovedClock) -> None:
        self.url = url
        self.database = database
        self.own = MovedClock(folder)
        self.folder = folder
        config = folder / "leasebook.toml"
        config.write_text(
            f'engines = "*=process"\n[engines_process]\nunits = "{TYPE}=9"\n[reconciler]\nlease_seconds = {LEASE_S}\n'
        )
        words = [f"{name}={value}" for name, value in self.own.environment().items()]
        serve = ("serve", "--store", url, "--config", str(config))
        self.server = Process("server", folder, serve, free_port(), before=("/usr/bin/env", *words))
        self.server.start()
        self.recovers()
        self.ask(CATALOG, "SetOffering", {"region": "bj", "type": TYPE, "pricePerMinute": "0.5", "stockTotal": 9})
        self.ask(ACCOUNT, "TopUpAccount", {"amount": "1000"})

    def ask(self, path: str, action: str, body: dict[str, Any] | None = None) -> Any:
        """Call an action as the operator, whose own clock is the server's, or else the database's."""
        assert self.server.port is not None
        until = time.monotonic() + 2 * SEEN_WITHIN_S
        while True:
            for clock in (self.own, self.database):
                try:
                    return ask(self.server.port, clock, path, action, body)
                except AssertionError as error:
                    if "RequestExpired" not in str(error) or time.monotonic() > until:
                        raise
            time.sleep(0.1)

    def now(self) -> datetime:
        """Return the service's time."""
        return datetime.fromisoformat(self.ask(CLOCK, "DescribeClock")["now"])

    def deploy(self) -> str:
        """Run a replica on an instance that is released an hour after the service's time; returns the instance."""
        name = uuid.uuid4().hex[:12]
        made = self.ask(MODEL, "CreateCustomModelSet", {"modelSetName": name})["modelSetId"]
        run = {"command": [sys.executable, "-c", SERVES, "{port}"], "graceSeconds": 1.0}
        version = self.ask(MODEL, "CreateCustomModel", {"modelSetId": made, "run": run})["modelId"]
        body = {
            "modelSetId": made,
            "modelId": version,
            "name": name,
            "urlSuffix": name,
            "resourceConfig": {"type": f"{TYPE}-1", "region": "bj", "replicasCount": 1},
            "billing": {
                "paymentTiming": "Postpaid",
                "releaseTime": (self.now() + timedelta(seconds=HOUR_S)).isoformat(),
            },
        }
        unit = str(self.ask(SERVICE, "CreateService", body)["instanceId"])
        eventually("it runs", lambda: running([unit]) and self.status(unit) == "Running", within_s=90.0)
        return unit

    def status(self, unit: str) -> str:
        return str(self.ask(UNITS, "DescribeComputeUnit", {"instanceId": unit})["computeUnitInstance"]["status"])

    def release(self, unit: str) -> None:
        """Release an instance by hand, and wait until nothing of it runs."""
        self.ask(UNITS, "ReleaseComputeUnit", {"instanceId": unit})
        self.is_gone(unit)

    def is_gone(self, unit: str) -> None:
        """Wait until an instance is released; then nothing may run on it."""
        eventually("it is released", lambda: self.status(unit) == "Released", within_s=90.0)
        assert running([unit]) == []

    def is_billed(self, unit: str, *, at_most_s: float) -> None:
        """Fail unless exactly the minutes until its end were charged, and its end came in time."""
        with books(self.url) as seen:
            ((began, ended, release),) = seen.rows(
                f"SELECT meter_from, ended_at, release_at FROM units WHERE id = '{unit}'"
            )
            ((minutes,),) = seen.rows(f"SELECT sum(minutes) FROM postings WHERE kind = 'Usage' AND unit_id = '{unit}'")
        assert ended <= release
        assert ended - began < at_most_s * SECOND_US
        assert minutes == (ended - began) // MINUTE_US + 1

    def waits(self, words: str) -> None:
        """Wait until it says so in /readyz."""
        eventually(words, lambda: words in self.reasons(), within_s=90.0)

    def recovers(self) -> None:
        """Wait until it is ready."""
        eventually("ready", lambda: self.reasons() == "", within_s=90.0)

    def reasons(self) -> str:
        """Return why it is not ready."""
        assert self.server.port is not None
        return reasons(self.server.port)


@pytest.fixture(scope="module")
def house() -> Iterator[ClockedReplicas]:
    # The database runs as another user, who reads its clock there.
    with tempfile.TemporaryDirectory(prefix="leasebook-clock-") as shared, tempfile.TemporaryDirectory() as own:
        Path(shared).chmod(0o755)
        clock = MovedClock(Path(shared))
        with a_moved_database(clock) as database, database.database(migrated=True) as url:
            house = ClockedReplicas(Path(own), url, clock)
            try:
                yield house
                assert check_store(Target(Path(own) / "server", url)).findings == []
            finally:
                house.server.remove()
                for pid in keepers(Path(own)):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)


def _outlives(unit: str, pids: list[tuple[int, str]]) -> None:
    """Fail unless the very same replica runs on until every deadline that it had at the jump has passed."""
    until = time.monotonic() + OUTLIVES_S
    while time.monotonic() < until:
        assert running([unit]) == pids, "the clock was set, and the replica ended or was started again"
        time.sleep(0.2)


def test_a_database_set_two_hours_ahead_and_an_hour_back_ends_no_replica_early_and_keeps_none_too_long(
    house: ClockedReplicas,
) -> None:
    stays, by_hand, also = house.deploy(), house.deploy(), house.deploy()
    runs = running([stays])
    house.database.move_to(2 * HOUR_S)
    house.waits("The database's clock jumped 7")
    _outlives(stays, runs)
    house.release(by_hand)
    house.is_billed(by_hand, at_most_s=HOUR_S / 2)
    house.database.move_to(-HOUR_S)
    house.waits("The database's clock was set 3")
    _outlives(stays, runs)
    house.release(also)
    house.is_billed(also, at_most_s=HOUR_S / 2)
    house.database.move_to(0)
    house.recovers()
    assert running([stays]) == runs
    # After an operator confirms a jump, its time has passed: instances that are due by it end now, billed until then.
    house.database.move_to(2 * HOUR_S)
    house.waits("The database's clock jumped 7")
    house.ask(CLOCK, "ConfirmClock")
    house.is_gone(stays)
    house.is_billed(stays, at_most_s=HOUR_S)
    house.recovers()


def test_a_server_whose_own_clock_is_set_ends_no_replica_early_and_keeps_none_too_long(house: ClockedReplicas) -> None:
    stays = house.deploy()
    runs = running([stays])
    for minutes in (20, -20):
        house.own.move_to(60 * minutes)
        soon = house.deploy()
        release = (house.now() + timedelta(seconds=2)).isoformat()
        house.ask(UNITS, "AutoReleaseComputeUnit", {"instanceId": soon, "releaseTime": release})
        _outlives(stays, runs)
        house.is_gone(soon)
        house.is_billed(soon, at_most_s=HOUR_S / 4)
        assert house.reasons() == ""
    house.own.move_to(0)
    house.release(stays)
    house.is_billed(stays, at_most_s=HOUR_S / 2)

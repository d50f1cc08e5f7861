"""Servers on one PostgreSQL that run real processes, and are killed while these start, run and end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from leasebook.domain.model.replica import REPLICA, UNIT
from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.crash.fleet import (
    CATALOG,
    UNITS,
    DatabaseProbe,
    FleetClient,
    Process,
    books,
    check,
    eventually,
    moment,
    offer,
    open_account,
)
from tests.crash.lone import show
from tests.harness import ROOT_KEY, ROOT_SECRET
from tests.ports import free_port
from tests.postgres import shared_server

MODEL, SERVICE = "/v2/model", "/v2/service"
TYPE = "solid"
STOCK = 20
LEASE_S = 3
BOUND_S = LEASE_S + 60.0
SERVES = "import http.server, sys; http.server.test(bind='127.0.0.1', port=int(sys.argv[1]))"
STARTED = "replica-started"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SERVES}"
"""Ends only when it is killed."""

pytestmark = pytest.mark.crash


ELSEWHERE = {"LEASEBOOK_ENGINES_PROCESS_NODE": "elsewhere"}
"""A server that takes itself to be on another machine."""


class ReplicaFleet(NamedTuple):
    """Two servers on one machine and one directory, and one on a machine of its own; of one database."""

    url: str
    one: Process
    two: Process
    away: Process
    folder: Path
    """Below it are their data directories, and in these the logs of replicas, which say when they start."""

    @property
    def ports(self) -> list[int]:
        """Where they listen."""
        return [server.port or 0 for server in (self.one, self.two, self.away)]

    def root(self, *, first: int = 0) -> FleetClient:
        """Return the operator, as a caller of one server first."""
        return FleetClient(self.ports, ROOT_KEY, ROOT_SECRET).starting_at(first)


@contextmanager
def a_house(folder: Path, url: str) -> Iterator[ReplicaFleet]:
    config = folder / "leasebook.toml"
    config.write_text(
        f'engines = "*=process"\n[engines_process]\nunits = "{TYPE}={STOCK}"\n[reconciler]\nlease_seconds = {LEASE_S}\n'
    )
    words = ("serve", "--store", url, "--config", str(config))
    house = ReplicaFleet(
        url,
        # The same name: the same data directory, and with it the same engine.
        Process("here", folder, words, free_port()),
        Process("here", folder, words, free_port()),
        Process("away", folder, words, free_port(), variables=ELSEWHERE),
        folder,
    )
    try:
        yield house
    finally:
        for server in (house.one, house.two, house.away):
            server.remove()
        # The processes of a keeper die with it.
        for pid in keepers(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def keepers(folder: Path) -> list[int]:
    """Return the processes whose command names something in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{folder}/".encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return found


def running(units: Iterable[str]) -> list[tuple[int, str]]:
    """Return the commands that run on this machine for some instances: the process, and the name of its replica.

    Processes that a command starts itself do not count: its parent has the same mark.
    """
    marks = {f"{UNIT}={unit}" for unit in units}
    found: dict[int, tuple[int, str]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environ = (process / "environ").read_bytes().decode(errors="replace").split("\0")
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if not marks.isdisjoint(environ):
            name = next(entry for entry in environ if entry.startswith(f"{REPLICA}="))
            found[int(process.name)] = parent, name.partition("=")[2]
    return [(pid, name) for pid, (parent, name) in found.items() if parent not in found]


class ReplicaBuyer:
    """Buys services, and looks at what becomes of them."""

    def __init__(self, house: ReplicaFleet, caller: FleetClient, seen: DatabaseProbe) -> None:
        self.house = house
        self.caller = caller
        self.seen = seen
        self.units: list[str] = []
        self._set = caller.call(MODEL, "CreateCustomModelSet", {"modelSetName": "served"}).result["modelSetId"]
        self._models = {program: self._add(program) for program in (SERVES, STUBBORN)}

    def _add(self, program: str) -> str:
        script = f'echo "{STARTED} ${REPLICA}"; exec {sys.executable} -c "$0" "$1"'
        run = {"command": ["sh", "-c", script, program, "{port}"], "graceSeconds": 2.0}
        body = {"modelSetId": self._set, "run": run}
        return str(self.caller.call(MODEL, "CreateCustomModel", body).result["modelId"])

    def buy(self, replicas: int = 1, program: str = SERVES) -> str:
        """Buy a service with its instance; returns the instance."""
        name = f"s-{len(self.units)}"
        body = {
            "modelSetId": self._set,
            "modelId": self._models[program],
            "name": name,
            "urlSuffix": name,
            "resourceConfig": {"type": f"{TYPE}-1", "region": "bj", "replicasCount": replicas},
            "billing": {"paymentTiming": "Postpaid"},
        }
        made = self.caller.call(SERVICE, "CreateService", body, token=name)
        assert made.status == HTTPStatus.OK, made
        unit: str = made.result["instanceId"]
        self.units.append(unit)
        return unit

    def release(self, unit: str, at: str | None = None) -> None:
        """Release an instance, now or then."""
        action = "ReleaseComputeUnit" if at is None else "AutoReleaseComputeUnit"
        body = {"instanceId": unit, **({} if at is None else {"releaseTime": at})}
        assert self.caller.call(UNITS, action, body, token=f"{action}{unit}").result is True

    def states(self) -> dict[str, str]:
        """Return how the instances are; fails where that cannot be."""
        # The books first: what they call gone may not run any more, whatever happens meanwhile.
        states = dict(self.seen.rows("SELECT id, status FROM units"))
        runs = running(self.units)
        over = {unit for unit, status in states.items() if status in ("Released", "CreateFailed")}
        assert not [name for _, name in runs if any(name.startswith(f"{unit}-") for unit in over)]
        tries = Counter(name.rpartition("-")[0] for _, name in runs)
        assert all(count == 1 for count in tries.values()), f"started twice: {runs}"
        return states

    def until(self, wanted: dict[str, str], tries: dict[str, int] | None = None) -> None:
        """Wait until instances are so, and have replicas of these generations that are ready."""

        def are_so() -> bool:
            states = self.states()
            there = dict(
                self.seen.rows("SELECT unit_id, max(generation) FROM replicas WHERE state = 'Ready' GROUP BY unit_id")
            )
            return wanted.items() <= states.items() and (tries or {}).items() <= there.items()

        eventually(f"{wanted} {tries}", are_so, within_s=BOUND_S, every_s=0.05)

    def pids(self, *units: str) -> set[int]:
        """Return the processes of instances."""
        return {pid for pid, _ in running(units)}

    def holders(self) -> dict[str, tuple[str, str]]:
        """Return who looks after each instance, and on which machine."""
        rows = self.seen.rows("SELECT unit_id, holder, node FROM leases WHERE holder <> ''")
        return {unit: (holder, node) for unit, holder, node in rows}

    def starts(self) -> Counter[str]:
        """Return how often each try of a replica was started."""
        logs = [*self.house.folder.rglob("replicas/ended/*.log"), *self.house.folder.rglob("replicas/replicas/*/log*")]
        lines = [line.split() for log in logs for line in log.read_text(errors="replace").splitlines()]
        return Counter(words[1] for words in lines if words[:1] == [STARTED])


@contextmanager
def a_shop(house: ReplicaFleet, seen: DatabaseProbe) -> Iterator[ReplicaBuyer]:
    with house.root() as root:
        offer(root, TYPE, stock=STOCK)
        account = open_account(root, "customer", 1000)
    with account.caller(house.ports) as caller:
        yield ReplicaBuyer(house, caller, seen)


def bought_away(shop: ReplicaBuyer) -> str:
    """Buy instances of the server on the other machine; returns one that it looks after itself."""
    shop.caller.starting_at(2)
    units = [shop.buy() for _ in range(3)]
    shop.until(dict.fromkeys(units, "Running"))
    holders = shop.holders()
    return next(unit for unit in units if holders[unit][1] == "elsewhere")


def prove(shop: ReplicaBuyer) -> None:
    """Fail unless no try ran twice, and all stock is where it belongs."""
    assert set(shop.starts().values()) == {1}
    with shop.house.root(first=2) as root:
        offerings = root.call(CATALOG, "DescribeOfferings").result["offerings"]
    (offering,) = (row for row in offerings if row["type"] == TYPE)
    held = shop.seen.value("SELECT coalesce(sum(count), 0) FROM units WHERE status NOT IN ('Released', 'CreateFailed')")
    assert offering["stockFree"] + held == offering["stockTotal"] == STOCK


def ended_at(shop: ReplicaBuyer, unit: str) -> datetime:
    shown: dict[str, Any] = show(shop.caller, unit)
    return datetime.fromisoformat(shown["expiredTime"])


def test_what_a_killed_server_ran_is_taken_over_on_its_machine_and_nothing_of_it_is_lost_or_started_twice(
    tmp_path: Path,
) -> None:
    with shared_server().database(migrated=True) as url, a_house(tmp_path, url) as house, books(url) as seen:
        house.one.start()
        house.one.wait()
        with a_shop(house, seen) as shop:
            steady, stubborn = shop.buy(2), shop.buy(program=STUBBORN)
            timed, hurt, ended = shop.buy(), shop.buy(), shop.buy()
            first = eventually("a server looks after it", lambda: shop.holders().get(steady))[0]
            house.two.start()
            house.away.start()
            shop.until(dict.fromkeys(shop.units, "Running"))
            house.two.wait()
            house.away.wait()
            away = bought_away(shop)
            kept, held = shop.pids(steady, away), shop.holders()

            # One is being made, one is ending, and one falls due, when the server dies that looks after all of them.
            shop.caller.starting_at(0)
            fresh = shop.buy(3)
            shop.release(stubborn)
            due = moment(2.0)
            shop.release(timed, due)
            house.one.kill()
            for pid in shop.pids(hurt):
                os.kill(pid, signal.SIGKILL)
            shop.caller.starting_at(2)
            shop.release(ended)

            shop.until(dict.fromkeys((timed, stubborn, ended), "Released") | {fresh: "Running"}, {hurt: 2})
            house.one.start()
            assert abs((ended_at(shop, timed) - datetime.fromisoformat(due)).total_seconds()) < 1
            assert shop.pids(steady, away) == kept
            assert len(shop.pids(fresh)) == 3
            now = shop.holders()
            assert now[steady][1] == held[steady][1]
            assert now[steady][0] != first
            assert now[away] == held[away]
            prove(shop)
            assert check_store(Target(tmp_path, url)).findings == []

            # The other one dies while everything is to end, and who was killed first takes over.
            house.one.wait()
            for unit in (steady, fresh, hurt):
                shop.release(unit)
            house.two.kill()
            shop.until(dict.fromkeys((steady, fresh, hurt), "Released"))
            assert shop.states()[away] == "Running"
            for unit, status in shop.states().items():
                if status == "Running":
                    shop.release(unit)
            shop.until(dict.fromkeys(shop.units, "Released"))
            assert running(shop.units) == []
            assert list((tmp_path / "here" / "replicas" / "replicas").iterdir()) == []
            prove(shop)
            check(url)

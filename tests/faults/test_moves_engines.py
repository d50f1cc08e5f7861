"""Replicas are moved with their store, or left behind, or looked for in another place: none is lost unnoticed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.copies import put_tables
from tests.crash.fleet import UNITS, FleetClient, Process, books, environment, eventually, offer
from tests.crash.test_replicas import SERVES, keepers, running
from tests.faults.test_moves_versions import page
from tests.forked import run
from tests.harness import ROOT_KEY, ROOT_SECRET
from tests.ports import free_port
from tests.postgres import shared_server

TYPE = "solid"
LEASE_S = 2
RUNS = '"*=process"'

pytestmark = pytest.mark.crash


class ServerFolder:
    """A folder, in which servers have data directories by their names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[Process] = []

    def config(self, **settings: str) -> Path:
        """Write settings, in TOML, under a name of their own."""
        path = self.folder / f"{uuid.uuid4().hex}.toml"
        process = {name: value for name, value in settings.items() if name == "node"}
        top = [f"{name} = {value}" for name, value in settings.items() if name != "node"]
        lines = [*top, "[reconciler]", f"lease_seconds = {LEASE_S}", "[engines_process]"]
        path.write_text("\n".join([*lines, *(f"{name} = {value}" for name, value in process.items())]))
        return path

    def server(self, name: str, url: str | None, **settings: str) -> Process:
        """Make a server; the caller starts it."""
        words = ["serve", "--config", str(self.config(**settings)), *(() if url is None else ("--store", url))]
        self.made.append(Process(name, self.folder, words, free_port()))
        return self.made[-1]

    def refused(self, name: str, url: str | None, **settings: str) -> str:
        """Start a server that must not start; returns its one line."""
        server = self.server(name, url, **settings)
        size = len(server.log())
        server.start()
        assert server.process.wait(60) == 2
        said = [line for line in server.log_since(size).splitlines() if line.startswith("leasebook: ")]
        assert len(said) == 1, server.log_since(size)
        assert "Traceback" not in server.log_since(size)
        return said[0]

    def root(self, server: Process) -> FleetClient:
        return FleetClient([server.port or 0], ROOT_KEY, ROOT_SECRET)


def end(processes: Sequence[int]) -> None:
    for pid in processes:
        # The processes of a keeper die with it.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[ServerFolder]:
    made = ServerFolder(tmp_path)
    yield made
    for server in made.made:
        server.remove()
    end(keepers(tmp_path))


@contextmanager
def started(server: Process) -> Iterator[Process]:
    server.start()
    server.wait()
    yield server
    server.stop()


def deploy(root: FleetClient, count: int) -> list[str]:
    """Have a number of instances run a replica each; returns them once they are up."""
    offer(root, TYPE, stock=20)
    top_up = {"amount": "1000"}
    assert root.call("/v2/account", "TopUpAccount", top_up, token=uuid.uuid4().hex).status == HTTPStatus.OK
    made = root.call("/v2/model", "CreateCustomModelSet", {"modelSetName": "served"}).result["modelSetId"]
    run = {"command": [sys.executable, "-c", SERVES, "{port}"], "graceSeconds": 1.0}
    model = root.call("/v2/model", "CreateCustomModel", {"modelSetId": made, "run": run}).result["modelId"]
    units = []
    for number in range(count):
        body = {
            "modelSetId": made,
            "modelId": model,
            "name": f"s-{number}",
            "urlSuffix": f"s-{number}",
            "resourceConfig": {"type": f"{TYPE}-1", "region": "bj", "replicasCount": 1},
            "billing": {"paymentTiming": "Postpaid"},
        }
        units.append(root.call("/v2/service", "CreateService", body, token=f"s-{number}").result["instanceId"])
    for unit in units:
        until(root, unit, "Running")
    return units


def until(root: FleetClient, unit: str, status: str) -> None:
    def is_so() -> bool:
        shown = root.call(UNITS, "DescribeComputeUnit", {"instanceId": unit}).result["computeUnitInstance"]
        return bool(shown["status"] == status)

    eventually(f"{unit} is {status}", is_so, within_s=60, every_s=0.1)


def release(root: FleetClient, unit: str) -> None:
    assert root.call(UNITS, "ReleaseComputeUnit", {"instanceId": unit}).result is True


def pids(units: Sequence[str]) -> set[int]:
    return {pid for pid, _ in running(units)}


def leasebook(*words: str) -> str:
    done = run(words, env=environment())
    done.check_returncode()
    return done.stdout


def test_a_store_moves_with_what_runs_and_no_server_takes_it_up_that_would_leave_that_to_nobody(
    place: ServerFolder,
) -> None:
    """The documented move, with default settings: each refusal names the missing setting, until it has all of them."""
    put_tables(place.folder / "server")
    with started(place.server("server", None)) as server, place.root(server) as root:
        (unit,) = deploy(root, 1)
        runs = pids([unit])
        assert len(runs) == 1
    said = place.refused("server", None, node='"elsewhere"')
    assert re.search(
        r'1 live replica of solid on engine process of \S+ \(they run on .* engines_process\.node = "', said
    )
    assert "this server has no engine process" in place.refused("server", None, engines='"*=instant"')
    assert "they would end" in place.refused("server", None, engines='"other=process, *=instant"')
    with shared_server().database() as url:
        data = place.folder / "server"
        copied = leasebook("copy", "--from", f"sqlite:///{data}", "--to", url)
        assert f"engines = {RUNS}" in copied
        assert "1 live replica on engine process" in copied
        said = place.refused("server", url)
        assert 'engines = "solid=process, *=instant" serves them' in said
        assert "1 live replica of solid on engine process" in said
        elsewhere = place.refused("other", url, engines=RUNS)
        assert "would be started a second time" in elsewhere
        assert str(data) in elsewhere
        with started(place.server("server", url, engines='"solid=process, *=instant"')) as server:
            assert pids([unit]) == runs
            with place.root(server) as root:
                release(root, unit)
                until(root, unit, "Released")
                assert pids([unit]) == set()
                assert "Another server" in place.refused("other", url, engines=RUNS)
                with started(place.server("other", url, engines=RUNS, node='"other"')) as other:
                    assert page(other.port, "/readyz")[0] == 200
        with started(place.server("other", url, engines=RUNS)):
            pass
        assert "remark" not in leasebook("check", "--store", url)


def test_what_a_machine_ran_that_is_gone_for_good_is_shown_and_ends_where_an_operator_says_so(
    place: ServerFolder,
) -> None:
    with shared_server().database(migrated=True) as url, books(url) as seen:
        old = place.server("old", url, engines=RUNS, node='"old"')
        old.start()
        old.wait()
        with place.root(old) as root:
            ended, kept = deploy(root, 2)
        old.kill()
        end([*keepers(place.folder), *pids([ended, kept])])
        with started(place.server("new", url, engines=RUNS, node='"new"')) as new, place.root(new) as root:
            release(root, ended)
            eventually("it says so", lambda: "no server can manage these replicas" in new.log(), within_s=60)
            lines = [
                json.loads(line) for line in new.log().splitlines() if "no server can manage these replicas" in line
            ]
            assert [(line["engine"], line["node"], line["replicas"]) for line in lines] == [("process", "old", 2)]
            assert page(new.port, "/readyz")[0] == 200, "all else is served"
            assert 'unserved{engine="process"} 2.0' in _metrics(new)
            assert seen.rows("SELECT status FROM units ORDER BY status") == [("Releasing",), ("Running",)]
        gone = place.server("new", url, engines=RUNS, node='"new"', engines_gone='"process@old"')
        with started(gone), place.root(gone) as root:
            until(root, ended, "Released")
            row = "SELECT node, state FROM replicas WHERE unit_id = %s"
            eventually("it runs again", lambda: seen.rows(row, kept) == [("new", "Ready")], within_s=60)
            assert "engines_gone" in gone.log()
            assert 'unserved{engine="process"}' not in _metrics(gone)
            release(root, kept)
            until(root, kept, "Released")
        assert "remark" not in leasebook("check", "--store", url)


def _metrics(server: Process) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=60) as answer:
        return str(answer.read().decode())

"""A crowd that takes every connection it gets: due work, engines and monitors have files nevertheless."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http import HTTPStatus
from pathlib import Path

import pytest

from leasebook.config.load import load_settings
from leasebook.server.descriptors import planned
from tests.attack.http_place import GET, connected, port_of, read_answer
from tests.attack.machine import needs
from tests.crash.fleet import UNITS, FleetClient, Process, eventually, moment, offer, open_account
from tests.crash.lone import lone_server, root_of, show

MODEL, SERVICE = "/v2/model", "/v2/service"
FILES = 620
SERVES = "import http.server, sys; http.server.test(bind='127.0.0.1', port=int(sys.argv[1]))"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    limit = (needs("prlimit"), f"--nofile={FILES}:{FILES}")
    folder = tmp_path_factory.mktemp("files")
    config = folder / "settings.toml"
    config.write_text('engines_process.units = "solid=4"\nhttp.connections_max = 5000\n')
    with lone_server(folder, "--config", str(config), before=limit) as running:
        yield running
        assert "Too many open files" not in running.log()
        assert "Traceback" not in running.log()


def taken(opened: ExitStack, server: Process) -> list[socket.socket]:
    """Take every connection that is to be had, from many addresses, and say nothing."""
    crowd = []
    for number in range(2, 82):
        for _ in range(10):
            with suppress(OSError):
                crowd.append(opened.enter_context(connected(server, source=f"127.0.0.{number}")))
    return crowd


def files_of(server: Process) -> int:
    return sum(1 for _ in Path(f"/proc/{server.process.pid}/fd").iterdir())


def health(server: Process, path: bytes) -> str:
    """Ask how a server does on a new connection; returns what its page says, which comes within two seconds."""
    began = time.monotonic()
    with connected(server) as one:
        one.sendall(GET.replace(b"/healthz", path))
        got = read_answer(one)
    assert got is not None
    assert time.monotonic() - began < 2.0
    status: str = json.loads(got.body)["status"]
    return status


@pytest.fixture
def buyer(server: Process) -> Iterator[FleetClient]:
    with root_of(server) as root:
        offer(root, "solid", stock=4)
        account = open_account(root, "buyer", 1000)
    with account.caller([port_of(server)]) as one:
        yield one


def test_beside_a_crowd_that_takes_all_it_gets_due_work_is_done_and_monitors_are_answered(
    server: Process, buyer: FleetClient
) -> None:
    models = buyer.call(MODEL, "CreateCustomModelSet", {"modelSetName": "served"}).result["modelSetId"]
    run = {"command": [sys.executable, "-c", SERVES, "{port}"], "graceSeconds": 2.0}
    model = buyer.call(MODEL, "CreateCustomModel", {"modelSetId": models, "run": run}).result["modelId"]

    def bought(name: str) -> str:
        body = {
            "modelSetId": models,
            "modelId": model,
            "name": name,
            "urlSuffix": name,
            "resourceConfig": {"type": "solid-1", "region": "bj", "replicasCount": 1},
            "billing": {"paymentTiming": "Postpaid"},
        }
        made = buyer.call(SERVICE, "CreateService", body)
        assert made.status == HTTPStatus.OK, made
        unit: str = made.result["instanceId"]
        return unit

    first = bought("before-them")
    eventually("it runs", lambda: show(buyer, first)["status"] == "Running")
    plan = planned(load_settings(None, {}), frozenset({"process"}), FILES)
    with ExitStack() as opened:
        assert len(taken(opened, server)) == 800
        # The callers that were there before keep their connections; a replica starts and one ends meanwhile.
        body = {"instanceId": first, "releaseTime": moment(1.5)}
        assert buyer.call(UNITS, "AutoReleaseComputeUnit", body).result is True
        second = bought("beside-them")
        # Each is answered by its page, never by the refusal of connections. A machine that is short of processor time
        # may say for a moment that its store answers late; that passes beside the crowd.
        assert [health(server, b"/healthz") for _ in range(3)] == ["ok"] * 3
        assert {health(server, b"/readyz") for _ in range(3)} <= {"ready", "not ready"}
        eventually("it is ready", lambda: health(server, b"/readyz") == "ready", within_s=60)
        assert files_of(server) <= plan.kept + plan.connections
        eventually("what fell due is done", lambda: show(buyer, first)["status"] == "Released", within_s=60)
        eventually("a replica starts", lambda: show(buyer, second)["status"] == "Running", within_s=60)
        assert buyer.call(UNITS, "ReleaseComputeUnit", {"instanceId": second}).result is True
        eventually("and ends", lambda: show(buyer, second)["status"] == "Released", within_s=60)
        # Every other request is refused, and may come again.
        with connected(server, source="127.0.0.99") as one:
            one.sendall(GET.replace(b"/healthz", b"/v2/clock"))
            got = read_answer(one)
            assert got is not None
            assert (got.status, got.code) == (503, "Overloaded")
    assert "fewer connections than http.connections_max says" in server.log()
    assert 1 <= server.log().count("connections are not let in") <= 3

"""A real server whose disk, locks and readers do what the test says."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

from tests.attack.machine import needs
from tests.crash.fleet import UNITS, Account, FleetClient, Process, offer, open_account, postpaid
from tests.crash.lone import data_of, lone_server, root_of
from tests.forked import Nursery
from tests.harness import Answer

TYPE = "fault"
FUNDS = 1_000_000
EIO, EROFS, ENOSPC = 5, 30, 28
FOR_EVER = -1
STORE = "leasebook.db"
LOG = f"{STORE}-wal"


class FailingDisk(NamedTuple):
    """A disk of a server that fails on demand, and the variables that a process has to be started with for that."""

    control: Path
    variables: dict[str, str]

    def fail(self, operation: str, suffix: str, number: int, count: int, *, skip: int = 0) -> None:
        """Let ``count`` calls of an operation on a file fail with an errno, after ``skip`` that pass."""
        part = self.control.with_suffix(".part")
        part.write_text(f"{operation} {suffix} {number} {skip} {count}\n")
        part.rename(self.control)

    def mend(self) -> None:
        """Let everything succeed."""
        self.control.write_text("")

    @property
    def failed(self) -> bool:
        """Whether all the calls have failed that were to fail."""
        return self.control.read_text().endswith(" 0\n")


def shimmed(folder: Path) -> FailingDisk:
    """Return a disk whose calls can fail; the test is skipped where there is no compiler."""
    library, control = folder / "shim.so", folder / "shim"
    source = Path(__file__).with_name("writing_shim.c")
    subprocess.run([needs("cc"), "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    control.write_text("")
    return FailingDisk(control, {"LD_PRELOAD": str(library), "FAILING_DISK": str(control)})


@contextmanager
def served(
    folder: Path, *, variables: Mapping[str, str] | None = None, nursery: Nursery | None = None
) -> Iterator[tuple[Process, Account]]:
    """Run a server that sells, with a customer who has money; as ``lone_server`` does."""
    with lone_server(folder, variables=variables, nursery=nursery) as server:
        with root_of(server) as root:
            offer(root, TYPE, stock=1_000_000)
            account = open_account(root, "customer", FUNDS)
        yield server, account


def store_of(folder: Path) -> Path:
    return data_of(folder) / STORE


class PurchaseOutcomes(NamedTuple):
    """The answer to each purchase of a buyer, by its client token."""

    bought: dict[str, str]
    nothing: set[str]
    unknown: set[str]

    def buy(self, caller: FleetClient, token: str) -> Answer:
        """Try to buy, once."""
        answer = caller.call_at(0, UNITS, "PurchaseComputeUnit", {**postpaid(TYPE), "clientToken": token})
        if answer.status == HTTPStatus.OK:
            self.bought[token] = answer.result["instanceId"]
        elif answer.code == "OutcomeUnknown":
            assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
            self.unknown.add(token)
        else:
            assert (answer.status, answer.code) == (HTTPStatus.SERVICE_UNAVAILABLE, "StoreUnavailable")
            assert "Nothing was done" in answer.body["message"]
            self.nothing.add(token)
        return answer


class Page(NamedTuple):
    """The answer to a monitor, and how long it waited."""

    status: int
    body: Any
    took_s: float

    @property
    def reasons(self) -> str:
        """Why the service is not ready; empty where it is."""
        return " ".join(self.body.get("reasons", ()))


def page(server: Process, path: str) -> Page:
    """Ask as a monitor does."""
    assert server.port is not None
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    took_s = time.monotonic() - began
    return Page(response.status, json.loads(body) if body.startswith(b"{") else body.decode(), took_s)


def metric(server: Process, name: str) -> float:
    """Return a number that the server tells."""
    found = [line.rpartition(" ")[2] for line in page(server, "/metrics").body.splitlines() if line.startswith(name)]
    return sum(map(float, found))

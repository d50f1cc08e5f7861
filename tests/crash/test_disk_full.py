"""A disk that is full: buyers get an error that says so, readers notice nothing, and it is over once there is space."""

from __future__ import annotations

import errno
import http.client
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from http import HTTPStatus
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.crash.fleet import (
    CLOCK,
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
from tests.crash.lone import Record, data_of, lone_server, prove, prove_books, root_of, show

FUNDS = 1_000_000
TYPE = "full"


class DiskSpace(NamedTuple):
    """Where a server's data lies, and how to leave it no space and give the space back."""

    folder: Path
    fill: Callable[[Process], None]
    clear: Callable[[Process], None]
    at_once: bool
    """Whether not a byte more can be written; otherwise the log is used again from its start, until it is too short."""


def _limited(folder: Path) -> Iterator[DiskSpace]:
    """Forbid the server to let files grow: what a quota does."""
    unlimited = resource.RLIM_INFINITY

    def fill(server: Process) -> None:
        # Not at the size that the files have: the log is used again from its start.
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, unlimited))

    def clear(server: Process) -> None:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))

    yield DiskSpace(folder, fill, clear, at_once=True)


def _small(folder: Path) -> Iterator[DiskSpace]:
    """Fill a small file system."""
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("a file system cannot be mounted here")
    filler = folder / "filler"

    def fill(_server: Process) -> None:
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            any(not file.write(bytes(4096)) for _ in repeat(None))

    def clear(_server: Process) -> None:
        filler.unlink()

    try:
        yield DiskSpace(folder, fill, clear, at_once=False)
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture(params=[_limited, _small], ids=["a limit", "a small file system"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DiskSpace]:
    yield from request.param(tmp_path)


class _Customer:
    """Buys, and writes down the answers."""

    def __init__(self, caller: FleetClient) -> None:
        self.caller = caller
        self.records: list[Record] = []
        self.ends: dict[str, str | None] = {}

    def buy(self, token: str, release_time: str | None = None) -> str:
        """Buy; fails where that is refused."""
        body = postpaid(TYPE, release_time)
        bought = self.caller.call_at(0, UNITS, "PurchaseComputeUnit", {**body, "clientToken": token}).result
        self.records.append(Record(token, body, bought["instanceId"], bought["orderId"]))
        self.ends[bought["instanceId"]] = None if release_time is None else "Schedule"
        return self.records[-1].unit_id

    def is_refused(self, token: str) -> bool:
        """Try to buy; returns whether there was no space for it."""
        body = postpaid(TYPE)
        answer = self.caller.call_at(0, UNITS, "PurchaseComputeUnit", {**body, "clientToken": token})
        if answer.status == HTTPStatus.OK:
            self.records.append(Record(token, body, answer.result["instanceId"], answer.result["orderId"]))
            self.ends[answer.result["instanceId"]] = None
            return False
        assert (answer.status, answer.code) == (HTTPStatus.SERVICE_UNAVAILABLE, "StoreUnavailable")
        return True


@pytest.mark.crash
def test_a_full_disk_stops_purchases_and_nothing_else(disk: DiskSpace) -> None:
    with lone_server(disk.folder) as server:
        account = _open(server)
        assert server.port is not None
        with account.caller([server.port]) as caller:
            customer = _Customer(caller)
            kept = customer.buy("before")
            leaving = customer.buy("leaving", moment(2))
            disk.fill(server)
            if not disk.at_once:
                assert any(customer.is_refused(f"more-{number}") for number in range(20_000))
            else:
                assert all(customer.is_refused(f"refused-{number}") for number in range(20))
            _read(caller, kept)
            if disk.at_once:
                eventually("a release is late", lambda: _lateness_s(server) > 0.3)
                assert show(caller, leaving)["status"] == "Running"
            disk.clear(server)
            customer.buy("refused-0")
            eventually("the release is done", lambda: show(caller, leaving)["status"] == "Released", within_s=60)
            shown = show(caller, leaving)
            assert shown["expiredTime"] == shown["releaseTime"], "the time without a disk is not charged"
            prove(caller, customer.records, customer.ends, funds=FUNDS, unit_type=TYPE)
        server.stop()
    prove_books(data_of(disk.folder))
    shutil.rmtree(data_of(disk.folder))


def _open(server: Process) -> Account:
    with root_of(server) as root:
        offer(root, TYPE, stock=1_000_000)
        return open_account(root, "customer", FUNDS)


def _lateness_s(server: Process) -> float:
    """Return how late the oldest release is, by the server's own word."""
    assert server.port is not None
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    (late,) = (line for line in text.splitlines() if line.startswith("leasebook_oldest_overdue_release_seconds "))
    return float(late.split()[1])


def _read(caller: FleetClient, unit_id: str) -> None:
    units = caller.call_at(0, UNITS, "DescribeComputeUnits").result["computeUnitInstanceList"]
    assert {unit["instanceId"] for unit in units} >= {unit_id}
    assert show(caller, unit_id)["status"] == "Running"
    assert caller.call_at(0, CLOCK, "DescribeClock").result["mode"] == "real"

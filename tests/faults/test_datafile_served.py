"""A server whose files are taken away: it acknowledges nothing any more, and says why until it is restarted."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from leasebook.security.private_files import create_private
from leasebook.store.sqlite.directory import MARK, STORE
from leasebook.store.sqlite.mark import Mark
from tests.crash.fleet import ACCOUNT, CATALOG, ROUNDS, UNITS, Process, eventually
from tests.crash.lone import data_of, leasebook, lone_server, root_of
from tests.harness import Answer
from tests.ports import free_port

CANNOT_START = 2
PURCHASE = {
    "billing": {"paymentTiming": "Postpaid"},
    "computeUnitConfig": {"region": "bj", "type": "cu-1"},
    "computeUnitCount": 1,
}
SEEN_WITHIN_S = 60.0
"""Files are looked at every second; the rest is a busy machine."""
REST_S = 0.01
"""Between two purchases of one, so that a crowd leaves the machine to others."""


def _page(server: Process, path: str) -> tuple[int, str]:
    assert server.port is not None
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Buyers:
    """Clients that buy one unit after another, and know of each answer when it was asked for."""

    def __init__(self, server: Process, count: int) -> None:
        self.answers: list[tuple[float, Answer]] = []
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._buy, args=(server,)) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _buy(self, server: Process) -> None:
        with root_of(server, patience_s=0) as caller:
            while not self._stopped.wait(REST_S):
                asked_at = time.monotonic()
                try:
                    self.answers.append((asked_at, caller.call_at(0, UNITS, "PurchaseComputeUnit", PURCHASE)))
                except (OSError, AssertionError, http.client.HTTPException):
                    return

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(30)


def _ready_to_sell(server: Process) -> None:
    with root_of(server) as caller:
        offering = {"region": "bj", "type": "cu-1", "pricePerMinute": "0.001", "stockTotal": 1_000_000}
        caller.call(CATALOG, "SetOffering", offering)
        caller.call(ACCOUNT, "TopUpAccount", {"amount": "1000000"})


def _removed(data: Path) -> None:
    (data / STORE).unlink()


def _replaced(data: Path) -> None:
    copy = data.parent / "copy.db"
    create_private(copy)
    shutil.copyfile(data / STORE, copy)
    copy.replace(data / STORE)


def _log_removed(data: Path) -> None:
    (data / f"{STORE}-wal").unlink()


def _moved(data: Path) -> None:
    data.rename(data.parent / "moved")


def _written_over(data: Path) -> None:
    shutil.copyfile(data.parent / "old.db", data / STORE)


WAYS = [_removed, _written_over, _replaced, _log_removed, _moved]
"""All of them in long runs; in short ones those are tried on a store without a server (``tests/contract``)."""


def _taken_away(server: Process, data: Path, take_away: Callable[[Path], None]) -> float:
    """Take the files away until the page says so, and return the time after the last try.

    Only writing over is tried again: a copy of the log that is under way makes the file as long as it should be.
    """
    take_away(data)
    gone_at = [time.monotonic()]

    def is_seen() -> bool:
        if _page(server, "/healthz")[0] == 500:
            return True
        if take_away is _written_over:
            take_away(data)
            gone_at.append(time.monotonic())
        return False

    eventually("the page says so", is_seen, within_s=SEEN_WITHIN_S)
    return gone_at[-1]


@pytest.mark.parametrize("take_away", WAYS if ROUNDS > 1 else WAYS[:2])
def test_nothing_is_acknowledged_after_the_files_are_gone(tmp_path: Path, take_away: Callable[[Path], None]) -> None:
    for number in range(ROUNDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        with lone_server(folder) as server:
            data = data_of(folder)
            shutil.copyfile(data / STORE, data.parent / "old.db")
            _ready_to_sell(server)
            buyers = Buyers(server, 3)
            eventually("purchases are answered", lambda: len(buyers.answers) > 20)  # noqa: B023
            # Until the log is copied into it the file is the one that was kept: writing that over it changes nothing.
            old = (data.parent / "old.db").stat().st_size
            eventually("the file has grown", lambda: (data / STORE).stat().st_size > old)  # noqa: B023
            gone_at = _taken_away(server, data, take_away)
            eventually("a buyer asks after that", lambda: any(at > gone_at for at, _ in buyers.answers[-9:]))  # noqa: B023
            buyers.stop()
            after = [answer for asked_at, answer in buyers.answers if asked_at > gone_at]
            assert after
            assert [answer.body for answer in after if answer.status == 200] == []
            status, text = _page(server, "/healthz")
            said = json.loads(text)["status"]
            assert status == 500
            assert "while the store is served. Nothing is acknowledged any more. Stop the server" in said
            assert said in json.loads(_page(server, "/readyz")[1])["reasons"]
            # A purchase that was not acknowledged is not shown either.
            with root_of(server, patience_s=0) as caller:
                assert caller.call_at(0, ACCOUNT, "DescribeOrders", {}).code == "StoreUnavailable"
            server.stop()
            if take_away is _removed:
                done = leasebook("serve", "--data", data, "--port", str(free_port()))
                assert done.returncode == CANNOT_START
                assert f"{data / STORE}, is missing" in done.stderr


def _may_mount() -> bool:
    if os.geteuid() != 0 or not shutil.which("nsenter"):
        return False
    return subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not _may_mount(), reason="no mount namespace can be made here")
def test_a_directory_that_is_mounted_over_is_noticed(tmp_path: Path) -> None:
    with lone_server(tmp_path, before=("unshare", "-m")) as server:
        inside = ("nsenter", "-m", "-t", str(server.process.pid))
        subprocess.run([*inside, "mount", "-t", "tmpfs", "over", str(data_of(tmp_path))], check=True)
        eventually("the page says so", lambda: _page(server, "/healthz")[0] == 500, within_s=SEEN_WITHIN_S)
        assert "was removed, or its directory was moved" in _page(server, "/healthz")[1]


def test_a_killed_server_whose_log_is_lost_does_not_serve_before_the_loss_is_accepted(tmp_path: Path) -> None:
    with lone_server(tmp_path) as server:
        _ready_to_sell(server)
        data = data_of(tmp_path)
        with closing(sqlite3.connect(data / STORE, isolation_level=None)) as reader:
            # While it reads, nothing that follows gets from the log into the file: the log is not lost for nothing.
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM facts").fetchall()
            buyers = Buyers(server, 2)
            eventually("purchases are answered", lambda: len(buyers.answers) > 20)
            server.kill()
            buyers.stop()
            marked = Mark(data).read()
            assert marked is not None
            assert marked.pages >= 20
            (data / f"{STORE}-wal").unlink()
            (data / f"{STORE}-shm").unlink()
            # When it closes, the reader copies the log after all, into the file that it has open.
            shutil.copy2(data / STORE, tmp_path / "copy")
            (tmp_path / "copy").replace(data / STORE)
        done = leasebook("serve", "--data", data, "--port", str(server.port))
        assert done.returncode == CANNOT_START
        (line,) = done.stderr.splitlines()
        # Copied in part, a file may not even be readable without its log.
        assert f"acknowledged up to page {marked.pages}" in line or "is not a usable store" in line
        if "acknowledged" in line:
            assert leasebook("accept-loss", "--data", data).returncode == 0
            assert not (data / MARK).exists()
            server.start()
            server.wait()
            assert (data / MARK).exists()
            server.stop()

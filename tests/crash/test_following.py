"""Following events through a real socket: nothing is missed and nothing sent twice, even if a side stops in between."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leasebook.contract.signing import sign
from tests.crash.fleet import (
    HOST,
    IAM,
    UNITS,
    Account,
    Fleet,
    FleetClient,
    Process,
    eventually,
    offer,
    open_account,
    postpaid,
)
from tests.crash.lone import WITHOUT_END, lone_server, root_of

TYPE = "followed"
HERE_S = 0.5
"""An event of the same server is there as soon as it is committed; the rest is a busy machine."""
ELSEWHERE_S = 1.5
"""One of another server is looked for every second."""


class StreamFollower:
    """Reads a stream in a thread of its own until it ends."""

    def __init__(
        self, port: int, account: Account, *, method: str = "POST", last: str | None = None, **body: Any
    ) -> None:
        query = "Action=FollowEvents"
        authorization = sign(
            access_key=account.access_key,
            secret_key=account.secret_key,
            method=method,
            path="/v2/events",
            query=query,
            headers={"host": HOST},
            timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            signed_headers=("host",),
        )
        headers = {"Host": HOST, "Authorization": authorization} | ({} if last is None else {"Last-Event-ID": last})
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._connection.request(method, f"/v2/events?{query}", json.dumps(body) if body else None, headers)
        self._socket = self._connection.sock
        self._answer = self._connection.getresponse()
        assert self._answer.status == http.HTTPStatus.OK, self._answer.read()
        assert self._answer.headers["content-type"].startswith("text/event-stream")
        self.events: list[dict[str, Any]] = []
        self.comments: list[str] = []
        self.ended = threading.Event()
        # The first line is there before anything else happens: from then on nothing is missed.
        assert self._answer.readline().startswith(b": ")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while line := self._answer.readline():
                if line.startswith(b"data: "):
                    self.events.append(json.loads(line.removeprefix(b"data: ")))
                elif line.startswith(b": "):
                    self.comments.append(line.decode())
        except (OSError, http.client.HTTPException):
            pass
        self.ended.set()

    def wait_for(self, count: int, within_s: float = 60.0) -> list[str]:
        """Wait for that many events; returns their ids."""
        eventually(f"{count} events", lambda: len(self.events) >= count, within_s=within_s, every_s=0.005)
        return [event["id"] for event in self.events]

    def leave(self) -> None:
        """Hang up. The thread notices; to close what it reads from under it would block."""
        if not self.ended.is_set():
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(60)
        self._answer.close()
        self._connection.close()


def listed(caller: FleetClient) -> list[str]:
    """The ids of all events of instances, in order. Those of the account itself came before the stream."""
    page = caller.call("/v2/events", "DescribeEvents", {"oldestFirst": True, "maxKeys": 1000}).result
    assert page["isTruncated"] is False
    return [event["id"] for event in page["events"] if event["type"].startswith("unit.")]


def buy(caller: FleetClient) -> str:
    return str(caller.call(UNITS, "PurchaseComputeUnit", postpaid(TYPE)).result["instanceId"])


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Process, Account, FleetClient]]:
    """A server, an account with money, and its caller."""
    with lone_server(folder, variables=WITHOUT_END) as server:
        assert server.port is not None
        with root_of(server) as root:
            offer(root, TYPE, stock=100_000)
            account = open_account(root, "follower", 100_000)
        with account.caller([server.port]) as caller:
            yield server, account, caller


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, Account, FleetClient]]:
    with serving(tmp_path_factory.mktemp("following")) as found:
        yield found


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_follower_gets_the_events_from_now_on_at_once(
    place: tuple[Process, Account, FleetClient], method: str
) -> None:
    server, account, caller = place
    assert server.port is not None
    buy(caller)
    follower = StreamFollower(server.port, account, method=method)
    unit = buy(caller)
    follower.wait_for(2, HERE_S * 4)
    assert [(event["subject"], event["type"]) for event in follower.events] == [
        (unit, "unit.bought"),
        (unit, "unit.running"),
    ]
    follower.leave()


def test_a_follower_goes_on_after_the_event_that_it_names(place: tuple[Process, Account, FleetClient]) -> None:
    server, account, caller = place
    assert server.port is not None
    unit = buy(caller)
    everything = listed(caller)
    for follower in (
        StreamFollower(server.port, account, after=everything[0]),
        StreamFollower(server.port, account, method="GET", last=everything[0]),
    ):
        assert follower.wait_for(len(everything) - 1) == everything[1:]
        follower.leave()
    only = StreamFollower(server.port, account, after=everything[0], instanceId=unit, types=["unit.running"])
    assert only.wait_for(1) == everything[-1:]
    only.leave()


def test_a_stream_ends_when_its_key_is_disabled_and_goes_on_when_anothers_is(
    place: tuple[Process, Account, FleetClient],
) -> None:
    server, account, caller = place
    assert server.port is not None

    def another() -> Account:
        user = {"userId": caller.call(IAM, "CreateUser", {"name": "reader"}).result["userId"]}
        key = caller.call(IAM, "CreateAccessKey", user).result
        policy = {**user, "policyName": "QianfanReadAccessPolicy"}
        assert caller.call(IAM, "AttachPolicy", policy).status == http.HTTPStatus.OK
        return Account(account.id, key["accessKeyId"], key["secretAccessKey"])

    first, second = another(), another()
    ending, staying = StreamFollower(server.port, first), StreamFollower(server.port, second)
    caller.call(IAM, "DisableAccessKey", {"accessKeyId": first.access_key})
    assert ending.ended.wait(60)
    buy(caller)
    staying.wait_for(2)
    assert not staying.ended.is_set()
    assert ending.events == []
    staying.leave()
    ending.leave()


def test_fifty_followers_all_get_the_same(place: tuple[Process, Account, FleetClient]) -> None:
    server, account, caller = place
    assert server.port is not None
    followers = [StreamFollower(server.port, account) for _ in range(50)]
    before = len(listed(caller))
    for _ in range(20):
        buy(caller)
    expected = listed(caller)[before:]
    for follower in followers:
        assert follower.wait_for(40) == expected
        follower.leave()


def test_a_follower_that_reads_nothing_costs_no_memory(place: tuple[Process, Account, FleetClient]) -> None:
    server, account, caller = place
    assert server.port is not None
    for _ in range(200):
        buy(caller)

    def memory_kib() -> int:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))

    before = memory_kib()
    first = listed(caller)[0]
    slow = [_deaf(server.port, account, first) for _ in range(20)]
    for _ in range(20):
        buy(caller)
    assert memory_kib() - before < 40_000
    for one in slow:
        one.close()


def _deaf(port: int, account: Account, first: str) -> socket.socket:
    """Ask for everything since the first event, with the smallest window, and read nothing of it."""
    query = "Action=FollowEvents"
    authorization = sign(
        access_key=account.access_key,
        secret_key=account.secret_key,
        method="GET",
        path="/v2/events",
        query=query,
        headers={"host": HOST},
        timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        signed_headers=("host",),
    )
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", port))
    head = f"GET /v2/events?{query} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {authorization}\r\n"
    deaf.sendall(f"{head}Last-Event-ID: {first}\r\n\r\n".encode())
    return deaf


def test_a_follower_of_a_server_that_restarts_misses_nothing_and_gets_nothing_twice(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, account, caller):
        assert server.port is not None
        follower = StreamFollower(server.port, account)
        seen: list[str] = []
        for _ in range(3):
            buy(caller)
            seen += follower.wait_for(2)
            # It may take ten minutes for answers under way, and does not wait for those who follow.
            server.stop()
            assert follower.ended.wait(60)
            follower.leave()
            server.start()
            server.wait()
            buy(caller)
            follower = StreamFollower(server.port, account, last=seen[-1])
            seen += follower.wait_for(2)
            follower.leave()
            follower = StreamFollower(server.port, account, method="GET", last=seen[-1])
        assert seen == listed(caller)
        follower.leave()
        server.stop()


def test_what_one_server_does_reaches_whoever_follows_another(trio: Fleet, root: FleetClient) -> None:
    offer(root, TYPE, stock=100_000)
    account = open_account(root, "shared", 10_000)
    followers = [StreamFollower(port, account) for port in trio.ports]
    with account.caller(trio.ports[:1]) as caller:
        for count in (2, 4):
            buy(caller)
            for follower in followers:
                follower.wait_for(count, ELSEWHERE_S * 2)
        expected = listed(caller)
        assert [[event["id"] for event in follower.events] for follower in followers] == [expected] * 3
    for follower in followers:
        follower.leave()


PAGE = Path(__file__).parents[2] / "docs" / "operating" / "events.md"


def test_the_reader_of_the_page_goes_on_where_a_server_stopped(tmp_path: Path) -> None:
    program = PAGE.read_text().partition("```python\n")[2].partition("```")[0]
    reader = tmp_path / "reader.py"
    # The command is in the folder of the interpreter, or is run as a module.
    reader.write_text(
        program.replace('["leasebook", ', '[sys.executable, "-m", "leasebook", ').replace(
            "import json\n", "import json\nimport sys\n", 1
        )
    )
    with serving(tmp_path) as (server, account, caller):
        (before,) = caller.call("/v2/events", "DescribeEvents", {"maxKeys": 1}).result["events"]
        buy(caller)
        environ = os.environ | {
            "URL": f"http://127.0.0.1:{server.port}",
            "LAST_EVENT_ID": before["id"],
            "QIANFAN_ACCESS_KEY": account.access_key,
            "QIANFAN_SECRET_KEY": account.secret_key,
        }
        output = tmp_path / "output"
        with output.open("wb") as told, subprocess.Popen([sys.executable, reader], stdout=told, env=environ) as running:
            try:
                eventually("two events", lambda: output.read_text().count(" unit.") == 2)
                server.stop()
                server.start()
                server.wait()
                buy(caller)
                eventually("two more", lambda: output.read_text().count(" unit.") == 4)
            finally:
                running.kill()
        kinds = [line.split()[1] for line in output.read_text().splitlines()]
        assert kinds == ["unit.bought", "unit.running"] * 2
        server.stop()

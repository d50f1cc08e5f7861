"""A crowd of one account, or of strangers, on a real server: it waits for itself, and other callers hardly wait.

Times are compared with each other, not with a clock: on a server that takes callers as they come, a victim waits as
long as anybody in the crowd.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NamedTuple, Self

import msgspec
import pytest

from leasebook.contract.signing import sign
from tests.crash.fleet import HOST, UNITS, Account, FleetClient, Process, offer, open_account, postpaid
from tests.crash.lone import lone_server, root_of
from tests.raw_connections import raw_connection

CROWD = 256
SECONDS = 1.0
WARM_UP_S = 0.5
TIMES = 3
"""The crowd waits at least this many times as long as the victim; on a quiet machine it is more than ten times."""
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class TwoAccounts(NamedTuple):
    """A server, and two accounts that can buy."""

    server: Process
    victim: Account
    hostile: Account


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoAccounts]:
    with lone_server(tmp_path_factory.mktemp("crowd")) as server, root_of(server) as root:
        offer(root, "cpu", stock=1_000_000)
        yield TwoAccounts(server, open_account(root, "victim", 1_000_000), open_account(root, "hostile", 1_000_000))


def request(action: str, body: dict[str, Any], access_key: str, secret_key: str) -> bytes:
    """Return a signed request, byte for byte."""
    content = msgspec.json.encode(body)
    signed = sign(
        access_key=access_key,
        secret_key=secret_key,
        method="POST",
        path=UNITS,
        query=f"Action={action}",
        headers={"host": HOST},
        timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        signed_headers=("host",),
    )
    head = f"POST {UNITS}?Action={action} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {signed}\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


class Crowd:
    """Many connections. Each sends the same request as soon as the last one is answered."""

    def __init__(self, port: int, sent: bytes) -> None:
        self._port = port
        self._sent = sent
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()))
        self.times: list[float] = []
        self.statuses: Counter[int] = Counter()

    def __enter__(self) -> Self:
        self._thread.start()
        time.sleep(WARM_UP_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    async def _all(self) -> None:
        await asyncio.gather(*(self._one() for _ in range(CROWD)))

    async def _one(self) -> None:
        async with raw_connection(self._port, local_addr=("127.0.0.2", 0)) as (reader, writer):
            while not self._stop.is_set():
                began = time.perf_counter()
                writer.write(self._sent)
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                assert length is not None
                await reader.readexactly(int(length[1]))
                self.times.append(time.perf_counter() - began)
                self.statuses[int(head.split(b" ", 2)[1])] += 1


def buys(caller: FleetClient) -> list[float]:
    """Buy one after another for a while; returns how long each purchase took."""
    times: list[float] = []
    until = time.monotonic() + SECONDS
    while time.monotonic() < until or len(times) < 3:
        began = time.perf_counter()
        answer = caller.call_at(0, UNITS, "PurchaseComputeUnit", postpaid("cpu"))
        assert answer.status == HTTPStatus.OK, answer
        times.append(time.perf_counter() - began)
    return times


@pytest.mark.crash
@pytest.mark.parametrize("kind", ["purchases", "reads", "forged", "forged for the victim"])
def test_a_crowd_waits_for_itself_and_not_whoever_calls_beside_it(scene: TwoAccounts, kind: str) -> None:
    server, victim, hostile = scene
    own = (hostile.access_key, hostile.secret_key)
    sent, status = {
        "purchases": (request("PurchaseComputeUnit", postpaid("cpu"), *own), HTTPStatus.OK),
        "reads": (request("DescribeComputeUnits", {"maxKeys": 50}, *own), HTTPStatus.OK),
        "forged": (request("DescribeComputeUnits", {}, hostile.access_key, "no secret"), HTTPStatus.BAD_REQUEST),
        "forged for the victim": (
            request("DescribeComputeUnits", {}, victim.access_key, "no secret"),
            HTTPStatus.BAD_REQUEST,
        ),
    }[kind]
    assert server.port is not None
    with victim.caller([server.port], timeout_s=60) as caller:
        assert caller.call_at(0, UNITS, "PurchaseComputeUnit", postpaid("cpu")).status == HTTPStatus.OK
        with Crowd(server.port, sent) as crowd:
            beside = buys(caller)
    ratio = statistics.median(crowd.times) / statistics.median(beside)
    print(
        f"{kind}: the crowd waited {ratio:.1f} times as long as the victim; {len(beside)} and {len(crowd.times)} calls"
    )
    assert set(crowd.statuses) == {status}
    assert ratio > TIMES
    # The crowd is not starved either: it has what the other leaves.
    assert len(crowd.times) > len(beside) / 4

"""Measures answers to newly connected callers while a crowd calls: ``python -m benchmarks.newcomers``.

A crowd of one account keeps its connections busy. Beside it clients of another account make a connection for each call,
many come at once, and monitors ask, at the port of all callers and at the one for operators; each of them with a new
connection every time. Rates are answers a second, times are from before the connection to after the answer.
"""

from __future__ import annotations

import argparse
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import msgspec
from tests.ports import free_port

from benchmarks.fairness import ELSEWHERE, buying, party
from benchmarks.filling import store_options, stores
from benchmarks.load import COUNTER, TWELVE, Plan, Tally, drive_apart
from benchmarks.serving import HOST, LEASEBOOK, Server, allow_many_files

PATIENCE_S: Final = 30.0
AT_ONCE: Final = 500
GET: Final = "GET {} HTTP/1.1\r\nHost: monitor\r\nConnection: close\r\n\r\n"


class Errand(msgspec.Struct, frozen=True):
    """Clients that open a connection for each request. Each makes one request, or goes on until the time is over."""

    port: int
    request: bytes
    clients: int
    seconds: float
    once: bool = False
    pause_s: float = 0.0


class Found(msgspec.Struct, frozen=True):
    """The result: times in milliseconds, and how many callers got no answer or a refusal."""

    answers: int
    seconds: float
    p50_ms: float
    p99_ms: float
    most_ms: float
    failed: int


class _Client:
    __slots__ = ("began", "received", "sent", "socket")

    def __init__(self, port: int) -> None:
        self.began = time.perf_counter()
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.received = b""
        self.sent = False
        self.socket.connect_ex((HOST, port))


class _Runner:
    """Runs an errand."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._poll = select.epoll()
        self._clients: dict[int, _Client] = {}
        self._numbers = count()
        self._times: list[float] = []
        self._failed = 0
        self._begin = time.perf_counter()

    def run(self) -> Found:
        """Run it."""
        errand = self._errand
        end = self._begin + errand.seconds
        for _ in range(errand.clients):
            self._connect()
        while self._clients and time.perf_counter() < end + (PATIENCE_S if errand.once else 0):
            for descriptor, events in self._poll.poll(0.5):
                if self._served(descriptor, events) and not errand.once and time.perf_counter() < end:
                    time.sleep(errand.pause_s)
                    self._connect()
        return self._found()

    def _connect(self) -> None:
        client = _Client(self._errand.port)
        self._clients[client.socket.fileno()] = client
        self._poll.register(client.socket.fileno(), select.EPOLLOUT | select.EPOLLIN)

    def _served(self, descriptor: int, events: int) -> bool:
        """Go on with a client; returns whether it is through."""
        client = self._clients[descriptor]
        if not client.sent and events & select.EPOLLOUT:
            number = next(self._numbers)
            request = self._errand.request.replace(COUNTER, b"%020d" % number).replace(TWELVE, b"%012d" % number)
            client.socket.send(request)
            client.sent = True
            self._poll.modify(descriptor, select.EPOLLIN)
            return False
        try:
            got = client.socket.recv(65536)
        except OSError:
            got = b""
        client.received += got
        if got and not _whole(client.received):
            return False
        if client.received[9:12] == b"200":
            self._times.append((time.perf_counter() - client.began) * 1000)
        else:
            self._failed += 1
        self._poll.unregister(descriptor)
        client.socket.close()
        del self._clients[descriptor]
        return True

    def _found(self) -> Found:
        now, once = time.perf_counter(), self._errand.once
        # Who has waited since the beginning and has nothing counts with what it waited.
        waiting = [(now - client.began) * 1000 for client in self._clients.values()]
        for client in self._clients.values():
            client.socket.close()
        ordered = sorted(self._times or waiting) or [float("nan")]
        return Found(
            answers=len(self._times),
            seconds=now - self._begin if once else self._errand.seconds,
            p50_ms=ordered[len(ordered) // 2],
            p99_ms=ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
            most_ms=max(ordered + waiting),
            failed=self._failed + (len(waiting) if once else 0),
        )


def _whole(answer: bytes) -> bool:
    head, found, rest = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    length = head.lower().rpartition(b"content-length: ")[2].partition(b"\r\n")[0]
    return len(rest) >= int(length)


def run_apart(errand: Errand) -> Found:
    """Run an errand in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.newcomers", "--errand"],
        input=msgspec.msgpack.encode(errand),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the errand failed:\n{done.stderr.decode()}")
    return msgspec.msgpack.decode(done.stdout, type=Found)


@contextmanager
def crowd(plan: Plan | None) -> Iterator[list[Tally]]:
    """Let a crowd call meanwhile, if there is one."""
    tallies: list[Tally] = []
    if plan is None:
        yield tallies
        return
    thread = threading.Thread(target=lambda: tallies.append(drive_apart(plan)))
    thread.start()
    time.sleep(2.0)
    try:
        yield tallies
    finally:
        thread.join()


def show(name: str, found: Found) -> None:
    """Print a line."""
    rate = found.answers / found.seconds
    print(
        f"{name:<44}{rate:>9,.0f}/s{found.p50_ms:>10.1f}{found.p99_ms:>10.1f}{found.most_ms:>10.1f}{found.failed:>8}",
        flush=True,
    )


def measure(server: Server, admin: int, connections: int, seconds: float) -> None:
    """Measure alone, and beside the crowd."""
    server.wait_until_ready()
    server.call("/v2/catalog", "SetOffering", {"region": "bj", "type": "gpu-1", "stockTotal": 1_000_000_000})
    busy, others = party(server, "busy"), party(server, "others")
    reading = server.request("/v2/computeunit", "DescribeComputeUnits", b'{"maxKeys":10}', others.keys)

    def errands() -> Iterator[tuple[str, Callable[[], Found]]]:
        def one(port: int, request: bytes, clients: int, pause_s: float = 0.0) -> Callable[[], Found]:
            return lambda: run_apart(Errand(port, request, clients, seconds, pause_s=pause_s))

        yield "150 that connect for each purchase", one(server.port, buying(server, others), 150)
        yield "150 that connect for each look", one(server.port, reading, 150)
        yield "one, quiet, that connects for each purchase", one(server.port, buying(server, others), 1, 0.05)
        yield "GET /healthz", one(server.port, GET.format("/healthz").encode(), 1, 0.05)
        yield "GET /readyz", one(server.port, GET.format("/readyz").encode(), 1, 0.05)
        yield "GET /readyz of the port for operators", one(admin, GET.format("/readyz").encode(), 1, 0.05)
        yield (
            f"{AT_ONCE} at once, one look each",
            lambda: run_apart(Errand(server.port, reading, AT_ONCE, seconds, once=True)),
        )

    plan = Plan(server.port, buying(server, busy), connections, 7 * seconds + 12, tolerant=True, source=ELSEWHERE)
    for title, beside in (("alone", None), (f"beside {connections} busy connections", plan)):
        with crowd(beside) as tallies:
            print(f"\n{title:<46}{'rate':>9}{'p50 ms':>10}{'p99 ms':>10}{'most ms':>10}{'failed':>8}", flush=True)
            for name, errand in errands():
                show(name, errand())
        for tally in tallies:
            print(f"the crowd: {tally.rate:,.0f}/s, p50 {tally.p50_us / 1000:.0f} ms, p99 {tally.p99_us / 1000:.0f} ms")
        print(f"load {os.getloadavg()[0]:.1f}", file=sys.stderr)


def main() -> int:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.newcomers", description=__doc__)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--connections", type=int, default=1000, help="of the crowd")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--errand", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    allow_many_files()
    if given.errand:
        errand = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Errand)
        sys.stdout.buffer.write(msgspec.msgpack.encode(_Runner(errand).run()))
        return 0
    with tempfile.TemporaryDirectory(prefix="leasebook-bench-") as name:
        folder, admin = Path(name), free_port()
        with stores(given.store, folder, "newcomers") as (where,):
            port = ("--admin-port", str(admin))
            server = Server("newcomers", LEASEBOOK, store_options(where), folder / "newcomers.log", serving=port)
            try:
                measure(server, admin, given.connections, given.seconds)
                server.stop()
                print(server.check())
            finally:
                server.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())

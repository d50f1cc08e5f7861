"""The load generator: one process, raw keep-alive sockets, requests signed beforehand.

Every client waits for its answer before it sends again; nothing is pipelined. A request costs the generator
one send, one receive and a few microseconds of Python, so that on two cores the server has one to itself.
"""

from __future__ import annotations

import re
import select
import socket
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from itertools import count

import msgspec

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
COUNTER = b"00000000000000000000"
"""Stands in a request for a number that is different each time."""
PATIENCE_S = 30.0


class Plan(msgspec.Struct, frozen=True):
    """What to send, by how many clients, for how long."""

    port: int
    request: bytes
    clients: int
    seconds: float
    warm_up: float = 0.3
    first: int = 0


class Tally(msgspec.Struct, frozen=True):
    """What came of it. Only answers that arrived within the measured time are counted."""

    answers: int
    seconds: float
    p50_us: float
    p99_us: float
    generator_cpu: float
    sent: int
    errors: list[str]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


class _Client:
    """One connection, and when its request was sent."""

    __slots__ = ("received", "sent_at", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0

    def receive(self) -> bytes | None:
        """Return the answer once all of it is there."""
        self.received += self.socket.recv(65536)
        head = self.received.find(b"\r\n\r\n")
        if head < 0:
            if not self.received:
                raise ConnectionError("the server closed a connection")
            return None
        length = _LENGTH.search(self.received, 0, head + 2)
        if length is None or len(self.received) < head + 4 + int(length[1]):
            return None
        answer, self.received = self.received, b""
        return answer


def _requests(template: bytes, first: int) -> Iterator[bytes]:
    head, found, tail = template.partition(COUNTER)
    if not found:
        while True:
            yield template
    for number in count(first):
        yield b"%b%020d%b" % (head, number, tail)


def drive(plan: Plan) -> Tally:
    """Keep that many clients busy for that long, and count."""
    clients = {client.socket.fileno(): client for client in (_Client(plan.port) for _ in range(plan.clients))}
    poll = select.epoll()
    for number in clients:
        poll.register(number, select.EPOLLIN)
    requests = _requests(plan.request, plan.first)
    try:
        return _measure(plan, clients, poll, requests)
    finally:
        poll.close()
        for client in clients.values():
            client.socket.close()


def _measure(plan: Plan, clients: dict[int, _Client], poll: select.epoll, requests: Iterator[bytes]) -> Tally:
    clock = time.perf_counter_ns
    times = array("q")
    errors: list[str] = []
    waiting = sent = len(clients)
    begin = clock() + int(plan.warm_up * 1e9)
    end = begin + int(plan.seconds * 1e9)
    busy = 0.0
    for client in clients.values():
        client.sent_at = clock()
        client.socket.sendall(next(requests))
    while waiting:
        events = poll.poll(PATIENCE_S)
        if not events:
            raise TimeoutError(f"{waiting} requests are not answered")
        for number, _ in events:
            client = clients[number]
            answer = client.receive()
            if answer is None:
                continue
            now = clock()
            if answer[9:12] != b"200" and len(errors) < 10:
                errors.append(answer.decode("utf-8", "replace"))
            if begin <= now < end:
                times.append(now - client.sent_at)
            if not busy and now >= begin:
                busy = time.process_time()
            if now >= end:
                waiting -= 1
                continue
            client.sent_at = clock()
            client.socket.sendall(next(requests))
            sent += 1
    cpu = time.process_time() - busy
    ordered = sorted(times)
    return Tally(
        answers=len(ordered),
        seconds=plan.seconds,
        p50_us=_quantile(ordered, 0.5),
        p99_us=_quantile(ordered, 0.99),
        generator_cpu=cpu / plan.seconds,
        sent=sent,
        errors=errors,
    )


def _quantile(ordered: list[int], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] / 1000 if ordered else float("nan")


def drive_apart(plan: Plan) -> Tally:
    """Drive from a process of its own, whose interpreter nobody else shares; raises RuntimeError on any error."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=msgspec.json.encode(plan),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the load generator failed:\n{done.stderr.decode()}")
    tally = msgspec.json.decode(done.stdout, type=Tally)
    if tally.errors:
        raise RuntimeError(f"{len(tally.errors)} or more requests were refused, among them:\n{tally.errors[0]}")
    return tally


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(drive(msgspec.json.decode(sys.stdin.buffer.read(), type=Plan))))

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
from itertools import count

import msgspec

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
COUNTER = b"00000000000000000000"
"""A place in a request for a number that is different each time."""
TWELVE = b"############"
"""The same, of twelve digits: the end of a UUID."""
PATIENCE_S = 30.0


class Plan(msgspec.Struct, frozen=True):
    """A load: the requests, the number of clients, and the seconds.

    ``others`` are dealt to the clients in turns with ``request``. With ``then`` each answer is followed by a second
    request of the same number, and only its answer completes the pair, which is counted as one; the text that ``taken``
    finds in the first answer is put in the place of ``hole``. ``tolerant``: refusals are counted apart. Clients call
    from the address ``source``.
    """

    port: int
    request: bytes
    clients: int
    seconds: float
    warm_up: float = 0.3
    first: int = 0
    others: tuple[bytes, ...] = ()
    then: bytes = b""
    hole: bytes = b""
    taken: str = ""
    tolerant: bool = False
    source: str = "127.0.0.1"


class Tally(msgspec.Struct, frozen=True):
    """The result of a load. Only answers that arrived within the measured time are counted."""

    answers: int
    seconds: float
    p50_us: float
    p99_us: float
    generator_cpu: float
    sent: int
    errors: list[str]
    failed: int = 0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


class KeptOpen:
    """One connection, when its request was sent, and what follows on the answer."""

    __slots__ = ("received", "sent_at", "socket", "then")

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S, source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0
        self.then = b""

    def receive(self) -> bytes | None:
        """Return the answer once all of it is there."""
        got = self.socket.recv(262144)
        if not got:
            raise ConnectionError(f"the server closed a connection after {self.received[:400]!r}")
        self.received += got
        head = self.received.find(b"\r\n\r\n")
        if head < 0:
            return None
        length = _LENGTH.search(self.received, 0, head + 2)
        expected = int(length[1]) if length is not None else 0 if self.received[9:12] == b"204" else None
        if expected is None or len(self.received) < head + 4 + expected:
            return None
        answer, self.received = self.received, b""
        return answer


def _numbered(template: bytes, number: int) -> bytes:
    return template.replace(COUNTER, b"%020d" % number).replace(TWELVE, b"%012d" % number)


class _Sender:
    """Decides which request is sent next, and counts the answers."""

    def __init__(self, plan: Plan, begin: int, end: int) -> None:
        self._plan = plan
        self._firsts = (plan.request, *plan.others)
        self._taken = re.compile(plan.taken.encode())
        self._numbers = count(plan.first)
        self._begin, self._end = begin, end
        self.times = array("q")
        self.errors: list[str] = []
        self.sent = self.failed = 0

    def begin(self, place: int, client: KeptOpen) -> None:
        """Send a client's first request, or the next one after all was answered."""
        number = next(self._numbers)
        template = self._firsts[place % len(self._firsts)]
        client.then = _numbered(self._plan.then, number) if self._plan.then else b""
        request = _numbered(template, number)
        client.sent_at = time.perf_counter_ns()
        client.socket.sendall(request)
        self.sent += 1

    def answered(self, client: KeptOpen, answer: bytes, now: int) -> bool:
        """Take an answer; returns whether the client is through with its request."""
        if answer[9:10] != b"2":
            if len(self.errors) < 10:
                self.errors.append(answer.decode("utf-8", "replace"))
            self.failed += self._begin <= now < self._end
            return True
        if client.then:
            request, client.then = client.then, b""
            if self._plan.taken:
                found = self._taken.search(answer)
                if found is None:
                    raise RuntimeError(f"nothing in the answer is like {self._plan.taken}: {answer!r}")
                request = request.replace(self._plan.hole, found[1])
            client.socket.sendall(request)
            return False
        if self._begin <= now < self._end:
            self.times.append(now - client.sent_at)
        return True


def drive(plan: Plan) -> Tally:
    """Keep that many clients busy for that long, and count."""
    clients = [KeptOpen(plan.port, plan.source) for _ in range(plan.clients)]
    poll = select.epoll()
    for client in clients:
        poll.register(client.socket.fileno(), select.EPOLLIN)
    try:
        return _measure(plan, clients, poll)
    finally:
        poll.close()
        for client in clients:
            client.socket.close()


def _measure(plan: Plan, clients: list[KeptOpen], poll: select.epoll) -> Tally:
    clock = time.perf_counter_ns
    begin = clock() + int(plan.warm_up * 1e9)
    end = begin + int(plan.seconds * 1e9)
    sender = _Sender(plan, begin, end)
    places = {client.socket.fileno(): (place, client) for place, client in enumerate(clients)}
    waiting = len(clients)
    busy = 0.0
    for place, client in places.values():
        sender.begin(place, client)
    while waiting:
        events = poll.poll(PATIENCE_S)
        if not events:
            raise TimeoutError(f"{waiting} requests are not answered")
        for descriptor, _ in events:
            place, client = places[descriptor]
            answer = client.receive()
            if answer is None:
                continue
            now = clock()
            if not busy and now >= begin:
                busy = time.process_time()
            if not sender.answered(client, answer, now):
                continue
            if now >= end:
                waiting -= 1
                continue
            sender.begin(place, client)
    cpu = time.process_time() - busy
    ordered = sorted(sender.times)
    return Tally(
        answers=len(ordered),
        seconds=plan.seconds,
        p50_us=_quantile(ordered, 0.5),
        p99_us=_quantile(ordered, 0.99),
        generator_cpu=cpu / plan.seconds,
        sent=sender.sent,
        errors=sender.errors,
        failed=sender.failed,
    )


def _quantile(ordered: list[int], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] / 1000 if ordered else float("nan")


def drive_apart(plan: Plan) -> Tally:
    """Drive the load from a process with an interpreter of its own; raises RuntimeError on any error."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=msgspec.msgpack.encode(plan),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the load generator failed:\n{done.stderr.decode()}")
    tally = msgspec.msgpack.decode(done.stdout, type=Tally)
    if tally.errors and not plan.tolerant:
        raise RuntimeError(f"{len(tally.errors)} or more requests were refused, among them:\n{tally.errors[0]}")
    return tally


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.msgpack.encode(drive(msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Plan))))

"""Measures the price of stricter signatures of whole purchases: ``python -m benchmarks.signatures_wire``.

A real server on the embedded store gets purchases over sockets, in blocks of one kind of signature that take turns.
It compares the server's processor time for each purchase, HTTP and store included, by the median of the ratios of
neighbours.
"""

from __future__ import annotations

import hashlib
import secrets
import select
import statistics
from collections import deque
from datetime import UTC, datetime
from typing import Final

from benchmarks import history
from benchmarks.apart import NEW_EACH_TIME, in_pairs, ratio_text
from benchmarks.load import PATIENCE_S, KeptOpen
from benchmarks.purchase import prepare
from benchmarks.serving import ACCESS_KEY, HOST, LEASEBOOK, SECRET_KEY, Server
from benchmarks.signatures import ACTION, BODY, KINDS, PATH
from leasebook.contract.signing import sign

RATIOS: Final = (("hashed", "plain"), ("varied", "plain"), ("once", "varied"), ("once", "plain"))


def _request(port: int, kind: str) -> bytes:
    """Return a purchase as bytes of HTTP; the kinds are those of ``benchmarks.signatures``."""
    covered = {"host": f"{HOST}:{port}"}
    if kind != "plain":
        covered["x-bce-content-sha256"] = hashlib.sha256(BODY).hexdigest()
    if kind in NEW_EACH_TIME:
        covered[NEW_EACH_TIME[kind]] = secrets.token_hex(16)
    authorization = sign(
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        method="POST",
        path=PATH,
        query=f"Action={ACTION}",
        headers=covered,
        timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        signed_headers=tuple(covered),
    )
    headers = {**covered, "authorization": authorization, "content-length": str(len(BODY))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {PATH}?Action={ACTION} HTTP/1.1\r\n{lines}\r\n".encode() + BODY


class Crowd:
    """Clients that keep their connections. Each waits for its answer before it sends again."""

    def __init__(self, server: Server, clients: int) -> None:
        self._server = server
        connections = [KeptOpen(server.port) for _ in range(clients)]
        self._connections = {connection.socket.fileno(): connection for connection in connections}
        self._poll = select.epoll()
        for number in self._connections:
            self._poll.register(number, select.EPOLLIN)

    def block(self, kind: str, calls: int) -> float:
        """Buy; returns the microseconds of the server's processor time for each purchase."""
        port = self._server.port
        one = _request(port, kind)
        left = deque(_request(port, kind) if kind in NEW_EACH_TIME else one for _ in range(calls))
        began = self._server.cpu_exact_s()
        for connection in self._connections.values():
            connection.socket.sendall(left.popleft())
        missing = calls
        while missing:
            ready = self._poll.poll(PATIENCE_S)
            if not ready:
                raise RuntimeError(f"{missing} purchases are not answered")
            for number, _ in ready:
                answer = self._connections[number].receive()
                if answer is None:
                    continue
                if answer[9:10] != b"2":
                    raise RuntimeError(f"a purchase is refused: {answer!r}")
                missing -= 1
                if left:
                    self._connections[number].socket.sendall(left.popleft())
        return (self._server.cpu_exact_s() - began) / calls * 1e6

    def close(self) -> None:
        """Close the connections."""
        self._poll.close()
        for connection in self._connections.values():
            connection.socket.close()


def main() -> None:
    """Run it."""
    parser = history.parser_of("signatures_wire", __doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--calls", type=int, default=1024, help="purchases of a block, at least one for each client")
    given = parser.parse_args()
    with history.running("signatures_wire", given.json) as place:
        server = Server("leasebook", LEASEBOOK, ["--data", str(place.folder / "data")], place.folder / "server.log")
        try:
            prepare(server)
            crowd = Crowd(server, given.clients)
            found: dict[str, list[float]] = {kind: [crowd.block(kind, given.calls)] for kind in KINDS}
            for times in found.values():
                times.clear()
            for turn in range(given.rounds):
                for kind in KINDS if turn % 2 else KINDS[::-1]:
                    found[kind].append(crowd.block(kind, given.calls))
            crowd.close()
        finally:
            server.stop()
        figures: dict[str, float] = {}
        for kind, times in found.items():
            figures[f"{kind}: us"] = statistics.median(times)
            print(f"{kind}: {min(times):.1f} us at best, {statistics.median(times):.1f} in the median")
        for kind, other in RATIOS:
            figures[f"{kind} / {other}"] = in_pairs(found[kind], found[other])
            print(f"{kind} / {other}: {ratio_text(found[kind], found[other])}")
        options = {"rounds": given.rounds, "clients": given.clients, "calls": given.calls}
        place.record(options, figures, found)


if __name__ == "__main__":
    main()

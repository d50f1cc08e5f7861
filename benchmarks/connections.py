"""The price of the bounds on connections: signed no-ops and purchases by our protocol and by uvicorn's, in turns.

``python -m benchmarks.connections``. Both servers run at once, each waits while the other is asked. Each pair of turns
is compared; the processor time of a request says more than its rate where a machine has other tenants.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence

from benchmarks import history
from benchmarks.purchase import NO_OP, PURCHASE, Sample, keep_off_the_hour, measure, prepare, requests
from benchmarks.serving import LEASEBOOK, Server

UVICORN = (sys.executable, "-m", "benchmarks.uvicorn_protocol")
AIM = 0.97


def turns(servers: Sequence[Server], rounds: int, seconds: float, clients: int) -> dict[str, list[list[Sample]]]:
    """Return of each kind of request the samples of every round, in the order of the servers."""
    found: dict[str, list[list[Sample]]] = {NO_OP: [], PURCHASE: []}
    signed = {server.name: requests(server, tokens=False) for server in servers}
    first = 0
    for number in range(rounds):
        for kind, samples in found.items():
            pair: dict[str, Sample] = {}
            for server in servers if number % 2 == 0 else reversed(servers):
                pair[server.name] = measure(server, signed[server.name][kind], clients, seconds, first)
                first += pair[server.name].tally.sent
            samples.append([pair[server.name] for server in servers])
    return found


def show(found: dict[str, list[list[Sample]]]) -> dict[str, float]:
    """Print it for people; returns the figures. Ratios are ours to uvicorn's: more than 1 is better."""
    figures: dict[str, float] = {}
    for kind, pairs in found.items():
        ours_us = statistics.median(ours.cpu_us for ours, _ in pairs)
        its_us = statistics.median(its.cpu_us for _, its in pairs)
        figures[f"{kind}: CPU, uvicorn's / ours"] = statistics.median(its.cpu_us / ours.cpu_us for ours, its in pairs)
        figures[f"{kind}: rate, ours / uvicorn's"] = statistics.median(
            ours.tally.rate / its.tally.rate for ours, its in pairs
        )
        print(f"{kind}: {ours_us:.1f} us of CPU by ours, {its_us:.1f} us by uvicorn's")
    shares = [
        (bought[place].tally.rate / asked[place].tally.rate)
        for place in (0, 1)
        for bought, asked in zip(found[PURCHASE], found[NO_OP], strict=True)
    ]
    half = len(shares) // 2
    figures["purchases per no-op, ours / uvicorn's"] = statistics.median(
        ours / its for ours, its in zip(shares[:half], shares[half:], strict=True)
    )
    for name, value in figures.items():
        print(f"{name} = {value:.3f} (aim: at least {AIM})")
    return figures


def main() -> None:
    """Run the benchmark."""
    parser = history.parser_of("connections", __doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--clients", type=int, default=32)
    given = parser.parse_args()
    with history.running("connections", given.json) as place:
        keep_off_the_hour(given.rounds * 4 * (given.seconds + 1) + 10)
        servers: list[Server] = []
        try:
            for name, command in (("ours", LEASEBOOK), ("uvicorn", UVICORN)):
                store = ("--data", str(place.folder / name))
                servers.append(Server(name, command, store, place.folder / f"{name}.log"))
            for server in servers:
                prepare(server)
            figures = show(turns(servers, given.rounds, given.seconds, given.clients))
            for server in servers:
                server.stop()
                print(f"{server.name}: {server.check()}")
        finally:
            for server in servers:
                server.kill()
        place.record({"rounds": given.rounds, "seconds": given.seconds, "clients": given.clients}, figures)


if __name__ == "__main__":
    main()

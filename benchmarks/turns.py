"""Two versions of the server in short turns: ``python -m benchmarks.turns --against COMMAND``.

On a machine whose speed drifts, measurements of seconds, one after the other, differ by more than what a change costs.
Here both servers run all the time, and are driven in turns of half a second; what counts is the median of the ratios of
neighbours. It prints those ratios, of rates and of processor time for each answer, with the quartiles.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks import history
from benchmarks.filling import store_options, stores
from benchmarks.load import Plan, drive
from benchmarks.purchase import NO_OP, PURCHASE, keep_off_the_hour, prepare, requests
from benchmarks.serving import LEASEBOOK, Server, allow_many_files


class Turn(msgspec.Struct, frozen=True):
    """One server's turn: answers a second, and microseconds of processor time for each."""

    rate: float
    cpu_us: float


def take(server: Server, request: bytes, clients: int, seconds: float, first: int) -> tuple[Turn, int]:
    """Drive one server for a moment; returns what came of it and how many requests were sent."""
    before = server.cpu_exact_s()
    tally = drive(Plan(server.port, request, clients, seconds, warm_up=0.05, first=first))
    if tally.errors:
        raise RuntimeError(tally.errors[0])
    return Turn(tally.rate, (server.cpu_exact_s() - before) / tally.sent * 1e6), tally.sent


def compare(servers: Sequence[Server], kind: str, clients: int, turns: int, seconds: float) -> dict[str, list[float]]:
    """Return for each pair of turns how the first server did, in parts of the second."""
    signed = [requests(server, tokens=False)[kind] for server in servers]
    ratios: dict[str, list[float]] = {"rate": [], "cpu": []}
    first = 0
    for number in range(turns):
        found: dict[int, Turn] = {}
        for place in (0, 1) if number % 2 else (1, 0):
            found[place], sent = take(servers[place], signed[place], clients, seconds, first)
            first += sent
        ratios["rate"].append(found[0].rate / found[1].rate)
        ratios["cpu"].append(found[0].cpu_us / found[1].cpu_us)
    return ratios


def main() -> None:
    """Measure."""
    parser = history.parser_of("turns", __doc__)
    parser.add_argument("--against", metavar="COMMAND", required=True, help="what stands for the other version")
    parser.add_argument("--server", metavar="COMMAND", help="what stands for leasebook")
    parser.add_argument("--levels", default="1,32,128", metavar="N,N", help="numbers of clients")
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=0.4, help="of each turn")
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    arguments = parser.parse_args()
    allow_many_files()
    levels = [int(text) for text in arguments.levels.split(",")]
    keep_off_the_hour(2 * 2 * len(levels) * arguments.turns * (arguments.seconds + 0.2) + 10)
    commands = {
        "new": shlex.split(arguments.server) if arguments.server else list(LEASEBOOK),
        "old": shlex.split(arguments.against),
    }
    with tempfile.TemporaryDirectory() as name:
        measured(arguments, commands, levels, Path(name))


def measured(arguments: argparse.Namespace, commands: dict[str, list[str]], levels: list[int], folder: Path) -> None:
    """Start both, measure, stop, and have the books checked."""
    servers: list[Server] = []
    with stores(arguments.store, folder, *commands, founded=False) as places:
        try:
            for (name, command), where in zip(commands.items(), places, strict=True):
                servers.append(Server(name, command, store_options(where), folder / f"{name}.log"))
            for server in servers:
                prepare(server)
            print(f"{'request':<10}{'clients':>8}{'of':>6}{'new / old':>11}   quartiles")
            for clients in levels:
                for kind in (NO_OP, PURCHASE):
                    found = compare(servers, kind, clients, arguments.turns, arguments.seconds)
                    for what, ratios in found.items():
                        low, middle, high = statistics.quantiles(ratios, n=4)
                        print(f"{kind:<10}{clients:>8}{what:>6}{middle:>11.3f}   {low:.3f} to {high:.3f}", flush=True)
            for server in servers:
                server.stop()
                print(f"{server.name}: {server.check()}", file=sys.stderr)
        finally:
            for server in servers:
                server.kill()


if __name__ == "__main__":
    main()

"""Measures the price of a refusal on an overloaded server: ``python -m benchmarks.overload``.

The queue is short, the crowd is large, and a client that is refused sends again at once. The benchmark counts the
server's processor time. First a few clients are all served, which gives the cost of a purchase. In the overload, the
time beyond that is the cost of the refusals. The aim is a fifth of a purchase.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.fairness import Party, buying, party
from benchmarks.filling import aim, store_options, stores
from benchmarks.load import Plan, Tally, drive_apart
from benchmarks.serving import LEASEBOOK, Server, allow_many_files

AIM: Final = 0.2
FEW: Final = 64
WARM_UP_S: Final = 1.0


class Cost(msgspec.Struct, frozen=True):
    """A run: what was answered, and microseconds of the server's processor in all."""

    tally: Tally
    cpu_us: float


def spent(server: Server, plan: Plan) -> Cost:
    """Drive, and count processor time from before the first request to after the last."""
    before = server.cpu_s()
    tally = drive_apart(plan)
    return Cost(tally, (server.cpu_s() - before) * 1e6)


def measure(server: Server, options: argparse.Namespace) -> bool:
    """Take turns with few clients and many; returns whether refusing is cheap."""
    server.wait_until_ready()
    server.call("/v2/catalog", "SetOffering", {"region": "bj", "type": "gpu-1", "stockTotal": 1_000_000_000})
    parties: list[Party] = [party(server, f"party {number}") for number in range(options.parties)]
    requests = [buying(server, who) for who in parties]

    def plan(clients: int) -> Plan:
        return Plan(server.port, requests[0], clients, options.seconds, 0.0, others=tuple(requests[1:]), tolerant=True)

    drive_apart(plan(FEW))
    ratios = []
    print(f"{'clients':>8}{'served/s':>10}{'refused/s':>11}{'us a purchase':>15}{'us a refusal':>14}")
    for _ in range(options.rounds):
        few, many = spent(server, plan(FEW)), spent(server, plan(options.clients))
        served_us = few.cpu_us / few.tally.sent
        refused = many.tally.failed
        refusing_us = max(0.0, many.cpu_us - (many.tally.sent - refused) * served_us) / max(refused, 1)
        print(f"{FEW:>8}{few.tally.rate:>10,.0f}{few.tally.failed / few.tally.seconds:>11,.0f}{served_us:>15.0f}")
        print(
            f"{options.clients:>8}{many.tally.rate:>10,.0f}{refused / many.tally.seconds:>11,.0f}{'':>15}"
            f"{refusing_us:>14.0f}",
            flush=True,
        )
        ratios.append(refusing_us / served_us)
        print(f"load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return aim("a refusal / a purchase", statistics.median(ratios), AIM, at_most=True)


def main() -> int:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=__doc__)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--clients", type=int, default=2000)
    parser.add_argument("--queue", type=int, default=200, help="queue.length_max")
    parser.add_argument("--parties", type=int, default=1, help="accounts that the clients call for, in turns")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    given = parser.parse_args()
    allow_many_files()
    with tempfile.TemporaryDirectory(prefix="leasebook-bench-") as name:
        folder = Path(name)
        config = folder / "settings.toml"
        most = 2 * given.clients
        config.write_text(
            f"queue.length_max = {given.queue}\nhttp.connections_max = {most}\n"
            f"http.connections_per_address_max = {most}\n"
        )
        with stores(given.store, folder, "overload") as (where,):
            store = store_options(where)
            server = Server("overload", LEASEBOOK, store, folder / "overload.log", serving=("--config", str(config)))
            try:
                met = measure(server, given)
                server.stop()
                print(server.check())
                return 0 if met else 1
            finally:
                server.kill()


if __name__ == "__main__":
    sys.exit(main())

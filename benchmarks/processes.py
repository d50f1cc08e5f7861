"""One server against two on the same PostgreSQL: ``python -m benchmarks.processes``.

With as many callers in all, it measures purchases a second and the processor time that a purchase takes of the
servers, of the database and of the load generators. Where all cores are busy already a second server can only take
from the others; what it would add where there are more is what those times say.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from benchmarks import history
from benchmarks.filling import aim, stores
from benchmarks.load import Plan, Tally, drive_apart
from benchmarks.purchase import PURCHASE, keep_off_the_hour, requests
from benchmarks.serving import LEASEBOOK
from benchmarks.storm import Watched, database_cpu_s, serving
from leasebook.store.opening import Target

CPU_AIM: Final = 1.25
"""By how much the processor time of a purchase may grow with a second server."""


class Options(msgspec.Struct, frozen=True):
    """How to measure."""

    servers: tuple[int, ...]
    clients: int
    rounds: int
    seconds: float


class Sample(msgspec.Struct, frozen=True):
    """One measurement: the rate, and microseconds of processor time for each purchase."""

    rate: float
    p99_ms: float
    server_us: float
    database_us: float
    generator_us: float
    busiest_server: float
    """Share of a core."""
    batch: float

    @property
    def total_us(self) -> float:
        """The processor time that a purchase takes of the servers and the database."""
        return self.server_us + self.database_us


def sample(servers: Sequence[Watched], where: Target, options: Options, first: int) -> tuple[Sample, int]:
    """Drive all of them at once, each with its part of the clients; returns how many requests were sent, too."""
    plans = []
    for place, server in enumerate(servers):
        clients = options.clients // len(servers)
        request = requests(server, tokens=True)[PURCHASE]
        plans.append(Plan(server.port, request, clients, options.seconds, first=first + place * 10**9))
    cpu, database = [server.cpu_s() for server in servers], database_cpu_s(where)
    batches = [server.batches() for server in servers]
    with ThreadPoolExecutor(len(servers)) as threads:
        tallies: list[Tally] = [*threads.map(drive_apart, plans)]
    used = [server.cpu_s() - before for server, before in zip(servers, cpu, strict=True)]
    sent = sum(tally.sent for tally in tallies)
    decided = [
        (after[0] - before[0], after[1] - before[1])
        for after, before in zip((server.batches() for server in servers), batches, strict=True)
    ]
    # The servers work a little longer than is measured: while the generators warm up, and for the last answers.
    wall = sent / sum(tally.rate for tally in tallies)
    found = Sample(
        rate=sum(tally.rate for tally in tallies),
        p99_ms=max(tally.p99_us for tally in tallies) / 1000,
        server_us=sum(used) / sent * 1e6,
        database_us=(database_cpu_s(where) - database) / sent * 1e6,
        generator_us=sum(tally.generator_cpu * options.seconds for tally in tallies) / sent * 1e6,
        busiest_server=max(used) / wall,
        batch=sum(commands for commands, _ in decided) / max(1.0, sum(count for _, count in decided)),
    )
    return found, sent


def run(options: Options, folder: Path) -> dict[int, list[Sample]]:
    """Start as many servers as are needed at most, and take turns; all of them work on one database."""
    found: dict[int, list[Sample]] = {}
    with stores("postgres", folder, "shared") as (where,), ExitStack() as stack:
        # The directory holds the master key, the same for all.
        names = [f"server {number + 1}" for number in range(max(options.servers))]
        servers = [stack.enter_context(serving(name, " ".join(LEASEBOOK), where)) for name in names]
        first = 0
        for number in range(options.rounds):
            for count in options.servers if number % 2 == 0 else reversed(options.servers):
                row, sent = sample(servers[:count], where, options, first)
                first += sent
                found.setdefault(count, []).append(row)
            print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
        print(servers[0].check())
    return found


def show(found: dict[int, list[Sample]]) -> dict[str, float]:
    """Print the medians; returns the figures."""
    figures: dict[str, float] = {}
    medians: dict[int, dict[str, float]] = {}
    heading = ("servers", "per second", "p99 ms", "server us", "database us", "generator us", "busiest", "batch")
    print("{:<9}{:>11}{:>9}{:>11}{:>13}{:>14}{:>9}{:>8}".format(*heading))
    for count, rows in sorted(found.items()):
        names = (*Sample.__struct_fields__, "total_us")
        at = medians[count] = {name: statistics.median(getattr(row, name) for row in rows) for name in names}
        print(
            f"{count:<9}{at['rate']:>11,.0f}{at['p99_ms']:>9.1f}{at['server_us']:>11.0f}{at['database_us']:>13.0f}"
            f"{at['generator_us']:>14.0f}{at['busiest_server']:>9.0%}{at['batch']:>8.1f}"
        )
        figures |= {f"{count} servers: purchases/s": at["rate"], f"{count} servers: CPU us": at["total_us"]}
    cores = len(os.sched_getaffinity(0))
    few, many = min(medians), max(medians)
    one, more = medians[few], medians[many]
    print(f"{many} / {few} servers: {more['rate'] / one['rate']:.2f} of the rate on {cores} cores, all in use")
    grown = more["total_us"] / one["total_us"]
    aim(f"processor time of a purchase, {many} / {few} servers", grown, CPU_AIM, at_most=True)
    # Each server has one core at most, the database as many as it likes: the server binds.
    alone, both = 1e6 / one["server_us"] * few, 1e6 / more["server_us"] * many
    print(
        f"by processor time alone, a core for each server: {alone:,.0f}/s with {few}, {both:,.0f}/s with {many}; "
        f"the database then takes {both * more['database_us'] / 1e6:.1f} cores"
    )
    figures |= {"rate: many / few": more["rate"] / one["rate"], "CPU: many / few": grown, "reckoned: many/s": both}
    return figures


def _arguments() -> argparse.Namespace:
    parser = history.parser_of("processes", __doc__)
    parser.add_argument("--servers", default="1,2", metavar="N,N")
    parser.add_argument("--clients", type=int, default=128, help="of all servers together")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    given = _arguments()
    servers = tuple(int(text) for text in given.servers.split(","))
    options = Options(servers, given.clients, given.rounds, given.seconds)
    keep_off_the_hour(40 + options.rounds * len(servers) * (options.seconds + 2))
    with history.running("processes", given.json) as place:
        found = run(options, place.folder)
        details = {str(count): msgspec.to_builtins(rows) for count, rows in found.items()}
        place.record(msgspec.to_builtins(options), show(found), details)


if __name__ == "__main__":
    main()

"""The peers: ``python -m benchmarks.peers``.

Moto's server (start an instance; list a page of a hundred) and OpenStack Placement on PostgreSQL (claim and release
an allocation), each from its published package and served the fastest sensible way, in turns with leasebook. The same
load generator drives all of them, and each is credited with the number of clients that suits it best. Leasebook's
requests are signed, checked and durable, the peers' are not signed at all.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import psycopg

from benchmarks import history
from benchmarks.filling import aim, store_options, stores
from benchmarks.load import Plan, Tally, drive_apart
from benchmarks.peer_servers import Moto, Placement
from benchmarks.purchase import PURCHASE, keep_off_the_hour, prepare, requests
from benchmarks.serving import LEASEBOOK, Server
from leasebook.store.opening import Target

PROVISION, PAGE, CLAIM = "provision", "a page of 100", "claim and release"
AIMS: Final = {PROVISION: 60, PAGE: 100, CLAIM: 40}
HOLE: Final = b"unit-........"
TAKEN: Final = r'"instanceId":"(unit-[0-9A-Za-z]{8})"'


class Options(msgspec.Struct, frozen=True):
    """How to measure."""

    rounds: int
    seconds: float
    levels: tuple[int, ...]
    our_levels: tuple[int, ...]
    instances: int


class Side(msgspec.Struct, frozen=True):
    """One side of a comparison: the requests of a job, and the server that gets them."""

    job: str
    who: str
    plan: Plan
    levels: tuple[int, ...]


@contextmanager
def ours(name: str, where: Target) -> Iterator[Server]:
    """Serve leasebook; the books are proved in the end."""
    server = Server(name, LEASEBOOK, store_options(where), where.directory / "server.log")
    try:
        prepare(server)
        yield server
        server.stop()
        print(f"{name}: {server.check()}")
    finally:
        server.kill()


def our_sides(server: Server, store: str, options: Options) -> Iterator[Side]:
    """Return what leasebook does; on SQLite against moto, which keeps nothing, on PostgreSQL against Placement."""
    buy = requests(server, tokens=False)[PURCHASE]

    def side(job: str, plan: Plan) -> Side:
        return Side(job, f"leasebook on {store}", plan, options.our_levels)

    if store == "SQLite":
        yield side(PROVISION, Plan(server.port, buy, 0, options.seconds))
        listing = server.request("/v2/computeunit", "DescribeComputeUnits", b'{"maxKeys":100}')
        yield side(PAGE, Plan(server.port, listing, 0, options.seconds))
    else:
        give_back = server.request("/v2/computeunit", "ReleaseComputeUnit", b'{"instanceId":"%b"}' % HOLE)
        yield side(CLAIM, Plan(server.port, buy, 0, options.seconds, then=give_back, hole=HOLE, taken=TAKEN))


def their_sides(moto: Moto, placement: Placement, options: Options) -> Iterator[Side]:
    """Return the jobs of the peers. Their refusals, such as those of claims that met each other, are not counted."""

    def plan(port: int, request: bytes, **more: object) -> Plan:
        return msgspec.structs.replace(Plan(port, request, 0, options.seconds, tolerant=True), **more)

    # Pages first: every instance that is started makes moto's lists longer.
    yield Side(PAGE, "moto", plan(moto.port, moto.page()), options.levels)
    yield Side(PROVISION, "moto", plan(moto.port, moto.provision()), options.levels)
    claim, *others = placement.claims()
    pair = plan(placement.port, claim, others=tuple(others), then=placement.release())
    yield Side(CLAIM, "Placement", pair, options.levels)


def measure(sides: list[Side], options: Options) -> dict[tuple[str, str, int], list[Tally]]:
    """Take turns, round after round."""
    found: dict[tuple[str, str, int], list[Tally]] = {}
    first = 1
    for number in range(options.rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            for clients in side.levels:
                tally = drive_apart(msgspec.structs.replace(side.plan, clients=clients, first=first))
                first += tally.sent
                if not tally.answers and tally.errors:
                    raise RuntimeError(f"{side.who} refuses all of {side.job}, among them:\n{tally.errors[0]}")
                found.setdefault((side.job, side.who, clients), []).append(tally)
        print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    return found


def run(options: Options, folder: Path) -> dict[tuple[str, str, int], list[Tally]]:
    """Start everybody, and measure."""
    embedded = stores("sqlite", folder, "embedded")
    with embedded as (small,), stores("postgres", folder, "shared") as (shared,):
        url = (shared.url or "").rpartition("/")[0]
        with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE placement")
        moto, placement = Moto(folder), Placement(folder, f"{url}/placement")
        try:
            moto.wait_until_ready()
            moto.fill(options.instances)
            placement.wait_until_ready()
            placement.fill()
            with ours("leasebook on SQLite", small) as ours_small, ours("leasebook on PostgreSQL", shared) as ours_big:
                for _ in range(options.instances):
                    body = msgspec.json.decode(requests(ours_small, tokens=False)[PURCHASE].partition(b"\r\n\r\n")[2])
                    ours_small.call("/v2/computeunit", "PurchaseComputeUnit", body)
                sides = [*their_sides(moto, placement, options)]
                sides += [*our_sides(ours_small, "SQLite", options), *our_sides(ours_big, "PostgreSQL", options)]
                return measure(sides, options)
        finally:
            moto.stop()
            placement.stop()


def show(found: dict[tuple[str, str, int], list[Tally]]) -> dict[str, float]:
    """Print the medians, and each job's ratio of the best to the best; returns the figures."""
    figures: dict[str, float] = {}
    best: dict[tuple[str, str], float] = {}
    print(f"{'':<46}{'clients':>8}{'per second':>12}{'p50 ms':>9}{'p99 ms':>9}{'refused':>9}")
    for (job, who, clients), tallies in found.items():
        rate = statistics.median(tally.rate for tally in tallies)
        p50 = statistics.median(tally.p50_us for tally in tallies) / 1000
        p99 = statistics.median(tally.p99_us for tally in tallies) / 1000
        refused = sum(tally.failed for tally in tallies)
        print(f"{f'{who}: {job}':<46}{clients:>8}{rate:>12,.1f}{p50:>9.1f}{p99:>9.1f}{refused:>9}")
        best[job, who] = max(rate, best.get((job, who), 0.0))
    for job, wanted in AIMS.items():
        theirs, mine = sorted((who for kind, who in best if kind == job), key=lambda who: who.startswith("leasebook"))
        ratio = best[job, mine] / best[job, theirs]
        aim(f"{job}: {mine} / {theirs}", ratio, wanted, at_most=False, unit="x")
        figures |= {f"{job}: leasebook / {theirs}": ratio, f"{job}: {theirs}/s": best[job, theirs]}
        figures |= {f"{job}: leasebook/s": best[job, mine]}
    return figures


def _arguments() -> argparse.Namespace:
    parser = history.parser_of("peers", __doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument(
        "--levels", default="1,8,32", metavar="N,N", help="numbers of clients that peers are tried with"
    )
    parser.add_argument("--our-levels", default="8,32,128", metavar="N,N", help="the same for leasebook")
    parser.add_argument("--instances", type=int, default=300, help="there before anything is listed")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    given = _arguments()
    levels, our_levels = (tuple(map(int, text.split(","))) for text in (given.levels, given.our_levels))
    options = Options(given.rounds, given.seconds, levels, our_levels, given.instances)
    keep_off_the_hour(60 + options.rounds * (options.seconds + 1.5) * 3 * (len(levels) + len(our_levels)))
    with history.running("peers", given.json) as place:
        print(f"leasebook as {shlex.join(LEASEBOOK[1:])}; the peers of requirements/bench.txt under gunicorn")
        found = run(options, place.folder)
        figures = show(found)
        details = {f"{who}: {job}, {clients} clients": tallies for (job, who, clients), tallies in found.items()}
        place.record(msgspec.to_builtins(options), figures, msgspec.to_builtins(details))


if __name__ == "__main__":
    main()

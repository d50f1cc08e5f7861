"""The purchase benchmark: ``python -m benchmarks.purchase``.

A real server on loopback, signed requests, durable purchases. It prints ratios between figures of one run,
because a rate by itself says more about the machine than about the program.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks import disk, history
from benchmarks.filling import store_options, stores
from benchmarks.load import COUNTER, Plan, Tally, drive_apart
from benchmarks.serving import LEASEBOOK, Server

LEVELS = (1, 32, 128)
NO_OP, PURCHASE, TAGGED = "no-op", "purchase", "tagged"

RATIO_AIM, LONE_AIM = 0.6, 1.5
TAGGED_AIM = 1.5
"""p99 of a purchase with a name and three tags, over that of one without: it writes a row and four entries more."""


class Options(msgspec.Struct, frozen=True):
    """How to measure."""

    levels: tuple[int, ...]
    rounds: int
    seconds: float
    tokens: bool
    hashed: bool
    store: str
    server: str | None
    against: str | None
    tags: bool = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of requests that are measured."""
        return (NO_OP, PURCHASE, TAGGED) if self.tags else (NO_OP, PURCHASE)


class Sample(msgspec.Struct, frozen=True):
    """One measurement: the answers, the processor time of the server for each, and the mean batch."""

    tally: Tally
    cpu_us: float
    batch: float


class Row(msgspec.Struct, frozen=True):
    """The medians of all rounds of one kind of request at one number of clients."""

    server: str
    kind: str
    clients: int
    per_second: float
    p50_us: float
    p99_us: float
    cpu_us: float
    batch: float
    generator_cpu: float


class Report(msgspec.Struct, frozen=True):
    """The figures of one run."""

    append_sync_us: float
    overwrite_sync_us: float
    rows: list[Row]

    def row(self, server: str, kind: str, clients: int) -> Row:
        """Return one row."""
        return next(row for row in self.rows if (row.server, row.kind, row.clients) == (server, kind, clients))

    def share(self, server: str) -> float:
        """Return durable purchases for each signed no-op, with as many clients as there were."""
        return self.row(server, PURCHASE, self.most).per_second / self.row(server, NO_OP, self.most).per_second

    def lone(self, server: str) -> float:
        """Return a lone purchase's time, measured in what it cannot do without: a no-op and a sync."""
        floor = self.append_sync_us + self.row(server, NO_OP, self.fewest).p50_us
        return self.row(server, PURCHASE, self.fewest).p50_us / floor

    def tagged_p99(self, server: str, clients: int) -> float:
        """Return the p99 of purchases with a name and tags, over that of purchases without."""
        return self.row(server, TAGGED, clients).p99_us / self.row(server, PURCHASE, clients).p99_us

    @property
    def fewest(self) -> int:
        """The smallest number of clients: one, unless ``--levels`` says otherwise."""
        return min(row.clients for row in self.rows)

    @property
    def most(self) -> int:
        """The largest number of clients."""
        return max(row.clients for row in self.rows)


def requests(server: Server, *, tokens: bool, hashed: bool = False) -> dict[str, bytes]:
    """Return the requests of each kind, signed; ``hashed``: the body is covered, which goes with no token."""
    body = {
        "billing": {"paymentTiming": "Postpaid", "releaseTime": "2099-01-01T00:00:00Z"},
        "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
        "computeUnitCount": 1,
    }
    if tokens:
        body["clientToken"] = COUNTER.decode()
    tagged = {**body, "name": "training", "tags": {"team": "vision", "project": "atlas", "stage": "test"}}
    return {
        NO_OP: server.request("/v2/clock", "DescribeClock", b"{}"),
        **{
            kind: server.request("/v2/computeunit", "PurchaseComputeUnit", msgspec.json.encode(one), hashed=hashed)
            for kind, one in ((PURCHASE, body), (TAGGED, tagged))
        },
    }


def prepare(server: Server) -> None:
    """Put more into stock than can be bought."""
    server.wait_until_ready()
    server.call("/v2/catalog", "SetOffering", {"region": "bj", "type": "gpu-1", "stockTotal": 1_000_000_000})


def measure(server: Server, request: bytes, clients: int, seconds: float, first: int) -> Sample:
    """Drive one server with one kind of request."""
    cpu, (commands, batches) = server.cpu_s(), server.batches()
    tally = drive_apart(Plan(server.port, request, clients, seconds, first=first))
    used, (commands_after, batches_after) = server.cpu_s() - cpu, server.batches()
    batch = (commands_after - commands) / (batches_after - batches) if batches_after > batches else 0.0
    return Sample(tally, used / tally.sent * 1e6, batch)


def run(servers: Sequence[Server], options: Options, folder: Path) -> Report:
    """Take turns: round after round, level after level, every server and both kinds of request."""
    samples: dict[tuple[str, str, int], list[Sample]] = {}
    appends, overwrites = [], []
    first = 0
    hashed = options.hashed and not options.tokens
    signed = {server.name: requests(server, tokens=options.tokens, hashed=hashed) for server in servers}
    for number in range(options.rounds):
        appends.append(disk.append_us(folder))
        overwrites.append(disk.overwrite_us(folder))
        for clients in options.levels:
            for kind in options.kinds:
                # The server that goes second finds a warmer machine, so they change places.
                for server in servers if number % 2 == 0 else reversed(servers):
                    sample = measure(server, signed[server.name][kind], clients, options.seconds, first)
                    first += sample.tally.sent
                    samples.setdefault((server.name, kind, clients), []).append(sample)
        print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    rows = [_row(*key, found) for key, found in samples.items()]
    return Report(statistics.median(appends), statistics.median(overwrites), rows)


def _row(server: str, kind: str, clients: int, samples: Sequence[Sample]) -> Row:
    median = statistics.median
    return Row(
        server=server,
        kind=kind,
        clients=clients,
        per_second=median(sample.tally.rate for sample in samples),
        p50_us=median(sample.tally.p50_us for sample in samples),
        p99_us=median(sample.tally.p99_us for sample in samples),
        cpu_us=median(sample.cpu_us for sample in samples),
        batch=median(sample.batch for sample in samples),
        generator_cpu=median(sample.tally.generator_cpu for sample in samples),
    )


def show(report: Report, names: Sequence[str]) -> None:
    """Print it for people."""
    print(f"sync of 4 KiB   {report.append_sync_us:.0f} us appended, {report.overwrite_sync_us:.0f} us overwritten")
    heading = ("server", "request", "clients", "per second", "p50 ms", "p99 ms", "CPU us", "batch", "generator")
    print("{:<12}{:<10}{:>8}{:>12}{:>9}{:>9}{:>8}{:>8}{:>11}".format(*heading))
    for row in sorted(report.rows, key=lambda row: (names.index(row.server), row.kind, row.clients)):
        print(
            f"{row.server:<12}{row.kind:<10}{row.clients:>8}{row.per_second:>12,.0f}{row.p50_us / 1000:>9.2f}"
            f"{row.p99_us / 1000:>9.2f}{row.cpu_us:>8.0f}{row.batch:>8.1f}{row.generator_cpu:>10.0%}"
        )
    for name in names:
        share, lone = report.share(name), report.lone(name)
        print(f"{name}: purchases / no-ops at {report.most} clients = {share:.2f} (aim: at least {RATIO_AIM})")
        print(f"{name}: p50 of a lone purchase / (sync + no-op) = {lone:.2f} (aim: at most {LONE_AIM})")
        for clients in sorted({row.clients for row in report.rows if row.kind == TAGGED}):
            slower = report.tagged_p99(name, clients)
            print(f"{name}: p99 with tags / without at {clients} clients = {slower:.2f} (aim: at most {TAGGED_AIM})")
    for name in names[1:]:
        for clients in sorted({row.clients for row in report.rows}):
            bought, base = report.row(name, PURCHASE, clients), report.row(names[0], PURCHASE, clients)
            print(
                f"{name} / {names[0]} at {clients} clients: {bought.per_second / base.per_second:.2f} of the rate, "
                f"{bought.p50_us / base.p50_us:.2f} of the p50"
            )


def commands_of(options: Options) -> dict[str, list[str]]:
    """Return what starts the server, and the variant that it is compared with."""
    commands = {"leasebook": list(LEASEBOOK) if options.server is None else shlex.split(options.server)}
    if options.against is not None:
        commands["variant"] = shlex.split(options.against)
    return commands


def stay_clear_of_the_hour(options: Options) -> None:
    """See keep_off_the_hour()."""
    each = len(options.kinds) * len(options.levels) * (options.seconds + 1) * (2 if options.against else 1) + 1
    keep_off_the_hour(options.rounds * each + 10)


def keep_off_the_hour(seconds: float) -> None:
    """Wait where a full hour would strike within that time: everything that was bought is charged then."""
    left = 3600 - time.time() % 3600
    if left < seconds:
        print(f"waiting {left:.0f} s for the hourly charges to be over", file=sys.stderr)
        time.sleep(left + 2)


def benchmark(options: Options, folder: Path) -> Report:
    """Start, measure, stop, and have the books checked."""
    commands = commands_of(options)
    servers: list[Server] = []
    with stores(options.store, folder, *commands, founded=False) as places:
        try:
            for (name, command), where in zip(commands.items(), places, strict=True):
                servers.append(Server(name, command, store_options(where), folder / f"{name}.log"))
            return _measured(servers, options, folder)
        finally:
            for server in servers:
                server.kill()


def _measured(servers: Sequence[Server], options: Options, folder: Path) -> Report:
    for server in servers:
        prepare(server)
    report = run(servers, options, folder)
    for server in servers:
        server.stop()
        print(f"{server.name}: {server.check()}")
    return report


def _arguments() -> argparse.Namespace:
    parser = history.parser_of("purchase", __doc__)
    parser.add_argument("--levels", default=",".join(map(str, LEVELS)), metavar="N,N", help="numbers of clients")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--tokens", action="store_true", help="give every purchase a client token")
    parser.add_argument("--hashed", action="store_true", help="sign the body's SHA-256; not with --tokens")
    parser.add_argument("--tags", action="store_true", help="measure purchases with a name and tags as well")
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--server", metavar="COMMAND", help="what stands for leasebook: another version of it")
    parser.add_argument("--against", metavar="COMMAND", help="the same for a second server, measured in turns")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    given = _arguments()
    levels = tuple(int(text) for text in given.levels.split(","))
    options = Options(
        levels,
        given.rounds,
        given.seconds,
        given.tokens,
        given.hashed,
        given.store,
        given.server,
        given.against,
        given.tags,
    )
    with history.running("purchase", given.json) as place:
        stay_clear_of_the_hour(options)
        report = benchmark(options, place.folder)
        names = list(dict.fromkeys(row.server for row in report.rows))
        show(report, names)
        figures: dict[str, float] = {}
        for name in names:
            label = name if options.store == "sqlite" else f"{name} on PostgreSQL"
            figures[f"{label}: purchases per no-op"] = report.share(name)
            figures[f"{label}: lone purchase per floor"] = report.lone(name)
            if options.tags:
                figures[f"{label}: p99 with tags / without"] = report.tagged_p99(name, report.most)
            figures[f"{label}: purchases/s"] = report.row(name, PURCHASE, report.most).per_second
        place.record(msgspec.to_builtins(options), figures, msgspec.to_builtins(report))


if __name__ == "__main__":
    main()

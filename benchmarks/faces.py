"""HTTP in a process of its own, against the server as it is: ``python -m benchmarks.faces``.

Both servers run all the time, and are driven with durable purchases in turns. Beside the rates it prints how much
processor time each purchase takes of the core, which decides and writes, of the faces and of the load generator, and
how many cores of the machine were busy, whatever with.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks import history
from benchmarks.filling import store_options, stores
from benchmarks.load import Plan, drive_apart
from benchmarks.purchase import PURCHASE, keep_off_the_hour, prepare, requests
from benchmarks.serving import LEASEBOOK, Server, allow_many_files, cpu_exact_s

WARM_UP_S = 0.4
PLAIN = "plain"
VARIANTS = {
    "purchases": "the face verifies and decodes",
    "framing": "the face only reads HTTP",
    "two": "two faces, which verify and decode",
}


class Turn(msgspec.Struct, frozen=True):
    """One measurement of one server. Processor times are those of one purchase."""

    rate: float
    p50_ms: float
    p99_ms: float
    core_us: float
    faces_us: float
    load_us: float
    busy: float


def faces_of(pid: int) -> list[int]:
    """Return the processes that a server has forked."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(place.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found.append(int(place.parent.name))
    return found


def machine_s() -> float:
    """Return the processor time that all processes of the machine have used."""
    user, nice, system, _, _, irq, soft, *_ = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def take(server: Server, request: bytes, clients: int, seconds: float, first: int) -> tuple[Turn, int]:
    """Drive one server; returns what came of it, and how many requests were sent."""
    faces = faces_of(server.pid)

    def used() -> tuple[float, float, float, float]:
        return server.cpu_exact_s(), sum(map(cpu_exact_s, faces)), machine_s(), time.monotonic()

    before = used()
    tally = drive_apart(Plan(server.port, request, clients, seconds, warm_up=WARM_UP_S, first=first))
    core_s, faces_s, busy_s, passed_s = (now - then for now, then in zip(used(), before, strict=True))
    each = 1e6 / tally.sent
    turn = Turn(
        rate=tally.rate,
        p50_ms=tally.p50_us / 1e3,
        p99_ms=tally.p99_us / 1e3,
        core_us=core_s * each,
        faces_us=faces_s * each,
        load_us=tally.generator_cpu / tally.rate * 1e6,
        busy=busy_s / passed_s,
    )
    return turn, tally.sent


def compare(servers: Sequence[Server], levels: Sequence[int], rounds: int, seconds: float, *, tokens: bool) -> None:
    """Take turns, and print the medians."""
    signed = {server.name: requests(server, tokens=tokens)[PURCHASE] for server in servers}
    first = 0
    print(
        f"{'clients':>7}  {'server':<10}{'per second':>11}{'of it':>7}{'p50 ms':>8}{'of it':>7}{'p99 ms':>8}"
        f"{'core us':>9}{'faces us':>9}{'load us':>9}{'busy':>6}"
    )
    for clients in levels:
        turns: dict[str, list[Turn]] = {server.name: [] for server in servers}
        for number in range(rounds):
            for server in servers if number % 2 == 0 else reversed(servers):
                turn, sent = take(server, signed[server.name], clients, seconds, first)
                first += sent
                turns[server.name].append(turn)
        for name, found in turns.items():
            median = {
                field: statistics.median(getattr(turn, field) for turn in found) for field in Turn.__struct_fields__
            }
            rate, p50 = (
                statistics.median(
                    getattr(one, field) / getattr(other, field) for one, other in zip(found, turns[PLAIN], strict=True)
                )
                for field in ("rate", "p50_ms")
            )
            print(
                f"{clients:>7}  {name:<10}{median['rate']:>11,.0f}{rate:>7.2f}{median['p50_ms']:>8.2f}{p50:>7.2f}"
                f"{median['p99_ms']:>8.2f}{median['core_us']:>9.0f}{median['faces_us']:>9.0f}"
                f"{median['load_us']:>9.0f}{median['busy']:>6.2f}",
                flush=True,
            )


def main() -> None:
    """Measure."""
    parser = history.parser_of("faces", __doc__)
    parser.add_argument("--levels", default="1,128,1000", metavar="N,N", help="numbers of clients")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--tokens", action="store_true", help="give every purchase a client token")
    parser.add_argument("--variants", default="purchases", metavar="NAME,NAME", help=", ".join(VARIANTS))
    arguments = parser.parse_args()
    allow_many_files()
    levels = [int(text) for text in arguments.levels.split(",")]
    variants = arguments.variants.split(",")
    keep_off_the_hour(
        (len(variants) + 1) * len(levels) * arguments.rounds * (arguments.seconds + 2 * WARM_UP_S + 0.3) + 10
    )
    with tempfile.TemporaryDirectory() as name:
        measured(arguments, variants, levels, Path(name))


def measured(arguments: argparse.Namespace, variants: Sequence[str], levels: Sequence[int], folder: Path) -> None:
    """Start all, measure, stop, and have the books checked."""
    commands = {PLAIN: list(LEASEBOOK)}
    for variant in variants:
        option = [] if variant == "purchases" else [f"--{variant}"]
        commands[variant] = [sys.executable, "-m", "benchmarks.face_process", *option]
    servers: list[Server] = []
    with stores(arguments.store, folder, *commands) as places:
        try:
            for (name, command), where in zip(commands.items(), places, strict=True):
                servers.append(Server(name, command, store_options(where), folder / f"{name}.log"))
            for server in servers:
                prepare(server)
            compare(servers, levels, arguments.rounds, arguments.seconds, tokens=arguments.tokens)
            for server in servers:
                server.stop()
                print(f"{server.name}: {server.check()}", file=sys.stderr)
        finally:
            for server in servers:
                server.kill()


if __name__ == "__main__":
    main()

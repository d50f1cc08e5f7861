"""Measures how much a crowd delays another account: ``python -m benchmarks.fairness``.

A victim with one connection buys, alone and beside many connections of another account, in turns, in one run. It prints
ratios of the victim's times: other work on the machine slows both halves of a pair alike.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Final, cast

import msgspec
import psycopg

from benchmarks.filling import aim, store_options, stores
from benchmarks.load import Plan, Tally, drive_apart
from benchmarks.serving import LEASEBOOK, Server, allow_many_files
from leasebook.store.opening import Target

AIM: Final = 3.0
ELSEWHERE: Final = "127.0.0.2"
LOCK_CLIENTS: Final = 8


class Options(msgspec.Struct, frozen=True):
    """How to measure."""

    store: str
    connections: int
    rounds: int
    seconds: float
    server: str | None
    kinds: tuple[str, ...]


class Party(msgspec.Struct, frozen=True):
    """An account with money, and its root's keys."""

    account_id: str
    keys: tuple[str, str]


Beside = Callable[[], AbstractContextManager[None]]


def party(server: Server, name: str) -> Party:
    """Open an account that can buy without end."""
    made = server.call("/v2/iam", "CreateAccount", {"name": name})
    account = {"accountId": made["accountId"], "amount": "900000000"}
    server.call("/v2/account", "TopUpAccount", account)
    return Party(made["accountId"], (made["accessKeyId"], made["secretAccessKey"]))


def buying(server: Server, who: Party) -> bytes:
    """Return a signed purchase."""
    body = {
        "billing": {"paymentTiming": "Postpaid", "releaseTime": "2099-01-01T00:00:00Z"},
        "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
        "computeUnitCount": 1,
    }
    return server.request("/v2/computeunit", "PurchaseComputeUnit", msgspec.json.encode(body), who.keys)


def hostile_plans(server: Server, hostile: Party, victim: Party, options: Options) -> dict[str, Plan]:
    """Return what the crowd sends, by kind."""
    reading = server.request("/v2/computeunit", "DescribeComputeUnits", b'{"maxKeys":100}', hostile.keys)

    def forged(who: Party) -> bytes:
        return server.request("/v2/computeunit", "DescribeComputeUnits", b"{}", (who.keys[0], "not the secret"))

    def plan(request: bytes, source: str = ELSEWHERE) -> Plan:
        seconds = options.seconds + 1.5
        return Plan(server.port, request, options.connections, seconds, tolerant=True, source=source)

    return {
        "purchases": plan(buying(server, hostile)),
        "reads": plan(reading),
        "badly signed, its own key": plan(forged(hostile)),
        "badly signed, the victim's key": plan(forged(victim)),
    }


@contextmanager
def crowd(plan: Plan, tallies: list[Tally]) -> Iterator[None]:
    """Let a crowd call meanwhile."""
    thread = threading.Thread(target=lambda: tallies.append(drive_apart(plan)))
    thread.start()
    time.sleep(0.8)
    try:
        yield
    finally:
        thread.join()


@contextmanager
def row_locked(where: Target, plan: Plan, account_id: str, tallies: list[Tally]) -> Iterator[None]:
    """Hold the row of the hostile account in a session of the database, and let its callers call."""
    with psycopg.connect(cast("str", where.url)) as outside:
        outside.execute("SELECT 1 FROM accounts WHERE id = %s FOR UPDATE", (account_id,))
        with crowd(plan, tallies):
            yield
        outside.rollback()


def measure(server: Server, where: Target, options: Options) -> bool:
    """Take turns, alone and beside each kind of crowd; returns whether all is as it should be."""
    server.wait_until_ready()
    server.call("/v2/catalog", "SetOffering", {"region": "bj", "type": "gpu-1", "stockTotal": 1_000_000_000})
    victim, hostile = party(server, "victim"), party(server, "hostile")
    plans = hostile_plans(server, hostile, victim, options)
    own = Plan(server.port, buying(server, victim), 1, options.seconds)
    tallies: list[Tally] = []
    besides: dict[str, Beside] = {kind: partial(crowd, plan, tallies) for kind, plan in plans.items()}
    if where.url is not None:
        few = msgspec.structs.replace(plans["purchases"], clients=LOCK_CLIENTS, seconds=options.seconds + 9)
        besides["a locked row"] = partial(row_locked, where, few, hostile.account_id, tallies)
    chosen = {kind: beside for kind, beside in besides.items() if not options.kinds or kind in options.kinds}
    drive_apart(own)
    ratios: dict[str, list[tuple[Tally, Tally]]] = {}
    for _ in range(options.rounds):
        for kind, beside in chosen.items():
            alone = drive_apart(own)
            with beside():
                beside_them = drive_apart(own)
            ratios.setdefault(kind, []).append((alone, beside_them))
        print(f"load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return show(ratios)


def show(ratios: dict[str, list[tuple[Tally, Tally]]]) -> bool:
    """Print the medians; returns whether every p99 is within the aim."""
    met = True
    print(f"{'the victim, beside':<32}{'alone p50':>10}{'p99 ms':>9}{'beside p50':>12}{'p99 ms':>9}{'a second':>10}")
    for kind, pairs in ratios.items():
        middle = statistics.median
        figures = (
            middle(alone.p50_us for alone, _ in pairs) / 1000,
            middle(alone.p99_us for alone, _ in pairs) / 1000,
            middle(beside.p50_us for _, beside in pairs) / 1000,
            middle(beside.p99_us for _, beside in pairs) / 1000,
            middle(beside.rate for _, beside in pairs),
        )
        print("{:<32}{:>10.2f}{:>9.2f}{:>12.2f}{:>9.2f}{:>10,.0f}".format(kind, *figures))
    for kind, pairs in ratios.items():
        ratio = statistics.median(beside.p99_us / alone.p99_us for alone, beside in pairs)
        met &= aim(f"p99 beside {kind} / alone", ratio, AIM, at_most=True)
    return met


def run(options: Options, folder: Path) -> bool:
    """Start a server, measure, stop it, and have its books checked."""
    command = list(LEASEBOOK) if options.server is None else shlex.split(options.server)
    with stores(options.store, folder, "fairness") as (where,):
        server = Server("fairness", command, store_options(where), folder / "fairness.log")
        try:
            met = measure(server, where, options)
            server.stop()
            print(server.check())
            return met
        finally:
            server.kill()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fairness", description=__doc__)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--connections", type=int, default=512, help="of the crowd")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--server", help="a command to measure instead of this version's")
    parser.add_argument("--kind", action="append", default=[], help="measure only this; may be given several times")
    return parser.parse_args()


def main() -> int:
    """Measure as the command line says."""
    given = _arguments()
    allow_many_files()
    options = Options(given.store, given.connections, given.rounds, given.seconds, given.server, tuple(given.kind))
    with tempfile.TemporaryDirectory(prefix="leasebook-bench-") as folder:
        return 0 if run(options, Path(folder)) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.SubprocessError as error:
        sys.exit(str(error))

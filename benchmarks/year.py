"""A year on the virtual clock: ``python -m benchmarks.year``.

A thousand postpaid instances are bought, and the clock is advanced month by month for a year: 8.76 million hourly
charges, each decided at its own hour and durable before the clock moves on. It measures charges a second and the
minutes that a year takes, counts every charge and every micro-unit afterwards, and proves the books. With
``--against`` a second server lives the same months, in turns with the first.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shlex
import socket
import statistics
import sys
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks import history
from benchmarks.filling import aim
from benchmarks.serving import HOST, LEASEBOOK, Server
from benchmarks.sinks import asking
from leasebook.store.opening import Target

MINUTES_AIM: Final = 10
SHANGHAI: Final = timezone(timedelta(hours=8))
"""The service's zone unless it is set, and the account's: its hours are whole ones of UTC, all year."""
YEAR: Final = 2030
PRICE: Final = 500_000
"""Micro-units a unit and minute."""
FUNDS: Final = 10**12
"""Currency units, enough for everything."""
WAIT_S_MAX: Final = 3600
"""AdvanceClock answers when everything is done that falls due on the way; nothing cuts the request short."""
PLACE: Final = {"region": "year", "type": "gpu-1"}
"""An offering of its own: the demo's instances have theirs."""
BUYERS: Final = 16


class Virtual(Server):
    """A server whose clock moves only when a caller moves it."""

    def __init__(self, name: str, command: Sequence[str], where: Target) -> None:
        store = ("--data", str(where.directory))
        super().__init__(name, command, (*store, "--clock", "virtual"), where.directory / f"{name}.log")
        # The clock is no business of the command that proves the books.
        self._store = store

    def advance(self, to: datetime) -> None:
        """Move the clock; returns when the answer is there, however long that takes."""
        body = json.dumps({"to": to.isoformat()}).encode()
        with socket.create_connection((HOST, self.port), timeout=WAIT_S_MAX) as connection:
            connection.sendall(self.request("/v2/clock", "AdvanceClock", body))
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            text = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"AdvanceClock: {text.decode()}")


class Options(msgspec.Struct, frozen=True):
    """How to measure."""

    units: int
    months: int
    servers: dict[str, str]


class Month(msgspec.Struct, frozen=True):
    """One month of a server: its charges, how long they took, and the processor time that they took of the server."""

    month: str
    charges: int
    seconds: float
    cpu_s: float


def first_of(number: int) -> datetime:
    """Return when the month of that number begins; the first is 0."""
    return datetime(YEAR + number // 12, number % 12 + 1, 1, tzinfo=SHANGHAI)


def prepare(server: Virtual, units: int) -> None:
    """Buy the instances at the very beginning of the year."""
    server.wait_until_ready()
    server.call("/v2/catalog", "SetOffering", {**PLACE, "pricePerMinute": "0.5", "stockTotal": units})
    server.call("/v2/account", "TopUpAccount", {"amount": str(FUNDS)})
    server.advance(first_of(0))
    body = {"billing": {"paymentTiming": "Postpaid"}, "computeUnitConfig": PLACE, "computeUnitCount": 1}
    with ThreadPoolExecutor(BUYERS) as threads:
        deque(threads.map(lambda _: server.call("/v2/computeunit", "PurchaseComputeUnit", body), range(units)), 0)


def live(server: Virtual, units: int, number: int) -> Month:
    """Let a month pass."""
    to = first_of(number + 1)
    charges = units * ((to - first_of(number)) // timedelta(hours=1))
    cpu, began = server.cpu_s(), time.monotonic()
    server.advance(to)
    found = Month(f"{first_of(number):%Y-%m}", charges, time.monotonic() - began, server.cpu_s() - cpu)
    print(
        f"{server.name} {found.month}: {charges / found.seconds:,.0f} charges/s ({found.seconds:.1f} s, "
        f"{found.cpu_s / charges * 1e6:.1f} us of processor time each)",
        file=sys.stderr,
    )
    return found


def prove(where: Target, options: Options) -> None:
    """Raise RuntimeError unless every instance was charged for every hour exactly once, to the micro-unit."""
    hours = (first_of(options.months) - first_of(0)) // timedelta(hours=1)
    begin, hour = int(first_of(0).timestamp()) * 10**6, 3600 * 10**6
    with asking(where) as (_, run):
        # An instance's charges are as many as there were hours, no two of them of one hour, and each of it whole.
        wrong = run(
            "SELECT u.id, count(p.seq), count(DISTINCT p.at), min(p.at), max(p.at), min(p.amount), max(p.amount) "
            "FROM units u LEFT JOIN postings p ON p.unit_id = u.id WHERE u.region = ? GROUP BY u.id "
            "HAVING count(p.seq) <> ? OR count(DISTINCT p.at) <> ? OR min(p.at) <> ? OR max(p.at) <> ? "
            "OR min(p.amount) <> ? OR max(p.amount) <> ? LIMIT 5",
            (PLACE["region"], hours, hours, begin + hour, begin + hours * hour, 60 * PRICE, 60 * PRICE),
        )
        ((units,),) = run("SELECT count(*) FROM units WHERE region = ?", (PLACE["region"],))
    if wrong or units != options.units:
        raise RuntimeError(f"of {units} instances, these were not charged for {hours} hours, each once: {wrong}")


def run(options: Options, folder: Path) -> dict[str, list[Month]]:
    """Let every server live through the months, in turns, each on a store of its own."""
    found: dict[str, list[Month]] = {name: [] for name in options.servers}
    with ExitStack() as stack:
        lives: list[tuple[Virtual, Target]] = []
        for name, command in options.servers.items():
            where = Target(folder / name)
            where.directory.mkdir(mode=0o700)
            server = Virtual(name, shlex.split(command), where)
            stack.callback(server.kill)
            prepare(server, options.units)
            lives.append((server, where))
        for number in range(options.months):
            # The version that goes second finds a warmer machine, so they change places.
            for server, _ in lives if number % 2 == 0 else reversed(lives):
                found[server.name].append(live(server, options.units, number))
        for server, where in lives:
            prove(where, options)
            server.stop()
            print(f"{server.name}: {server.check()}")
    return found


def show(found: dict[str, list[Month]], options: Options) -> dict[str, float]:
    """Print the rates and the verdicts; returns the figures."""
    figures: dict[str, float] = {}
    for name, months in found.items():
        charges, seconds = sum(month.charges for month in months), sum(month.seconds for month in months)
        rate, cpu_us = charges / seconds, sum(month.cpu_s for month in months) / charges * 1e6
        print(
            f"{name}: {charges:,} hourly charges in {seconds / 60:.2f} minutes: {rate:,.0f}/s, "
            f"{cpu_us:.1f} us of processor time each"
        )
        year = options.units * 8760 / rate / 60
        label = f"{name}: a year of {options.units:,} instances"
        aim(label if options.months == 12 else f"{label}, reckoned", year, MINUTES_AIM, at_most=True, unit=" minutes")
        figures |= {f"{name}: charges/s": rate, f"{name}: year minutes": year, f"{name}: CPU us": cpu_us}
    first, *others = found
    for name in others:
        ratios = [two.seconds / one.seconds for one, two in zip(found[first], found[name], strict=True)]
        figures[f"{first} / {name}"] = statistics.median(ratios)
        print(f"{first} / {name}: {statistics.median(ratios):.2f} times as many charges a second")
    return figures


def _arguments() -> argparse.Namespace:
    parser = history.parser_of("year", __doc__)
    parser.add_argument("--units", type=int, default=1_000)
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--server", default=shlex.join(LEASEBOOK), metavar="COMMAND", help="what stands for leasebook")
    parser.add_argument("--against", metavar="COMMAND", help="the same for a second server, which lives them in turns")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    given = _arguments()
    servers = {"leasebook": given.server} | ({"variant": given.against} if given.against else {})
    options = Options(given.units, given.months, servers)
    with history.running("year", given.json) as place:
        found = run(options, place.folder)
        details: dict[str, Any] = {name: msgspec.to_builtins(months) for name, months in found.items()}
        place.record(msgspec.to_builtins(options), show(found, options), details)


if __name__ == "__main__":
    main()

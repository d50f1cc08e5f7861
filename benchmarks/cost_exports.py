"""Cost exports: ``python -m benchmarks.cost_exports [--store postgres] [--units 100000] [--months 12]``.

An operator exports the months of all accounts, one row and more a month for each prepaid instance, while one client of
another account buys. It prints how long that takes, how much memory the server takes for it, and the times of
the purchases alone and beside the export.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from benchmarks import history
from benchmarks.fairness import buying, party
from benchmarks.filling import ZONE, Filler, aim, store_options, stores
from benchmarks.load import Plan, Tally, drive_apart
from benchmarks.serving import HOST, LEASEBOOK
from benchmarks.sinks import sink
from benchmarks.storm import Watched
from leasebook.store.opening import Target

P99_AIM, MEMORY_AIM_MIB = 3, 128
"""The p99 of purchases beside an export, in parts of that alone, and the memory that an export may take."""


class Exported(msgspec.Struct, frozen=True):
    """A file that arrived: its rows, bytes and seconds, and the seconds until its first byte."""

    rows: int
    size: int
    seconds: float
    first_s: float


class Figures(msgspec.Struct, frozen=True):
    """The figures of a run; memory in KiB."""

    file: Exported
    alone: Sequence[Tally]
    beside: Sequence[Tally]
    memory_before: int
    memory_peak: int


def export(server: Watched, form: str, months: int) -> Exported:
    """Export months of all accounts from this one on, and throw the file away."""
    now = datetime.now(ZoneInfo(ZONE))
    year, month = divmod(now.year * 12 + now.month - 1 + months - 1, 12)
    asked = {"month": f"{now:%Y-%m}", "lastMonth": f"{year}-{month + 1:02}", "accountId": "*", "version": "1.4"}
    body = json.dumps({**asked, "format": form}).encode()
    began = time.monotonic()
    with socket.create_connection((HOST, server.port), timeout=3600) as connection:
        connection.sendall(server.request("/v2/account", "ExportCosts", body))
        answer = http.client.HTTPResponse(connection, method="POST")
        answer.begin()
        if answer.status != 200:
            raise RuntimeError(f"the export was refused: {answer.read()!r}")
        first_s, size, rows = time.monotonic() - began, 0, -1
        while piece := answer.read(1 << 18):
            size += len(piece)
            rows += piece.count(b"\n")
    return Exported(rows, size, time.monotonic() - began, first_s)


def measure(server: Watched, form: str, months: int, seconds: float) -> Figures:
    """Buy alone, then beside an export for as long as it lasts, then alone."""
    server.wait_until_ready()
    server.call("/v2/catalog", "SetOffering", {"region": "bj", "type": "gpu-1", "stockTotal": 1_000_000_000})
    own = Plan(server.port, buying(server, party(server, "buyer")), 1, seconds)
    alone, beside = [drive_apart(own), drive_apart(own)][1:], list[Tally]()
    before = server.rss_kib()
    with ThreadPoolExecutor(1) as threads:
        exporting = threads.submit(export, server, form, months)
        while not exporting.done():
            tally = drive_apart(own)
            beside += [] if exporting.done() else [tally]
        file = exporting.result()
    peak = server.rss_kib(peak=True)
    alone.append(drive_apart(own))
    return Figures(file, alone, beside, before, peak)


def run(store: str, units: int, form: str, months: int, seconds: float, folder: Path) -> Figures:
    """Fill a store, serve it, measure, and have its books checked."""
    with stores(store, folder, "costs") as (where,):
        _fill(where, units)
        server = Watched("costs", LEASEBOOK, store_options(where), folder / "costs.log")
        try:
            found = measure(server, form, months, seconds)
            server.stop()
            return found
        finally:
            server.kill()


def _fill(where: Target, units: int) -> None:
    with sink(where) as out:
        filler = Filler(out)
        filler.add(filler.prepaid(units))
        filler.close()


def show(found: Figures) -> dict[str, float]:
    """Print the figures; returns them by name."""
    file = found.file
    rate = file.rows / file.seconds
    print(
        f"{file.rows:,} rows, {file.size / 1e6:,.0f} MB in {file.seconds:.1f} s, {rate:,.0f} rows a second; "
        f"the first byte after {file.first_s:.1f} s"
    )
    for name, tallies in (("alone", found.alone), ("beside the export", found.beside)):
        for tally in tallies:
            print(
                f"purchases {name}: {tally.rate:,.0f} a second, p50 {tally.p50_us / 1000:.2f} ms, "
                f"p99 {tally.p99_us / 1000:.2f} ms"
            )
    grown = (found.memory_peak - found.memory_before) / 1024
    aim("memory of the export", grown, MEMORY_AIM_MIB, at_most=True, unit=" MiB")
    figures = {"rows a second": rate, "memory MiB": grown}
    if found.beside:
        worst = [max(tally.p99_us for tally in tallies) for tallies in (found.beside, found.alone)]
        figures["p99 beside / alone"] = worst[0] / worst[1]
        aim("worst p99 of purchases beside an export / alone", worst[0] / worst[1], P99_AIM, at_most=True)
    return figures


def main() -> None:
    """Measure as the command line says."""
    parser = history.parser_of("cost_exports", __doc__)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--months", type=int, default=12, help="of the file; terms of prepaid instances are a year")
    parser.add_argument("--format", choices=("csv", "parquet"), default="csv")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement of purchases")
    given = parser.parse_args()
    with history.running("cost_exports", given.json) as place:
        figures = show(run(given.store, given.units, given.format, given.months, given.seconds, place.folder))
        options = {"store": given.store, "units": given.units, "months": given.months, "format": given.format}
        place.record(options, {f"{given.store}, {given.format}: {name}": one for name, one in figures.items()}, {})


if __name__ == "__main__":
    main()

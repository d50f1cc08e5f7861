"""A year of hourly charges: ``python -m benchmarks.history_size [--store postgres]``.

Every running postpaid instance makes a posting an hour. This writes a month of them, hour by hour as they come, for
fewer instances than a big installation has, measures the bytes that a posting takes, has ``leasebook archive`` roll
the month up, measures again, and reckons what a year of ten thousand instances is. The books are proved before and
after.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg

from benchmarks import history
from benchmarks.filling import Filler, Sale, aim, store_options, stores, usage
from benchmarks.serving import ACCESS_KEY, LEASEBOOK, SECRET_KEY, Server
from benchmarks.sinks import bytes_of, sink
from leasebook.config.load import load_settings
from leasebook.domain.model.instance import Instance
from leasebook.domain.record.ledger import Posting
from leasebook.domain.rules.metering import minutes_started
from leasebook.domain.values.calendar import HOUR_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.server.composition import running
from leasebook.store.opening import Target
from leasebook.store.sqlite import store as sqlite

YEAR_HOURS: Final = 8760
FOUNDER: Final = {"LEASEBOOK_ROOT_ACCESS_KEY": ACCESS_KEY, "LEASEBOOK_ROOT_SECRET_KEY": SECRET_KEY}
UNITS: Final = 10_000
SHARE_AIM: Final = 0.05
"""The part of an archived month that may be left in the store."""


class Size(msgspec.Struct, frozen=True):
    """The size of the postings: rows, the bytes of the table and of its indexes, and those of the whole store."""

    rows: int
    table: int
    indexes: int
    store: int

    @property
    def each(self) -> float:
        """Bytes a posting, indexes included."""
        return (self.table + self.indexes) / self.rows


class Figures(msgspec.Struct, frozen=True):
    """The figures of a run."""

    hourly: Size
    archived: Size
    tidied: Size
    archive_s: float
    file_bytes: int
    rolled_up: int


def _month(now_us: int) -> tuple[Instant, Instant]:
    """Return the first moment of the last whole month in UTC, and that of the next one."""
    this = datetime.fromtimestamp(now_us / 1e6, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    last = (this - timedelta(days=1)).replace(day=1)
    return Instant(int(last.timestamp() * 1e6)), Instant(int(this.timestamp() * 1e6))


def fill(where: Target, units: int) -> tuple[int, Instant]:
    """Put instances into a store that ran for the last whole month; returns the postings, and the month's end."""
    with sink(where) as out:
        filler = Filler(out)
        hours, end = running_for_a_month(filler, units)
        filler.close()
    return units * hours, end


def running_for_a_month(filler: Filler, units: int) -> tuple[int, Instant]:
    """Add instances that ran for the last whole month; returns its hours, and its end."""
    begin, end = _month(filler.now)
    hours = (end - begin) // HOUR_US
    sales = [_running(filler, sale, begin) for sale in filler.pending(units)]
    filler.add(sales)
    # Hour by hour: the postings of an instance lie as far apart as they do in a store that lived that month.
    for hour in range(hours):
        at = Instant(begin + hour * HOUR_US)
        filler.post(
            [usage(unit, at, hour * 60, 60, filler.offerings[unit.offering].per_minute) for unit in map(_unit, sales)]
        )
    filler.post([_ahead(filler, sale.unit, hours * 60) for sale in sales])
    return hours, end


def _unit(sale: Sale) -> Instance:
    return sale.unit


def _running(filler: Filler, sale: Sale, begin: Instant) -> Sale:
    """Let an instance have run since an hour before the month, paid until its next charge."""
    unit = sale.unit
    since = Instant(begin - HOUR_US)
    minutes = minutes_started(since, unit.charge_at or since)
    changed = msgspec.structs.replace(
        unit,
        created_at=since,
        started_at=since,
        meter_from=since,
        metered_minutes=minutes,
        charged=Micro(minutes * filler.per_minute(unit)),
    )
    return Sale(changed, msgspec.structs.replace(sale.order, created_at=since))


def _ahead(filler: Filler, unit: Instance, first: int) -> Posting:
    """Charge all minutes from that one on until the next charge, which is far ahead so that none disturbs."""
    price = filler.offerings[unit.offering].per_minute
    return usage(unit, filler.now, first, unit.metered_minutes - first, price)


def tidy(where: Target) -> None:
    """Give back free space: VACUUM FULL of the table, or VACUUM of the file, while no server has the store open."""
    if where.url is None:
        connection = sqlite.connect(where.directory / sqlite.FILE)
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return
    with psycopg.connect(where.url, autocommit=True) as database:
        database.execute("VACUUM FULL posting_rows")


def size_of(where: Target) -> Size:
    """Measure the postings, and the store as a whole."""
    table, indexes = bytes_of(where, "posting_rows")
    if where.url is None:
        connection = sqlite.connect(where.directory / sqlite.FILE)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ((rows,),) = connection.execute("SELECT count(*) FROM posting_rows").fetchall()
        connection.close()
        return Size(int(rows), table, indexes, (where.directory / sqlite.FILE).stat().st_size)
    with psycopg.connect(where.url, autocommit=True) as database:
        found: Any = database.execute(
            "SELECT count(*), pg_database_size(current_database()) FROM posting_rows"
        ).fetchone()
    return Size(int(found[0]), table, indexes, int(found[1]))


def archive(where: Target, before: Instant, goal: Path) -> tuple[float, int]:
    """Run the command; returns the seconds that it took, and the bytes of its file."""
    text = datetime.fromtimestamp(before / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
    began = time.monotonic()
    done = subprocess.run(
        [*LEASEBOOK, "archive", *store_options(where), "--before", text, "--to", str(goal)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"leasebook archive failed:\n{done.stderr}")
    print(done.stdout.strip())
    return time.monotonic() - began, goal.stat().st_size


def prove(where: Target) -> None:
    """Have the books proved; raises RuntimeError where they are wrong."""
    server = Server("archived", LEASEBOOK, store_options(where), where.directory / "server.log")
    try:
        server.wait_until_ready()
        server.stop()
        print(server.check())
    finally:
        server.kill()


async def sum_costs(where: Target) -> None:
    """Have a server add the postings to the sums of costs, as it does while it runs: only then may they be archived."""
    async with running(load_settings(None, FOUNDER), where) as service:
        await service.costs.stop()
        await service.costs.catch_up()


def run(store: str, units: int, folder: Path) -> Figures:
    """Fill, measure, archive, measure."""
    with stores(store, folder, "month") as (where,):
        rows, end = fill(where, units)
        hourly = size_of(where)
        asyncio.run(sum_costs(where))
        seconds, file_bytes = archive(where, end, folder / "charges.jsonl.gz")
        archived = size_of(where)
        tidy(where)
        tidied = size_of(where)
        prove(where)
    return Figures(hourly, archived, tidied, seconds, file_bytes, rows)


def show(found: Figures, units: int) -> dict[str, float]:
    """Print what was measured, and what it means for a year; returns the figures."""
    hourly, tidied = found.hourly, found.tidied
    for name, size in (("hourly", hourly), ("archived", found.archived), ("archived and tidied", tidied)):
        print(
            f"{name:<20}{size.rows:>10,} postings: table {size.table / 2**20:,.1f} MiB, indexes "
            f"{size.indexes / 2**20:,.1f} MiB, {size.each:,.0f} bytes each; store {size.store / 2**20:,.1f} MiB"
        )
    rate = found.rolled_up / found.archive_s
    in_file = found.file_bytes / found.rolled_up
    print(f"archive: {found.archive_s:.1f} s, {rate:,.0f} postings/s; file {in_file:.1f} bytes a posting")
    year = UNITS * YEAR_HOURS
    naive, kept = year * hourly.each, UNITS * 12 * tidied.each
    month_s = year / 12 / rate
    print(f"a year of {UNITS:,} instances, {year / 1e6:.1f} M postings, reckoned from {units:,} instances and a month:")
    print(f"  hourly for ever: {naive / 2**30:.1f} GiB in the store")
    print(
        f"  archived every month: {kept / 2**20:.0f} MiB of a year past, up to {naive / 12 / 2**30:.2f} GiB of the "
        f"month that runs, {year * in_file / 2**30:.2f} GiB of files; {month_s / 60:.0f} minutes a month"
    )
    left = tidied.each * tidied.rows / (hourly.each * hourly.rows)
    aim("what is left of a month in the store", left, SHARE_AIM, at_most=True)
    return {
        "bytes per hourly posting": hourly.each,
        "share left": left,
        "archive postings/s": rate,
        "file bytes per posting": in_file,
        "year GiB naive": naive / 2**30,
        "year MiB archived": kept / 2**20,
        "year GiB files": year * in_file / 2**30,
    }


def _arguments() -> argparse.Namespace:
    parser = history.parser_of("history_size", __doc__)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--units", type=int, default=1_000, help="instances that ran for a month")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    given = _arguments()
    with history.running("history_size", given.json) as place:
        found = run(given.store, given.units, place.folder)
        figures = {f"{given.store} {name}": value for name, value in show(found, given.units).items()}
        place.record({"store": given.store, "units": given.units}, figures, msgspec.to_builtins(found))


if __name__ == "__main__":
    main()

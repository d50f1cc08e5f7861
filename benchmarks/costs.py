"""The question for costs: ``python -m benchmarks.costs [--store postgres]``.

A month of hourly charges is written, and asked for by type before a server has summed it: every posting is read then.
After that it is summed by the job of a server, and asked again. At last the sums of a year are written for an account
with many groups, as a million instances leave them there: their number depends on the groups and not on the instances.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks import history
from benchmarks.filling import aim, stores
from benchmarks.history_size import fill
from benchmarks.serving import ACCESS_KEY, SECRET_KEY
from benchmarks.sinks import bytes_of, sink
from leasebook.api.across import Meant
from leasebook.api.costs import EVERY_POSTING, AskedCosts, Found, look_at_costs
from leasebook.config.load import load_settings
from leasebook.domain.costs.periods import Granularity, end_of, start_of
from leasebook.domain.costs.rows import LEVELS, Alike, CostPeriod, Sums
from leasebook.domain.values.calendar import DAY_US, Instant, rfc3339
from leasebook.domain.values.rule_settings import Rules
from leasebook.ports.queries.costs import Span
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.server.composition import Service, running
from leasebook.store.opening import Target
from leasebook.store.rows.codec import CODECS

MILLION: Final = 1_000_000
MONTH_AIM_MS: Final = 50.0
"""A month by type, of a million instances, in processor time: other tenants of the machine do not lengthen it."""
YEAR_DAYS: Final = 366
ENVIRONMENT: Final = {"LEASEBOOK_ROOT_ACCESS_KEY": ACCESS_KEY, "LEASEBOOK_ROOT_SECRET_KEY": SECRET_KEY}


class Times(msgspec.Struct):
    """The times of a question in milliseconds: the median, the 99th percentile, and processor time of this process."""

    median: float
    late: float
    processor: float


class Figures(msgspec.Struct):
    """The figures of a run."""

    postings: int
    unsummed: Times
    summed: Times
    sum_us: float
    times: dict[str, Times] = {}
    sums_bytes: int = 0
    postings_bytes: int = 0


def question(
    account_id: str, since: Instant, until: Instant, group_by: tuple[str, ...], granularity: Granularity = "total"
) -> Callable[[ReadRepository], Found]:
    """Return the question for an account's costs in a span on UTC's clocks."""
    asked = AskedCosts(
        since=rfc3339(since, "UTC"),
        until=rfc3339(until, "UTC"),
        granularity=granularity,
        group_by=group_by,
        only={},
        forecast=False,
        now=until,
        rules=Rules(),
    )
    return lambda ask: look_at_costs(ask, Meant((account_id,), named=False), asked)


async def timed(service: Service, asked: Callable[[ReadRepository], Any], rounds: int) -> Times:
    """Ask some times."""
    taken: list[float] = []
    used = time.process_time()
    for _ in range(rounds):
        began = time.perf_counter()
        await service.store.read(asked, long=True)
        taken.append((time.perf_counter() - began) * 1000)
    used = (time.process_time() - used) / rounds * 1000
    taken.sort()
    return Times(taken[len(taken) // 2], taken[min(len(taken) - 1, len(taken) * 99 // 100)], used)


async def measure(where: Target, end: Instant, postings: int, rounds: int) -> Figures:
    """Ask for the month before and after it is summed."""
    async with running(load_settings(None, ENVIRONMENT), where) as service:
        await service.costs.stop()
        account = await biggest(service)
        month = question(account, start_of("Month", Instant(end - DAY_US), "Asia/Shanghai"), end, ("type",))
        # As if none were summed: every posting of the month is read.
        unsummed = await timed(service, lambda ask: ask.charges(Span(0, EVERY_POSTING), account), 3)
        left = await service.store.read(lambda ask: ask.posting_edge().last - ask.costs_summed())
        began = time.process_time()
        await service.costs.catch_up()
        sum_us = (time.process_time() - began) / max(1, left) * 1e6
        return Figures(postings, unsummed, await timed(service, month, rounds), sum_us)


async def biggest(service: Service) -> str:
    """Return the account with most charges."""
    found: list[tuple[Any, ...]] = await service.store.read(
        lambda ask: ask._fetch(  # type: ignore[attr-defined]  # noqa: SLF001 - no query returns it
            "SELECT account_id FROM postings GROUP BY account_id ORDER BY count(*) DESC LIMIT 1", ()
        )
    )
    return str(found[0][0])


def write_year(where: Target, account_id: str, groups: int, end: Instant) -> Instant:
    """Write the sums of a year in that many groups; returns when it begins."""
    alike = [
        Alike("Usage", "bj", f"gpu-{number % 7}", f"user-{number % 5}", None, None, f'{{"team":"t{number}"}}')
        for number in range(groups)
    ]
    rows = [one.group(account_id) for one in alike]
    begin = start_of("Month", Instant(end - YEAR_DAYS * DAY_US), "UTC")
    sums = {row.id: Sums(123_456_789_012 + place) for place, row in enumerate(rows)}
    by_name = {codec.name: codec for codec in CODECS.values()}
    with sink(where, tidy=False) as out:
        for name, found in (("cost_groups", rows), ("costs", list(_periods(account_id, begin, end, sums)))):
            codec = by_name[name]
            names = ", ".join(f'"{column}"' for column in codec.columns)
            out.insert(name, names, [codec.values(row) for row in found])
        out.commit()
    return begin


def _periods(account_id: str, begin: Instant, end: Instant, sums: dict[str, Sums]) -> Any:
    for level in LEVELS:
        at = begin
        while at < end:
            yield CostPeriod(account_id, level, at, sums)
            at = end_of(level, at, "UTC")


async def ask_year(where: Target, account_id: str, begin: Instant, rounds: int) -> dict[str, Times]:
    """Ask for parts of the year."""
    month, year = (Instant(end_of("Month", begin, "UTC")), begin)
    for _ in range(12):
        year = end_of("Month", year, "UTC")
    async with running(load_settings(None, ENVIRONMENT), where) as service:
        return {
            "a month by type": await timed(service, question(account_id, begin, month, ("type",)), rounds),
            "a month by day and team": await timed(
                service, question(account_id, begin, month, ("tag:team",), "day"), rounds
            ),
            "three days by hour and type": await timed(
                service, question(account_id, begin, Instant(begin + 3 * DAY_US), ("type",), "hour"), rounds
            ),
            "a year by month, team and user": await timed(
                service, question(account_id, begin, year, ("tag:team", "user"), "month"), rounds
            ),
        }


def run(store: str, units: int, groups: int, rounds: int, folder: Path) -> Figures:
    """Fill, ask, sum, ask."""
    account = "0" * 32
    with stores(store, folder, "costs") as (where,):
        postings, end = fill(where, units)
        found = asyncio.run(measure(where, end, postings, rounds))
        table, indexes = bytes_of(where, "posting_rows")
        found.postings_bytes = table + indexes
        before = sum(bytes_of(where, "costs"))
        with sink(where, tidy=False) as out:
            out.run(
                "INSERT INTO accounts (id, name, time_zone, balance, created_at) VALUES (?, 'big', 'UTC', 0, 0)",
                (account,),
            )
            out.commit()
        begin = write_year(where, account, groups, end)
        found.sums_bytes = sum(bytes_of(where, "costs")) - before
        found.times = asyncio.run(ask_year(where, account, begin, rounds))
    return found


def show(found: Figures, units: int, groups: int) -> dict[str, float]:
    """Print what was measured; returns the figures."""
    scale = MILLION / units
    print(f"a month of {units:,} instances, {found.postings:,} postings, by type:")
    before = found.unsummed.median
    print(f"  before they are summed: {before:,.0f} ms; reckoned for a million: {before * scale / 1000:,.0f} s")
    print(f"  after: {_written(found.summed)}; to sum a posting took {found.sum_us:.1f} us of processor time")
    year = found.postings_bytes * 12 * scale
    print(
        f"sums of a year in {groups} groups: {found.sums_bytes / 2**20:,.1f} MiB; the postings of a million instances "
        f"would take {year / 2**40:.1f} TiB"
    )
    for name, times in found.times.items():
        print(f"  {name:<32}{_written(times)}")
    aim("a month by type", found.times["a month by type"].processor, MONTH_AIM_MS, at_most=True, unit=" ms")
    return {
        "unsummed ms": before,
        "summed p99 ms": found.summed.late,
        "us per posting": found.sum_us,
        "year MiB": found.sums_bytes / 2**20,
        **{f"{name}: p99 ms": times.late for name, times in found.times.items()},
        **{f"{name}: processor ms": times.processor for name, times in found.times.items()},
    }


def _written(times: Times) -> str:
    return f"{times.median:8.2f} ms, p99 {times.late:8.2f} ms, processor {times.processor:7.2f} ms"


def _arguments() -> argparse.Namespace:
    parser = history.parser_of("costs", __doc__)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--units", type=int, default=300, help="instances that ran for a month")
    parser.add_argument("--groups", type=int, default=200, help="groups of the account with a year of sums")
    parser.add_argument("--rounds", type=int, default=200, help="times that each question is asked")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    given = _arguments()
    with history.running("costs", given.json) as place:
        found = run(given.store, given.units, given.groups, given.rounds, place.folder)
        figures = {f"{given.store} {name}": value for name, value in show(found, given.units, given.groups).items()}
        options = {name: getattr(given, name) for name in ("store", "units", "groups", "rounds")}
        place.record(options, figures, msgspec.to_builtins(found))


if __name__ == "__main__":
    main()

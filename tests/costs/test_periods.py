"""Hours, days and months on an account's clocks, and spans that are covered by them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from leasebook.domain.costs.periods import Granularity, Periods, cover, end_of, start_of
from leasebook.domain.costs.rows import LEVELS
from leasebook.domain.values.calendar import HOUR_US, Instant, next_full_hour, parse_time
from leasebook.store.costs.check import _start
from tests.copies import ROUNDS
from tests.depth import few

ZONES = (
    "Asia/Shanghai",
    "Europe/Berlin",
    "Asia/Kathmandu",
    # By half an hour, at midnight, and over the date line.
    "Australia/Lord_Howe",
    "America/Havana",
    "Africa/Cairo",
    "Asia/Beirut",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Antarctica/Troll",
)
GRANULARITIES: tuple[Granularity, ...] = ("hour", "day", "month", "total")


def moments(zone: str) -> list[Instant]:
    """Draw moments of many years, and some around each change of the clocks in three of them."""
    dice, rules = random.Random(zone), ZoneInfo(zone)  # noqa: S311 - no secret
    found = [Instant(dice.randrange(1_100_000_000, 2_050_000_000) * 10**6) for _ in range(few(20, 60) * ROUNDS)]
    for year in (2011, 2017, 2030):
        hours = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(hours=number) for number in range(366 * 24)]
        offsets = [hour.astimezone(rules).utcoffset() for hour in hours]
        for hour, before, after in zip(hours[1:], offsets, offsets[1:], strict=False):
            if before != after:
                around = (hour + timedelta(minutes=minutes) for minutes in (-91, -60, -31, -1, 0, 1, 29, 30, 61))
                found += [Instant(int(one.timestamp()) * 10**6) for one in around]
    return found


@pytest.mark.parametrize("zone", ZONES)
def test_every_moment_is_in_one_hour_of_one_day_of_one_month(zone: str) -> None:
    for at in moments(zone):
        hour, day, month = (start_of(level, at, zone) for level in LEVELS)
        assert month <= day <= hour <= at
        assert at < end_of("Hour", hour, zone) <= end_of("Day", day, zone) <= end_of("Month", month, zone)
        for level, since in zip(LEVELS, (hour, day, month), strict=True):
            until = end_of(level, since, zone)
            assert start_of(level, since, zone) == since
            assert start_of(level, Instant(until - 1), zone) == since
            assert start_of(level, until, zone) == until
        # A full hour on the clocks begins an hour.
        assert start_of("Hour", next_full_hour(at, zone), zone) == next_full_hour(at, zone)


@pytest.mark.parametrize("zone", ZONES)
def test_the_check_has_the_same_hours_days_and_months(zone: str) -> None:
    rules = ZoneInfo(zone)
    for at in moments(zone):
        for level in LEVELS:
            assert _start(at, rules, level) == start_of(level, at, zone), (level, at)


@pytest.mark.parametrize("zone", ZONES)
def test_a_span_is_covered_without_a_gap_by_periods_that_lie_in_those_of_the_answer(zone: str) -> None:
    dice = random.Random(zone)  # noqa: S311 - no secret
    for _ in range(few(2, 4) * ROUNDS):
        since = start_of("Hour", Instant(dice.randrange(10**15, 2 * 10**15)), zone)
        until = start_of("Hour", Instant(since + dice.choice([3, 40, 900, 2000]) * HOUR_US), zone)
        for granularity in GRANULARITIES:
            stretches = cover(since, until, granularity, zone)
            assert [stretches[0].since, *(one.until for one in stretches)] == [
                *(one.since for one in stretches),
                until,
            ]
            periods = Periods(since, until, granularity, zone)
            assert (periods.starts[0], periods.bounds(len(periods) - 1)[1]) == (since, until)
            for level, begin, _ in stretches:
                place = periods.place(begin)
                assert place is not None
                assert end_of(level, begin, zone) <= periods.bounds(place)[1]


def test_a_day_that_begins_within_an_hour_begins_an_hour_of_its_own() -> None:
    # In Nepal the first quarter of the year 1986 after midnight was skipped.
    change = parse_time("1985-12-31T18:30:00Z", "UTC")
    zone, quarter = "Asia/Kathmandu", HOUR_US // 4
    assert (
        start_of("Hour", Instant(change + quarter), zone) == start_of("Day", Instant(change + quarter), zone) == change
    )
    assert start_of("Hour", Instant(change - 1), zone) == change - HOUR_US
    assert end_of("Hour", Instant(change - HOUR_US), zone) == change
    assert end_of("Hour", change, zone) == change + 3 * quarter

"""Hours, days and months on an account's clocks. Hours lie in days, and days in months, whatever the clocks do."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from leasebook.domain.costs.rows import Level
from leasebook.domain.values.calendar import HOUR_US, Instant, from_datetime, next_full_hour, to_datetime, zone

Granularity = Literal["hour", "day", "month", "total"]
_USED: Final[dict[str, tuple[Level, ...]]] = {"hour": ("Hour",), "day": ("Day", "Hour")}
_LEVEL: Final[dict[str, Level]] = {"hour": "Hour", "day": "Day", "month": "Month"}


@lru_cache(maxsize=65536)
def start_of(level: Level, at: Instant, zone_name: str) -> Instant:
    """Return when the hour, day or month of a moment begins."""
    if level != "Hour":
        return _midnight(at, zone_name, first_of_month=level == "Month")
    # The clocks may have changed on the way, so the last full hour is looked for from one that is certainly earlier.
    hour = Instant(at - at % HOUR_US - 2 * HOUR_US)
    while (following := next_full_hour(hour, zone_name)) <= at:
        hour = following
    return max(hour, start_of("Day", at, zone_name))


@lru_cache(maxsize=65536)
def end_of(level: Level, since: Instant, zone_name: str) -> Instant:
    """Return when the period that begins at ``since`` ends, which is when the next one begins."""
    if level == "Hour":
        tomorrow = end_of("Day", start_of("Day", since, zone_name), zone_name)
        return min(next_full_hour(since, zone_name), tomorrow)
    today = to_datetime(since, zone_name).date()
    while True:
        # Some days do not exist: a zone that crossed the date line has skipped one.
        ahead = today.replace(day=28) + timedelta(days=4) if level == "Month" else today + timedelta(days=1)
        today = ahead.replace(day=1) if level == "Month" else ahead
        naive = to_datetime(since, zone_name).replace(
            year=today.year, month=today.month, day=today.day, hour=0, minute=0, second=0, microsecond=0, fold=0
        )
        found = from_datetime(naive.replace(tzinfo=zone(zone_name)))
        if found > since:
            return found


def _midnight(at: Instant, zone_name: str, *, first_of_month: bool) -> Instant:
    moment = to_datetime(at, zone_name).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return from_datetime(moment.replace(day=1) if first_of_month else moment)


def is_start(level: Level, at: Instant, zone_name: str) -> bool:
    """Whether an hour, day or month begins at a moment."""
    return start_of(level, at, zone_name) == at


class Stretch(NamedTuple):
    """Whole periods of one length, from ``since`` until before ``until``."""

    level: Level
    since: Instant
    until: Instant


def cover(since: Instant, until: Instant, granularity: Granularity, zone_name: str) -> list[Stretch]:
    """Cover a span between two full hours with whole periods, the longest that an answer by ``granularity`` can use."""
    levels = _USED.get(granularity, ("Month", "Day", "Hour"))
    return [stretch for stretch in _covered(since, until, levels, zone_name) if stretch.since < stretch.until]


def _covered(since: Instant, until: Instant, levels: tuple[Level, ...], zone_name: str) -> Iterator[Stretch]:
    level, *shorter = levels
    if not shorter:
        yield Stretch(level, since, until)
        return
    first = since if is_start(level, since, zone_name) else end_of(level, start_of(level, since, zone_name), zone_name)
    last = start_of(level, until, zone_name)
    if first >= last:
        yield from _covered(since, until, tuple(shorter), zone_name)
        return
    yield from _covered(since, first, tuple(shorter), zone_name)
    yield Stretch(level, first, last)
    yield from _covered(last, until, tuple(shorter), zone_name)


def count_max(since: Instant, until: Instant, granularity: Granularity) -> int:
    """Return a number of periods that a span has at most, without counting them."""
    hours = (until - since) // HOUR_US + 2
    return {"hour": 2 * hours, "day": hours // 23 + 2, "month": hours // 660 + 2}.get(granularity, 1)


class Periods:
    """The periods of an answer: a span, cut on an account's clocks."""

    def __init__(self, since: Instant, until: Instant, granularity: Granularity, zone_name: str) -> None:
        self.since: Final = since
        self.until: Final = until
        self.granularity: Final[Granularity] = granularity
        self.zone_name: Final = zone_name
        self.starts: Final = list(self._cut())

    def _cut(self) -> Iterator[Instant]:
        yield self.since
        level = _LEVEL.get(self.granularity)
        if level is None:
            return
        at = end_of(level, start_of(level, self.since, self.zone_name), self.zone_name)
        while at < self.until:
            yield at
            at = end_of(level, at, self.zone_name)

    def __len__(self) -> int:
        return len(self.starts)

    def place(self, at: Instant) -> int | None:
        """Return which period a moment is in; None: it is outside of the span."""
        if not self.since <= at < self.until:
            return None
        return bisect_right(self.starts, at) - 1

    def bounds(self, place: int) -> tuple[Instant, Instant]:
        """Return when a period begins and ends; the first and the last are cut to the span."""
        return self.starts[place], self.starts[place + 1] if place + 1 < len(self.starts) else self.until

    def whole_months(self) -> tuple[Instant, Instant]:
        """Return the part of the span that the sums of months answer; it is empty for shorter periods."""
        if self.granularity in ("month", "total"):
            for stretch in cover(self.since, self.until, self.granularity, self.zone_name):
                if stretch.level == "Month":
                    return stretch.since, stretch.until
        return self.since, self.since

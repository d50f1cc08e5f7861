"""The figures of the overview, from the answers of the API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from leasebook.console.frame.formats import amount, moment, urgency
from leasebook.console.pages.money import months
from leasebook.console.pages.units.listing import end_of
from leasebook.contract.nouns.instance import ComputeUnitInstance
from leasebook.contract.nouns.resource.unit_count import UnitCount

STUCK: Final = ("CreateFailed", "ReconfigureFailed", "Stopped", "Creating", "Releasing", "Reconfiguring")
"""Statuses in which a unit needs help, or waits for its engine."""
HOUR_S: Final = 3600
DAY_S: Final = 86_400
WEEK_S: Final = 7 * DAY_S
MONTH_S: Final = 30 * DAY_S
SCALE: Final = ((0, 0.0), (DAY_S, 45.0), (WEEK_S, 75.0), (MONTH_S, 98.0))
"""The timeline: by seconds from now, the place in percent. The near is drawn larger than the far."""
TICKS: Final = (0, 6 * HOUR_S, 12 * HOUR_S, DAY_S, 3 * DAY_S, WEEK_S, 14 * DAY_S, MONTH_S)
ROW_PX: Final = 22
TOP_PX: Final = 16
NEAR: Final = 2.2
"""Percent that a dot takes."""
ROWS_MAX: Final = 6


class Dot(NamedTuple):
    """A unit on the timeline: its place in percent from the left and in pixels from the top."""

    x: float
    y: int
    kind: str
    unit: ComputeUnitInstance
    end: str


class Bar(NamedTuple):
    """A bar of a chart, in percent of its whole."""

    x: float
    width: float
    height: float
    text: str


def month_of(now: datetime, zone: str) -> tuple[str, str]:
    """Return the first moments of this month and of the next on the account's clocks, as the API reads them."""
    month = months.month_of(now.astimezone(ZoneInfo(zone)))
    return months.first_day(month, zone), months.first_day(months.moved(month, 1), zone)


def soonest(units: Iterable[ComputeUnitInstance], now: datetime) -> list[tuple[str, ComputeUnitInstance]]:
    """Return the units that end within thirty days, the first one first, with their ends."""
    found = [(end, unit) for unit in units if (end := end_of(unit)) is not None and unit.status != "Released"]
    found = [(end, unit) for end, unit in found if (moment(end) - now).total_seconds() < MONTH_S]
    return sorted(found, key=lambda one: (moment(one[0]), one[1].instance_id))


def timeline(ends: Sequence[tuple[str, ComputeUnitInstance]], now: datetime) -> tuple[list[Dot], int]:
    """Place units on the timeline, those that come close together in rows; returns them and its height in pixels."""
    free_from: list[float] = []
    dots = []
    for end, unit in ends:
        x = round(place((moment(end) - now).total_seconds()), 2)
        row = next((number for number, taken in enumerate(free_from) if taken <= x), len(free_from))
        if row == len(free_from):
            if row == ROWS_MAX:
                row = ROWS_MAX - 1
            else:
                free_from.append(0.0)
        free_from[row] = x + NEAR
        dots.append(Dot(x, TOP_PX + row * ROW_PX, urgency(end, now), unit, end))
    return dots, TOP_PX + max(1, len(free_from)) * ROW_PX


def place(seconds: float) -> float:
    """Return where a time is on the timeline, in percent."""
    for (begin, left), (end, right) in pairwise(SCALE):
        if seconds < end:
            return left + (right - left) * max(0.0, seconds - begin) / (end - begin)
    return SCALE[-1][1]


def ticks() -> list[tuple[float, int]]:
    """Return the marks of the timeline: places in percent, and seconds from now."""
    return [(place(seconds), seconds) for seconds in TICKS]


def by_type(counts: Iterable[UnitCount]) -> list[tuple[str, int, int]]:
    """Return, by type, how many units are held and how many of these replicas use; the most first."""
    held: Counter[str] = Counter()
    used: Counter[str] = Counter()
    for one in counts:
        held[one.type] += one.compute_units
        used[one.type] += one.used_compute_units
    return [(kind, count, used[kind]) for kind, count in held.most_common()]


def by_project(counts: Iterable[UnitCount]) -> list[tuple[str, int]]:
    """Return, by project, how many units it has; the most first."""
    held: Counter[str] = Counter()
    for one in counts:
        held[one.project_id] += one.compute_units
    return held.most_common()


def days(rows: Sequence[Any], since: str, until: str, zone: str) -> list[Bar]:
    """Return a bar for each day of the month, as high as its charges; the highest has 100 percent."""
    first, last = (datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).date() for text in (since, until))
    count = (last - first).days
    most = max((Decimal(row.billed) for row in rows), default=Decimal(0))
    width = 100 / count
    bars = []
    for row in rows:
        date = moment(row.start_time).astimezone(ZoneInfo(zone)).date()
        day = (date - first).days
        high = float(Decimal(row.billed) / most * 100) if most > 0 else 0.0
        height = round(max(0.0, high), 2)
        text = f"{date}: {amount(row.billed)}"
        bars.append(Bar(round(day * width, 3), round(width * 0.8, 3), height, text))
    return bars


def share(part: str | Decimal, whole: str | Decimal) -> float:
    """Return a part in percent of a whole, at most 100."""
    total = Decimal(whole)
    if total <= 0:
        return 0.0
    percent = min(Decimal(100), max(Decimal(0), Decimal(part) / total * 100))
    return float(percent.quantize(Decimal("0.01")))

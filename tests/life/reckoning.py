"""The price of a life, reckoned independently: calendars from dateutil and zoneinfo, everything else in whole numbers.

Nothing here uses the service. Moments are microseconds since 1970 UTC, amounts are micro-units.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import groupby
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
QUARTER: Final = 15 * MINUTE
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Entry(NamedTuple):
    """A posting as it must be. ``amount`` is what leaves the wallet; what comes into it is negative."""

    at: int
    kind: str
    amount: int
    units: int | None = None
    minutes: int | None = None
    price: int | None = None
    since: int | None = None
    until: int | None = None


class Price(NamedTuple):
    """A price a unit and minute, from a moment on."""

    since: int
    price: int


class Size(NamedTuple):
    """A number of units, from a moment on."""

    since: int
    units: int


def moment(text: str, zone: str) -> int:
    """Read a local time, such as ``2030-01-31 10:00:00``, or one that ends with Z."""
    aware = datetime.fromisoformat(text)
    if aware.tzinfo is None:
        aware = aware.replace(tzinfo=ZoneInfo(zone))
    return (aware - _EPOCH) // timedelta(microseconds=1)


def months_after(text: str, months: int, zone: str) -> int:
    """Return the same local time a number of calendar months later, on the last day of a month that lacks the day."""
    local = datetime.fromisoformat(text) + relativedelta(months=months)
    return (local.replace(tzinfo=ZoneInfo(zone)) - _EPOCH) // timedelta(microseconds=1)


@cache
def full_hours(begin: int, end: int, zone: str) -> list[int]:
    """Return the moments after one and up to another at which the zone's clocks show a full hour.

    Every quarter of an hour is looked at: no zone's offset is a part of one.
    """
    first = begin // QUARTER + 1
    info = ZoneInfo(zone)
    return [
        at * QUARTER
        for at in range(first, end // QUARTER + 1)
        if (_EPOCH + timedelta(microseconds=at * QUARTER)).astimezone(info).minute == 0
    ]


class _Charge(NamedTuple):
    """A minute of a meter: when it is charged, for how many units, and which of the prices holds in it."""

    at: int
    growth: bool
    price: int
    units: int
    begin: int


def metered(
    begin: int, end: int, sizes: Sequence[Size], prices: Sequence[Price], zone: str, *, ends: bool = True
) -> list[Entry]:
    """Return the charges of a meter from one moment to another, minute by minute.

    A minute is charged when the first full hour, change of size or end comes after it has begun, and the units that the
    instance grows by within it when the first of these comes after that. Units that it has for no time at all do not
    count. Without ``ends`` the meter goes on: minutes not charged by then are left out.
    """
    turns = [size.since for size in sizes if begin < size.since < end]
    charged_at = sorted({*(at for at in full_hours(begin, end, zone) if at < end or not ends), *turns})
    if ends:
        charged_at.append(end)
    found = [*_minutes(begin, end, sizes, prices, charged_at)]
    # Growth within a minute that was charged before is charged first, and then the minutes since.
    found.sort(key=lambda charge: (charge.at, not charge.growth, charge.begin))
    entries = []
    for (at, _, which, units), group in groupby(found, key=lambda one: (one.at, one.growth, one.price, one.units)):
        same = list(group)
        price = prices[which].price
        if price:
            amount = units * len(same) * price
            entries.append(Entry(at, "Usage", amount, units, len(same), price, same[0].begin))
    return entries


def _minutes(
    begin: int, end: int, sizes: Sequence[Size], prices: Sequence[Price], charged_at: Sequence[int]
) -> Iterator[_Charge]:
    turns, grown = [price.since for price in prices], [size.since for size in sizes]
    for minute in range(begin, end, MINUTE):
        place = bisect_right(charged_at, minute)
        if place == len(charged_at):
            return
        which, now = bisect_right(turns, minute) - 1, bisect_right(grown, minute)
        most = sizes[now - 1].units
        yield _Charge(charged_at[place], growth=False, price=which, units=most, begin=minute)
        for (since, units), later in zip(sizes[now:], [*sizes[now + 1 :], None], strict=False):
            if since >= min(minute + MINUTE, end):
                break
            when = bisect_right(charged_at, since)
            if units > most and (later is None or later.since > since) and when < len(charged_at):
                yield _Charge(charged_at[when], growth=True, price=which, units=units - most, begin=minute)
                most = units


def rounded_up(numerator: int, denominator: int) -> int:
    """Divide, and round up."""
    return -(-numerator // denominator)


def total(entries: Sequence[Entry]) -> int:
    """Sum up what leaves the wallet."""
    return sum(entry.amount for entry in entries)

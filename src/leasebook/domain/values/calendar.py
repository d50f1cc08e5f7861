"""Instants, and the calendar arithmetic of leases and bills."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NewType
from zoneinfo import ZoneInfo, available_timezones

Instant = NewType("Instant", int)
"""A moment: microseconds since 1970-01-01T00:00:00Z."""

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
ZULU = "Z"
"""The zone name by which ``rfc3339`` writes UTC with ``Z``, as the samples of the documents have it."""
QUARTER_US = 15 * MINUTE_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_STANDARD = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}", re.ASCII)
_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(\.\d{1,9})?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


class BadTime(ValueError):
    """A text that names no instant; the message says why."""


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """Return the IANA time zone of that name; raises ZoneInfoNotFoundError or ValueError."""
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return the time zones that a setting or request may give: IANA names that mean the same on every machine.

    ``localtime`` and ``posixrules`` depend on the machine's administrator, ``Factory`` means that no zone was set, and
    the names below ``right/`` and ``posix/`` count leap seconds or are aliases (decision 31).
    """
    return frozenset(name for name in available_timezones() if _means_the_same(name))


def _means_the_same(name: str) -> bool:
    return name not in {"localtime", "posixrules", "Factory"} and not name.startswith(("right/", "posix/"))


def from_datetime(at: datetime) -> Instant:
    """Turn an aware datetime into an instant, exactly."""
    return Instant((at - _EPOCH) // _MICROSECOND)


def to_datetime(at: Instant, zone_name: str = "UTC") -> datetime:
    """Turn an instant into an aware datetime in that zone."""
    return (_EPOCH + timedelta(microseconds=at)).astimezone(zone(zone_name))


def parse_time(text: str, zone_name: str) -> Instant:
    """Parse RFC 3339, or ``YYYY-MM-DD HH:MM:SS`` in the given zone (decision 1).

    Raises BadTime for another form, for a date that does not exist, and for a local time that the zone skips. A local
    time that happens twice means the earlier one.
    """
    try:
        if _STANDARD.fullmatch(text):
            return _local(datetime.fromisoformat(text), zone_name)
        match = _RFC3339.fullmatch(text)
        if match is None:
            raise BadTime(  # noqa: TRY301
                f"{text[:64]!r} is neither RFC 3339 (2030-01-15T09:30:00+08:00) nor YYYY-MM-DD HH:MM:SS"
            )
        day, clock, fraction, offset = match.groups()
        micro = (fraction or ".0")[1:7].ljust(6, "0")
        return from_datetime(datetime.fromisoformat(f"{day}T{clock}.{micro}{offset.upper()}"))
    except BadTime:
        raise
    except (ValueError, OverflowError) as error:
        raise BadTime(f"{text[:64]!r} is no moment: {error}") from None


def _local(naive: datetime, zone_name: str) -> Instant:
    aware = naive.replace(tzinfo=zone(zone_name), fold=0)
    instant = from_datetime(aware.astimezone(UTC))
    # A skipped local time does not survive the round trip; a doubled one is read as the first (fold 0).
    if to_datetime(instant, zone_name).replace(tzinfo=None) != naive:
        raise BadTime(f"{naive} does not exist in {zone_name}: the clocks skip it")
    return instant


def rfc3339(at: Instant, zone_name: str) -> str:
    """Write an instant as RFC 3339 in that zone, with its offset; a fraction only where there is one.

    ``ZULU`` is UTC with ``Z`` for its offset.
    """
    quarter, rest = divmod(at, QUARTER_US)
    written = _quarter(quarter, zone_name)
    if written is None:
        return to_datetime(at, zone_name).isoformat()
    hour, first, offset = written
    second, fraction = divmod(rest, SECOND_US)
    if fraction:
        return f"{hour}{_CLOCK[first + second]}.{fraction:06}{offset}"
    return f"{hour}{_CLOCK[first + second]}{offset}"


_CLOCK = tuple(f"{minute:02}:{second:02}" for minute in range(60) for second in range(60))
"""Minutes and seconds as they are written, by the seconds since the full hour."""


@lru_cache(maxsize=65536)
def _quarter(number: int, zone_name: str) -> tuple[str, int, str] | None:
    """Return the text before the minutes, the seconds since the full hour, and the offset.

    They are of the beginning of a quarter of an hour, by its number since 1970 UTC.

    A long list formats hundreds of times, most of them close to each other, so quarters are cached. Returns None where
    the zone's clocks do not show this as a quarter of an hour, or change during it.
    """
    begin, name = Instant(number * QUARTER_US), "UTC" if zone_name == ZULU else zone_name
    first, last = to_datetime(begin, name), to_datetime(Instant(begin + QUARTER_US - 1), name)
    if first.utcoffset() != last.utcoffset() or first.minute % 15 or first.second:
        return None
    text = first.isoformat()
    return text[:14], first.minute * 60, ZULU if zone_name == ZULU else text[19:]


@lru_cache(maxsize=4096)
def add_months(anchor: Instant, months: int, zone_name: str) -> Instant:
    """Return the same day and local time that many calendar months after the anchor (decision 12).

    The last day of the month where that day does not exist: 31 January plus one month is 28 or 29
    February, plus two is 31 March. Count from the anchor every time: chained steps drift.
    """
    if months == 0:
        # Adding 0 months below could move the anchor: a local time that happens twice is read as the earlier one.
        return anchor
    first = to_datetime(anchor, zone_name)
    year, month0 = divmod(first.year * 12 + first.month - 1 + months, 12)
    day = min(first.day, calendar.monthrange(year, month0 + 1)[1])
    moved = first.replace(year=year, month=month0 + 1, day=day, fold=0)
    return from_datetime(moved.astimezone(UTC))


@lru_cache(maxsize=4096)
def next_full_hour(after: Instant, zone_name: str) -> Instant:
    """Return the first instant after the given one at which that zone's clocks show a full hour."""
    at = after
    while True:
        offset_us = _offset_us(at, zone_name)
        hour = Instant(((at + offset_us) // HOUR_US + 1) * HOUR_US - offset_us)
        if _offset_us(hour, zone_name) == offset_us:
            return hour
        # The clocks change on the way. If they change to a full hour, that is the result; otherwise go on from there.
        at = _change(at, hour, zone_name)
        if (at + _offset_us(at, zone_name)) % HOUR_US == 0:
            return at


def _change(before: Instant, after: Instant, zone_name: str) -> Instant:
    """Return the first instant of a new offset between two instants with different ones."""
    offset_us = _offset_us(before, zone_name)
    low, high = int(before), int(after)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_us(Instant(middle), zone_name) == offset_us:
            low = middle
        else:
            high = middle
    return Instant(high)


def _offset_us(at: Instant, zone_name: str) -> int:
    offset = to_datetime(at, zone_name).utcoffset()
    assert offset is not None  # noqa: S101 - every datetime here is aware
    return offset // _MICROSECOND

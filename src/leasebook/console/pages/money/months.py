"""Months as pages name them: ``2026-11``, on the account's clocks."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 9998


def month_of(now: datetime) -> str:
    """Return the month of a time in its zone."""
    return f"{now:%Y-%m}"


def moved(month: str, months: int) -> str:
    """Return the month that is a number of months later."""
    year, month0 = divmod(int(month[:4]) * 12 + int(month[5:]) - 1 + months, 12)
    return f"{year:04d}-{month0 + 1:02d}"


def first_day(month: str, zone: str) -> str:
    """Return the beginning of a month as requests name it: on the account's own clocks."""
    return beginning(date(int(month[:4]), int(month[5:]), 1), zone)


def period(month: str, zone: str) -> dict[str, str]:
    """Return a month as DescribeCosts takes it."""
    return {"from": first_day(month, zone), "to": first_day(moved(month, 1), zone)}


def tomorrow(now: datetime, zone: str) -> str:
    """Return the beginning of the day after a time in its zone, as requests name it."""
    return beginning(now.date() + timedelta(days=1), zone)


def beginning(day: date, zone: str) -> str:
    """Return the first moment of a day as requests name it: midnight, or where the clocks skip that what they show."""
    midnight = datetime.combine(day, time(), ZoneInfo(zone))
    return f"{midnight.astimezone(UTC).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"


def chosen(asked: str, now: datetime) -> str:
    """Return the month that a reader asked for; the current one where it is none."""
    if MONTH.fullmatch(asked) and FIRST_YEAR <= int(asked[:4]) <= LAST_YEAR:
        return asked
    return month_of(now)

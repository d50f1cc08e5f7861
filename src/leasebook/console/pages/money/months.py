"""Months as pages name them: ``2026-11``, on the account's clocks."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

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


def first_day(month: str) -> str:
    """Return the beginning of a month as requests name it: on the account's own clocks."""
    return f"{month}-01 00:00:00"


def tomorrow(now: datetime) -> str:
    """Return the beginning of the day after a time in its zone, as requests name it."""
    return f"{now + timedelta(days=1):%Y-%m-%d} 00:00:00"


def chosen(asked: str, now: datetime) -> str:
    """Return the month that a reader asked for; the current one where it is none."""
    if MONTH.fullmatch(asked) and FIRST_YEAR <= int(asked[:4]) <= LAST_YEAR:
        return asked
    return month_of(now)

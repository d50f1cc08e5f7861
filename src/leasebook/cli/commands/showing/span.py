"""Times for people: how long it is until then, and the date without what all rows share."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from leasebook.cli.commands.language import _

_DAY_S: Final = 86_400
_HOUR_S: Final = 3600
_MINUTE_S: Final = 60


def time_of_cell(value: object) -> datetime | None:
    """Return the time that a value is; None: it is none."""
    if not isinstance(value, str) or len(value) < len("2026-11-30T00:00:00Z") or value[10] != "T":
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def left_in_words(until: datetime, now: datetime) -> str:
    """Return how long it is until a time, in its two largest units."""
    seconds = round((until - now).total_seconds())
    span = _span(abs(seconds))
    return _("in {span}").format(span=span) if seconds >= 0 else _("{span} ago").format(span=span)


def _span(seconds: int) -> str:
    days, rest = divmod(seconds, _DAY_S)
    hours, rest = divmod(rest, _HOUR_S)
    minutes, rest = divmod(rest, _MINUTE_S)
    if days:
        return _("{days} d {hours} h").format(days=days, hours=hours) if hours else _("{days} d").format(days=days)
    if hours:
        if not minutes:
            return _("{hours} h").format(hours=hours)
        return _("{hours} h {minutes} min").format(hours=hours, minutes=minutes)
    if minutes:
        return _("{minutes} min").format(minutes=minutes)
    return _("{seconds} s").format(seconds=rest)


def short(at: datetime) -> str:
    """Return a time to the minute, without its zone: all rows are in the service's."""
    return f"{at:%Y-%m-%d %H:%M}"

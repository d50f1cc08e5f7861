"""Times and spans as people write them: ``8h``, ``1d12h``, ``tomorrow 18:00``, ``2026-12-01 18:00``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Final

import click

from leasebook.cli.commands.language import _

_UNITS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PIECE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)\s*")
_DAYS: Final = {"yesterday": -1, "today": 0, "tomorrow": 1, "昨天": -1, "今天": 0, "明天": 1}
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_MINUTES: Final = re.compile(r"\d{4}-\d{2}-\d{2} \d{1,2}:\d{2}")


def span_of(text: str) -> timedelta:
    """Return a span such as 8h, 90min, 1d12h or 2w. Raises BadParameter."""
    rest, seconds = text.strip().lower(), 0.0
    while rest:
        found = _PIECE.match(rest)
        if found is None:
            break
        seconds += float(found[1]) * _UNITS[found[2]]
        rest = rest[found.end() :]
    if rest or not seconds:
        raise click.BadParameter(
            _("{given} is no span of time; write one like 8h, 90min, 1d12h or 2w.").format(given=text)
        )
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise click.BadParameter(_("{given} is longer than any time can be.").format(given=text)) from None


def is_relative(text: str) -> bool:
    """Whether the present time must be known to say what a text means."""
    first = text.strip().lower().split(" ")[0]
    return first in _DAYS or first in _WEEKDAYS or first == "now" or first[:1] in "+-" or bool(_CLOCK.fullmatch(first))


def time_of(text: str, now: datetime | None) -> str:
    """Return a time as the service takes it.

    ``now`` is the service's present time, in the service's zone; it is needed where ``is_relative`` says so. A time
    with a date is passed on: without a zone it is in the service's. Raises BadParameter.
    """
    given = text.strip()
    if not is_relative(given):
        if given[:1].isalpha():
            raise _no_time(text, given)
        if _DATE.fullmatch(given):
            return f"{given} 00:00:00"
        return f"{given}:00" if _MINUTES.fullmatch(given) else given
    if now is None:
        raise click.BadParameter(_("{given} needs the service's time, which is not known.").format(given=text))
    return _relative(given, now)


def _relative(text: str, now: datetime) -> str:
    lower = text.lower()
    if lower == "now":
        return now.isoformat()
    if lower[0] in "+-":
        try:
            span = span_of(lower[1:])
            return (now + span if lower[0] == "+" else now - span).replace(microsecond=0).isoformat()
        except OverflowError:
            raise click.BadParameter(_("{given} is longer than any time can be.").format(given=text)) from None
    first, _space, rest = lower.partition(" ")
    day = now
    if first in _DAYS:
        day = now + timedelta(days=_DAYS[first])
    elif first in _WEEKDAYS:
        day = now + timedelta(days=(_WEEKDAYS.index(first) - now.weekday() - 1) % 7 + 1)
    else:
        rest = lower
    found = _CLOCK.fullmatch(rest.strip() or "00:00")
    try:
        if found is not None:
            hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
            # Without an offset: the service's zone may have another one on that day.
            return f"{day.replace(hour=hour, minute=minute, second=second):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        pass
    raise _no_time(text, lower)


def _no_time(text: str, given: str) -> click.BadParameter:
    """Return the error for a text that is no time, with the day that was probably meant."""
    days = [*_DAYS, *_WEEKDAYS, "now"]
    first = given.lower().partition(" ")[0]
    near = [] if first in days else get_close_matches(first, days, n=1)
    why = _("{given} is no time; write one like 'tomorrow 18:00', 18:00, +8h or 2026-12-01 18:00.").format(given=text)
    return click.BadParameter(why + (_(" Do you mean {name}?").format(name=near[0]) if near else ""))

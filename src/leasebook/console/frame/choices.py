"""Quick choices of a release time, in the account's zone, and the time that a form's fields mean."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from leasebook.console.frame.words import marked

EVENING: Final = 22
MORNING: Final = 9
FRIDAY: Final = 4
CLOSE: Final = 18
CHOICES: Final[dict[str, str]] = {
    "2h": marked("In 2 hours"),
    "8h": marked("In 8 hours"),
    "tonight": marked("At 22:00"),
    "tomorrow": marked("Tomorrow at 9:00"),
    "week": marked("Friday at 18:00"),
}
"""The quick choices, in the order in which forms show them."""
HOURS: Final = {"2h": 2, "8h": 8, "24h": 24}


class BadChoice(ValueError):
    """The fields name no time."""


def meant(choice: str, typed: str, zone: str, now: datetime) -> str | None:
    """Return the release time that a form means, in RFC 3339 with the account's offset; None: none.

    ``choice`` is a quick one, ``at`` for the ``typed`` time on the account's clocks, or ``none``. Raises BadChoice.
    """
    if choice in ("", "none"):
        return None
    local = now.astimezone(ZoneInfo(zone))
    if choice in HOURS:
        return (now + timedelta(hours=HOURS[choice])).astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")
    if choice == "at":
        try:
            at = datetime.fromisoformat(typed)
        except ValueError:
            raise BadChoice(typed) from None
        return (at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(zone))).isoformat()
    if choice == "tonight":
        return _next(local, local.weekday(), EVENING)
    if choice == "tomorrow":
        return _next(local + timedelta(days=1), None, MORNING, after=local)
    if choice == "week":
        return _next(local, FRIDAY, CLOSE)
    raise BadChoice(choice)


def later(present: str | None, hours: int, now: datetime, shown: str = "") -> str:
    """Return a release time that is some hours after the present one, or after now where there is none.

    ``shown`` is the one that the reader's page had: it counts, so that a form that is sent twice means the same. A time
    that another user has set meanwhile is never brought forward.
    """
    if present is None:
        return (now + timedelta(hours=hours)).isoformat()
    before = datetime.fromisoformat(present)
    with suppress(ValueError, OverflowError):
        counted = datetime.fromisoformat(shown)
        at = max(now, counted) + timedelta(hours=hours) if counted.tzinfo is not None else before
        return at.isoformat() if at >= before else present
    return (max(now, before) + timedelta(hours=hours)).isoformat()


def _next(day: datetime, weekday: int | None, hour: int, after: datetime | None = None) -> str:
    """Return the next moment with that weekday and hour; a day later where it has passed and any weekday will do."""
    at = day.replace(hour=hour, minute=0, second=0, microsecond=0)
    if weekday is not None:
        at += timedelta(days=(weekday - at.weekday()) % 7)
    while at <= (after or day):
        at += timedelta(days=7 if weekday == FRIDAY and hour == CLOSE else 1)
    return at.isoformat()

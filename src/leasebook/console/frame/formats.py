"""Times and amounts as pages show them. Amounts are never rounded, and each time is there in full."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from leasebook.domain.values.calendar import Instant, to_datetime

TIME: Final = re.compile(r"(?<!')(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d))")
"""A time in a sentence, unless it is quoted: then a caller gave it."""
USER_ID: Final = re.compile(r" ?\([0-9a-f]{32}\)|（[0-9a-f]{32}）")  # noqa: RUF001 - Chinese
"""The id of a user behind the name."""
FIELD: Final = re.compile(r" param\[[\w.\[\]*-]{1,128}\]$")
NONE: Final = Markup('<span class="none">\N{EN DASH}</span>')
"""A page shows this where there is no value."""


def moment(at: Instant | str | datetime) -> datetime:
    """Return a time as the API's results have it, or an instant, with its zone."""
    if isinstance(at, datetime):
        return at
    if isinstance(at, str):
        return datetime.fromisoformat(at)
    return to_datetime(at, "UTC")


def here(at: Instant | str | datetime, zone: str) -> datetime:
    """Return a time on the clocks of a zone."""
    return moment(at).astimezone(ZoneInfo(zone))


def in_zone(at: Instant | str | datetime, zone: str) -> str:
    """Write a time in a zone, to the minute, or to the second where it has seconds."""
    local = here(at, zone)
    has_seconds = local.second or local.microsecond
    return f"{local:%Y-%m-%d %H:%M:%S}" if has_seconds else f"{local:%Y-%m-%d %H:%M}"


def typed_in_zone(value: str, zone: str) -> str:
    """Return a time as a field for times has it: on the zone's clocks, to the minute.

    A text that is no time, or has no offset because it was typed into a field, is returned unchanged.
    """
    try:
        at = datetime.fromisoformat(value)
        return value if at.tzinfo is None else f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}"
    except (ValueError, OverflowError):
        return value


def time_tag(at: Instant | str | datetime | None, zone: str) -> Markup:
    """Write a time for a page, in the account's zone; the script shows the reader's own, with the account's beside.

    Parts of a second are in its title, which has the time in full.
    """
    if at is None or at == "":
        return NONE
    utc = moment(at).astimezone(UTC)
    exact = utc.isoformat().replace("+00:00", "Z")
    return Markup('<time datetime="{}" data-zone="{}" title="{}">{}</time>').format(
        exact, zone, exact, in_zone(at, zone)
    )


def sentence(text: str, zone: str) -> Markup:
    """Write a sentence of an answer for a page: its times as those of pages, without what only programs read.

    That are the ids of users behind their names, and the field of a request at the end.
    """
    parts = TIME.split(FIELD.sub("", USER_ID.sub("", text)))
    return Markup("").join(_shown(part, zone) if place % 2 else part for place, part in enumerate(parts))


def _shown(at: str, zone: str) -> Markup | str:
    try:
        return time_tag(at, zone)
    except (OverflowError, ValueError):
        return at


def left_tag(at: Instant | str | datetime | None, now: Instant | datetime, text: str) -> Markup:
    """Write how long it is until then; the script counts it down. ``text`` is the same in words."""
    if at is None or at == "":
        return NONE
    utc = moment(at).astimezone(UTC)
    return Markup('<span class="left {}" data-left="{}">{}</span>').format(
        urgency(at, now), utc.isoformat().replace("+00:00", "Z"), text
    )


def urgency(at: Instant | str | datetime, now: Instant | datetime) -> str:
    """Return the class that colours a time by how soon it comes: ``now``, ``soon``, ``day``, ``week`` or ``later``."""
    seconds = (moment(at) - moment(now)).total_seconds()
    for name, bound in (("now", 3600), ("soon", 6 * 3600), ("day", 86_400), ("week", 7 * 86_400)):
        if seconds < bound:
            return name
    return "later"


def amount(value: Decimal | str | None) -> str:
    """Write an amount with its thousands apart, and with every decimal place that it has, two at least."""
    if value is None:
        return "\N{EN DASH}"
    exact = Decimal(value)
    places = max(2, -int(exact.as_tuple().exponent))
    whole = f"{exact:,.{places}f}"
    kept = whole.rstrip("0")
    missing = 2 - len(kept.partition(".")[2])
    return kept + "0" * max(0, missing)


def count(value: Decimal | int) -> str:
    """Write how many there are, with the thousands apart."""
    return f"{value:,.0f}"

"""Metering by the minute: a started minute counts, once (decision 11)."""

from __future__ import annotations

from leasehold.domain.calendar import MINUTE_US, Instant


def minutes_started(start: Instant, until: Instant) -> int:
    """Count the minutes from start that have begun before ``until``.

    Cut at any moments, the parts of an interval add up to the whole: a minute belongs to the part in
    which it begins.
    """
    return max(0, -((start - until) // MINUTE_US))

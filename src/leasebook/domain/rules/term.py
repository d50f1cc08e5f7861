"""Terms: calendar months from an anchor, paid in advance (decisions 12, 13 and 15)."""

from __future__ import annotations

from fractions import Fraction
from hashlib import sha256
from math import ceil
from typing import Final, NamedTuple

from leasebook.domain.model.instance import Instance
from leasebook.domain.values.calendar import DAY_US, SECOND_US, Instant, add_months, from_datetime, to_datetime, zone
from leasebook.domain.values.money import Micro

RENEWAL_DAYS: Final = (7, 3, 1, 0)
"""Days before the end of a term at which a renewal is tried; a day is 24 hours (decision 13)."""
DAYS_MAX: Final = 31
"""Days of the longest month. In every month a day costs one thirty-first of the month's price (decision 26)."""
TERM_MONTHS_MAX: Final = 1200
"""Upper bound of a term: a hundred years suffice, and dates some thousands of years ahead cannot be written."""


class Term(NamedTuple):
    """A term of ``months`` calendar months after ``anchor``, which ends at ``expires_at``."""

    anchor: Instant
    months: int
    expires_at: Instant


def term_of(anchor: Instant, months: int, zone_name: str) -> Term:
    """Return the term of that many months from its first day (decision 12)."""
    return Term(anchor, months, add_months(anchor, months, zone_name))


def term_to_day(term: Term, day: int, zone_name: str, *, later: bool) -> Term:
    """Return the term extended to the next time that a month has that day, at the same time of day.

    In a month without that day it ends on the last one. With ``later`` the new end must be after the old one.
    """
    first = to_datetime(term.anchor, zone_name)
    # January has 31 days, so any day can be the anchor.
    naive = first.replace(month=1, day=day, fold=0, tzinfo=None)
    anchor = from_datetime(naive.replace(tzinfo=zone(zone_name)))
    months = first.month - 1 + term.months
    while True:
        found = term_of(anchor, months, zone_name)
        if found.expires_at > term.expires_at or (not later and found.expires_at == term.expires_at):
            return found
        months += 1


def months_between(before: Term, after: Term, zone_name: str) -> Fraction:
    """Count the months from the end of one term to the end of another (decision 26).

    Each end has a position: its month, and one thirty-first of a month for each day before its own, even if the month
    is too short for that day. The months between two ends therefore do not depend on the steps between them, and a
    whole month counts as one, independent of its day and length.
    """
    return _place(after, zone_name) - _place(before, zone_name)


def _place(term: Term, zone_name: str) -> Fraction:
    first = to_datetime(term.anchor, zone_name)
    return first.year * 12 + first.month - 1 + term.months + Fraction(first.day - 1, DAYS_MAX)


def is_too_long(unit: Instance, term: Term, zone_name: str) -> bool:
    """Whether an instance's term would exceed the longest one allowed, counted from its first day (decision 32).

    The months of ``term`` are no measure: a term that was moved to another day counts from a new anchor.
    """
    begun = unit.term_from
    return begun is not None and term.expires_at > add_months(begun, TERM_MONTHS_MAX, zone_name)


def months_of(unit: Instance, zone_name: str) -> Fraction:
    """Count the months of a prepaid instance's term, renewals included, from its first day to its end."""
    assert unit.term_from is not None  # noqa: S101 - a prepaid instance that runs has a term
    return months_between(Term(unit.term_from, 0, unit.term_from), own_term(unit), zone_name)


def next_try(expires_at: Instant, now: Instant) -> Instant | None:
    """Return when the renewal of a term is tried next; None if no attempt is left before its end."""
    for days in RENEWAL_DAYS:
        at = Instant(expires_at - days * DAY_US)
        if at > now:
            return at
    return None


def next_late_try(expires_at: Instant, retire_at: Instant, now: Instant) -> Instant | None:
    """Return the next attempt to renew a term that is over: every 24 hours until the release, then None."""
    at = Instant(expires_at + ((now - expires_at) // DAY_US + 1) * DAY_US)
    return at if at < retire_at else None


def price_of_months(count: int, per_month: Micro, months: Fraction) -> Micro:
    """Return the price of ``count`` units for that many months in micro-units, rounded up once."""
    return Micro(ceil(count * per_month * months))


def price_of_rest(unit: Instance, added: int, per_month: Micro, zone_name: str, now: Instant) -> Micro:
    """Return the price of more units for the rest of a term: pro rata by the second, rounded up (decision 15)."""
    term, since = own_term(unit), unit.term_from
    assert since is not None  # noqa: S101 - a prepaid instance that runs has a term
    full_s = Fraction(term.expires_at - since, SECOND_US)
    # If the work runs late, the term may be over and the instance not yet stopped.
    rest_s = max(0, -((now - term.expires_at) // SECOND_US))
    return Micro(ceil(added * per_month * months_of(unit, zone_name) * rest_s / full_s))


def own_term(unit: Instance) -> Term:
    """Return an instance's term."""
    assert unit.term_anchor is not None and unit.expires_at is not None  # noqa: S101, PT018 - it has one
    return Term(unit.term_anchor, unit.term_months, unit.expires_at)


def length_of(unit: Instance, zone_name: str) -> int:
    """Return the months of a prepaid instance's term; a part of a month after a renewal to another day counts as one.

    The zone is the account's, in which terms are counted: in another zone a term may begin on one day of the month and
    end on another.
    """
    return unit.term_months if unit.term_from is None else ceil(months_of(unit, zone_name))


def renewal_order(unit: Instance) -> str:
    """Return the order id of an automatic renewal: derived from the instance and its term, since rules have no dice."""
    return sha256(f"renewal {unit.id} {unit.expires_at}".encode()).hexdigest()[:32]

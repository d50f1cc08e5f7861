"""Terms: what is paid in advance, by calendar months from an anchor (decisions 12, 13 and 15)."""

from __future__ import annotations

from fractions import Fraction
from hashlib import sha256
from math import ceil
from typing import Final, NamedTuple

from leasebook.domain.model.instance import Instance
from leasebook.domain.values.calendar import DAY_US, SECOND_US, Instant, add_months, from_datetime, to_datetime, zone
from leasebook.domain.values.money import Micro

RENEWAL_DAYS: Final = (7, 3, 1, 0)
"""So many times 24 hours before the end of a term a renewal is tried (decision 13)."""
DAYS_MAX: Final = 31
"""Days of the longest month. A day's part of a month's price is one part of so many, in every month (decision 26)."""
TERM_MONTHS_MAX: Final = 1200
"""A hundred years ahead are enough; dates beyond some thousands cannot be written."""


class Term(NamedTuple):
    """``months`` calendar months after ``anchor`` it ends."""

    anchor: Instant
    months: int
    expires_at: Instant


def term_of(anchor: Instant, months: int, zone_name: str) -> Term:
    """Return the term of so many months from its first day (decision 12)."""
    return Term(anchor, months, add_months(anchor, months, zone_name))


def term_to_day(term: Term, day: int, zone_name: str, *, later: bool) -> Term:
    """Return the term that ends on that day of a month instead, at the same time of day: the next one there is.

    In a month without that day it ends on the last. With ``later`` it ends at least a moment later than it did.
    """
    first = to_datetime(term.anchor, zone_name)
    # January has every day, so that it can be the anchor whatever the day.
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

    Each end has its place: its month, and so many thirty-first parts of it as days come before its day. A day that its
    month does not have has its place all the same. So the months between two ends do not depend on the way from one to
    the other, and a whole month is one, whatever its day and its length.
    """
    return _place(after, zone_name) - _place(before, zone_name)


def _place(term: Term, zone_name: str) -> Fraction:
    first = to_datetime(term.anchor, zone_name)
    return first.year * 12 + first.month - 1 + term.months + Fraction(first.day - 1, DAYS_MAX)


def is_too_long(unit: Instance, term: Term, zone_name: str) -> bool:
    """Whether an instance's term would be longer than any is, counted from its first day (decision 32).

    A term that ends on another day of the month counts its own months anew.
    """
    begun = unit.term_from
    return begun is not None and term.expires_at > add_months(begun, TERM_MONTHS_MAX, zone_name)


def months_of(unit: Instance, zone_name: str) -> Fraction:
    """Count the months of a prepaid instance's term, renewals included, from its first day to its end."""
    assert unit.term_from is not None  # noqa: S101 - a prepaid instance that runs has a term
    return months_between(Term(unit.term_from, 0, unit.term_from), own_term(unit), zone_name)


def next_try(expires_at: Instant, now: Instant) -> Instant | None:
    """Return when the renewal of a term is tried next; None: there is no more time for it."""
    for days in RENEWAL_DAYS:
        at = Instant(expires_at - days * DAY_US)
        if at > now:
            return at
    return None


def next_late_try(expires_at: Instant, retire_at: Instant, now: Instant) -> Instant | None:
    """Return when the renewal of a term that is over is tried next, every 24 hours until the instance is released."""
    at = Instant(expires_at + ((now - expires_at) // DAY_US + 1) * DAY_US)
    return at if at < retire_at else None


def price_of_months(count: int, per_month: Micro, months: Fraction) -> Micro:
    """Price so many units for so many months, rounded up once."""
    return Micro(ceil(count * per_month * months))


def price_of_rest(unit: Instance, added: int, per_month: Micro, zone_name: str, now: Instant) -> Micro:
    """Price more units for the rest of a term: pro rata by the second over the full term, rounded up (decision 15)."""
    term, since = own_term(unit), unit.term_from
    assert since is not None  # noqa: S101 - a prepaid instance that runs has a term
    full_s = Fraction(term.expires_at - since, SECOND_US)
    # Where the work runs late, a term may be over that has not been ended yet.
    rest_s = max(0, -((now - term.expires_at) // SECOND_US))
    return Micro(ceil(added * per_month * months_of(unit, zone_name) * rest_s / full_s))


def own_term(unit: Instance) -> Term:
    """Return an instance's term."""
    assert unit.term_anchor is not None and unit.expires_at is not None  # noqa: S101, PT018 - it has one
    return Term(unit.term_anchor, unit.term_months, unit.expires_at)


def length_of(unit: Instance, zone_name: str) -> int:
    """Count the months of a prepaid instance's term; where it was renewed to a day, a part of a month counts as one.

    The zone is the account's, in which terms are counted: on other clocks a term may begin on one day of the month and
    end on another.
    """
    return unit.term_months if unit.term_from is None else ceil(months_of(unit, zone_name))


def renewal_order(unit: Instance) -> str:
    """Name the order of an automatic renewal: always the same for the same term, since nobody throws dice for it."""
    return sha256(f"renewal {unit.id} {unit.expires_at}".encode()).hexdigest()[:32]

"""Terms, worked out with python-dateutil: when one ends, how many months it has, and its price."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil
from typing import NamedTuple
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000


def local(at: int, zone: str) -> datetime:
    """A moment on the clocks of a zone."""
    return (EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(zone))


def moment(shown: datetime, zone: str) -> int:
    """When clocks show that first."""
    aware = shown.replace(tzinfo=ZoneInfo(zone), fold=0)
    return (aware.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


class OwnTerm(NamedTuple):
    """Parts of a month each that begin on one day of the month, at one time of day; the last of them ends it.

    ``first`` is that time on the first day of the month in which it begins.
    """

    zone: str
    first: datetime
    day: int
    months: int
    began: int | None
    """The very moment of its beginning, where it was not renewed to another day."""

    def at(self, months: int) -> int:
        """The time a number of months after its beginning."""
        if months == 0 and self.began is not None:
            # Clocks that are set back show this time twice; it is what it was.
            return self.began
        return moment(self.first + relativedelta(months=months, day=self.day), self.zone)

    @property
    def ends(self) -> int:
        """Its last moment."""
        return self.at(self.months)


def begun(at: int, months: int, zone: str) -> OwnTerm:
    """A term that begins now."""
    shown = local(at, zone).replace(tzinfo=None)
    return OwnTerm(zone, shown.replace(day=1), shown.day, months, at)


def renewed(term: OwnTerm, months: int, day: int | None) -> OwnTerm:
    """A term that is longer by whole months, and then by the rest until a day of a month."""
    longer = term._replace(months=term.months + months)
    if day is None:
        return longer
    shown = longer.first + relativedelta(months=longer.months, day=longer.day)
    found = shown + relativedelta(day=day)
    if found < shown or (found == shown and not months):
        found = shown + relativedelta(months=1, day=day)
    return OwnTerm(term.zone, found.replace(day=1), day, 0, None)


def place(term: OwnTerm) -> Fraction:
    """Where the end of a term lies among all months: a day is a thirty-first of its month, whether it has it or not."""
    month = term.first + relativedelta(months=term.months)
    return month.year * 12 + month.month + Fraction(term.day, 31)


def months_between(term: OwnTerm, longer: OwnTerm) -> Fraction:
    """How many months there are from the end of a term to another one's."""
    return place(longer) - place(term)


def months_of(term: OwnTerm, since: int) -> Fraction:
    """How many months a term has that began at a moment."""
    return months_between(begun(since, 0, term.zone), term)


def whole_price(count: int, price: int, months: Fraction) -> int:
    """The price of a number of units for a number of months."""
    return ceil(count * price * months)


def rest_price(term: OwnTerm, since: int, now: int, added: int, price: int) -> int:
    """The price of more units for the rest of a term: a part of the whole, by the second."""
    rest_s, full_s = -(-(term.ends - now) // SECOND), Fraction(term.ends - since, SECOND)
    return ceil(added * price * months_of(term, since) * max(0, rest_s) / full_s)

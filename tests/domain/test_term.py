"""Terms: when they end, what a part of one costs, and when a renewal is tried."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.model.instance import Instance
from leasebook.domain.rules.term import (
    Term,
    length_of,
    months_between,
    next_try,
    own_term,
    price_of_months,
    price_of_rest,
    renewal_order,
    term_of,
    term_to_day,
)
from leasebook.domain.values.calendar import DAY_US, HOUR_US, SECOND_US, Instant, add_months, from_datetime, to_datetime
from leasebook.domain.values.money import Micro

ZONES = ("Asia/Shanghai", "UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe")
ZONE = "Asia/Shanghai"


def at(text: str, zone: str = ZONE) -> Instant:
    """A moment on the clocks of a zone."""
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


def text(moment: Instant, zone: str = ZONE) -> str:
    return to_datetime(moment, zone).strftime("%Y-%m-%d %H:%M")


anchors = st.datetimes(datetime(2024, 1, 1), datetime(2032, 12, 31)).map(  # noqa: DTZ001 - a zone comes with it
    lambda moment: from_datetime(moment.replace(tzinfo=UTC))
)
zones = st.sampled_from(ZONES)
lengths = st.integers(1, 24)
parts = st.fractions(0, 1)


def between(since: int, until: int, part: Fraction) -> Instant:
    return Instant(since + int((until - since) * part))


# Months

MONTHS = [
    # Two ends, each as an anchor and the months after it: months between.
    (("2030-01-15", 0), ("2030-01-15", 1), Fraction(1)),
    (("2030-01-15", 0), ("2030-01-15", 0), Fraction(0)),
    (("2030-01-15", 0), ("2030-01-15", 3), Fraction(3)),
    # A whole month is one, however long it is.
    (("2030-01-31", 0), ("2030-01-31", 1), Fraction(1)),
    (("2030-01-31", 1), ("2030-01-31", 2), Fraction(1)),
    (("2032-02-28", 0), ("2032-02-28", 1), Fraction(1)),
    # A day is a thirty-first, in a long month and in a short one.
    (("2030-01-15", 0), ("2030-01-30", 0), Fraction(15, 31)),
    (("2030-02-01", 0), ("2030-02-15", 0), Fraction(14, 31)),
    (("2030-04-30", 0), ("2030-05-01", 0), Fraction(2, 31)),  # the last day is taken for the one that is missing
    (("2030-02-28", 0), ("2030-03-01", 0), Fraction(4, 31)),
    (("2030-01-31", 1), ("2030-03-01", 0), Fraction(1, 31)),  # on 28 February, too, as the thirty-first
    # From 28 January to 1 March and from 28 February to 31 March, as they were reported.
    (("2030-01-28", 0), ("2030-03-01", 0), 1 + Fraction(4, 31)),
    (("2030-02-28", 0), ("2030-03-31", 0), 1 + Fraction(3, 31)),
]


@pytest.mark.parametrize(("before", "after", "expected"), MONTHS)
def test_months_are_counted_from_the_day_of_one_end_to_the_day_of_another(
    before: tuple[str, int], after: tuple[str, int], expected: Fraction
) -> None:
    begin, end = (term_of(at(f"{day} 09:30"), months, ZONE) for day, months in (before, after))
    assert months_between(begin, end, ZONE) == expected


@given(anchors, st.integers(0, 30), st.integers(0, 30), zones)
def test_whole_months_are_whole_numbers(anchor: Instant, first: int, second: int, zone: str) -> None:
    begin, end = (term_of(anchor, months, zone) for months in (first, second))
    assert months_between(begin, end, zone) == second - first


@given(anchors, st.lists(st.tuples(st.integers(0, 24), st.integers(1, 31)), min_size=2, max_size=6), zones)
def test_the_parts_of_an_interval_add_up_to_the_whole_exactly(
    anchor: Instant, cuts: list[tuple[int, int]], zone: str
) -> None:
    ends = [term_to_day(term_of(anchor, months, zone), day, zone, later=True) for months, day in cuts]
    ends.sort(key=lambda term: (term.expires_at, months_between(term_of(anchor, 0, zone), term, zone)))
    pieces = [months_between(earlier, later, zone) for earlier, later in pairwise(ends)]
    assert all(piece >= 0 for piece in pieces), "the later the dearer"
    assert sum(pieces) == months_between(ends[0], ends[-1], zone)


def test_a_term_that_was_renewed_to_a_day_keeps_its_time_of_day_where_the_clocks_skip_it() -> None:
    # On 31 March 2030 the clocks of Berlin skip the hour after two.
    zone = "Europe/Berlin"
    term = term_of(at("2030-01-31 02:30", zone), 2, zone)
    assert text(term.expires_at, zone) == "2030-03-31 03:30"
    assert text(term_to_day(term, 10, zone, later=True).expires_at, zone) == "2030-04-10 02:30"


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("day", ["2030-07-15 00:30", "2030-07-15 01:30", "2030-01-15 23:30"])
def test_a_term_counts_its_months_on_the_accounts_clocks(day: str, zone: str) -> None:
    since = at(day, zone)
    term = term_of(since, 1, zone)
    unit = prepaid(since, 1, zone)
    assert length_of(unit, zone) == 1
    # Renewed by a month, and to the day on which it ends then: two months, summer time or not.
    longer = term_to_day(term_of(term.anchor, 2, zone), 15, zone, later=False)
    unit = prepaid(since, 1, zone, term_anchor=longer.anchor, term_months=longer.months, expires_at=longer.expires_at)
    assert length_of(unit, zone) == 2
    # A part of a month counts as one.
    longer = term_to_day(longer, 16, zone, later=True)
    unit = prepaid(since, 1, zone, term_anchor=longer.anchor, term_months=longer.months, expires_at=longer.expires_at)
    assert length_of(unit, zone) == 3


# To a day of a month

TO_DAY = [
    # Ends, day, ends then where it must be later, and where it may stay.
    ("2030-01-15 09:30", 20, "2030-01-20 09:30", "2030-01-20 09:30"),
    ("2030-01-15 09:30", 15, "2030-02-15 09:30", "2030-01-15 09:30"),
    ("2030-01-15 09:30", 10, "2030-02-10 09:30", "2030-02-10 09:30"),
    ("2030-01-15 09:30", 31, "2030-01-31 09:30", "2030-01-31 09:30"),
    # A month without that day: its last.
    ("2030-02-10 09:30", 31, "2030-02-28 09:30", "2030-02-28 09:30"),
    ("2030-02-28 09:30", 31, "2030-03-31 09:30", "2030-02-28 09:30"),
    ("2030-02-28 09:30", 29, "2030-03-29 09:30", "2030-02-28 09:30"),
    ("2032-02-28 09:30", 29, "2032-02-29 09:30", "2032-02-29 09:30"),
    ("2032-02-28 09:30", 30, "2032-02-29 09:30", "2032-02-29 09:30"),
    ("2032-02-29 09:30", 30, "2032-03-30 09:30", "2032-02-29 09:30"),
    ("2030-04-30 09:30", 31, "2030-05-31 09:30", "2030-04-30 09:30"),
    ("2030-01-31 23:59", 30, "2030-02-28 23:59", "2030-02-28 23:59"),
    ("2030-12-31 00:00", 1, "2031-01-01 00:00", "2031-01-01 00:00"),
    ("2030-12-05 00:00", 4, "2031-01-04 00:00", "2031-01-04 00:00"),
]


@pytest.mark.parametrize(("ends", "day", "later", "stays"), TO_DAY)
def test_a_term_is_moved_to_the_next_such_day_at_the_same_time_of_day(
    ends: str, day: int, later: str, stays: str
) -> None:
    term = term_of(add_months(at(ends), -1, ZONE), 1, ZONE)
    if term.expires_at != at(ends):
        # No whole month ends there: the term does so all the same, after an earlier one to a day.
        term = Term(at(ends), 0, at(ends))
    assert text(term_to_day(term, day, ZONE, later=True).expires_at) == later
    assert text(term_to_day(term, day, ZONE, later=False).expires_at) == stays


@given(anchors, lengths, st.integers(1, 31), zones)
def test_a_term_to_a_day_ends_on_it_within_a_month_or_on_the_last_of_a_shorter_one(
    anchor: Instant, months: int, day: int, zone: str
) -> None:
    term = term_of(anchor, months, zone)
    moved = term_to_day(term, day, zone, later=True)
    assert term.expires_at < moved.expires_at <= term.expires_at + 31 * DAY_US + 2 * HOUR_US
    ends = to_datetime(moved.expires_at, zone)
    tomorrow = to_datetime(Instant(moved.expires_at + DAY_US), zone)
    assert ends.day == day or (ends.day < day and tomorrow.month != ends.month)
    # It is a term like any other: a number of months after its anchor, and each later month ends on that day too.
    assert term_of(moved.anchor, moved.months, zone) == moved
    for more in range(1, 13):
        longer = to_datetime(term_of(moved.anchor, moved.months + more, zone).expires_at, zone)
        assert longer.day == day or longer.day in (28, 29, 30)


@given(anchors, lengths, st.integers(1, 31), zones)
def test_to_the_day_on_which_it_ends_anyway_a_term_may_stay(anchor: Instant, months: int, day: int, zone: str) -> None:
    moved = term_to_day(term_of(anchor, months, zone), day, zone, later=True)
    assert term_to_day(moved, day, zone, later=False).expires_at == moved.expires_at
    again = term_to_day(moved, day, zone, later=True)
    assert months_between(moved, again, zone) == 1


# Renewals


def test_a_renewal_is_tried_seven_three_and_one_days_before_the_end_and_at_the_end() -> None:
    ends = at("2030-06-30 12:00")
    tries = []
    now: Instant | None = Instant(ends - 100 * DAY_US)
    while now is not None:
        now = next_try(ends, now)
        tries.append(now)
    assert tries == [ends - 7 * DAY_US, ends - 3 * DAY_US, ends - DAY_US, ends, None]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (7 * DAY_US + 1, 7),
        (7 * DAY_US, 3),
        (3 * DAY_US + 1, 3),
        (3 * DAY_US, 1),
        (DAY_US + 1, 1),
        (DAY_US, 0),
        (1, 0),
        (0, None),
        (-1, None),
    ],
)
def test_the_next_try_is_the_first_that_is_still_to_come(before: int, expected: int | None) -> None:
    ends = at("2030-06-30 12:00")
    found = next_try(ends, Instant(ends - before))
    assert found == (None if expected is None else ends - expected * DAY_US)


def test_the_order_of_a_renewal_is_the_same_for_the_same_term_and_another_for_another() -> None:
    unit = prepaid(at("2030-01-15 09:30"), 1)
    assert renewal_order(unit) == renewal_order(prepaid(at("2030-01-15 09:30"), 1))
    assert len({renewal_order(row) for row in (unit, prepaid(at("2030-01-15 09:30"), 2))}) == 2
    assert len(renewal_order(unit)) == 32


# Prices


def prepaid(since: Instant, months: int, zone: str = ZONE, **changed: Any) -> Instance:
    term = term_of(since, months, zone)
    facts: dict[str, Any] = {
        "id": "unit-1",
        "account_id": "acc-1",
        "created_by": "user-1",
        "order_id": "order-1",
        "service_id": None,
        "region": "bj",
        "type": "gpu-1",
        "count": 2,
        "payment_timing": "Prepaid",
        "status": "Running",
        "created_at": since,
        "started_at": since,
        "term_months": term.months,
        "term_from": since,
        "term_anchor": term.anchor,
        "expires_at": term.expires_at,
    }
    return Instance(**(facts | changed))


@pytest.mark.parametrize(
    ("count", "per_month", "months", "price"),
    [
        (1, 100, Fraction(1), 100),
        (3, 100, Fraction(2), 600),
        (1, 100, Fraction(1, 3), 34),
        (3, 100, Fraction(1, 3), 100),
        (1, 1, Fraction(1, 1000), 1),
        (1, 100, Fraction(0), 0),
        (1, 0, Fraction(5), 0),
    ],
)
def test_months_are_priced_all_at_once_and_rounded_up_once(
    count: int, per_month: int, months: Fraction, price: int
) -> None:
    assert price_of_months(count, Micro(per_month), months) == price


RESTS = [
    # Months of the term, moment, units more: price of them at 3,000,000 a month.
    (1, "2030-01-15 09:30:00", 1, 3_000_000),
    (1, "2030-01-15 09:30:01", 1, 2_999_999),  # a second of 31 days is gone: 1.12 micro-units
    (1, "2030-01-30 21:30:00", 1, 1_500_000),
    (1, "2030-01-30 21:30:00", 3, 4_500_000),
    (1, "2030-02-15 09:29:59", 1, 2),
    (1, "2030-02-15 09:30:00", 1, 0),
    # Over the full term: the months are not priced one by one. 30 of 59 days are left.
    (2, "2030-02-13 09:30:00", 1, 3_050_848),
]


@pytest.mark.parametrize(("months", "moment", "added", "price"), RESTS)
def test_more_units_cost_the_rest_of_the_term_by_the_second(months: int, moment: str, added: int, price: int) -> None:
    unit = prepaid(at("2030-01-15 09:30"), months)
    assert price_of_rest(unit, added, Micro(3_000_000), ZONE, at(moment)) == price


def test_a_second_that_has_begun_is_used() -> None:
    unit = prepaid(at("2030-01-15 09:30"), 1)
    ends = at("2030-02-15 09:30")

    def price(before_us: int) -> int:
        return price_of_rest(unit, 1, Micro(31 * 86_400_000_000), ZONE, Instant(ends - before_us))

    # 1,000,000 a second: a part of one is paid for whole.
    assert [price(left) for left in (0, 1, SECOND_US - 1, SECOND_US, SECOND_US + 1)] == [
        0,
        1_000_000,
        1_000_000,
        1_000_000,
        2_000_000,
    ]


unit_prices = st.integers(0, 10**12).map(Micro)


@given(anchors, lengths, st.lists(st.integers(1, 9), min_size=1, max_size=5), unit_prices, parts, zones)
def test_units_that_are_added_one_after_another_cost_as_much_as_together_but_for_the_rounding(
    since: Instant, months: int, added: list[int], per_month: Micro, part: Fraction, zone: str
) -> None:
    unit = prepaid(since, months, zone)
    now = between(since, own_term(unit).expires_at, part)
    together = price_of_rest(unit, sum(added), per_month, zone, now)
    apart = sum(price_of_rest(unit, count, per_month, zone, now) for count in added)
    assert together <= apart < together + len(added)


@given(anchors, lengths, st.integers(1, 9), unit_prices, st.lists(parts, min_size=2, max_size=6), zones)
def test_the_later_the_cheaper_and_from_the_first_moment_it_is_the_whole_price(
    since: Instant, months: int, added: int, per_month: Micro, cuts: list[Fraction], zone: str
) -> None:
    unit = prepaid(since, months, zone)
    ends = own_term(unit).expires_at
    moments = [since, *sorted(between(since, ends, cut) for cut in cuts), ends]
    found = [price_of_rest(unit, added, per_month, zone, moment) for moment in moments]
    assert found == sorted(found, reverse=True)
    assert found[-1] == 0
    # A term of a part of a second does not occur, but one that begins or ends within a second does.
    assert (
        added * months * per_month
        <= found[0]
        <= added * months * per_month * (1 + Fraction(SECOND_US, ends - since)) + 1
    )


@given(anchors, lengths, lengths, st.integers(1, 9), unit_prices, parts, zones)
def test_units_that_come_before_a_renewal_cost_no_less_than_ones_that_come_after_it(
    since: Instant, months: int, more: int, added: int, per_month: Micro, part: Fraction, zone: str
) -> None:
    now = between(since, own_term(prepaid(since, months, zone)).expires_at, part)
    short, long = prepaid(since, months, zone), prepaid(since, months + more, zone)
    assert price_of_rest(short, added, per_month, zone, now) <= price_of_rest(long, added, per_month, zone, now)

"""Statements: postings in lines, without a micro-unit more or less."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.record.ledger import PREPAID_REVENUE, USAGE_REVENUE, Posting, wallet
from leasebook.domain.rules.statement import Line, lines_of, month_of
from leasebook.domain.values.calendar import MINUTE_US, Instant, to_datetime
from leasebook.domain.values.money import Micro

START = 1_893_456_000_000_000
OWN = wallet("acc-1")


def usage(first: int, minutes: int, count: int = 2, price: int = 10) -> Posting:
    return Posting(
        account_id="acc-1",
        at=Instant(START + (first + minutes) * MINUTE_US),
        kind="Usage",
        debit=OWN,
        credit=USAGE_REVENUE,
        amount=Micro(minutes * count * price),
        unit_id="unit-1",
        minutes=minutes,
        count=count,
        price=Micro(price),
        since=Instant(START + first * MINUTE_US),
    )


def term(kind: str, first: int, until: int, amount: int) -> Posting:
    return Posting(
        account_id="acc-1",
        at=Instant(START + first * MINUTE_US),
        kind=kind,  # type: ignore[arg-type]
        debit=OWN,
        credit=PREPAID_REVENUE,
        amount=Micro(amount),
        order_id="order-1",
        unit_id="unit-1",
        count=2,
        price=Micro(300),
        since=Instant(START + first * MINUTE_US),
        until=Instant(START + until * MINUTE_US),
    )


def refund(amount: int) -> Posting:
    return Posting("acc-1", Instant(START), "Refund", PREPAID_REVENUE, OWN, Micro(amount), unit_id="unit-1")


def old(minutes: int, amount: int) -> Posting:
    """A charge as the first version wrote it: without a beginning, a number of units or a price."""
    return Posting(
        "acc-1", Instant(START), "Usage", OWN, USAGE_REVENUE, Micro(amount), unit_id="unit-1", minutes=minutes
    )


def shown(lines: list[Line]) -> list[tuple[str, int | None, int | None, int | None, int]]:
    """Kind, from and to in minutes after the start, minutes, amount."""
    return [
        (
            line.kind,
            None if line.since is None else (line.since - START) // MINUTE_US,
            None if line.until is None else (line.until - START) // MINUTE_US,
            line.minutes,
            line.amount,
        )
        for line in lines
    ]


TABLE = [
    ([], []),
    ([usage(0, 60)], [("Usage", 0, 60, 60, 1200)]),
    # Hour by hour at one price: one line.
    ([usage(0, 60), usage(60, 60), usage(120, 1)], [("Usage", 0, 121, 121, 2420)]),
    # Another price, another number of units, a gap: another line.
    ([usage(0, 60), usage(60, 60, price=11)], [("Usage", 0, 60, 60, 1200), ("Usage", 60, 120, 60, 1320)]),
    ([usage(0, 60), usage(60, 60, count=3)], [("Usage", 0, 60, 60, 1200), ("Usage", 60, 120, 60, 1800)]),
    ([usage(0, 60), usage(61, 59)], [("Usage", 0, 60, 60, 1200), ("Usage", 61, 120, 59, 1180)]),
    # Units that came in the middle of a minute are added to it: the same minute once more.
    (
        [usage(0, 5), usage(4, 1, count=1), usage(5, 5, count=3)],
        [("Usage", 0, 5, 5, 100), ("Usage", 4, 5, 1, 10), ("Usage", 5, 10, 5, 150)],
    ),
    # Terms are never put together: each has an order of its own.
    (
        [term("Purchase", 0, 100, 600), term("Renewal", 100, 200, 600)],
        [("Purchase", 0, 100, None, 600), ("Renewal", 100, 200, None, 600)],
    ),
    (
        [usage(0, 60), term("Conversion", 60, 100, 600), usage(100, 60)],
        [("Usage", 0, 60, 60, 1200), ("Conversion", 60, 100, None, 600), ("Usage", 100, 160, 60, 1200)],
    ),
    # A refund takes away.
    (
        [term("Purchase", 0, 100, 600), refund(600)],
        [("Purchase", 0, 100, None, 600), ("Refund", None, None, None, -600)],
    ),
    # Charges without a beginning cannot be said to follow each other.
    (
        [old(60, 5), old(60, 5), usage(0, 1)],
        [("Usage", None, None, 60, 5), ("Usage", None, None, 60, 5), ("Usage", 0, 1, 1, 20)],
    ),
]


@pytest.mark.parametrize(("postings", "expected"), TABLE)
def test_charges_that_follow_each_other_at_one_price_are_one_line(postings: list[Posting], expected: list[Any]) -> None:
    assert shown(list(lines_of(postings))) == expected


def test_a_line_says_what_was_paid_for_and_by_which_order() -> None:
    (line,) = lines_of([term("Renewal", 0, 100, 600)])
    assert (line.count, line.price, line.order_id) == (2, 300, "order-1")


pieces = st.lists(
    st.one_of(
        st.tuples(st.just("Usage"), st.integers(0, 2), st.integers(1, 90), st.integers(1, 3), st.integers(1, 3)),
        st.tuples(st.sampled_from(["Purchase", "Renewal", "Resize", "Conversion"]), st.integers(1, 10**9)),
        st.tuples(st.just("Refund"), st.integers(1, 10**9)),
        st.tuples(st.just("old"), st.integers(1, 60), st.integers(1, 10**9)),
    ),
    max_size=30,
)


def history(made: list[Any]) -> list[Posting]:
    postings, minute = [], 0
    for piece in made:
        match piece:
            case ("Usage", gap, minutes, count, price):
                postings.append(usage(minute + gap, minutes, count, price))
                minute += gap + minutes
            case ("Refund", amount):
                postings.append(refund(amount))
            case ("old", minutes, amount):
                postings.append(old(minutes, amount))
            case (kind, amount):
                postings.append(term(kind, minute, minute + 10, amount))
    return postings


@given(pieces)
def test_the_lines_sum_up_to_the_postings(made: list[Any]) -> None:
    postings = history(made)
    lines = list(lines_of(postings))
    assert sum(line.amount for line in lines) == -sum(posting.effect_on(OWN) for posting in postings)
    assert sum(line.minutes or 0 for line in lines) == sum(posting.minutes or 0 for posting in postings)
    for kind in {posting.kind for posting in postings}:
        of_lines = sum(line.amount for line in lines if line.kind == kind)
        assert of_lines == -sum(posting.effect_on(OWN) for posting in postings if posting.kind == kind)


@given(pieces)
def test_a_line_of_use_costs_what_it_says_and_no_two_that_follow_could_be_one(made: list[Any]) -> None:
    lines = list(lines_of(history(made)))
    for line in lines:
        if line.kind == "Usage" and line.price is not None:
            assert line.since is not None
            assert line.until == line.since + (line.minutes or 0) * MINUTE_US
            assert line.amount == (line.minutes or 0) * (line.count or 0) * line.price
    for earlier, later in pairwise(lines):
        if earlier.kind == later.kind == "Usage" and earlier.until is not None:
            ends = (earlier.until, earlier.count, earlier.price)
            assert ends != (later.since, later.count, later.price)


# Months


@pytest.mark.parametrize(
    ("year", "month", "zone", "begins", "ends"),
    [
        (2030, 1, "UTC", "2030-01-01T00:00", "2030-02-01T00:00"),
        (2030, 12, "UTC", "2030-12-01T00:00", "2031-01-01T00:00"),
        (2032, 2, "Asia/Shanghai", "2032-01-31T16:00", "2032-02-29T16:00"),
        # The clocks are changed on the last Sunday: an hour less, an hour more.
        (2030, 3, "Europe/Berlin", "2030-02-28T23:00", "2030-03-31T22:00"),
        (2030, 10, "Europe/Berlin", "2030-09-30T22:00", "2030-10-31T23:00"),
        # The clocks skipped the first hour of October.
        (2023, 10, "America/Asuncion", "2023-10-01T04:00", "2023-11-01T03:00"),
    ],
)
def test_a_month_begins_and_ends_on_the_accounts_clocks(
    year: int, month: int, zone: str, begins: str, ends: str
) -> None:
    found = [to_datetime(moment).replace(tzinfo=UTC) for moment in month_of(year, month, zone)]
    assert found == [datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in (begins, ends)]


@given(st.integers(1970, 8999), st.integers(1, 12), st.sampled_from(["UTC", "Asia/Shanghai", "America/St_Johns"]))
def test_months_follow_each_other_without_a_gap(year: int, month: int, zone: str) -> None:
    following = (year, month + 1) if month < 12 else (year + 1, 1)
    assert month_of(year, month, zone)[1] == month_of(*following, zone)[0]

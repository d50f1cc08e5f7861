"""Metering: a started minute counts, once, for the most units that were held in it."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNTS, INSTANCES, PRICES
from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.offering import PriceChange, PriceList
from leasebook.domain.rules.metering import charge_usage, minutes_started
from leasebook.domain.values.calendar import MINUTE_US, SECOND_US, Instant
from leasebook.domain.values.money import Micro

START = Instant(1_893_456_017_250_000)

spans = st.one_of(
    st.integers(-10 * MINUTE_US, 500 * MINUTE_US),
    st.builds(lambda minutes, beside: minutes * MINUTE_US + beside, st.integers(0, 500), st.sampled_from((-1, 0, 1))),
)

COUNTED = [
    (-1, 0),
    (0, 0),
    (1, 1),
    (SECOND_US, 1),
    (MINUTE_US - 1, 1),
    (MINUTE_US, 1),
    (MINUTE_US + 1, 2),
    (90 * MINUTE_US + 30 * SECOND_US, 91),
    (60 * 24 * MINUTE_US, 1440),
]


@pytest.mark.parametrize(("span", "minutes"), COUNTED)
def test_a_started_minute_counts(span: int, minutes: int) -> None:
    assert minutes_started(START, Instant(START + span)) == minutes


@given(spans)
def test_the_minutes_are_those_that_began_before_the_end(span: int) -> None:
    minutes = minutes_started(START, Instant(START + span))
    begun = [minute for minute in range(502) if START + minute * MINUTE_US < START + span]
    assert minutes == len(begun)


@given(spans, st.lists(spans, max_size=8))
def test_cut_at_any_moments_the_parts_add_up_to_the_whole(span: int, cuts: list[int]) -> None:
    edges = [0, *sorted(min(max(cut, 0), max(span, 0)) for cut in cuts), max(span, 0)]
    counted = [minutes_started(START, Instant(START + edge)) for edge in edges]
    parts = [later - earlier for earlier, later in pairwise(counted)]
    assert all(part >= 0 for part in parts)
    assert sum(parts) == minutes_started(START, Instant(START + span))


# Growing and shrinking while it is metered

PRICE = 500_000


class Step(NamedTuple):
    """At a moment after the start it has that many units; None: it is charged then, and stays as it is."""

    after: int
    units: int | None


def play(first: int, steps: list[Step], end: int, prices: PriceList | None = None) -> tuple[Draft, Instance]:
    """Meter an instance through these steps, and charge it at its end."""
    unit = Instance(
        id="unit-1",
        account_id="acc-1",
        created_by="user-1",
        order_id="order-1",
        service_id=None,
        region="bj",
        type="gpu-1",
        count=first,
        payment_timing="Postpaid",
        status="Running",
        created_at=START,
        started_at=START,
        meter_from=START,
    )
    book = Book()
    book.load(INSTANCES, ("unit-1",), unit)
    book.load(ACCOUNTS, ("acc-1",), Account("acc-1", "one", "UTC", Micro(0), START))
    book.load(PRICES, ("bj", "gpu-1"), prices or PriceList("bj", "gpu-1", (PriceChange(START, Micro(PRICE)),)))
    draft = Draft(book)
    for step in steps:
        at = Instant(START + step.after)
        unit = charge_usage(draft, unit, at)
        if step.units is not None:
            unit = msgspec.structs.replace(unit, count=step.units, sized_at=at)
    return draft, charge_usage(draft, unit, Instant(START + end))


def peaks(first: int, steps: list[Step], end: int) -> list[int]:
    """The most units that were held in each minute, found as a person would: minute by minute."""
    sizes = [Step(0, first), *(step for step in steps if step.units is not None)]
    stays = [(step.after, later.after, step.units or 0) for step, later in pairwise([*sizes, Step(end, None)])]
    found = []
    for begin in range(0, end, MINUTE_US):
        ended = begin + MINUTE_US
        # A size for no time at all does not count, wherever in a minute that is.
        held = [count for since, until, count in stays if since < ended and until > max(since, begin)]
        found.append(max(held))
    return found


def charged_by_minute(draft: Draft) -> Counter[int]:
    """How many units were charged for each minute, whatever the number of postings."""
    found: Counter[int] = Counter()
    for posting in draft.postings:
        assert posting.since is not None
        assert posting.minutes is not None
        assert posting.count is not None
        first = (posting.since - START) // MINUTE_US
        for minute in range(first, first + posting.minutes):
            found[minute] += posting.count
    return found


S, M = SECOND_US, MINUTE_US
# Units at first, then each later number and its time; the end; the charge, in units times minutes.
GROWN = [
    (2, [], 90 * S, 4),
    # Up in the middle of a minute: it counts for all of it.
    (2, [Step(30 * S, 5)], M, 5),
    (2, [Step(1, 5)], M, 5),
    (2, [Step(M - 1, 5)], M, 5),
    # At the very moment at which the next minute begins: for the next one only.
    (2, [Step(M, 5)], M, 2),
    (2, [Step(M, 5)], M + 1, 7),
    (2, [Step(0, 5)], M, 5),
    # Down: what has begun is paid for.
    (5, [Step(30 * S, 2)], M, 5),
    (5, [Step(30 * S, 2)], 2 * M, 7),
    (5, [Step(M, 2)], 2 * M, 7),
    (5, [Step(M + 1, 2)], 2 * M, 10),
    # Up and down again within a minute: once, for the most.
    (2, [Step(10 * S, 5), Step(20 * S, 2)], M, 5),
    (2, [Step(10 * S, 5), Step(20 * S, 2), Step(30 * S, 5), Step(40 * S, 2)], M, 5),
    (2, [Step(10 * S, 5), Step(20 * S, 2), Step(30 * S, 6)], M, 6),
    (2, [Step(10 * S, 5), Step(20 * S, 2), Step(30 * S, 4)], M, 5),
    (2, [Step(10 * S, 3), Step(20 * S, 4), Step(30 * S, 5)], 2 * M, 10),
    (5, [Step(10 * S, 2), Step(20 * S, 5)], 2 * M, 10),
    # At once up and down: units that are reserved for no time are not paid for, in a minute or between two of them.
    (2, [Step(10 * S, 5), Step(10 * S, 2)], M, 2),
    (2, [Step(10 * S, 5), Step(10 * S, 3)], M, 3),
    (2, [Step(10 * S, 5), Step(10 * S, 2), Step(20 * S, 4), Step(20 * S, 9)], 20 * S, 2),
    (2, [Step(0, 5), Step(0, 2)], M, 2),
    (2, [Step(30 * S, 5)], 30 * S, 2),
    (2, [Step(M, 5), Step(M, 2)], 2 * M, 4),
    # Charged in between: that changes nothing.
    (2, [Step(10 * S, None), Step(20 * S, 5), Step(30 * S, None), Step(40 * S, 2)], M, 5),
    (2, [Step(M, None), Step(M, 5)], 2 * M, 7),
    (2, [Step(M + 1, None), Step(M + 2, 5)], 2 * M, 7),
]


@pytest.mark.parametrize(("first", "steps", "end", "unit_minutes"), GROWN)
def test_what_grows_or_shrinks_pays_a_minute_once_for_its_most(
    first: int, steps: list[Step], end: int, unit_minutes: int
) -> None:
    draft, unit = play(first, steps, end)
    assert sum(posting.amount for posting in draft.postings) == unit_minutes * PRICE
    assert unit.charged == unit_minutes * PRICE
    assert sum(peaks(first, steps, end)) == unit_minutes, "the table agrees with the oracle"


offsets = st.one_of(
    st.integers(0, 5 * MINUTE_US),
    st.builds(
        lambda minutes, beside: max(0, minutes * MINUTE_US + beside), st.integers(0, 5), st.sampled_from((-1, 0, 0, 1))
    ),
)
histories = st.lists(st.builds(Step, offsets, st.one_of(st.none(), st.integers(1, 9))), max_size=12).map(
    lambda steps: sorted(steps, key=lambda step: step.after)
)
tariffs = st.lists(st.tuples(offsets, st.integers(0, 1000)), max_size=4).map(
    lambda changes: PriceList(
        "bj",
        "gpu-1",
        (
            PriceChange(START, Micro(7)),
            *(PriceChange(Instant(START + after), Micro(price)) for after, price in sorted(changes)),
        ),
    )
)


@given(st.integers(1, 9), histories, offsets)
def test_every_minute_is_charged_once_for_the_most_units_reserved_in_it(
    first: int, steps: list[Step], more: int
) -> None:
    end = (steps[-1].after if steps else 0) + more
    draft, unit = play(first, steps, end)
    expected = peaks(first, steps, end)
    # The charged units are the reserved ones, minute by minute.
    assert charged_by_minute(draft) == Counter(dict(enumerate(expected)))
    assert unit.metered_minutes == len(expected)


@given(st.integers(1, 9), histories, offsets, tariffs)
def test_each_minute_costs_its_most_units_at_the_price_that_was_valid_when_it_began(
    first: int, steps: list[Step], more: int, prices: PriceList
) -> None:
    end = (steps[-1].after if steps else 0) + more
    draft, unit = play(first, steps, end, prices)
    expected = 0
    for minute, most in enumerate(peaks(first, steps, end)):
        began = START + minute * MINUTE_US
        (*_, price) = (change.per_minute for change in prices.changes if change.since <= began)
        expected += most * (price or 0)
    assert unit.charged == sum(posting.amount for posting in draft.postings) == expected
    for posting in draft.postings:
        assert posting.amount == (posting.count or 0) * (posting.minutes or 0) * (posting.price or 0)
    assert draft.require(ACCOUNTS, "acc-1").balance == -expected

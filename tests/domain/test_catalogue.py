"""The catalogue: stock that is conserved, and prices that hold from the minute that begins after them."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.model.offering import Offering, PriceChange, PriceList
from leasebook.domain.rules.metering import minutes_started
from leasebook.domain.values.calendar import MINUTE_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import STOCK, Refusal

START = Instant(1_893_456_017_250_000)
MAX_MINUTES = 90


class Use(NamedTuple):
    """Something metered: the prices that held while it ran, and how many of its minutes have begun."""

    prices: PriceList
    minutes: int


def offering(total: int, free: int) -> Offering:
    return Offering("bj", "gpu-1", 1, Micro(500_000), None, total, free)


# Moments on the edges of minutes as often as between them, before the start and after the end.
moments = st.builds(
    lambda minute, beside: Instant(START + minute * MINUTE_US + beside),
    st.integers(-3, MAX_MINUTES + 3),
    st.sampled_from((0, 0, 1, -1, MINUTE_US // 2)),
)
prices_per_minute = st.one_of(st.none(), st.integers(0, 10_000_000).map(Micro))
price_lists = st.lists(st.builds(PriceChange, moments, prices_per_minute), max_size=6).map(
    lambda changes: PriceList("bj", "gpu-1", tuple(sorted(changes, key=lambda change: change.since)))
)
uses = st.builds(Use, price_lists, st.integers(0, MAX_MINUTES))


def cost_per_unit(prices: PriceList, start: Instant, first: int, end: int) -> int:
    """Price the minutes [first, end) counted from start, for one unit."""
    return sum((until - begin) * price for begin, until, price in prices.stretches(start, first, end))


def price_at(prices: PriceList, moment: int) -> int:
    """Look a price up as a person would: the last change that has come into force."""
    held = [change.per_minute for change in prices.changes if change.since <= moment]
    return (held[-1] or 0) if held else 0


def cost_minute_by_minute(prices: PriceList, first: int, end: int) -> int:
    return sum(price_at(prices, START + minute * MINUTE_US) for minute in range(first, end))


# Stock


@pytest.mark.parametrize(("total", "free", "count"), [(4, 4, 1), (4, 4, 4), (4, 1, 1), (100_000, 99_999, 99_999)])
def test_taken_units_are_no_longer_free_and_the_total_stays(total: int, free: int, count: int) -> None:
    taken = offering(total, free).take(count)
    assert (taken.stock_free, taken.stock_total) == (free - count, total)
    assert taken.give_back(count) == offering(total, free)


@pytest.mark.parametrize(("total", "free", "count"), [(4, 4, 5), (4, 0, 1), (0, 0, 1), (4, 1, 2)])
def test_more_than_is_free_cannot_be_taken(total: int, free: int, count: int) -> None:
    with pytest.raises(
        Refusal, match=f"{count} units? of gpu-1 in bj (was|were) asked for and {free} of {total}"
    ) as caught:
        offering(total, free).take(count)
    assert caught.value.reason == STOCK


@pytest.mark.parametrize(("total", "free", "count"), [(4, 4, 1), (4, 2, 3), (0, 0, 1)])
def test_more_than_was_reserved_cannot_be_given_back(total: int, free: int, count: int) -> None:
    with pytest.raises(AssertionError, match="more gpu-1 in bj given back than were ever held"):
        offering(total, free).give_back(count)


@given(st.integers(0, 50), st.lists(st.integers(1, 12), max_size=12))
def test_free_and_reserved_units_are_always_the_total(total: int, counts: list[int]) -> None:
    shelf = offering(total, total)
    held: list[int] = []
    for count in counts:
        try:
            shelf = shelf.take(count)
        except Refusal:
            assert shelf.stock_free < count
            if held:
                shelf = shelf.give_back(held.pop(0))
        else:
            held.append(count)
        assert shelf.stock_free + sum(held) == total
        assert shelf.stock_free >= 0


# Prices


@given(uses)
def test_a_use_costs_what_it_costs_minute_by_minute(use: Use) -> None:
    assert cost_per_unit(use.prices, START, 0, use.minutes) == cost_minute_by_minute(use.prices, 0, use.minutes)


@given(uses, st.integers(0, MAX_MINUTES))
def test_the_rest_of_a_use_costs_what_it_costs_minute_by_minute(use: Use, first: int) -> None:
    expected = cost_minute_by_minute(use.prices, first, use.minutes)
    assert cost_per_unit(use.prices, START, first, use.minutes) == expected


@given(uses, st.lists(st.integers(0, MAX_MINUTES), max_size=8))
def test_the_parts_of_a_use_cost_what_the_whole_costs_however_it_is_cut(use: Use, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, use.minutes) for cut in cuts), use.minutes]
    parts = [cost_per_unit(use.prices, START, *edges[index : index + 2]) for index in range(len(edges) - 1)]
    assert sum(parts) == cost_per_unit(use.prices, START, 0, use.minutes)


@given(uses, moments, prices_per_minute)
def test_a_change_of_price_touches_only_minutes_that_begin_after_it(
    use: Use, changed_at: Instant, per_minute: Micro | None
) -> None:
    changes = tuple(change for change in use.prices.changes if change.since <= changed_at)
    before = msgspec.structs.replace(use.prices, changes=changes)
    after = before.with_change(changed_at, per_minute)
    # The minutes that have begun before the change keep their price; the others have the new one.
    untouched = min(minutes_started(START, changed_at), use.minutes)
    assert cost_per_unit(after, START, 0, untouched) == cost_per_unit(before, START, 0, untouched)
    rest = (use.minutes - untouched) * (per_minute or 0)
    assert cost_per_unit(after, START, untouched, use.minutes) == rest


@given(uses, st.integers(0, MAX_MINUTES))
def test_a_price_that_was_in_force_for_no_time_costs_nothing(use: Use, per_minute: int) -> None:
    if not use.prices.changes:
        return
    last = use.prices.changes[-1]
    flicker = msgspec.structs.replace(use.prices, changes=use.prices.changes[:-1])
    flicker = flicker.with_change(last.since, Micro(per_minute)).with_change(last.since, last.per_minute)
    assert cost_per_unit(flicker, START, 0, use.minutes) == cost_per_unit(use.prices, START, 0, use.minutes)


@given(uses, st.integers(0, MAX_MINUTES))
def test_stretches_follow_each_other_and_hold_the_price_of_each_of_their_minutes(use: Use, first: int) -> None:
    found = use.prices.stretches(START, first, use.minutes)
    minutes = [(minute, stretch.price) for stretch in found for minute in range(stretch.first, stretch.end)]
    # Before the first price nothing was sold, and there is no stretch.
    began = [change.since for change in use.prices.changes][:1]
    sold = [minute for minute in range(first, use.minutes) if began and START + minute * MINUTE_US >= began[0]]
    assert minutes == [(minute, price_at(use.prices, START + minute * MINUTE_US)) for minute in sold]
    assert all(stretch.first < stretch.end for stretch in found)


@given(uses, st.integers(0, 6))
def test_a_change_that_came_after_a_meter_started_holds_for_no_minute_that_began_with_it(use: Use, number: int) -> None:
    seen = use.prices.for_meter(START, number)
    for minute in range(MAX_MINUTES):
        begins = START + minute * MINUTE_US
        held = [
            change.per_minute
            for place, change in enumerate(use.prices.changes)
            if change.since <= begins and (place < number or minute)
        ]
        assert price_at(seen, begins) == ((held[-1] or 0) if held else 0)


def test_a_meter_of_which_no_number_is_known_goes_by_the_times() -> None:
    assert TARIFF.for_meter(START, None) == TARIFF


@pytest.mark.parametrize(("number", "minute"), [(0, 0), (1, 2), (2, 5), (3, 6), (4, None)])
def test_the_first_minute_for_which_a_later_change_holds(number: int, minute: int | None) -> None:
    assert TARIFF.first_minute_after(number, START) == minute


TARIFF = PriceList(
    "bj",
    "gpu-1",
    (
        PriceChange(Instant(START - 1), Micro(100)),
        PriceChange(Instant(START + 2 * MINUTE_US), Micro(10)),  # minute 2 begins at that very moment
        PriceChange(Instant(START + 4 * MINUTE_US + 1), Micro(1)),  # minute 4 has begun
        PriceChange(Instant(START + 6 * MINUTE_US), None),  # not sold by the minute any more
    ),
)


def test_the_stretches_of_a_tariff_by_hand() -> None:
    assert TARIFF.stretches(START, 0, 90) == [(0, 2, 100), (2, 5, 10), (5, 6, 1), (6, 90, 0)]
    assert TARIFF.stretches(START, 1, 3) == [(1, 2, 100), (2, 3, 10)]
    assert TARIFF.stretches(START, 3, 3) == []


@pytest.mark.parametrize(
    ("first", "end", "cost"),
    [(0, 0, 0), (0, 1, 100), (0, 2, 200), (0, 3, 210), (0, 5, 230), (0, 6, 231), (0, 90, 231), (1, 4, 120), (6, 90, 0)],
)
def test_a_tariff_by_hand(first: int, end: int, cost: int) -> None:
    assert cost_per_unit(TARIFF, START, first, end) == cost


def test_minutes_before_the_first_price_cost_nothing() -> None:
    prices = PriceList("bj", "gpu-1", ()).with_change(Instant(START + 5 * MINUTE_US), Micro(7))
    assert cost_per_unit(prices, START, 0, 5) == 0
    assert cost_per_unit(prices, START, 0, 6) == 7
    assert cost_per_unit(PriceList("bj", "gpu-1", ()), START, 0, 100) == 0

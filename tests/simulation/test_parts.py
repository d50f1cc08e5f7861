"""Whatever is priced in proportion: the parts of it cost what the whole costs, wherever it is cut."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Final

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNTS, INSTANCES, PRICES
from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.offering import PriceChange, PriceList
from leasebook.domain.rules.metering import charge_usage
from leasebook.domain.rules.term import Term, months_between, price_of_months, price_of_rest, term_of, term_to_day
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from tests.contract.rows import unit as unit_row
from tests.simulation import terms
from tests.simulation.asks import Ask, Buy, Renew, Step, Wait
from tests.simulation.history import STARTS, ZONES, History
from tests.simulation.meters import MINUTE, charged_minutes
from tests.simulation.playing import watched

START: Final = Instant(1_900_000_000_000_000)
HOURS: Final = 3 * 60 * MINUTE

# --- terms ---------------------------------------------------------------------------------------------------

anchors = st.one_of(
    st.sampled_from(STARTS),
    st.integers(STARTS[0] // 1_000_000, STARTS[0] // 1_000_000 + 4 * 366 * 86_400).map(lambda at: Instant(at * 10**6)),
)
zones = st.sampled_from(ZONES)
months = st.integers(1, 15)
days = st.integers(1, 31)
prices = st.integers(0, 400_000_000).map(Micro)


@given(anchors, zones, months, st.lists(st.tuples(st.integers(0, 5), st.none() | days), max_size=4))
def test_a_term_that_is_renewed_again_and_again_ends_and_counts_as_another_calendar_says(
    anchor: Instant, zone: str, first: int, renewals: list[tuple[int, int | None]]
) -> None:
    term, own = term_of(anchor, first, zone), terms.begun(anchor, first, zone)
    for longer, day in renewals:
        if not longer and day is None:
            continue
        before, owned = term, own
        term = term_of(term.anchor, term.months + longer, zone) if longer else term
        term = term if day is None else term_to_day(term, day, zone, later=not longer)
        own = terms.renewed(own, longer, day)
        assert term.expires_at == own.ends > before.expires_at
        assert months_between(before, term, zone) == terms.months_between(owned, own) > 0
    assert months_between(term_of(anchor, 0, zone), term, zone) == terms.months_of(own, anchor)


@given(anchors, zones, st.lists(months, min_size=1, max_size=5), st.none() | days, st.integers(1, 4), prices)
def test_renewals_by_months_cost_together_what_one_renewal_costs(
    anchor: Instant, zone: str, parts: list[int], day: int | None, count: int, price: Micro
) -> None:
    begin = term = term_of(anchor, 1, zone)
    paid = micros = 0
    if day is not None:
        # It may end on another day of the month first: what the part of a month costs is rounded up by itself.
        term, micros = term_to_day(term, day, zone, later=True), 1
        paid += price_of_months(count, price, months_between(begin, term, zone))
    for part in parts:
        longer = term_of(term.anchor, term.months + part, zone)
        assert months_between(term, longer, zone) == part
        paid += price_of_months(count, price, months_between(term, longer, zone))
        term = longer
    whole = price_of_months(count, price, months_between(begin, term, zone))
    assert whole <= paid < whole + max(1, micros)


ways = st.lists(st.tuples(st.integers(0, 3), st.none() | days).filter(lambda way: way != (0, None)), max_size=8)


@given(anchors, zones, ways, ways, days, st.integers(1, 4), prices)
def test_the_same_day_has_one_price_however_renewals_reach_it(
    anchor: Instant, zone: str, first: list[tuple[int, int | None]], other: list[tuple[int, int | None]],
    day: int, count: int, price: Micro,
) -> None:  # fmt: skip
    begin = term_of(anchor, 1, zone)

    def walked(way: list[tuple[int, int | None]]) -> tuple[Term, list[Micro]]:
        term, paid = begin, []
        for longer, to in way:
            before = term
            term = term_of(term.anchor, term.months + longer, zone)
            term = term if to is None else term_to_day(term, to, zone, later=not longer)
            paid.append(price_of_months(count, price, months_between(before, term, zone)))
        return term, paid

    # Both ways end on one day of the month, and the one that ends earlier goes on by months.
    one, other_one = (walked([*way, (0, day)])[0] for way in (first, other))
    last = max(one.expires_at, other_one.expires_at)
    sums, roundings = [], []
    for way in (first, other):
        term, paid = walked([*way, (0, day)])
        while term.expires_at < last:
            term = term_of(term.anchor, term.months + 1, zone)
            paid.append(price_of_months(count, price, Fraction(1)))
        assert term.expires_at == last
        sums.append(sum(paid))
        roundings.append(len(paid))
    assert -roundings[1] < sums[0] - sums[1] < roundings[0]


def prepaid(term: Term, since: Instant) -> Instance:
    return unit_row(
        "unit-1",
        payment_timing="Prepaid",
        term_from=since,
        term_anchor=term.anchor,
        term_months=term.months,
        expires_at=term.expires_at,
    )


@given(anchors, zones, months, st.none() | days, st.integers(0, 1000), st.lists(st.integers(1, 4), min_size=1), prices)
def test_a_resize_in_parts_costs_what_it_costs_at_once_and_each_part_is_rounded_up_once(
    anchor: Instant, zone: str, number: int, day: int | None, elapsed: int, parts: list[int], price: Micro
) -> None:
    term, own = term_of(anchor, number, zone), terms.begun(anchor, number, zone)
    if day is not None:
        term, own = term_to_day(term, day, zone, later=True), terms.renewed(own, 0, day)
    now = Instant(anchor + (term.expires_at - anchor) * elapsed // 1000)
    unit = prepaid(term, anchor)
    whole = price_of_rest(unit, sum(parts), price, zone, now)
    assert whole == terms.rest_price(own, anchor, now, sum(parts), price)
    split = sum(price_of_rest(unit, part, price, zone, now) for part in parts)
    assert whole <= split < whole + len(parts)
    later = Instant(min(now + 1_000_000, term.expires_at))
    assert price_of_rest(unit, sum(parts), price, zone, later) <= whole
    assert price_of_rest(unit, sum(parts), price, zone, term.expires_at) == 0
    if day is None:
        assert price_of_rest(unit, sum(parts), price, zone, anchor) == sum(parts) * price * number


@given(st.sampled_from(STARTS), zones, st.lists(st.integers(1, 4), min_size=2, max_size=4))
def test_an_instance_that_is_renewed_in_parts_has_cost_and_lasts_what_one_renewed_at_once_does(
    start: Instant, zone: str, parts: list[int]
) -> None:
    def ended(*renewals: int) -> tuple[int, Instant | None]:
        longer = [Ask(Renew(0, number, None)) for number in renewals]
        steps: tuple[Step, ...] = (Ask(Buy(0, "bj", "gpu-1", 2, 1, None)), *longer, Wait(1))
        history = History(start, Micro(50_000_000_000), (zone, zone), Rules(), InstantEngine(), steps)
        books, _ = asyncio.run(watched(history))
        (unit,) = books.table(INSTANCES)
        return unit.charged, unit.expires_at

    assert ended(*parts) == ended(sum(parts))


# --- use -----------------------------------------------------------------------------------------------------

moments = st.integers(0, HOURS)
changes = st.lists(st.tuples(st.integers(-HOURS, HOURS), st.integers(0, 900_000)), max_size=5)
sizes = st.lists(st.tuples(moments, st.integers(1, 9)), max_size=6).map(sorted)


def charged(
    price_list: Sequence[tuple[int, int]], resizes: Sequence[tuple[int, int]], cuts: Sequence[int]
) -> tuple[int, dict[int, dict[int, int]]]:
    """Meter an instance for three hours, and charge it at the cuts as well; returns the sum, and minute by minute."""
    listed = sorted((START + at, price) for at, price in price_list)
    unit = unit_row("unit-1", count=2, meter_from=START, created_at=START)
    book = Book()
    book.load(INSTANCES, ("unit-1",), unit)
    book.load(ACCOUNTS, ("acc-1",), Account("acc-1", "", "UTC", Micro(10**12), START))
    known = tuple(PriceChange(Instant(at), Micro(price)) for at, price in ((START - 2 * HOURS, 500_000), *listed))
    book.load(PRICES, unit.offering, PriceList(*unit.offering, known))
    draft = Draft(book)
    # A cut of the same moment comes first, and leaves nothing of the minute to be charged again.
    events: list[tuple[int, int | None]] = sorted(
        [*((at, None) for at in cuts), *resizes, (HOURS, None)], key=lambda event: (event[0], event[1] is not None)
    )
    for at, count in events:
        now = Instant(START + at)
        unit = charge_usage(draft, unit, now)
        if count is not None:
            unit = msgspec.structs.replace(unit, count=count, sized_at=now)
    assert unit.charged == sum(posting.amount for posting in draft.postings)
    return unit.charged, charged_minutes(draft.postings)


@given(changes, sizes, st.lists(moments, max_size=12))
def test_use_costs_the_same_wherever_it_is_cut_and_whatever_happens_between(
    price_list: list[tuple[int, int]], resizes: list[tuple[int, int]], cuts: list[int]
) -> None:
    assert charged(price_list, resizes, cuts) == charged(price_list, resizes, [])


@given(changes, sizes, moments)
def test_growing_in_parts_at_one_moment_costs_what_growing_at_once_does(
    price_list: list[tuple[int, int]], steps: list[tuple[int, int]], at: int
) -> None:
    grown = list(accumulate((size for _, size in steps), initial=2))[1:]
    in_parts, at_once = [(at, count) for count in grown], [(at, count) for count in grown[-1:]]
    assert charged(price_list, in_parts, []) == charged(price_list, at_once, [])

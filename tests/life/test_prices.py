"""Prices and moments: what one moment brings has an order, an end has one price, and a minute is paid for once."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest

from leasebook.domain.rules.statement import lines_of
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from leasebook.ports.queries.read_repository import HistoryFilter
from tests.life.lives import ACCOUNT, MANY, PER_MINUTE, PER_MONTH, BillingOracle, Play
from tests.life.reckoning import HOUR, MINUTE, SECOND, Entry, Price, Size, metered, months_after

BASE = Price(0, PER_MINUTE)
DEAR = 900_000
AT_ONCE = Rules(arrears_grace_us=0, postpaid_balance_min=Micro(0))


def used(at: int, since: int, minutes: int, units: int, price: int) -> Entry:
    """Return a charge for use."""
    return Entry(at, "Usage", minutes * units * price, units, minutes, price, since)


# --- what one moment brings ---


def test_a_quote_holds_over_a_price_that_is_set_at_the_moment_at_which_it_was_made(play_everywhere: Play) -> None:
    async def scene(life: BillingOracle) -> None:
        quote = await life.quote(1)
        await life.offer(per_minute=DEAR)
        start = await life.until(life.now + MINUTE)
        unit = await life.buy(1, quote=quote)
        end = await life.until(start + 10 * MINUTE)
        await life.release(unit)
        life.expect(used(end, start, 10, 1, PER_MINUTE))  # 5.00, and not 9.00

    play_everywhere(scene, start="2030-06-01 10:00:00")


def test_a_price_that_is_set_right_after_a_quoted_purchase_holds_from_the_second_minute_on(play: Play) -> None:
    async def scene(life: BillingOracle) -> None:
        start = life.now
        unit = await life.buy(1, quote=await life.quote(1))
        await life.offer(per_minute=5_000_000)
        end = await life.until(start + 1439 * MINUTE)
        await life.release(unit)
        prices = [BASE, Price(start + 1, 5_000_000)]
        life.expect(*metered(start, end, [Size(start, 1)], prices, life.zone))
        assert life.unit(unit).charged == 7_190_500_000

    play(scene, start="2030-06-01 10:00:00")


def test_without_a_quote_the_first_minute_has_the_price_of_the_moment_of_purchase(play: Play) -> None:
    async def scene(life: BillingOracle) -> None:
        start = life.now
        before = await life.buy(1)
        await life.offer(per_minute=DEAR)
        after = await life.buy(1)
        await life.offer(per_minute=100)
        end = await life.until(start + 2 * MINUTE)
        await life.release(before)
        await life.release(after)
        for first in (PER_MINUTE, DEAR):
            life.expect(used(end, start, 1, 1, first), used(end, start + MINUTE, 1, 1, 100))

    play(scene, start="2030-06-01 10:00:00")


def test_a_price_that_is_set_right_after_a_top_up_does_not_hold_for_the_minute_that_began_with_it(
    play_everywhere: Play,
) -> None:
    async def scene(life: BillingOracle) -> None:
        unit, start = await life.buy(1), life.now
        life.expect(*metered(start, start + HOUR, [Size(start, 1)], [BASE], life.zone))
        back = await life.until(start + HOUR + 5 * MINUTE)
        assert life.unit(unit).status == "Stopped"
        await life.pay_in(100_000_000)
        await life.offer(per_minute=DEAR)
        end = await life.until(back + 2 * MINUTE)
        await life.release(unit)
        life.expect(used(end, back, 1, 1, PER_MINUTE), used(end, back + MINUTE, 1, 1, DEAR))

    play_everywhere(scene, start="2030-06-01 10:00:00", rules=AT_ONCE, funds=60 * PER_MINUTE - 1)


# --- what a quote is for ---


def test_units_that_a_resize_adds_to_quoted_ones_cost_what_the_list_says(play_everywhere: Play) -> None:
    async def scene(life: BillingOracle) -> None:
        quote = await life.quote(1)
        start = await life.until(life.now + MINUTE)
        await life.offer(per_minute=DEAR)
        unit = await life.buy(1, quote=quote)
        await life.resize(unit, 20)
        first = await life.until(start + 10 * MINUTE)
        await life.resize(unit, 1)
        second = await life.until(first + MINUTE + 30 * SECOND)
        await life.resize(unit, 3)
        third = await life.until(first + 10 * MINUTE)
        await life.offer(per_minute=700_000)
        end = await life.until(third + MINUTE)
        await life.release(unit)
        life.expect(
            used(first, start, 10, 1, PER_MINUTE),
            used(first, start, 10, 19, DEAR),
            used(second, first, 2, 1, PER_MINUTE),
            used(end, first + MINUTE, 1, 2, DEAR),
            used(end, first + 2 * MINUTE, 8, 1, PER_MINUTE),
            used(end, first + 2 * MINUTE, 8, 2, DEAR),
            used(end, third, 1, 3, 700_000),
        )

    play_everywhere(scene, start="2030-06-01 10:00:00")


def test_quoted_units_that_are_given_back_and_taken_again_cost_what_the_list_says(play: Play) -> None:
    async def scene(life: BillingOracle) -> None:
        quote = await life.quote(5)
        await life.offer(per_minute=DEAR)
        unit, start = await life.buy(5, quote=quote), life.now
        at = await life.until(start + MINUTE)
        await life.resize(unit, 2)
        await life.resize(unit, 5)
        end = await life.until(at + MINUTE)
        await life.release(unit)
        life.expect(used(at, start, 1, 5, PER_MINUTE), used(end, at, 1, 2, PER_MINUTE), used(end, at, 1, 3, DEAR))

    play(scene, start="2030-06-01 10:00:00")


def test_a_statement_has_a_line_for_the_quoted_units_and_one_for_the_others(play: Play) -> None:
    async def scene(life: BillingOracle) -> None:
        quote = await life.quote(1)
        await life.offer(per_minute=DEAR)
        unit, start = await life.buy(1, quote=quote), life.now
        await life.resize(unit, 3)
        end = await life.until(start + 5 * HOUR)
        await life.release(unit)
        for hour in range(5):
            since = start + hour * HOUR
            life.expect(used(since + HOUR, since, 60, 1, PER_MINUTE), used(since + HOUR, since, 60, 2, DEAR))
        lines = [(line.since, line.until, line.count, line.price) for line in lines_of(life.bill(unit))]
        assert lines == [(start, end, 1, PER_MINUTE), (start, end, 2, DEAR)]

    play(scene, start="2030-06-01 10:00:00")


# --- an end has one price ---

DAYS = (29, 30, 31, *range(1, 29), 1)
ROUTES = [
    # From 28 January to 1 March, and from 28 February to 31 March.
    ("2029-12-28 10:00:00", [(1, 1)], "2030-03-01 10:00:00", 1 + Fraction(4, 31)),
    ("2029-12-28 10:00:00", [(1, None), (0, 1)], "2030-03-01 10:00:00", 1 + Fraction(4, 31)),
    ("2029-12-28 10:00:00", [(0, day) for day in DAYS], "2030-03-01 10:00:00", 1 + Fraction(4, 31)),
    ("2029-12-28 10:00:00", [(0, 1), (1, None)], "2030-03-01 10:00:00", 1 + Fraction(4, 31)),
    ("2030-01-28 10:00:00", [(1, 31)], "2030-03-31 10:00:00", 1 + Fraction(3, 31)),
    ("2030-01-28 10:00:00", [(1, None), (0, 31)], "2030-03-31 10:00:00", 1 + Fraction(3, 31)),
    ("2030-01-28 10:00:00", [(0, 28), (0, 31)], "2030-03-31 10:00:00", 1 + Fraction(3, 31)),
    # The last day of February is the twenty-eighth or the thirty-first, and an instance paid until that day has it.
    ("2029-12-31 10:00:00", [(1, None), (0, 15)], "2030-03-15 10:00:00", 1 + Fraction(15, 31)),
    ("2029-12-31 10:00:00", [(1, 15)], "2030-03-15 10:00:00", 1 + Fraction(15, 31)),
]  # fmt: skip


@pytest.mark.parametrize(("start", "way", "end", "months"), ROUTES)
def test_the_same_end_costs_the_same_by_whatever_renewals_it_is_reached(
    play: Play, start: str, way: list[tuple[int, int | None]], end: str, months: Fraction
) -> None:
    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(months=1)
        since = months_after(start, 1, life.zone)
        life.expect_term("Purchase", at=life.now, since=life.now, until=since, months=1)
        for longer, day in way:
            until = await life.renew(unit, longer, day=day)
            paid = life.entries()[-1]
            assert (paid.kind, paid.since, paid.until) == ("Renewal", since, until)
            life.expect(paid)
            since = until
        assert since == life.moment(end)
        whole = PER_MONTH * months
        assert ceil(whole) <= life.unit(unit).charged - PER_MONTH < whole + len(way), "rounded up once a renewal"
        orders = life.store.ask(lambda ask: ask.orders(HistoryFilter(account_id=ACCOUNT), after=None, limit=MANY))
        assert [order.row.months for order in reversed(orders)] == [1, *(longer for longer, _ in way)]

    play(scene, start=start)


def test_a_unit_that_is_added_to_a_term_that_was_renewed_to_a_day_costs_what_the_first_one_paid(play: Play) -> None:
    start = "2030-01-28 10:00:00"

    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(months=1)
        at, first, end = life.now, months_after(start, 1, life.zone), life.moment("2030-03-31 10:00:00")
        life.expect_term("Purchase", at=at, since=at, until=first, months=1)
        assert await life.renew(unit, 1, day=31) == end
        part = ceil(PER_MONTH * (1 + Fraction(3, 31)))
        life.expect(Entry(at, "Renewal", part, 1, None, PER_MONTH, first, end))
        await life.resize(unit, 2)
        life.expect(Entry(at, "Resize", PER_MONTH + part, 1, None, PER_MONTH, at, end))
        # Half of the time later, half of that.
        at = await life.until(at + (end - at) // 2)
        await life.resize(unit, 3)
        half = ceil(PER_MONTH * (2 + Fraction(3, 31)) / 2)
        life.expect(Entry(at, "Resize", half, 1, None, PER_MONTH, at, end))

    play(scene, start=start)


# --- a minute is paid for once ---


@pytest.mark.parametrize(("seconds", "minutes"), [(5, 0), (20, 0), (21, 1), (80, 1), (81, 2)])
def test_the_minute_in_which_an_instance_stopped_is_not_paid_again_when_it_is_back(
    play_everywhere: Play, seconds: int, minutes: int
) -> None:
    async def scene(life: BillingOracle) -> None:
        unit, start = await life.buy(1), life.now
        stopped = start + HOUR - 30 * SECOND
        life.expect(*metered(start, stopped, [Size(start, 1)], [BASE], life.zone))
        back = await life.until(stopped + 10 * SECOND)
        assert life.unit(unit).status == "Stopped"
        await life.pay_in(100_000_000)
        # Twenty seconds are left of the minute that is paid for.
        end = await life.until(back + seconds * SECOND)
        await life.release(unit)
        if minutes:
            life.expect(used(end, stopped + 30 * SECOND, minutes, 1, PER_MINUTE))

    play_everywhere(scene, start="2030-06-01 10:00:30", rules=AT_ONCE, funds=60 * PER_MINUTE - 1)


def test_what_grows_in_the_minute_in_which_it_stopped_pays_that_minute_for_what_came_to_it(play: Play) -> None:
    async def scene(life: BillingOracle) -> None:
        unit, start = await life.buy(1), life.now
        stopped = start + HOUR - 30 * SECOND
        life.expect(*metered(start, stopped, [Size(start, 1)], [BASE], life.zone))
        await life.until(stopped + 5 * SECOND)
        await life.pay_in(100_000_000)
        await life.until(stopped + 10 * SECOND)
        await life.resize(unit, 3)
        end = await life.until(stopped + 15 * SECOND)
        await life.release(unit)
        life.expect(used(end, stopped - 30 * SECOND, 1, 2, PER_MINUTE))

    play(scene, start="2030-06-01 10:00:30", rules=AT_ONCE, funds=60 * PER_MINUTE - 1)


def test_a_term_begins_where_the_minute_ends_that_was_paid_for(play_everywhere: Play) -> None:
    async def scene(life: BillingOracle) -> None:
        unit, start = await life.buy(1), life.now
        at = await life.until("2030-06-01 10:10:45")
        begins, end = life.moment("2030-06-01 10:11:30"), life.moment("2030-07-01 10:11:30")
        await life.turn(unit, "Prepaid", months=1)
        life.expect(used(at, start, 11, 1, PER_MINUTE))
        life.expect_term("Conversion", at=at, since=begins, until=end, months=1)
        turned = life.unit(unit)
        assert (turned.term_from, turned.expires_at, turned.meter_from) == (begins, end, None)

    play_everywhere(scene, start="2030-06-01 10:00:30")


def test_a_term_of_more_units_begins_there_too_and_the_minute_is_paid_for_all_of_them(play: Play) -> None:
    async def scene(life: BillingOracle) -> None:
        unit, start = await life.buy(1), life.now
        at = await life.until("2030-06-01 10:10:45")
        await life.resize(unit, 3)
        await life.turn(unit, "Prepaid", months=1)
        life.expect(used(at, start, 11, 1, PER_MINUTE), used(at, start + 10 * MINUTE, 1, 2, PER_MINUTE))
        end = life.moment("2030-07-01 10:11:30")
        life.expect_term("Conversion", at=at, since=start + 11 * MINUTE, until=end, months=1, count=3)

    play(scene, start="2030-06-01 10:00:30")


@pytest.mark.parametrize("seconds", [0, 60, 90])
def test_units_that_are_reserved_for_no_time_are_not_paid_for_wherever_in_a_minute(play: Play, seconds: int) -> None:
    async def scene(life: BillingOracle) -> None:
        unit, start = await life.buy(1), life.now
        at = await life.until(start + seconds * SECOND)
        await life.resize(unit, 5)
        await life.resize(unit, 1)
        gone = await life.buy(2)
        await life.release(gone)
        end = await life.until(start + 2 * MINUTE)
        await life.release(unit)
        life.expect(*metered(start, end, [Size(start, 1), Size(at, 5), Size(at, 1)], [BASE], life.zone))
        assert life.unit(unit).charged == 2 * PER_MINUTE
        assert life.unit(gone).charged == 0

    play(scene, start="2030-06-01 10:00:00")

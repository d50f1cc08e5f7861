"""Postpaid lives: the meter through changes of price, arrears and recovery, and changes of size."""

from __future__ import annotations

from itertools import pairwise

import pytest

from leasebook.domain.commands.command import Command, Engine
from leasebook.domain.commands.instance.engine_report import ConfirmResized, ConfirmResizeFailed
from leasebook.domain.model.instance import Instance
from leasebook.domain.rules.statement import lines_of
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from tests.depth import few
from tests.life.lives import PER_MINUTE, BillingOracle, Play
from tests.life.reckoning import DAY, HOUR, MINUTE, Entry, Price, Size, full_hours, metered, total

LONG_AGO = 0
BASE = Price(LONG_AGO, PER_MINUTE)


def test_a_long_life_through_changes_of_price_charges_each_minute_at_the_price_that_was_valid_when_it_began(
    play: Play,
) -> None:
    # Each hour is a charge: an ordinary run lives through the same changes in ten days, and a deep one in a year.
    days = few(10, 366)
    begin = few("2028-02-20 00:00:17", "2027-03-01 00:00:17")
    changes = (
        (few("2028-02-20 13:37:41", "2027-05-17 13:37:41"), 1),
        (few("2028-02-20 13:37:42", "2027-05-17 13:37:42"), 499_999),  # a second later: no minute begins in between
        # To the very second at which one begins; free of charge until then.
        (few("2028-02-22 08:00:17", "2027-08-08 08:00:17"), 0),
        (few("2028-02-23 09:30:00", "2027-08-09 09:30:00"), 733_331),
        (few("2028-02-24 23:00:00", "2027-12-31 23:00:00"), 400_000),
        ("2028-02-28 23:59:59", 612_345),
        ("2028-02-29 23:59:59", 612_346),
    )

    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(3)
        start, prices = life.now, [BASE]
        for text, price in changes:
            await life.until(text)
            await life.offer(per_minute=price)
            prices.append(Price(life.now, price))
        end = await life.until("2028-03-01 00:00:00")
        await life.release(unit)
        life.expect(*metered(start, end, [Size(start, 3)], prices, life.zone))
        gone = life.unit(unit)
        assert (gone.status, gone.metered_minutes) == ("Released", days * 24 * 60)
        # A statement has one line for each price that held for a minute, and no line for what cost nothing.
        lines = [(line.price, line.since, line.until) for line in lines_of(life.bill(unit))]
        turns = [start, *(_next_minute(start, price.since) for price in prices[1:]), start + days * DAY]
        spans = [(price.price, *span) for price, span in zip(prices, pairwise(turns), strict=True)]
        assert lines == [span for span in spans if span[0] and span[1] < span[2]]

    play(scene, start=begin)


def _next_minute(start: int, at: int) -> int:
    return start - (start - at) // MINUTE * MINUTE


def test_a_release_at_a_second_counts_the_minute_in_progress_and_no_other(play_everywhere: Play) -> None:
    cases = ((0.000001, 1), (60, 1), (60.000001, 2), (3599, 60), (3600, 60), (3601, 61), (90061, 1502))

    async def scene(life: BillingOracle) -> None:
        start = life.now
        units = []
        for seconds, minutes in cases:
            end = start + round(seconds * 1_000_000)
            unit = await life.buy(2, release_at=end)
            units.append((unit, end, minutes))
        await life.until(start + 2 * DAY)
        expected = []
        for unit, end, minutes in units:
            assert (life.unit(unit).ended_at, life.unit(unit).metered_minutes) == (end, minutes)
            expected.append((unit, metered(start, end, [Size(start, 2)], [BASE], life.zone)))
        # At one moment releases come before charges, and instances in the order of their names.
        ends = {unit: end for unit, end, _ in units}
        order = [(entry.at, entry.at != ends[unit], unit, entry) for unit, entries in expected for entry in entries]
        life.expect(*(entry for _, _, _, entry in sorted(order, key=lambda one: one[:3])))
        assert life.free() == 20

    play_everywhere(scene, start="2030-06-01 10:20:30.250000", rules=Rules(postpaid_balance_min=None))


# --- arrears ---


def _poor(hours: int) -> int:
    """Return the price of a number of hours of one unit, and a micro-unit less."""
    return hours * 60 * PER_MINUTE - 1


def test_an_unpaid_hour_stops_it_after_the_grace_and_a_top_up_brings_it_back_with_the_meter_paused_between(
    play_everywhere: Play,
) -> None:
    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(1)
        start = life.now
        assert (start + 30 * MINUTE) % HOUR == 0
        # Half an hour, then whole ones: the tenth charge is the first that is not covered.
        unpaid = start + 10 * HOUR + 30 * MINUTE
        stops = unpaid + 24 * HOUR
        life.expect(*metered(start, stops, [Size(start, 1)], [BASE], life.zone))
        await life.until(unpaid - 1)
        assert (life.account.arrears_since, life.unit(unit).stop_at) == (None, None)
        await life.until(unpaid)
        assert (life.account.arrears_since, life.unit(unit).stop_at) == (unpaid, stops)
        # An account in debt buys nothing, and a top-up that leaves some of the debt changes nothing.
        assert await life.refused(life.buying(1)) == "balance"
        await life.until(stops - 1)
        assert life.unit(unit).status == "Running"
        await life.until(stops)
        halted = life.unit(unit)
        assert (halted.status, halted.retire_at, life.free()) == ("Stopped", stops + 7 * DAY, 19)
        debt = -life.account.balance
        assert debt == 24 * 60 * PER_MINUTE + 1
        await life.until(stops + 2 * DAY)
        await life.pay_in(debt - 1)
        assert life.unit(unit).status == "Stopped"
        again = await life.until("2030-06-05 03:03:03")
        await life.pay_in(1 + 5 * 60 * PER_MINUTE)
        back = life.unit(unit)
        assert (back.status, back.meter_from, back.retire_at, back.stop_at) == ("Running", again, None, None)
        assert (life.account.arrears_since, life.account.balance) == (None, 5 * 60 * PER_MINUTE)
        end = await life.until(again + 100 * MINUTE + 1)
        await life.release(unit)
        life.expect(*metered(again, end, [Size(again, 1)], [BASE], life.zone))
        assert life.unit(unit).charged == (630 + 24 * 60 + 101) * PER_MINUTE

    play_everywhere(scene, start="2030-06-01 11:30:00", funds=630 * PER_MINUTE - 1)


def test_what_nobody_pays_for_is_released_after_the_retention_and_its_bill_ends_where_it_stopped(play: Play) -> None:
    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(2)
        start = life.now
        unpaid = full_hours(start, start + DAY, life.zone)[2]
        stops, gone_at = unpaid + 6 * HOUR, unpaid + 6 * HOUR + 2 * DAY
        life.expect(*metered(start, stops, [Size(start, 2)], [BASE], life.zone))
        await life.until(gone_at - 1)
        assert (life.unit(unit).status, life.free()) == ("Stopped", 18)
        bill = life.unit(unit).charged
        await life.until(gone_at)
        gone = life.unit(unit)
        assert (gone.status, gone.end_reason, gone.ended_at) == ("Released", "Arrears", gone_at)
        assert (gone.charged, life.free()) == (bill, 20)
        # The debt stays, and money that comes too late only pays it.
        await life.until(gone_at + DAY)
        await life.pay_in(bill)
        assert life.unit(unit).status == "Released"

    rules = Rules(arrears_grace_us=6 * HOUR, retention_us=2 * DAY)
    play(scene, start="2030-06-01 11:59:59.999999", funds=2 * _poor(2), rules=rules)


def test_a_debt_that_is_paid_within_the_grace_stops_nothing_and_the_next_one_has_its_own(play: Play) -> None:
    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(1)
        start = life.now
        await life.until(start + 2 * HOUR)
        assert life.account.arrears_since == start + 2 * HOUR
        life.expect(*metered(start, start + 2 * HOUR, [Size(start, 1)], [BASE], life.zone, ends=False))
        paid_at = await life.until(start + 25 * HOUR + 59 * MINUTE)
        charges = metered(start, paid_at, [Size(start, 1)], [BASE], life.zone, ends=False)
        life.expect(*charges[2:])
        # It is an hour ahead again, less a micro-unit.
        await life.pay_in(-life.account.balance + 2 * 60 * PER_MINUTE - 1)
        assert life.account.arrears_since is None
        second = start + 27 * HOUR
        stops = second + 24 * HOUR
        whole = metered(start, stops, [Size(start, 1)], [BASE], life.zone)
        life.expect(*whole[len(charges) :])
        # The time at which the first debt would have stopped it goes by.
        await life.until(start + 26 * HOUR)
        assert (life.unit(unit).status, life.unit(unit).stop_at) == ("Running", None)
        await life.until(second)
        assert (life.account.arrears_since, life.unit(unit).stop_at) == (second, stops)
        await life.until(stops)
        assert life.unit(unit).status == "Stopped"

    play(scene, start="2030-06-01 12:00:00", funds=_poor(2))


# --- changes of size ---

MINUTES_OF_SIZE = (
    # After how many seconds which size. Growing and shrinking within a minute pays for the most, once.
    ("within a minute", ((70, 5), (80, 2), (90, 7), (100, 1), (119, 4), (130, 3)), ()),
    ("where a minute begins", ((60, 5), (120, 1), (180, 2)), ()),
    ("over hours", ((600, 4), (1800, 9), (3 * 3600 + 11, 1), (9 * 3600, 6)), ()),
    ("over a price change", ((7000, 4), (7201, 2)), ((7000, 700_000), (7150, 1_234_567))),
    ("with the price changing in the minute", ((70, 5),), ((65, 900_000), (75, 100))),
    ("at a full hour", ((1800, 5), (5400, 2), (5401, 5)), ()),
)


@pytest.mark.parametrize(
    ("sizes", "prices"), [row[1:] for row in MINUTES_OF_SIZE], ids=[row[0] for row in MINUTES_OF_SIZE]
)
def test_a_started_minute_is_charged_for_the_most_units_that_were_reserved_in_it(
    play: Play, sizes: tuple[tuple[int, int], ...], prices: tuple[tuple[int, int], ...]
) -> None:
    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(3)
        start = life.now
        held, priced = [Size(start, 3)], [BASE]
        for seconds, is_size, value in sorted(
            [(at, 1, count) for at, count in sizes] + [(at, 0, price) for at, price in prices]
        ):
            at = await life.until(start + seconds * 1_000_000)
            if is_size:
                await life.resize(unit, value)
                held.append(Size(at, value))
            else:
                await life.offer(per_minute=value)
                priced.append(Price(at, value))
            assert life.free() == 20 - held[-1].units
        end = await life.until(start + 11 * HOUR + 5)
        await life.release(unit)
        life.expect(*metered(start, end, held, priced, life.zone))
        assert life.unit(unit).charged == _cost(start, end, held, priced)

    play(scene, start="2030-06-01 10:30:00")


def _cost(start: int, end: int, sizes: list[Size], prices: list[Price]) -> int:
    """Price every started minute by the most units held in it: no charges, only minutes."""
    cost = 0
    for minute in range(start, end, MINUTE):
        held = [size.units for size in sizes if minute < size.since < min(minute + MINUTE, end)]
        held.append(next(size.units for size in reversed(sizes) if size.since <= minute))
        cost += max(held) * next(price.price for price in reversed(prices) if price.since <= minute)
    return cost


class SlowEngine(Engine, frozen=True):
    """Confirms at once but for changes of size, which it takes its time for."""

    def confirmations(self, unit: Instance) -> tuple[Command, ...]:
        """Return the report."""
        return () if unit.status == "Reconfiguring" else tuple(InstantEngine().confirmations(unit))


def test_a_slow_engine_has_the_old_size_charged_until_the_new_one_is_there_and_the_stock_reserved_meanwhile(
    play: Play,
) -> None:
    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(2)
        start = life.now
        await life.until(start + 100_000_000)
        await life.resize(unit, 6)
        assert (life.unit(unit).status, life.unit(unit).count, life.free()) == ("Reconfiguring", 2, 14)
        grown = await life.until(start + 2 * HOUR + 7_000_000)
        await life.ask(ConfirmResized(unit_id=unit))
        assert (life.unit(unit).count, life.free()) == (6, 14)
        await life.until(start + 3 * HOUR)
        await life.resize(unit, 1)
        assert life.free() == 14
        await life.until(start + 4 * HOUR)
        await life.ask(ConfirmResizeFailed(unit_id=unit, reason="no"))
        assert (life.unit(unit).status, life.unit(unit).count) == ("ReconfigureFailed", 6)
        await life.resize(unit, 9)
        await life.until(start + 5 * HOUR)
        await life.ask(ConfirmResizeFailed(unit_id=unit, reason="no"))
        assert life.free() == 14
        await life.resize(unit, 4)
        shrunk = await life.until(start + 5 * HOUR + 30_000_000)
        await life.ask(ConfirmResized(unit_id=unit))
        assert life.free() == 16
        end = await life.until(start + 6 * HOUR)
        await life.release(unit)
        life.expect(*metered(start, end, [Size(start, 2), Size(grown, 6), Size(shrunk, 4)], [BASE], life.zone))

    play(scene, start="2030-06-01 10:30:00", engine=SlowEngine())


# --- quotes ---


def test_a_quote_holds_its_price_over_a_change_for_what_is_bought_with_it_and_for_nothing_else(play: Play) -> None:
    async def scene(life: BillingOracle) -> None:
        held = await life.quote(2)
        other = await life.quote(2)
        await life.until("2030-06-01 10:04:59")
        await life.offer(per_minute=900_000)
        dear = Price(life.now, 900_000)
        start = await life.until("2030-06-01 10:14:59.999999")
        # A change at the very moment of the purchase does not count either.
        await life.offer(per_minute=910_000)
        dearer = Price(start, 910_000)
        quoted = await life.buy(2, quote=held)
        plain = await life.buy(2)
        assert await life.refused(life.buying(2, quote=held)) == "wrong_state"
        await life.until("2030-06-01 10:15:00")
        assert await life.refused(life.buying(2, quote=other)) == "wrong_state"
        later = await life.until("2030-06-02 05:05:05")
        await life.offer(per_minute=800_000)
        end = await life.until("2030-06-03 00:00:00")
        await life.release(quoted)
        await life.release(plain)
        size, change = [Size(start, 2)], Price(later, 800_000)
        both = [
            metered(start, end, size, prices, life.zone) for prices in ([BASE, change], [BASE, dear, dearer, change])
        ]
        assert total(both[1]) > total(both[0])
        # The charges of the same hour follow each other, in the order of the instances' names.
        charges = [(entry.at, number, entry) for number, entries in enumerate(both) for entry in entries]
        life.expect(*(entry for _, _, entry in sorted(charges, key=lambda one: one[:2])))
        late = await life.buy(1)
        await life.until("2030-06-03 00:00:01")
        await life.release(late)
        life.expect(Entry(life.now, "Usage", 800_000, 1, 1, 800_000, end))

    play(scene, start="2030-06-01 10:00:00")

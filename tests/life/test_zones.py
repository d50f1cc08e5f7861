"""Lives by other clocks: hourly charges on the account's own hours, and terms on its own days."""

from __future__ import annotations

import pytest

from tests.life.lives import PER_MINUTE, PER_MONTH, BillingOracle, Play
from tests.life.reckoning import DAY, HOUR, MINUTE, Entry, Price, Size, metered, months_after, rounded_up

BASE = Price(0, PER_MINUTE)

# A zone, when the life begins and ends, the moments of the charges that tell, and how many minutes each of them is.
# The hours are written out by hand: Z is UTC.
HOURS = (
    (
        "Pacific/Kiritimati",
        ("2030-01-01 00:30:30", "2030-01-01 02:00:00"),
        (("2029-12-31T11:00:00Z", 30), ("2029-12-31T12:00:00Z", 60)),
    ),
    (
        "Etc/GMT+12",
        ("2030-01-01 00:30:30", "2030-01-01 02:00:00"),
        (("2030-01-01T13:00:00Z", 30), ("2030-01-01T14:00:00Z", 60)),
    ),
    (
        "Asia/Kathmandu",
        ("2030-01-01 00:30:30", "2030-01-01 03:00:00"),
        (("2029-12-31T19:15:00Z", 30), ("2029-12-31T20:15:00Z", 60), ("2029-12-31T21:15:00Z", 60)),
    ),
    (
        # At two they go forward by half an hour: there is no full hour until three.
        "Australia/Lord_Howe",
        ("2030-10-06 00:59:00", "2030-10-06 04:00:00"),
        (("2030-10-05T14:30:00Z", 1), ("2030-10-05T16:00:00Z", 90), ("2030-10-05T17:00:00Z", 60)),
    ),
    (
        # At two they go back to half past one: two comes half an hour later.
        "Australia/Lord_Howe",
        ("2030-04-07 00:30:00", "2030-04-07 03:00:00"),
        (("2030-04-06T14:00:00Z", 30), ("2030-04-06T15:30:00Z", 90), ("2030-04-06T16:30:00Z", 60)),
    ),
    (
        # At two it is three.
        "Europe/Berlin",
        ("2030-03-31 00:15:00", "2030-03-31 04:00:00"),
        (("2030-03-31T00:00:00Z", 45), ("2030-03-31T01:00:00Z", 60), ("2030-03-31T02:00:00Z", 60)),
    ),
    (
        # At three it is two again.
        "Europe/Berlin",
        ("2030-10-27 01:15:00", "2030-10-27 03:00:00"),
        (("2030-10-27T00:00:00Z", 45), ("2030-10-27T01:00:00Z", 60), ("2030-10-27T02:00:00Z", 60)),
    ),
    (
        "America/New_York",
        ("2030-03-10 00:59:59", "2030-03-10 04:00:00"),
        (("2030-03-10T06:00:00Z", 1), ("2030-03-10T07:00:00Z", 60), ("2030-03-10T08:00:00Z", 60)),
    ),
    (
        "America/New_York",
        ("2030-11-03 00:30:00", "2030-11-03 02:00:00"),
        (("2030-11-03T05:00:00Z", 30), ("2030-11-03T06:00:00Z", 60), ("2030-11-03T07:00:00Z", 60)),
    ),
)


@pytest.mark.parametrize(("zone", "span", "charges"), HOURS, ids=[f"{row[0]} {row[1][0]}" for row in HOURS])
def test_a_charge_comes_at_each_full_hour_that_the_accounts_clocks_show(
    play: Play, zone: str, span: tuple[str, str], charges: tuple[tuple[str, int], ...]
) -> None:
    begin, end = span

    async def scene(life: BillingOracle) -> None:
        await life.buy(1)
        start, stands = life.now, await life.until(end)
        expected = metered(start, stands, [Size(start, 1)], [BASE], zone, ends=False)
        assert [(entry.at, entry.minutes) for entry in expected] == [
            (life.moment(at), minutes) for at, minutes in charges
        ]
        life.expect(*expected)

    play(scene, start=begin, zone=zone)


@pytest.mark.parametrize(
    ("zone", "begin", "end", "minutes", "charges"),
    [
        ("Europe/Berlin", "2030-03-30 00:00:00", "2030-04-02 00:00:00", 71 * 60, 71),
        ("Europe/Berlin", "2030-10-26 00:00:00", "2030-10-29 00:00:00", 73 * 60, 73),
        ("America/New_York", "2030-03-09 00:00:00", "2030-03-12 00:00:00", 71 * 60, 71),
        ("America/New_York", "2030-11-02 00:00:00", "2030-11-05 00:00:00", 73 * 60, 73),
        ("Australia/Lord_Howe", "2030-10-05 00:00:00", "2030-10-08 00:00:00", 71 * 60 + 30, 71),
        ("Australia/Lord_Howe", "2030-04-06 00:00:00", "2030-04-09 00:00:00", 72 * 60 + 30, 72),
        ("Asia/Kathmandu", "2030-04-06 00:00:00", "2030-04-09 00:00:00", 72 * 60, 72),
        ("Pacific/Kiritimati", "2029-12-30 00:00:00", "2030-01-02 00:00:00", 72 * 60, 72),
    ],
)
def test_days_with_a_skipped_or_a_doubled_hour_cost_the_minutes_that_they_have(
    play: Play, zone: str, begin: str, end: str, minutes: int, charges: int
) -> None:
    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(2)
        start, gone = life.now, await life.until(end)
        await life.release(unit)
        expected = metered(start, gone, [Size(start, 2)], [BASE], zone)
        assert (gone - start, len(expected)) == (minutes * MINUTE, charges)
        life.expect(*expected)
        assert life.unit(unit).charged == 2 * minutes * PER_MINUTE

    play(scene, start=begin, zone=zone)


TERMS = (
    # It is the 31st there, and still the 30th in UTC; a month later it is the 28th.
    ("Pacific/Kiritimati", "2030-01-31 00:30:00", 1, "2030-02-27T10:30:00Z"),
    ("Pacific/Kiritimati", "2028-01-31 00:30:00", 1, "2028-02-28T10:30:00Z"),
    # And here UTC has the 1st already.
    ("Etc/GMT+12", "2030-01-31 23:30:00", 1, "2030-03-01T11:30:00Z"),
    ("Asia/Kathmandu", "2028-02-29 00:10:20", 12, "2029-02-27T18:25:20Z"),
    ("Asia/Kathmandu", "2028-02-29 00:10:20", 48, "2032-02-28T18:25:20Z"),
    # Half past two does not exist on that day: the clocks of before say when it would be.
    ("Europe/Berlin", "2030-01-31 02:30:00", 2, "2030-03-31T01:30:00Z"),
    # And on that day it is twice half past two: the first counts.
    ("Europe/Berlin", "2030-09-27 02:30:00", 1, "2030-10-27T00:30:00Z"),
    # A quarter that is an hour longer than its days.
    ("America/New_York", "2030-08-31 12:00:00", 3, "2030-11-30T17:00:00Z"),
    ("Australia/Lord_Howe", "2030-08-31 12:00:00", 2, "2030-10-31T01:00:00Z"),
)


@pytest.mark.parametrize(("zone", "begin", "months", "end"), TERMS, ids=[f"{row[0]} {row[1]}" for row in TERMS])
def test_a_term_ends_at_the_same_time_of_day_on_the_accounts_clocks(
    play: Play, zone: str, begin: str, months: int, end: str
) -> None:
    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(2, months=months)
        bought, ends = life.now, life.moment(end)
        assert ends == months_after(begin, months, zone)
        life.expect_term("Purchase", at=bought, since=bought, until=ends, months=months, count=2)
        await life.until(ends - 1)
        assert life.unit(unit).status == "Running"
        await life.until(ends)
        assert life.unit(unit).status == "Stopped"
        # Retention is days of 24 hours, whatever the clocks do.
        await life.until(ends + 7 * DAY - 1)
        assert life.unit(unit).status == "Stopped"
        await life.until(ends + 7 * DAY)
        assert life.unit(unit).status == "Released"

    play(scene, start=begin, zone=zone)


def test_tries_to_renew_are_so_many_times_24_hours_before_the_end_also_when_a_day_has_25(play: Play) -> None:
    begin = "2030-09-30 02:30:00"

    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(1, months=1, auto_renew=True)
        end, longer = months_after(begin, 1, life.zone), months_after(begin, 2, life.zone)
        life.expect_term("Purchase", at=life.now, since=life.now, until=end, months=1)
        # The end is by winter time, and the try by summer time: an hour later on the clocks.
        first = life.moment("2030-10-23 03:30:00")
        assert first == end - 7 * DAY
        life.expect_term("Renewal", at=first, since=end, until=longer, months=1)
        await life.until(first - 1)
        assert life.unit(unit).expires_at == end
        await life.until(first)
        assert life.unit(unit).expires_at == longer

    play(scene, start=begin, zone="Europe/Berlin")


def test_growing_in_a_term_with_a_changed_clock_is_paid_by_seconds_that_passed(play: Play) -> None:
    begin = "2030-03-15 12:00:00"

    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(1, months=1)
        start, end = life.now, months_after(begin, 1, life.zone)
        life.expect_term("Purchase", at=start, since=start, until=end, months=1)
        assert end - start == 31 * DAY - HOUR
        at = await life.until("2030-03-31 03:00:00")
        await life.resize(unit, 3)
        rest, full = (end - at) // 1_000_000, (31 * 24 - 1) * 3600
        amount = rounded_up(2 * PER_MONTH * rest, full)
        life.expect(Entry(at, "Resize", amount, 2, None, PER_MONTH, at, end))
        assert rest == (15 * 24 + 9) * 3600
        await life.until(end + MINUTE)

    play(scene, start=begin, zone="Europe/Berlin")

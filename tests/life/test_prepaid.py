"""Prepaid lives: terms, renewals by rule and by hand, and the end of those that are not paid for."""

from __future__ import annotations

import pytest

from leasebook.domain.values.rule_settings import Rules
from tests.life.lives import PER_MONTH, BillingOracle, Play
from tests.life.reckoning import DAY, Entry, months_after, rounded_up


@pytest.mark.parametrize(
    ("year", "february"), [(2028, "2028-02-29 10:00:00"), (2030, "2030-02-28 10:00:00")], ids=["leap", "common"]
)
def test_five_months_from_the_31st_of_january_end_on_the_last_days_of_short_months(
    play_everywhere: Play, year: int, february: str
) -> None:
    start = f"{year}-01-31 10:00:00"
    ends = [f"{year}-{day} 10:00:00" for day in ("03-31", "04-30", "05-31", "06-30")]

    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(2, months=1, auto_renew=True)
        end = life.moment(february)
        life.expect_term("Purchase", at=life.now, since=life.now, until=end, months=1, count=2)
        for number, text in enumerate(ends, start=2):
            longer = life.moment(text)
            assert longer == months_after(start, number, life.zone)
            life.expect_term("Renewal", at=end - 7 * DAY, since=end, until=longer, months=1, count=2)
            await life.until(end - 7 * DAY - 1)
            assert life.unit(unit).expires_at == end
            await life.until(end - 7 * DAY)
            assert life.unit(unit).expires_at == longer
            end = longer
        await life.rule(unit, None)
        await life.until(end)
        assert life.unit(unit).status == "Stopped"
        await life.until(end + 7 * DAY - 1)
        assert (life.unit(unit).status, life.free()) == ("Stopped", 18)
        await life.until(end + 7 * DAY)
        gone = life.unit(unit)
        assert (gone.status, gone.end_reason, gone.ended_at) == ("Released", "Expiry", end + 7 * DAY)
        assert (gone.charged, life.free()) == (10 * PER_MONTH, 20)

    play_everywhere(scene, start=start)


@pytest.mark.parametrize("days", [7, 3, 0, -2])
def test_a_renewal_is_made_7_days_before_or_as_soon_as_it_can_be_paid(play: Play, days: int) -> None:
    start = "2029-11-30 08:15:30"

    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(3, months=3, auto_renew=True, auto_renew_months=2)
        end, longer = months_after(start, 3, life.zone), months_after(start, 5, life.zone)
        assert end == life.moment("2030-02-28 08:15:30")
        life.expect_term("Purchase", at=life.now, since=life.now, until=end, months=3, count=3)
        await life.until(end - days * DAY - 1)
        assert life.unit(unit).expires_at == end
        # A micro-unit too little was there before.
        await life.pay_in(1)
        at = end - days * DAY - (days < 7)
        life.expect_term("Renewal", at=at, since=end, until=longer, months=2, count=3)
        await life.until(end - days * DAY)
        assert (life.unit(unit).expires_at, life.unit(unit).renew_at) == (longer, longer - 7 * DAY)
        await life.until(end + 3 * DAY)
        assert (life.unit(unit).status, life.account.balance) == ("Running", 0)

    play(scene, start=start, funds=15 * PER_MONTH - 1)


def test_where_all_tries_fail_it_stops_at_its_end_and_is_released_after_the_retention(play: Play) -> None:
    start = "2031-12-31 23:59:59"

    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(months=2, auto_renew=True)
        end = months_after(start, 2, life.zone)
        assert end == life.moment("2032-02-29 23:59:59")
        life.expect_term("Purchase", at=life.now, since=life.now, until=end, months=2)
        for days, coming in ((7, 3), (3, 1), (1, 0)):
            await life.until(end - days * DAY)
            assert life.unit(unit).renew_at == end - coming * DAY
        await life.until(end - 1)
        assert life.unit(unit).status == "Running"
        await life.until(end)
        stopped = life.unit(unit)
        assert (stopped.status, stopped.renew_at, stopped.retire_at) == ("Stopped", end + DAY, end + 3 * DAY)
        # It is tried every day until it is released.
        await life.until(end + DAY)
        assert life.unit(unit).renew_at == end + 2 * DAY
        await life.until(end + 2 * DAY)
        assert life.unit(unit).renew_at is None
        await life.until(end + 3 * DAY)
        assert (life.unit(unit).status, life.unit(unit).ended_at) == ("Released", end + 3 * DAY)
        assert life.free() == 20

    play(scene, start=start, funds=2 * PER_MONTH + PER_MONTH - 1, rules=Rules(retention_us=3 * DAY))


def test_a_stopped_one_is_renewed_by_hand_from_the_end_of_its_term_and_not_from_today(play: Play) -> None:
    start = "2030-08-31 12:00:00"

    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(2, months=1)
        end, longer = months_after(start, 1, life.zone), months_after(start, 2, life.zone)
        assert (end, longer) == (life.moment("2030-09-30 12:00:00"), life.moment("2030-10-31 12:00:00"))
        life.expect_term("Purchase", at=life.now, since=life.now, until=end, months=1, count=2)
        at = await life.until("2030-10-05 18:00:01")
        assert life.unit(unit).status == "Stopped"
        assert await life.renew(unit, 1) == longer
        life.expect_term("Renewal", at=at, since=end, until=longer, months=1, count=2)
        back = life.unit(unit)
        assert (back.status, back.retire_at) == ("Running", None)
        # Where it would have been released nothing happens now.
        await life.until(end + 7 * DAY)
        assert life.unit(unit).status == "Running"
        await life.until(longer)
        assert life.unit(unit).status == "Stopped"
        await life.until(longer + 7 * DAY)
        assert await life.refused(life.renewing(unit, 1)) == "wrong_state"

    play(scene, start=start)


def test_a_rule_that_was_deleted_renews_nothing_and_one_that_was_set_late_has_the_tries_that_are_left(
    play: Play,
) -> None:
    start = "2030-05-31 00:00:00"

    async def scene(life: BillingOracle) -> None:
        deleted = await life.buy(months=1, auto_renew=True)
        late = await life.buy(months=1)
        end, longer = months_after(start, 1, life.zone), months_after(start, 2, life.zone)
        for _ in range(2):
            life.expect_term("Purchase", at=life.now, since=life.now, until=end, months=1)
        await life.until(end - 7 * DAY - 1)
        await life.rule(deleted, None)
        await life.until(end - 2 * DAY)
        await life.rule(late, 1)
        life.expect_term("Renewal", at=end - DAY, since=end, until=longer, months=1)
        await life.until(end)
        assert (life.unit(deleted).status, life.unit(late).status) == ("Stopped", "Running")
        assert life.unit(late).expires_at == longer

    play(scene, start=start)


def test_a_renewal_by_hand_before_the_first_try_leaves_nothing_to_renew_by_itself(play: Play) -> None:
    start = "2030-01-31 10:00:00"

    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(months=1, auto_renew=True)
        end, longer = months_after(start, 1, life.zone), months_after(start, 2, life.zone)
        life.expect_term("Purchase", at=life.now, since=life.now, until=end, months=1)
        at = await life.until(end - 8 * DAY)
        await life.renew(unit, 1)
        life.expect_term("Renewal", at=at, since=end, until=longer, months=1)
        await life.until(longer - 7 * DAY - 1)
        assert life.unit(unit).expires_at == longer
        # Then the rule goes on from the new end.
        longest = months_after(start, 3, life.zone)
        life.expect_term("Renewal", at=longer - 7 * DAY, since=longer, until=longest, months=1)
        await life.until(longer - 7 * DAY)
        assert life.unit(unit).expires_at == longest

    play(scene, start=start)


def test_a_renewal_costs_what_a_month_costs_then_for_the_units_that_it_has_then(play: Play) -> None:
    start = "2028-01-31 10:00:00"

    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(1, months=1, auto_renew=True)
        bought, end = life.now, life.moment("2028-02-29 10:00:00")
        life.expect_term("Purchase", at=bought, since=bought, until=end, months=1)
        at = await life.until("2028-02-14 22:00:00.500000")
        await life.resize(unit, 3)
        # 29 days; a second that has begun is paid for whole.
        seconds = (end - at) // 1_000_000 + 1
        amount = rounded_up(2 * PER_MONTH * seconds, 29 * 86_400)
        life.expect(Entry(at, "Resize", amount, 2, None, PER_MONTH, at, end))
        await life.until("2028-02-20 00:00:00")
        await life.offer(per_month=PER_MONTH + 7)
        longer = life.moment("2028-03-31 10:00:00")
        life.expect_term("Renewal", at=end - 7 * DAY, since=end, until=longer, months=1, count=3, price=PER_MONTH + 7)
        await life.until(end)
        # From the first day of the term, which began with the purchase: 60 days for two months.
        at = await life.until("2028-03-11 09:59:59")
        await life.resize(unit, 4)
        seconds = 20 * 86_400 + 1
        amount = rounded_up((PER_MONTH + 7) * 2 * seconds, 60 * 86_400)
        life.expect(Entry(at, "Resize", amount, 1, None, PER_MONTH + 7, at, longer))

    play(scene, start=start)


@pytest.mark.parametrize(
    ("start", "day", "end", "part", "whole"),
    [
        ("2030-02-28 10:00:00", 15, "2030-04-15 10:00:00", 18, 31),  # from 28 March to 15 April
        ("2030-03-10 10:00:00", 10, "2030-05-10 10:00:00", 1, 1),  # it ends on that day already: the next one
        ("2030-03-10 10:00:00", 31, "2030-04-30 10:00:00", 21, 31),  # it is taken for the 31st
        ("2030-01-10 10:00:00", 31, "2030-02-28 10:00:00", 21, 31),
        ("2028-01-10 10:00:00", 31, "2028-02-29 10:00:00", 21, 31),
        ("2030-01-31 10:00:00", 31, "2030-03-31 10:00:00", 1, 1),  # and February has no later day
        ("2030-11-20 10:00:00", 5, "2031-01-05 10:00:00", 16, 31),  # over the year's end
    ],
)
def test_a_renewal_to_a_day_pays_the_part_of_the_month_that_is_missing(
    play: Play, start: str, day: int, end: str, part: int, whole: int
) -> None:
    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(3, months=1)
        bought, first = life.now, months_after(start, 1, life.zone)
        life.expect_term("Purchase", at=bought, since=bought, until=first, months=1, count=3)
        at = await life.until(bought + DAY)
        assert await life.renew(unit, day=day) == life.moment(end)
        amount = rounded_up(3 * PER_MONTH * part, whole)
        life.expect(Entry(at, "Renewal", amount, 3, None, PER_MONTH, first, life.moment(end)))
        await life.until(life.moment(end) - 1)
        assert life.unit(unit).status == "Running"
        await life.until(end)
        assert life.unit(unit).status == "Stopped"

    play(scene, start=start)


def test_instances_with_a_common_day_31_stay_together_over_short_months(play: Play) -> None:
    async def scene(life: BillingOracle) -> None:
        units = []
        first_ends = ("2030-02-10 10:00:00", "2030-02-21 10:00:00")
        for begin, end in zip(("2030-01-10 10:00:00", "2030-01-21 10:00:00"), first_ends, strict=True):
            at = await life.until(begin)
            units.append(await life.buy(months=1))
            life.expect_term("Purchase", at=at, since=at, until=life.moment(end), months=1)
        at = await life.until("2030-01-25 10:00:00")
        common = life.moment("2030-02-28 10:00:00")
        for unit, end, days in zip(units, first_ends, (21, 10), strict=True):
            assert await life.renew(unit, day=31) == common
            amount = rounded_up(PER_MONTH * days, 31)
            life.expect(Entry(at, "Renewal", amount, 1, None, PER_MONTH, life.moment(end), common))
        for text in ("2030-03-31 10:00:00", "2030-04-30 10:00:00", "2030-05-31 10:00:00"):
            longer = life.moment(text)
            for unit in units:
                assert await life.renew(unit, 1) == longer
                life.expect_term("Renewal", at=at, since=common, until=longer, months=1)
            common = longer
        await life.until(common)
        assert {life.unit(unit).status for unit in units} == {"Stopped"}

    play(scene, start="2030-01-10 10:00:00")

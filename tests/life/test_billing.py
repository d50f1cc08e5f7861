"""Lives that are paid in both ways, that fail to begin, and lives of quota."""

from __future__ import annotations

import pytest

from leasebook.domain.commands.command import Engine
from leasebook.domain.commands.instance.engine_report import ConfirmFailed, ConfirmRunning
from leasebook.domain.commands.instance.release import Release, ScheduleRelease
from tests.life.lives import ACCOUNT, PER_MINUTE, PER_MONTH, BillingOracle, Play
from tests.life.reckoning import DAY, HOUR, MINUTE, Entry, Price, Size, metered, months_after

BASE = Price(0, PER_MINUTE)


def test_postpaid_becomes_prepaid_at_once_with_the_minute_in_progress_charged_and_the_term_paid_from_its_end(
    play_everywhere: Play,
) -> None:
    turned, begins = "2030-01-31 13:14:15", "2030-01-31 13:15:00"

    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(3, release_at=life.now + 90 * DAY)
        start = life.now
        at = await life.until(turned)
        end, longer = months_after(begins, 1, life.zone), months_after(begins, 2, life.zone)
        assert end == life.moment("2030-02-28 13:15:00")
        await life.turn(unit, "Prepaid", months=1, auto_renew=True)
        life.expect(*metered(start, at, [Size(start, 3)], [BASE], life.zone))
        life.expect_term("Conversion", at=at, since=life.moment(begins), until=end, months=1, count=3)
        life.expect_term("Renewal", at=end - 7 * DAY, since=end, until=longer, months=1, count=3)
        now = life.unit(unit)
        # Its release time went with the meter.
        assert (now.payment_timing, now.release_at, now.charge_at, now.expires_at) == ("Prepaid", None, None, end)
        await life.until(end - 7 * DAY)
        await life.rule(unit, None)
        await life.until(longer + 7 * DAY)
        assert (life.unit(unit).end_reason, life.free()) == ("Expiry", 20)

    play_everywhere(scene, start="2030-01-29 10:30:00")


def test_prepaid_becomes_postpaid_at_its_end_and_the_meter_starts_at_that_very_moment(play: Play) -> None:
    start = "2030-01-31 10:20:30"

    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(2, months=1, auto_renew=True)
        bought, end = life.now, months_after(start, 1, life.zone)
        life.expect_term("Purchase", at=bought, since=bought, until=end, months=1, count=2)
        await life.until(bought + 3 * DAY)
        await life.turn(unit, "Postpaid")
        assert (life.unit(unit).status, life.unit(unit).renew_at) == ("BillingChanging", None)
        await life.until(end - 1)
        assert (life.unit(unit).status, life.unit(unit).charge_at) == ("BillingChanging", None)
        await life.until(end)
        now = life.unit(unit)
        assert (now.status, now.payment_timing, now.meter_from) == ("Running", "Postpaid", end)
        gone = await life.until(end + 30 * HOUR)
        await life.release(unit)
        life.expect(*metered(end, gone, [Size(end, 2)], [BASE], life.zone))
        assert life.unit(unit).charged == 2 * PER_MONTH + 2 * 1800 * PER_MINUTE

    play(scene, start=start)


def test_there_and_back_within_a_term_changes_nothing_and_a_renewal_keeps_it_prepaid(play: Play) -> None:
    start = "2030-03-31 00:00:00"

    async def scene(life: BillingOracle) -> None:
        back, renewed = await life.buy(months=1), await life.buy(months=1)
        bought, end, longer = life.now, months_after(start, 1, life.zone), months_after(start, 2, life.zone)
        for _ in range(2):
            life.expect_term("Purchase", at=bought, since=bought, until=end, months=1)
        at = await life.until(bought + 3 * DAY)
        for unit in (back, renewed):
            await life.turn(unit, "Postpaid")
            assert await life.refused(life.billing_change(unit, "Postpaid")) == "wrong_state"
        await life.turn(back, "Prepaid")
        await life.renew(renewed, 1)
        life.expect_term("Renewal", at=at, since=end, until=longer, months=1)
        await life.until(end)
        assert (life.unit(back).status, life.unit(renewed).status) == ("Stopped", "Running")
        await life.until(longer)
        assert (life.unit(renewed).status, life.unit(renewed).payment_timing) == ("Stopped", "Prepaid")

    play(scene, start=start)


@pytest.mark.parametrize("short", [0, 1], ids=["an hour is there", "a micro-unit is missing"])
def test_at_the_end_of_the_term_the_balance_must_do_for_an_hour_as_for_a_purchase(play: Play, short: int) -> None:
    start = "2030-03-31 00:30:00"

    async def scene(life: BillingOracle) -> None:
        unit = await life.buy(2, months=1)
        bought, end = life.now, months_after(start, 1, life.zone)
        life.expect_term("Purchase", at=bought, since=bought, until=end, months=1, count=2)
        await life.turn(unit, "Postpaid")
        await life.until(end)
        if short:
            assert (life.unit(unit).status, life.unit(unit).payment_timing) == ("Stopped", "Prepaid")
            await life.until(end + 7 * DAY)
            assert life.unit(unit).end_reason == "Expiry"
            return
        assert life.unit(unit).payment_timing == "Postpaid"
        await life.until(end + 59 * MINUTE + 1)
        await life.release(unit)
        life.expect(*metered(end, life.now, [Size(end, 2)], [BASE], life.zone))
        assert life.account.balance == 0

    play(scene, start=start, funds=2 * PER_MONTH + 2 * 60 * PER_MINUTE - short)


def test_what_cannot_be_created_gives_back_its_money_and_its_stock(play_everywhere: Play) -> None:
    async def scene(life: BillingOracle) -> None:
        bought, end = life.now, months_after("2030-01-31 10:00:00", 2, life.zone)
        failing, starting = await life.buy(4, months=2), await life.buy(1, months=2)
        metered_one = await life.buy(5)
        life.expect_term("Purchase", at=bought, since=bought, until=end, months=2, count=4)
        life.expect_term("Purchase", at=bought, since=bought, until=end, months=2)
        assert life.free() == 10
        at = await life.until("2030-01-31 11:00:07")
        await life.ask(ConfirmFailed(unit_id=failing, reason="no such card is free"))
        life.expect(Entry(at, "Refund", -4 * 2 * PER_MONTH))
        await life.ask(ConfirmFailed(unit_id=metered_one, reason="no such card is free"))
        await life.ask(ConfirmRunning(unit_id=starting))
        failed = life.unit(failing)
        assert (failed.status, failed.charged, failed.failure) == ("CreateFailed", 0, "no such card is free")
        assert (life.unit(metered_one).status, life.free()) == ("CreateFailed", 19)
        # A report that comes twice changes nothing.
        assert not await life.ask(ConfirmFailed(unit_id=failing, reason="again"))
        # The term of the other runs from when it was there, not from when it was paid.
        assert life.unit(starting).expires_at == months_after("2030-01-31 11:00:07", 2, life.zone)
        await life.until("2030-02-28 00:00:00")

    play_everywhere(scene, start="2030-01-31 10:00:00", engine=Engine())


def test_quota_is_metered_until_its_scheduled_release_at_the_second(play_everywhere: Play) -> None:
    place, price = ("global", "ernie-4.0-8k"), 60_001

    async def scene(life: BillingOracle) -> None:
        await life.offer(per_minute=price, place=place, stock_total=100, kind="TPM")
        unit = await life.buy(7, place=place)
        start = life.now
        assert life.free(place) == 93
        await life.until(start + 50 * MINUTE)
        end = start + 5 * HOUR + 1_000_000
        await life.schedule(unit, start + 2 * HOUR, kind="TPM")
        await life.schedule(unit, end, kind="TPM")
        # It is no unit of compute, for any caller that asks for one by its name.
        assert await life.refused(Release(account_id=ACCOUNT, unit_id=unit, service_id=None)) == "no_instance"
        await life.until(start + 6 * HOUR)
        life.expect(*metered(start, end, [Size(start, 7)], [Price(0, price)], life.zone))
        gone = life.unit(unit)
        assert (gone.status, gone.ended_at, gone.end_reason) == ("Released", end, "Schedule")
        assert (gone.charged, life.free(place)) == (7 * 301 * price, 100)
        again = ScheduleRelease(account_id=ACCOUNT, unit_id=unit, service_id=None, release_at=None, kind=gone.kind)
        assert await life.refused(again) == "wrong_state"

    play_everywhere(scene, start="2030-06-01 10:30:59.999999")

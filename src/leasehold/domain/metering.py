"""Metering by the minute: a started minute counts, once, for the most units held in it (decision 11)."""

from __future__ import annotations

from typing import Any

from leasehold.domain.book import ACCOUNTS, PRICES, Draft
from leasehold.domain.calendar import MINUTE_US, Instant, next_full_hour
from leasehold.domain.catalogue import PriceList
from leasehold.domain.changing import change
from leasehold.domain.ledger import USAGE_REVENUE, Posting, wallet
from leasehold.domain.money import MICRO_MAX, Micro
from leasehold.domain.rules import Rules
from leasehold.domain.unit import UP, Unit


def minutes_started(start: Instant, until: Instant) -> int:
    """Count the minutes from start that have begun before ``until``.

    Cut at any moments, the parts of an interval add up to the whole: a minute belongs to the part in
    which it begins.
    """
    return max(0, -((start - until) // MINUTE_US))


def start_meter(draft: Draft, unit: Unit, now: Instant, **more: Any) -> Unit:
    """Meter a postpaid instance from now on. Needs its account and its services."""
    zone = draft.require(ACCOUNTS, unit.account_id).time_zone
    return change(
        draft,
        unit,
        status="Running",
        meter_from=now,
        metered_minutes=0,
        metered_peak=0,
        charge_at=next_full_hour(now, zone),
        retire_at=None,
        resume_at=None,
        **more,
    )


def charge_usage(draft: Draft, unit: Unit, until: Instant, **more: Any) -> Unit:
    """Charge the minutes of a postpaid instance that began before ``until`` and are not charged yet.

    There is one posting for each price that held among them. ``more`` is what else changes, in any case. Needs the
    instance's account and prices.
    """
    start = unit.meter_from
    if unit.release_at is not None:
        # Whatever comes before a release that is late: nobody pays beyond its time (decision 6).
        until = min(until, unit.release_at)
    minutes = 0 if start is None else minutes_started(start, until)
    metered = unit.payment_timing == "Postpaid" and unit.status in UP
    if start is None or not metered or minutes <= unit.metered_minutes:
        return change(draft, unit, **more) if more else unit
    charged = 0
    for first, end, price in _prices(draft, unit).stretches(start, unit.metered_minutes, minutes):
        charged += _post(draft, unit, charged, until, start, (first, end), unit.count, price)
    return change(
        draft,
        unit,
        metered_minutes=minutes,
        metered_peak=unit.count,
        charged=Micro(unit.charged + charged),
        **more,
    )


def grow(draft: Draft, unit: Unit, count: int, now: Instant) -> Unit:
    """Let a metered instance have that many units from now on, or fewer.

    The minute in progress is charged already; where it has more units now than ever before, they are added. So who
    grows for half a minute and shrinks again pays for that minute, once. Needs the account and the prices.
    """
    unit = charge_usage(draft, unit, now)
    start, minute = unit.meter_from, unit.metered_minutes
    added = count - unit.metered_peak
    charged, peak = 0, unit.metered_peak
    over = unit.release_at is not None and unit.release_at < now
    if start is not None and minute and start + minute * MINUTE_US > now and added > 0 and not over:
        for first, end, price in _prices(draft, unit).stretches(start, minute - 1, minute):
            charged += _post(draft, unit, charged, now, start, (first, end), added, price)
        peak = count
    return change(draft, unit, count=count, metered_peak=peak, charged=Micro(unit.charged + charged))


def note_arrears(draft: Draft, unit: Unit, rules: Rules, now: Instant) -> Unit:
    """Have an instance stopped where its account's debt stays unpaid for the grace, and not where it is paid."""
    since = draft.require(ACCOUNTS, unit.account_id).arrears_since
    if since is None:
        return unit if unit.stop_at is None else change(draft, unit, stop_at=None)
    stop_at = Instant(max(now, since + rules.arrears_grace_us))
    return unit if unit.stop_at == stop_at else change(draft, unit, stop_at=stop_at)


def _prices(draft: Draft, unit: Unit) -> PriceList:
    return draft.require(PRICES, *unit.offering).as_quoted(unit.quoted_at, unit.created_at)


def _post(
    draft: Draft,
    unit: Unit,
    charged: int,
    at: Instant,
    start: Instant,
    minutes: tuple[int, int],
    count: int,
    price: Micro,
) -> int:
    first, end = minutes
    # A price may be set so high that no store can hold the charge. It must not keep the instance from ending.
    account = draft.require(ACCOUNTS, unit.account_id)
    room = min(MICRO_MAX - 1 + min(account.balance, 0), MICRO_MAX - 1 - unit.charged - charged)
    amount = Micro(min(count * (end - first) * price, room))
    if amount <= 0:
        return 0
    draft.post(
        Posting(
            account_id=unit.account_id,
            at=at,
            kind="Usage",
            debit=wallet(unit.account_id),
            credit=USAGE_REVENUE,
            amount=amount,
            unit_id=unit.id,
            minutes=end - first,
            count=count,
            price=price,
            since=Instant(start + first * MINUTE_US),
        )
    )
    return amount

"""Metering by the minute: each started minute counts once, for the most units reserved in it (decision 11)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNTS, OFFERINGS, PRICES
from leasebook.domain.model.instance import UP, Instance, InstanceChanges
from leasebook.domain.model.offering import PriceList
from leasebook.domain.record.ledger import USAGE_REVENUE, Posting, wallet
from leasebook.domain.rules.lifecycle import change
from leasebook.domain.values.calendar import MINUTE_US, Instant, next_full_hour
from leasebook.domain.values.money import MICRO_MAX, Micro
from leasebook.domain.values.rule_settings import Rules


def minutes_started(start: Instant, until: Instant) -> int:
    """Count the minutes from ``start`` that begin before ``until``.

    Each minute belongs to the part of an interval in which it begins. The counts of the parts of an interval therefore
    add up to the count of the whole.
    """
    return max(0, -((start - until) // MINUTE_US))


def start_meter(draft: Draft, unit: Instance, now: Instant) -> Instance:
    """Meter a postpaid instance from now on. Needs its account, its services and its offering.

    An instance that stopped and runs again within the same minute keeps its meter, because that minute is already paid
    for (decision 28).
    """
    changes: InstanceChanges = {
        "status": "Running",
        "charge_at": next_full_hour(now, draft.require(ACCOUNTS, unit.account_id).time_zone),
        "retire_at": None,
        "resume_at": None,
    }
    paid = paid_until(unit)
    if paid is not None and now < paid:
        changes["sized_at"] = now
    else:
        changes |= {
            "meter_from": now,
            "metered_minutes": 0,
            "metered_peak": 0,
            "sized_at": None,
            "price_number": draft.require(OFFERINGS, *unit.offering).price_number,
        }
    return change(draft, unit, **changes)


def paid_until(unit: Instance) -> Instant | None:
    """Return the end of the last charged minute; None if the instance is not metered."""
    start = unit.meter_from
    return None if start is None else Instant(start + unit.metered_minutes * MINUTE_US)


class Use(NamedTuple):
    """The minutes [first, end) of a meter, charged for ``units`` units at one price."""

    first: int
    end: int
    units: int
    price: Micro

    @property
    def amount(self) -> int:
        """The cost in micro-units."""
        return self.units * (self.end - self.first) * self.price


def uses(unit: Instance, prices: PriceList, until: Instant) -> Iterator[Use]:
    """Yield the uncharged use of a metered instance before ``until``.

    First the units by which it grew within a minute already charged, then the minutes that have begun since, each at
    the price when it began. Units with a quoted price keep that price until the next change (decision 25).
    """
    start = unit.meter_from
    if start is None:
        return
    listed = prices.for_meter(start, unit.price_number)
    done, minutes = unit.metered_minutes, minutes_started(start, until)
    grown = _grown(unit, until)
    if grown:
        yield from _priced(listed, start, done - 1, done, grown)
    quoted = 0 if unit.quoted_price is None else min(unit.count, unit.quoted_count)
    if quoted:
        turn = listed.first_minute_after(unit.quoted_number, start)
        over = minutes if turn is None else max(done, min(minutes, turn))
        if done < over:
            yield Use(done, over, quoted, unit.quoted_price or Micro(0))
            if unit.count > quoted:
                yield from _priced(listed, start, done, over, unit.count - quoted)
        done = over
    if done < minutes:
        yield from _priced(listed, start, done, minutes, unit.count)


def _priced(listed: PriceList, start: Instant, first: int, end: int, count: int) -> Iterator[Use]:
    for begin, until, price in listed.stretches(start, first, end):
        yield Use(begin, until, count, price)


def _grown(unit: Instance, until: Instant) -> int:
    """Return the units by which it grew within a charged minute, if it had them for some time before ``until``.

    Units that were reserved for no time are free, at any point of a minute (decision 28).
    """
    paid, sized_at = paid_until(unit), unit.sized_at
    if paid is None or sized_at is None or not unit.metered_minutes or sized_at >= min(until, paid):
        return 0
    return max(0, unit.count - unit.metered_peak)


def charge_usage(draft: Draft, unit: Instance, until: Instant, *, at: Instant | None = None) -> Instance:
    """Charge the uncharged use of a postpaid instance before ``until``.

    There is one posting for each price and number of units, dated ``at``, or else ``until``. Needs the instance's
    account and prices.
    """
    start = unit.meter_from
    if unit.release_at is not None:
        # If a release is late, work done before it charges no minute after the release time (decision 6).
        until = min(until, unit.release_at)
    metered = unit.payment_timing == "Postpaid" and unit.status in UP
    minutes = 0 if start is None else minutes_started(start, until)
    grown = _grown(unit, until)
    if start is None or not metered or (minutes <= unit.metered_minutes and not grown):
        return unit
    charged = 0
    for use in uses(unit, draft.require(PRICES, *unit.offering), until):
        charged += _post(draft, unit, charged, until if at is None else at, start, use)
    peak = unit.count if minutes > unit.metered_minutes else unit.metered_peak + grown
    return change(
        draft,
        unit,
        metered_minutes=max(unit.metered_minutes, minutes),
        metered_peak=peak,
        charged=Micro(unit.charged + charged),
    )


def charge_last_minute(draft: Draft, unit: Instance, now: Instant) -> Instance:
    """Charge an instance whose meter ends now while it goes on: the started minute is charged for its present units."""
    unit = charge_usage(draft, unit, now)
    paid = paid_until(unit)
    return unit if paid is None or paid <= now else charge_usage(draft, unit, paid, at=now)


def note_arrears(draft: Draft, unit: Instance, rules: Rules, now: Instant) -> Instance:
    """Set when an instance stops for its account's debt: the grace after the debt began; clear it when paid."""
    since = draft.require(ACCOUNTS, unit.account_id).arrears_since
    if since is None:
        return unit if unit.stop_at is None else change(draft, unit, stop_at=None)
    stop_at = Instant(max(now, since + rules.arrears_grace_us))
    return unit if unit.stop_at == stop_at else change(draft, unit, stop_at=stop_at)


def _post(draft: Draft, unit: Instance, charged: int, at: Instant, start: Instant, use: Use) -> int:
    first, end, count, price = use
    # A price may be so high that no store can hold the charge. The charge is cut, so that the instance can still end.
    account = draft.require(ACCOUNTS, unit.account_id)
    room = min(MICRO_MAX - 1 + min(account.balance, 0), MICRO_MAX - 1 - unit.charged - charged)
    amount = Micro(min(use.amount, room))
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
            project_id=unit.project_id,
        )
    )
    return amount

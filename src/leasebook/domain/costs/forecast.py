"""Predicting charges, from instances that run and their scheduled changes, by the arithmetic of the charges.

It takes for granted that nothing is bought, changed or topped up meanwhile, that the balance and the limits allow
scheduled changes, and that engines do at once all that they are asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from leasebook.domain.costs.periods import Periods
from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import UP, Instance
from leasebook.domain.model.limits import AccountLimits
from leasebook.domain.model.offering import Offering, PriceList
from leasebook.domain.record.ledger import PREPAID_REVENUE, Posting, wallet
from leasebook.domain.rules.billing_switch import judge_postpaid
from leasebook.domain.rules.metering import uses
from leasebook.domain.rules.term import (
    Term,
    is_too_long,
    months_between,
    next_try,
    own_term,
    price_of_months,
    term_of,
)
from leasebook.domain.values.calendar import HOUR_US, Instant, next_full_hour
from leasebook.domain.values.money import MICRO_MAX, Micro
from leasebook.domain.values.rule_settings import Rules


class Around(NamedTuple):
    """The rows on which the charges of an instance depend besides itself."""

    account: Account
    offering: Offering
    prices: PriceList
    limits: AccountLimits | None
    rules: Rules


class Expected(NamedTuple):
    """The charges of an instance that are still to come in the periods of an answer.

    ``use`` is metered use, in micro-units, by the place of its period. ``payments`` are made in advance.
    """

    use: dict[int, int]
    payments: list[Posting]


def expect(unit: Instance, around: Around, periods: Periods) -> Expected:
    """Return what an instance will be charged until the end of the periods.

    Charges that are overdue by now, because due work is late, are part of it.
    """
    if unit.status not in UP:
        return Expected({}, [])
    if unit.payment_timing == "Postpaid":
        return Expected(dict(_metered(unit, around, periods)), [])
    payments, ends_at = _renewed(unit, around, periods.until)
    if unit.status != "BillingChanging" or ends_at is None or ends_at >= periods.until:
        return Expected({}, payments)
    return Expected(dict(_after_the_term(unit, around, periods, ends_at)), payments)


def _metered(unit: Instance, around: Around, periods: Periods) -> Iterator[tuple[int, int]]:
    """Yield what each period is charged for metered use: by each full hour in it, and by the end of the instance."""
    if unit.charge_at is None:
        return
    ends = min((at for at in (unit.release_at, unit.stop_at) if at is not None), default=None)
    # An overdue charge of before the first period is none of its costs.
    before = _used(unit, around, _last_charge(unit, periods.since, ends, around.account.time_zone))
    for place in range(len(periods)):
        _, until = periods.bounds(place)
        used = _used(unit, around, _last_charge(unit, until, ends, around.account.time_zone))
        if used != before:
            yield place, used - before
        before = used


def _used(unit: Instance, around: Around, charged_at: Instant | None) -> int:
    """Return the amount of a charge for all uncharged use; None: there is no charge."""
    if charged_at is None:
        return 0
    room = MICRO_MAX - 1 - unit.charged
    return min(sum(use.amount for use in uses(unit, around.prices, charged_at)), room)


def _last_charge(unit: Instance, before: Instant, ends: Instant | None, zone_name: str) -> Instant | None:
    """Return the last moment before another one at which an instance is charged; None: it is not charged until then."""
    if ends is not None and ends < before:
        return ends
    hour = last_full_hour(before, zone_name)
    return None if unit.charge_at is None or hour < unit.charge_at else hour


def last_full_hour(before: Instant, zone_name: str) -> Instant:
    """Return the last full hour on a zone's clocks before a moment."""
    hour = Instant(before - before % HOUR_US - 2 * HOUR_US)
    while (following := next_full_hour(hour, zone_name)) < before:
        hour = following
    return hour


def _renewed(unit: Instance, around: Around, until: Instant) -> tuple[list[Posting], Instant | None]:
    """Return the renewals that happen by themselves before a moment, and when the last term ends."""
    payments: list[Posting] = []
    term, at = (None if unit.expires_at is None else own_term(unit)), unit.renew_at
    if unit.status == "BillingChanging":
        return payments, unit.expires_at
    while unit.auto_renew and term is not None and at is not None and at < until:
        longer = term_of(term.anchor, term.months + unit.auto_renew_months, around.account.time_zone)
        if not _is_renewed(unit, around, longer, at):
            break
        payment = _renewal(unit, around, term, longer, at)
        if payment is not None:
            payments.append(payment)
        term, at = longer, next_try(longer.expires_at, at)
    return payments, None if term is None else term.expires_at


def _is_renewed(unit: Instance, around: Around, longer: Term, at: Instant) -> bool:
    """Whether a term becomes longer by itself, as far as it does not depend on the balance and the limits."""
    offering, account = around.offering, around.account
    sold = offering.per_month is not None and not offering.no_renewals
    return (
        sold
        and account.status == "Active"
        and longer.expires_at > at
        and not is_too_long(unit, longer, account.time_zone)
    )


def _renewal(unit: Instance, around: Around, term: Term, longer: Term, at: Instant) -> Posting | None:
    """Return the payment for a renewal; None: it costs nothing."""
    reserved, per_month = max(unit.count, unit.target_count or 0), around.offering.per_month or Micro(0)
    amount = price_of_months(reserved, per_month, months_between(term, longer, around.account.time_zone))
    if amount <= 0:
        return None
    return Posting(
        account_id=unit.account_id,
        at=at,
        kind="Renewal",
        debit=wallet(unit.account_id),
        credit=PREPAID_REVENUE,
        amount=amount,
        unit_id=unit.id,
        count=reserved,
        price=per_month,
        since=term.expires_at,
        until=longer.expires_at,
    )


def _after_the_term(unit: Instance, around: Around, periods: Periods, at: Instant) -> Iterator[tuple[int, int]]:
    """Yield the metered use of an instance that becomes postpaid at the end of its term."""
    rich = msgspec.structs.replace(around.account, balance=Micro(MICRO_MAX - 1))
    switch = judge_postpaid(unit, around.offering, rich, around.limits, around.rules, at)
    if switch.hindrance is not None:
        return
    metered = msgspec.structs.replace(
        unit,
        status="Running",
        payment_timing="Postpaid",
        charge_at=next_full_hour(at, around.account.time_zone),
        meter_from=at,
        metered_minutes=0,
        metered_peak=0,
        sized_at=None,
        price_number=around.offering.price_number,
        release_at=switch.release_at,
        stop_at=None,
    )
    yield from _metered(metered, around, periods)

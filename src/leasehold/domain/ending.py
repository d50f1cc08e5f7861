"""How an instance ends. There is one routine, whoever or whatever ends it (decision 16)."""

from __future__ import annotations

import msgspec

from leasehold.domain.book import ACCOUNTS, OFFERINGS, PRICES, SERVICES, UNITS, Draft
from leasehold.domain.calendar import Instant
from leasehold.domain.ledger import USAGE_REVENUE, Posting, wallet
from leasehold.domain.metering import minutes_started
from leasehold.domain.money import MICRO_MAX, Micro
from leasehold.domain.unit import ENDABLE, EndReason, Unit


def begin_release(draft: Draft, unit: Unit, reason: EndReason, at: Instant) -> Unit:
    """End an instance: charge what it used until now, stop what runs on it, and ask for it to be gone.

    Metering ends at the scheduled release time even where the work runs late (decision 6). The units stay
    out of the stock until the engine confirms. Needs the unit's account, prices and service.
    """
    if unit.status not in ENDABLE:
        raise AssertionError(f"{unit.id} is {unit.status} and cannot be released")
    ended_at = at if unit.release_at is None else min(at, unit.release_at)
    unit = charge_usage(draft, unit, ended_at)
    detach(draft, unit)
    unit = msgspec.structs.replace(
        unit, status="Releasing", ended_at=ended_at, end_reason=reason, charge_at=None, retire_at=None
    )
    draft.put(UNITS, unit)
    return unit


def charge_usage(draft: Draft, unit: Unit, until: Instant) -> Unit:
    """Charge the minutes of a postpaid instance that began before ``until`` and are not charged yet."""
    if unit.payment_timing != "Postpaid" or unit.started_at is None or unit.status != "Running":
        return unit
    minutes = minutes_started(unit.started_at, until)
    if minutes <= unit.metered_minutes:
        return unit
    prices = draft.require(PRICES, *unit.offering)
    cost = unit.count * prices.cost_per_unit(unit.started_at, unit.metered_minutes, minutes)
    # A price may be set so high that no store can hold the charge. It must not keep the instance from ending.
    account = draft.require(ACCOUNTS, unit.account_id)
    amount = Micro(min(cost, MICRO_MAX - 1 + min(account.balance, 0), MICRO_MAX - 1 - unit.charged))
    if amount > 0:
        draft.post(
            Posting(
                account_id=unit.account_id,
                at=until,
                kind="Usage",
                debit=wallet(unit.account_id),
                credit=USAGE_REVENUE,
                amount=amount,
                unit_id=unit.id,
                minutes=minutes - unit.metered_minutes,
            )
        )
    unit = msgspec.structs.replace(unit, metered_minutes=minutes, charged=Micro(unit.charged + amount))
    draft.put(UNITS, unit)
    return unit


def detach(draft: Draft, unit: Unit) -> None:
    """Take the instance's replicas off its service: a release never waits for what runs on it (decision 16)."""
    if unit.service_id is None or unit.status not in ("Running", "Creating"):
        return
    service = draft.require(SERVICES, unit.service_id)
    draft.put(SERVICES, msgspec.structs.replace(service, replicas=service.replicas - unit.replicas))


def finish_release(draft: Draft, unit: Unit, at: Instant) -> None:
    """Record that the engine confirmed: nothing of the instance is left, and its units go back to the stock."""
    draft.put(UNITS, msgspec.structs.replace(unit, status="Released", released_at=at))
    draft.put(OFFERINGS, draft.require(OFFERINGS, *unit.offering).give_back(unit.count))

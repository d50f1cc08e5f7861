"""How an instance ends. There is one routine, whoever or whatever ends it (decision 16)."""

from __future__ import annotations

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import OFFERINGS
from leasebook.domain.model.instance import ENDABLE, EndReason, Instance
from leasebook.domain.rules.lifecycle import change
from leasebook.domain.rules.metering import charge_usage
from leasebook.domain.rules.term import next_late_try
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules


def begin_release(draft: Draft, unit: Instance, reason: EndReason, at: Instant) -> Instance:
    """End an instance: charge what it used until now, stop what runs on it, and ask for it to be gone.

    Metering ends at the scheduled release time even where the work runs late (decision 6). The units stay
    out of the stock until the engine confirms. Needs the unit's account, prices and services.
    """
    if unit.status not in ENDABLE:
        raise AssertionError(f"{unit.id} is {unit.status} and cannot be released")
    ended_at = at if unit.release_at is None else min(at, unit.release_at)
    return change(
        draft,
        charge_usage(draft, unit, ended_at),
        status="Releasing",
        ended_at=ended_at,
        end_reason=reason,
        placements=(),
        charge_at=None,
        renew_at=None,
        stop_at=None,
        resume_at=None,
        retire_at=None,
    )


def stop(draft: Draft, unit: Instance, rules: Rules, now: Instant) -> Instance:
    """Stop an instance whose term or whose account's credit is over: replicas down, units kept for a while.

    What is being resized has its new size from then on: its money is paid and its stock taken (decision 14).
    """
    unit = charge_usage(draft, unit, now)
    if unit.target_count is not None:
        unit = settle_size(draft, unit, unit.target_count)
    retire_at = Instant(now + rules.retention_us)
    return change(
        draft,
        unit,
        status="Stopped",
        retire_at=retire_at,
        charge_at=None,
        renew_at=next_late_try(unit.expires_at, retire_at, now) if unit.auto_renew and unit.expires_at else None,
        stop_at=None,
    )


def settle_size(draft: Draft, unit: Instance, count: int) -> Instance:
    """End a resize with that many units, and give back what it holds beyond them. Needs the offering.

    Units that were given back take the price that was quoted for them along: others are priced anew (decision 25).
    """
    spare = unit.held - count
    if spare > 0:
        draft.put(OFFERINGS, draft.require(OFFERINGS, *unit.offering).give_back(spare))
    quoted = min(count, unit.quoted_count)
    return change(draft, unit, count=count, target_count=None, resize_paid=Micro(0), quoted_count=quoted)


def finish_release(draft: Draft, unit: Instance, at: Instant) -> None:
    """Record that the engine confirmed: nothing of the instance is left, and its units go back to the stock."""
    draft.put(OFFERINGS, draft.require(OFFERINGS, *unit.offering).give_back(unit.held))
    change(draft, unit, status="Released", released_at=at, target_count=None)

"""The end of an instance. Users, due work and engines all use this one routine (decision 16)."""

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
    """End an instance: charge its use until now, drop its placements, and wait for the engine to confirm.

    Metering ends at the scheduled release time even if the work runs late (decision 6). The units stay reserved until
    the engine confirms. Needs the instance's account, prices and services. Raises AssertionError if it has ended
    already.
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
    """Stop an instance at the end of its term or of its account's grace: replicas end, units stay reserved for a while.

    A resize under way is completed first: it is paid, and its units are reserved (decision 14).
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
    """End a resize with ``count`` units, and return the units beyond them to the stock. Needs the offering.

    Units returned lose their quoted price: units added later are charged the current price (decision 25).
    """
    spare = unit.reserved - count
    if spare > 0:
        draft.put(OFFERINGS, draft.require(OFFERINGS, *unit.offering).give_back(spare))
    quoted = min(count, unit.quoted_count)
    return change(draft, unit, count=count, target_count=None, resize_paid=Micro(0), quoted_count=quoted)


def finish_release(draft: Draft, unit: Instance, at: Instant) -> None:
    """Record the engine's confirmation that the instance is gone, and return its units to the stock."""
    draft.put(OFFERINGS, draft.require(OFFERINGS, *unit.offering).give_back(unit.reserved))
    change(draft, unit, status="Released", released_at=at, target_count=None)

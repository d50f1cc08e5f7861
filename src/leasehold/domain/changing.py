"""Changing an instance: only by legal moves, and with its services kept in step."""

from __future__ import annotations

from typing import Any

import msgspec

from leasehold.domain.book import SERVICES, UNITS, Draft
from leasehold.domain.service import Service
from leasehold.domain.unit import LEGAL, UP, Placement, Unit


def change(draft: Draft, unit: Unit, **changes: Any) -> Unit:
    """Write an instance with some fields changed, and count its services' replicas anew.

    Needs the rows of its services wherever its status, its payment or what is placed on it changes. Raises
    AssertionError for a move that is in no table (``unit.MOVES``): no command may try one.
    """
    after = msgspec.structs.replace(unit, **changes)
    if after.status != unit.status and (unit.status, after.status) not in LEGAL:
        raise AssertionError(f"{unit.id} cannot go from {unit.status} to {after.status}")
    draft.put(UNITS, after)
    if (unit.placements or after.placements) and _place(unit) != _place(after):
        count(draft, unit, -1)
        count(draft, after, 1)
    return after


def _place(unit: Unit) -> tuple[object, ...]:
    return unit.status, unit.payment_timing, unit.placements


def count(draft: Draft, unit: Unit, sign: int) -> None:
    """Add what an instance gives to its services, or take it off."""
    for placed in unit.placements:
        service = draft.require(SERVICES, placed.service_id)
        draft.put(SERVICES, _counted(service, unit, placed, sign))


def _counted(service: Service, unit: Unit, placed: Placement, sign: int) -> Service:
    replicas, prepaid = sign * placed.replicas, unit.payment_timing == "Prepaid"
    return msgspec.structs.replace(
        service,
        replicas=service.replicas + (replicas if unit.status in UP else 0),
        deploying=service.deploying + (replicas if unit.status == "Creating" else 0),
        prepaid_units=service.prepaid_units + (sign if prepaid else 0),
        postpaid_units=service.postpaid_units + (0 if prepaid else sign),
    )

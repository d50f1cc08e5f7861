"""Time as data: what will happen to an instance by itself, and when."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from leasehold.domain.calendar import Instant
from leasehold.domain.unit import Unit


class DueKind(IntEnum):
    """Kinds of due work, in the order in which work due at the same instant is done."""

    RELEASE = 1
    EXPIRE = 2
    RETIRE = 3
    CHARGE = 4


class Due(msgspec.Struct, frozen=True, order=True):
    """One piece of due work. Sorted, they are in the order in which they are to be done."""

    at: Instant
    kind: DueKind
    unit_id: str


NOTHING: frozenset[Due] = frozenset()


def agenda_of(unit: Unit | None) -> frozenset[Due]:
    """List everything that will happen to this instance by itself.

    The agenda is a projection of the instances: the store keeps it in step with every change, and no
    command writes to it, so nothing can be forgotten there or left behind.
    """
    if unit is None:
        return NOTHING
    due = set()
    if unit.status in ("Creating", "Running", "Stopped"):
        if unit.release_at is not None:
            due.add(Due(unit.release_at, DueKind.RELEASE, unit.id))
        if unit.retire_at is not None:
            due.add(Due(unit.retire_at, DueKind.RETIRE, unit.id))
    if unit.status == "Running":
        if unit.charge_at is not None:
            due.add(Due(unit.charge_at, DueKind.CHARGE, unit.id))
        if unit.expires_at is not None:
            due.add(Due(unit.expires_at, DueKind.EXPIRE, unit.id))
    return frozenset(due)

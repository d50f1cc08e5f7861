"""Time as data: what will happen to an instance by itself, and when."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from operator import attrgetter
from typing import Final

import msgspec

from leasebook.domain.model.instance import ENDABLE, UP, Instance, InstanceStatus
from leasebook.domain.values.calendar import Instant


class DueKind(IntEnum):
    """Kinds of due work, in the order in which work due at the same instant is done.

    A last try to renew comes before the expiry that it is to avert, and a charge before the stop that it may cause.
    Reminders come last: whatever happens at their moment may make them needless, and nothing waits for them.
    """

    RENEW = 0
    RELEASE = 1
    EXPIRE = 2
    RETIRE = 3
    CHARGE = 4
    STOP = 5
    RESUME = 6
    REMIND = 7


BY_AGE: Final = frozenset({DueKind.RENEW, DueKind.EXPIRE})
"""Of these, what is due at one moment is done in the order of the purchases: the older pays first (decision 30)."""


class Due(msgspec.Struct, frozen=True, order=True, gc=False):
    """One piece of due work. Sorted, they are in the order in which they are to be done, but for those ``BY_AGE``."""

    at: Instant
    kind: DueKind
    unit_id: str


NOTHING: frozenset[Due] = frozenset()

_STOPPED: Final[frozenset[InstanceStatus]] = frozenset({"Stopped"})
_WHEN: Final[dict[DueKind, tuple[frozenset[InstanceStatus], Callable[[Instance], Instant | None]]]] = {
    DueKind.RELEASE: (ENDABLE, attrgetter("release_at")),
    DueKind.CHARGE: (UP, attrgetter("charge_at")),
    DueKind.EXPIRE: (UP, attrgetter("expires_at")),
    DueKind.RENEW: (UP | _STOPPED, attrgetter("renew_at")),
    DueKind.STOP: (UP, attrgetter("stop_at")),
    DueKind.RETIRE: (_STOPPED, attrgetter("retire_at")),
    DueKind.RESUME: (_STOPPED, attrgetter("resume_at")),
    DueKind.REMIND: (ENDABLE, attrgetter("remind_at")),
}
"""In which statuses each kind is due, and when."""
_KINDS: Final = {
    status: tuple((kind, when) for kind, (statuses, when) in _WHEN.items() if status in statuses) for status in ENDABLE
}
"""The same by status: every charge asks for it several times."""


def agenda_of(unit: Instance | None) -> frozenset[Due]:
    """List everything that will happen to this instance by itself.

    The agenda is a projection of the instances: the store keeps it in step with every change, and no
    command writes to it, so nothing can be forgotten there or left behind.
    """
    kinds = None if unit is None else _KINDS.get(unit.status)
    if unit is None or kinds is None:
        return NOTHING
    return frozenset([Due(at, kind, unit.id) for kind, when in kinds if (at := when(unit)) is not None])


def is_due(unit: Instance, due: Due) -> bool:
    """Whether that is among what will happen to the instance (``agenda_of``)."""
    statuses, when = _WHEN[due.kind]
    return unit.id == due.unit_id and unit.status in statuses and when(unit) == due.at

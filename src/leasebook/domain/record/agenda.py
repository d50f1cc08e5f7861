"""The agenda: the changes of an instance that happen by themselves, and when."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from operator import attrgetter
from typing import Final

import msgspec

from leasebook.domain.model.approvals.approval import Approval
from leasebook.domain.model.instance import ENDABLE, UP, Instance, InstanceStatus
from leasebook.domain.values.calendar import Instant


class DueKind(IntEnum):
    """Kinds of due work, in the order in which work due at the same instant is done.

    The last attempt to renew comes before the expiry that it may prevent, and a charge before the stop that it may
    cause. Reminders come last: other work of the same instant may make them needless, and no work depends on them.
    """

    RENEW = 0
    RELEASE = 1
    EXPIRE = 2
    RETIRE = 3
    CHARGE = 4
    STOP = 5
    RESUME = 6
    REMIND = 7
    APPROVAL = 8
    """The reminder or the end of a request for an approval: the only kind that is not about an instance."""


class Due(msgspec.Struct, frozen=True, order=True, gc=False):
    """One piece of due work.

    Work is done by time, then by kind, and then in the order of the purchases: the oldest instance pays first (decision
    30). Sorting knows no purchases, and puts work of one time and kind in the order of the ids.

    ``unit_id`` is the id of the instance, and for the kind APPROVAL that of the request.
    """

    at: Instant
    kind: DueKind
    unit_id: str


NOTHING: frozenset[Due] = frozenset()


_STOPPED: Final[frozenset[InstanceStatus]] = frozenset({"Stopped"})
_WHEN: Final[dict[DueKind, tuple[frozenset[InstanceStatus], Callable[[Instance], Instant | None]]]] = {
    DueKind.RENEW: (UP | _STOPPED, attrgetter("renew_at")),
    DueKind.RELEASE: (ENDABLE, attrgetter("release_at")),
    DueKind.EXPIRE: (UP, attrgetter("expires_at")),
    DueKind.RETIRE: (_STOPPED, attrgetter("retire_at")),
    DueKind.CHARGE: (UP, attrgetter("charge_at")),
    DueKind.STOP: (UP, attrgetter("stop_at")),
    DueKind.RESUME: (_STOPPED, attrgetter("resume_at")),
    DueKind.REMIND: (ENDABLE, attrgetter("remind_at")),
}
"""In which statuses each kind is due, and when; in the order of the kinds."""
_KINDS: Final = {
    status: tuple((kind, when) for kind, (statuses, when) in _WHEN.items() if status in statuses) for status in ENDABLE
}
"""The same, by status: every charge looks it up several times."""


def agenda_of(unit: Instance | None) -> frozenset[Due]:
    """Return all due work of an instance.

    The agenda is a projection of the instances. The store keeps the earliest piece (``head_of``) with every change of
    an instance, and no command writes to it, so it can neither lack work nor keep work that is obsolete.
    """
    kinds = None if unit is None else _KINDS.get(unit.status)
    if unit is None or kinds is None:
        return NOTHING
    return frozenset([Due(at, kind, unit.id) for kind, when in kinds if (at := when(unit)) is not None])


def due_until(unit: Instance, last: Instant) -> list[Due]:
    """Return the due work of an instance up to ``last``."""
    kinds = _KINDS.get(unit.status, ())
    return [Due(at, kind, unit.id) for kind, when in kinds if (at := when(unit)) is not None and at <= last]


def first_due(unit: Instance) -> tuple[Instant | None, int | None]:
    """Return when the first of an instance's due work is due, and its kind as a number; None if none is ever due."""
    first: Instant | None = None
    which: int | None = None
    for kind, when in _KINDS.get(unit.status, ()):
        at = when(unit)
        # Of two kinds at the same time the lower one comes first, and is seen first.
        if at is not None and (first is None or at < first):
            first, which = at, kind
    return first, None if which is None else int(which)


def head_of(unit: Instance) -> Due | None:
    """Return the piece of an instance's due work that comes first, and None if none is ever due."""
    at, kind = first_due(unit)
    return None if at is None or kind is None else Due(at, DueKind(kind), unit.id)


def soonest_new(before: Instance | None, after: Instance) -> Due | None:
    """Return the first piece of due work that a change of an instance made due and that was not due before."""
    if before is None:
        return head_of(after)
    return min(agenda_of(after) - agenda_of(before), default=None) if after.status in _KINDS else None


def is_due(unit: Instance, due: Due) -> bool:
    """Whether a piece of due work is part of the instance's agenda (``agenda_of``)."""
    statuses, when = _WHEN[due.kind]
    return unit.id == due.unit_id and unit.status in statuses and when(unit) == due.at


def approval_due(row: Approval | None) -> Due | None:
    """Return the next piece of due work of a request for an approval; None if none is ever due."""
    at = None if row is None else row.due_at
    return None if row is None or at is None else Due(at, DueKind.APPROVAL, row.id)

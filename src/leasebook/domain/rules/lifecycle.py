"""The change of an instance: only by permitted moves, and with the counts of its services updated."""

from __future__ import annotations

from typing import Unpack

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNTS, INSTANCES, SERVICES
from leasebook.domain.model.instance import LEGAL, UP, Instance, InstanceChanges, Placement
from leasebook.domain.model.service import Service
from leasebook.domain.rules.reminder import DECIDES, armed, disarmed, is_rearmed, wants_none


def change(draft: Draft, unit: Instance, **changes: Unpack[InstanceChanges]) -> Instance:
    """Write an instance with changed fields, and update its services' counts and its reminders.

    Needs the rows of its services where its status, payment or placements change, and its account where its deadline
    changes. Raises AssertionError for a move that ``instance.MOVES`` does not list: an attempt is a programming error.
    """
    after = msgspec.structs.replace(unit, **changes)
    if after.status != unit.status and (unit.status, after.status) not in LEGAL:
        raise AssertionError(f"{unit.id} cannot go from {unit.status} to {after.status}")
    if not DECIDES.isdisjoint(changes):
        after = reminding(draft, unit, after)
    draft.put(INSTANCES, after)
    if (unit.placements or after.placements) and _place(unit) != _place(after):
        count(draft, unit, -1)
        count(draft, after, 1)
    return after


def reminding(draft: Draft, before: Instance | None, after: Instance) -> Instance:
    """Return an instance with new reminders, if its deadline has changed.

    Needs its account, which says how long before a deadline it wants reminders. ``before`` is None for a new instance.
    """
    if not is_rearmed(before, after):
        return after
    if wants_none(after):
        armed_ever = after.remind_at is not None or after.reminded_at is not None
        return msgspec.structs.replace(after, **disarmed(after)) if armed_ever else after
    assert draft.as_of is not None  # noqa: S101 - a command that sets a deadline is decided at some time
    offsets = draft.require(ACCOUNTS, after.account_id).remind_before_us
    return msgspec.structs.replace(after, **armed(after, offsets, draft.as_of))


def _place(unit: Instance) -> tuple[object, ...]:
    return unit.status, unit.payment_timing, unit.placements


def count(draft: Draft, unit: Instance, sign: int) -> None:
    """Add an instance's replicas to the counts of its services (``sign`` 1), or subtract them (-1)."""
    for placed in unit.placements:
        service = draft.require(SERVICES, placed.service_id)
        draft.put(SERVICES, _counted(service, unit, placed, sign))


def _counted(service: Service, unit: Instance, placed: Placement, sign: int) -> Service:
    replicas, prepaid = sign * placed.replicas, unit.payment_timing == "Prepaid"
    return msgspec.structs.replace(
        service,
        replicas=service.replicas + (replicas if unit.status in UP else 0),
        deploying=service.deploying + (replicas if unit.status == "Creating" else 0),
        prepaid_units=service.prepaid_units + (sign if prepaid else 0),
        postpaid_units=service.postpaid_units + (0 if prepaid else sign),
    )

"""Reminders: messages some time before an instance ends by itself.

Each offset of an account leads to one reminder for a deadline, at its own time or not at all: a reminder whose time has
passed when the deadline is set, or when late work is done, is not sent.
"""

from __future__ import annotations

from typing import Final, Literal

from leasebook.domain.model.instance import ENDABLE, UP, Instance, InstanceChanges, InstanceStatus
from leasebook.domain.values.calendar import DAY_US, MINUTE_US, Instant

OFFSETS_MAX: Final = 8
OFFSET_MIN_US: Final = MINUTE_US
OFFSET_MAX_US: Final = 90 * DAY_US

What = Literal["release", "expiry"]

DECIDES: Final = frozenset({"status", "payment_timing", "release_at", "expires_at", "auto_renew"})
"""The fields of an instance that decide on its deadline and its reminders."""
_TERM: Final[frozenset[InstanceStatus]] = UP - {"BillingChanging"}
_LIVE: Final[frozenset[InstanceStatus]] = UP | {"Creating"}


def what_of(unit: Instance) -> What:
    """Return whether its deadline is a release or an expiry."""
    return "release" if unit.payment_timing == "Postpaid" else "expiry"


def deadline_of(unit: Instance) -> Instant | None:
    """Return when an instance ends by itself if no command changes it: its release time, or the end of its term.

    A prepaid instance that becomes postpaid goes on after its term, so the end of that term is no deadline.
    """
    if unit.payment_timing == "Postpaid":
        return unit.release_at if unit.status in ENDABLE else None
    return unit.expires_at if unit.status in _TERM else None


def to_offsets(offsets_us: tuple[int, ...]) -> tuple[int, ...]:
    """Return offsets as they are kept: unique, and longest first, which is the order of the reminders."""
    return tuple(sorted(set(offsets_us), reverse=True))


def armed(unit: Instance, offsets_us: tuple[int, ...], after: Instant) -> InstanceChanges:
    """Return the fields that set an instance's reminders for its deadline.

    They cover every offset whose instant comes after ``after`` and after the last reminder given. A deadline that is
    moved and moved back therefore causes no second reminder, even if the clock is set back in between.
    """
    deadline = deadline_of(unit)
    if deadline is None:
        return disarmed(unit)
    last = after if unit.reminded_at is None else max(after, unit.reminded_at)
    ahead = tuple([offset for offset in offsets_us if deadline - offset > last])
    return {"remind_at": Instant(deadline - ahead[0]) if ahead else None, "remind_before_us": ahead}


def disarmed(unit: Instance) -> InstanceChanges:
    """Return the fields that clear all reminders; for an instance that has ended, ``reminded_at`` as well."""
    fields: InstanceChanges = {"remind_at": None, "remind_before_us": ()}
    return fields if unit.status in _LIVE else {**fields, "reminded_at": None}


def is_rearmed(before: Instance | None, after: Instance) -> bool:
    """Whether the change affects the instance's reminders."""
    if before is None:
        return deadline_of(after) is not None
    return (deadline_of(before), before.auto_renew) != (deadline_of(after), after.auto_renew)


def wants_none(unit: Instance) -> bool:
    """Whether no reminder is due. With automatic renewal, reminders begin only when a renewal has failed."""
    return unit.auto_renew or deadline_of(unit) is None


def unpaid(unit: Instance, offsets_us: tuple[int, ...], now: Instant) -> InstanceChanges:
    """Return the fields that change when a renewal has failed: from now on the instance has reminders of its expiry.

    A reminder due at this instant counts: renewals are tried at the same offsets before the expiry.
    """
    return {} if unit.remind_at is not None else armed(unit, offsets_us, Instant(now - 1))


def said(unit: Instance, at: Instant, seen_at: Instant) -> InstanceChanges:
    """Return the fields that change when a reminder due at ``at`` is processed at ``seen_at``.

    If several are late, only the one nearest to the deadline is given, and none after the deadline. A change of
    ``reminded_at`` is the event that sends it.
    """
    deadline = deadline_of(unit)
    if deadline is None or deadline <= seen_at:
        return disarmed(unit)
    rest = unit.remind_before_us[1:]
    late = [offset for offset in rest if deadline - offset <= seen_at]
    if late:
        return {"remind_at": Instant(deadline - late[-1]), "remind_before_us": rest[len(late) - 1 :]}
    return {
        "remind_at": Instant(deadline - rest[0]) if rest else None,
        "remind_before_us": rest,
        "reminded_at": at,
    }

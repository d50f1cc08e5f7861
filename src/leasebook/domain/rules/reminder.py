"""Reminders: what is said before an instance ends by itself, and when.

A reminder is due some time before a deadline: an offset. Each offset of an account's is said once for a deadline, at
its own time or not at all: what has passed already when the deadline is set, or when the work runs late, is not said.
"""

from __future__ import annotations

from typing import Final, Literal

from leasebook.domain.model.instance import ENDABLE, UP, Instance, InstanceStatus
from leasebook.domain.model.instance_changes import InstanceChanges
from leasebook.domain.values.calendar import DAY_US, MINUTE_US, Instant

OFFSETS_MAX: Final = 8
OFFSET_MIN_US: Final = MINUTE_US
OFFSET_MAX_US: Final = 90 * DAY_US

What = Literal["release", "expiry"]

DECIDES: Final = frozenset({"status", "payment_timing", "release_at", "expires_at", "auto_renew"})
"""The fields of an instance by which its deadline, and whether it is reminded of it, can change."""
_TERM: Final[frozenset[InstanceStatus]] = UP - {"BillingChanging"}
_LIVE: Final[frozenset[InstanceStatus]] = UP | {"Creating"}


def what_of(unit: Instance) -> What:
    """Return what its deadline is."""
    return "release" if unit.payment_timing == "Postpaid" else "expiry"


def deadline_of(unit: Instance) -> Instant | None:
    """Return when an instance ends by itself as things stand: its release time, or the end of its term.

    Nobody is reminded of a term that ends and is followed by something: an instance that becomes postpaid goes on.
    """
    if unit.payment_timing == "Postpaid":
        return unit.release_at if unit.status in ENDABLE else None
    return unit.expires_at if unit.status in _TERM else None


def to_offsets(offsets_us: tuple[int, ...]) -> tuple[int, ...]:
    """Return offsets as they are kept: each once, the longest first, which is the order in which they are due."""
    return tuple(sorted(set(offsets_us), reverse=True))


def armed(unit: Instance, offsets_us: tuple[int, ...], after: Instant) -> InstanceChanges:
    """Return the fields with which an instance is reminded of its deadline, as often as something is left to be said.

    That is every offset whose moment comes after ``after``, and after the last one of which it was reminded: so a
    deadline that is moved and moved back is not told of twice, even where a clock is set back meanwhile.
    """
    deadline = deadline_of(unit)
    if deadline is None:
        return disarmed(unit)
    last = after if unit.reminded_at is None else max(after, unit.reminded_at)
    ahead = tuple([offset for offset in offsets_us if deadline - offset > last])
    return {"remind_at": Instant(deadline - ahead[0]) if ahead else None, "remind_before_us": ahead}


def disarmed(unit: Instance) -> InstanceChanges:
    """Return the fields with which it is reminded of nothing. What has ended forgets of what it was reminded."""
    fields: InstanceChanges = {"remind_at": None, "remind_before_us": ()}
    return fields if unit.status in _LIVE else {**fields, "reminded_at": None}


def is_rearmed(before: Instance | None, after: Instance) -> bool:
    """Whether what an instance is to be reminded of is another thing now."""
    if before is None:
        return deadline_of(after) is not None
    return (deadline_of(before), before.auto_renew) != (deadline_of(after), after.auto_renew)


def wants_none(unit: Instance) -> bool:
    """Whether there is nothing to remind of. With a rule for its renewal there is only once a renewal has failed."""
    return unit.auto_renew or deadline_of(unit) is None


def unpaid(unit: Instance, offsets_us: tuple[int, ...], now: Instant) -> InstanceChanges:
    """Return the fields that change because a renewal has just failed: from now on it is reminded of its expiry.

    What is due at this very moment counts: the try itself was at that time before the expiry.
    """
    return {} if unit.remind_at is not None else armed(unit, offsets_us, Instant(now - 1))


def said(unit: Instance, at: Instant, seen_at: Instant) -> InstanceChanges:
    """Return the fields that change because a reminder was due at a moment and the work is done at another.

    Only the nearest one is said where several are late, and none of a deadline that has passed. What is said is what
    changes ``reminded_at``.
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

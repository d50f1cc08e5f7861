"""Releasing an instance: by hand, on schedule, at the end of its term, and the schedule itself."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasehold.commands.command import Command, DueCommand, Needs
from leasehold.domain.agenda import DueKind
from leasehold.domain.book import ACCOUNTS, OFFERINGS, PRICES, SERVICES, UNITS, Book, Draft
from leasehold.domain.calendar import Instant, next_full_hour, rfc3339
from leasehold.domain.ending import begin_release, charge_usage, detach
from leasehold.domain.refusal import NOT_SUPPORTED, WRONG_STATE, Refusal
from leasehold.domain.rules import Rules
from leasehold.domain.scheduling import check_release_time
from leasehold.domain.unit import ENDABLE, Unit
from leasehold.domain.whose import own_unit


def unit_needs(book: Book, unit_id: str) -> Needs:
    """Return everything that ending or charging an instance touches."""
    unit = book.get(UNITS, unit_id)
    if unit is None:
        return
    if unit.service_id is not None:
        yield SERVICES, (unit.service_id,)
    yield OFFERINGS, unit.offering
    yield PRICES, unit.offering
    yield ACCOUNTS, (unit.account_id,)


class ScheduleRelease(Command, frozen=True, kw_only=True):
    """Set, move or clear (None) the release time of a postpaid instance."""

    answer: ClassVar[type] = bool

    account_id: str
    unit_id: str
    service_id: str | None
    release_at: Instant | None

    def needs(self) -> Needs:
        """The instance."""
        yield UNITS, (self.unit_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Raises Refusal for a prepaid or ended instance, and for a time that is not ahead."""
        unit = own_unit(draft, self.account_id, self.unit_id, self.service_id)
        _only_postpaid(unit, "its release cannot be scheduled; it ends with its term")
        _only_alive(unit, rules, now)
        check_release_time(self.release_at, rules, now, field="releaseTime")
        draft.put(UNITS, msgspec.structs.replace(unit, release_at=self.release_at))
        return True


class Release(Command, frozen=True, kw_only=True):
    """Release a postpaid instance now."""

    answer: ClassVar[type] = bool

    account_id: str
    unit_id: str
    service_id: str | None

    def needs(self) -> Needs:
        """The instance."""
        yield UNITS, (self.unit_id,)

    def needs_more(self, book: Book) -> Needs:
        """What it holds and who pays."""
        return unit_needs(book, self.unit_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Raises Refusal for a prepaid instance (decision 16) and one that ended already."""
        unit = own_unit(draft, self.account_id, self.unit_id, self.service_id)
        _only_postpaid(unit, "it cannot be released by hand; it ends with its term")
        _only_alive(unit, rules, None)
        begin_release(draft, unit, "User", now)
        return True


def _only_postpaid(unit: Unit, why: str) -> None:
    if unit.payment_timing != "Postpaid":
        raise Refusal(NOT_SUPPORTED, f"{unit.id} is prepaid: {why}.", field="instanceId")


def _only_alive(unit: Unit, rules: Rules, now: Instant | None) -> None:
    if unit.status not in ENDABLE:
        ended = "" if unit.ended_at is None else f" since {rfc3339(unit.ended_at, rules.time_zone)}"
        raise Refusal(
            WRONG_STATE, f"{unit.id} is {unit.status}{ended}; nothing is left to release.", field="instanceId"
        )
    if now is not None and unit.release_at is not None and unit.release_at <= now:
        # The bill ended at that time already, so the time cannot move any more (decision 6).
        raise Refusal(
            WRONG_STATE,
            f"The release time of {unit.id}, {rfc3339(unit.release_at, rules.time_zone)}, has come; "
            "it is being released.",
            field="instanceId",
        )


class DoDue(DueCommand, frozen=True, kw_only=True):
    """Do one piece of due work on an instance. Answers whether there was still something to do.

    The guard makes it exactly once: work is done only while the instance still says that it is due then.
    """

    answer: ClassVar[type] = bool

    def needs(self) -> Needs:
        """The instance."""
        yield UNITS, (self.due.unit_id,)

    def needs_more(self, book: Book) -> Needs:
        """What it holds and who pays."""
        return unit_needs(book, self.due.unit_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Do it as of its due time, which is ``now`` here."""
        unit = draft.get(UNITS, self.due.unit_id)
        if unit is None or not _still_due(unit, self.due.kind, self.due.at):
            return False
        match self.due.kind:
            case DueKind.RELEASE:
                begin_release(draft, unit, "Schedule", now)
            case DueKind.RETIRE:
                begin_release(draft, unit, "Expiry", now)
            case DueKind.EXPIRE:
                _stop_expired(draft, unit, rules, now)
            case DueKind.CHARGE:
                zone = draft.require(ACCOUNTS, unit.account_id).time_zone
                unit = charge_usage(draft, unit, now)
                draft.put(UNITS, msgspec.structs.replace(unit, charge_at=next_full_hour(now, zone)))
        return True


def _still_due(unit: Unit, kind: DueKind, at: Instant) -> bool:
    match kind:
        case DueKind.RELEASE:
            return unit.status in ENDABLE and unit.release_at == at
        case DueKind.RETIRE:
            return unit.status == "Stopped" and unit.retire_at == at
        case DueKind.EXPIRE:
            return unit.status == "Running" and unit.expires_at == at
        case DueKind.CHARGE:
            return unit.status == "Running" and unit.charge_at == at


def _stop_expired(draft: Draft, unit: Unit, rules: Rules, now: Instant) -> None:
    """Stop a prepaid instance at the end of its term: replicas down, units kept for a while (decision 14)."""
    detach(draft, unit)
    retire_at = Instant(now + rules.retention_us)
    draft.put(UNITS, msgspec.structs.replace(unit, status="Stopped", retire_at=retire_at))

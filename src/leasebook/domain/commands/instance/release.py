"""Releasing an instance by hand, and scheduling its release."""

from __future__ import annotations

from typing import ClassVar

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import Needed
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES, OFFERINGS, PRICES, SERVICES
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.instance import ENDABLE, Instance
from leasebook.domain.model.limits import is_no_later, judge_end, judge_extension
from leasebook.domain.model.offering import UNITS_OF_COMPUTE, OfferingKind
from leasebook.domain.rules.lifecycle import change
from leasebook.domain.rules.ownership import no_instance, require_instance
from leasebook.domain.rules.release import begin_release
from leasebook.domain.rules.release_time import check_release_time
from leasebook.domain.values.calendar import Instant, rfc3339
from leasebook.domain.values.refusal import NOT_SUPPORTED, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules


def unit_needs(book: Book, unit_id: str) -> Needs:
    """Return the rows that ending, charging or resizing an instance may change."""
    unit = book.get(INSTANCES, unit_id)
    if unit is None:
        return []
    needs: list[Needed] = [
        (OFFERINGS, unit.offering),
        (PRICES, unit.offering),
        (ACCOUNTS, (unit.account_id,)),
        (ACCOUNT_LIMITS, (unit.account_id,)),
    ]
    if unit.placements:
        needs += [(SERVICES, (placed.service_id,)) for placed in unit.placements]
    return needs


class ScheduleRelease(Command, frozen=True, kw_only=True):
    """Set, move or clear (None) the release time of a postpaid instance."""

    answer: ClassVar[type] = bool

    account_id: str
    unit_id: str
    service_id: str | None
    release_at: Instant | None
    kind: OfferingKind = UNITS_OF_COMPUTE
    by_manager: bool = False
    by_house: bool = False
    """An operator asks, in another account: the account's own limits are not for operators."""

    def needs(self) -> Needs:
        """The instance, the account and its limits."""
        yield INSTANCES, (self.unit_id,)
        yield ACCOUNTS, (self.account_id,)
        yield ACCOUNT_LIMITS, (self.account_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Raises Refusal: prepaid, ended, a time that is not ahead, or forbidden by the account's limits."""
        unit = require_instance(draft, self.account_id, self.unit_id, self.service_id, kind=self.kind)
        only_postpaid(unit, "its release cannot be scheduled; it ends with its term")
        _only_alive(unit, rules, now)
        before = unit.release_at
        check_release_time(self.release_at, rules, now, field="releaseTime", before=before)
        later = before is not None and not is_no_later(self.release_at, before)
        guard = None if self.by_house else draft.get(ACCOUNT_LIMITS, self.account_id)
        refusal = judge_end(
            guard, self.release_at, now, rules.written_zone, project_id=unit.project_id, before=before
        ) or judge_extension(
            guard,
            is_buyer=self.by == unit.created_by,
            is_manager=self.by_manager,
            extensions=unit.extensions,
            later=later,
        )
        if refusal is not None:
            raise refusal
        change(draft, unit, release_at=self.release_at, extensions=unit.extensions + later)
        return True


class Release(Command, frozen=True, kw_only=True):
    """Release a postpaid instance now. For quota, ``model`` must name its model."""

    answer: ClassVar[type] = bool

    account_id: str
    unit_id: str
    service_id: str | None
    kind: OfferingKind = UNITS_OF_COMPUTE
    model: str | None = None

    def needs(self) -> Needs:
        """The instance."""
        yield INSTANCES, (self.unit_id,)

    def needs_more(self, book: Book) -> Needs:
        """The rows for charging it."""
        return unit_needs(book, self.unit_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Raises Refusal for a prepaid instance (decision 16), and for one that has ended."""
        unit = require_instance(draft, self.account_id, self.unit_id, self.service_id, kind=self.kind)
        if self.model not in (None, unit.type):
            raise no_instance(self.unit_id)
        only_postpaid(unit, "it cannot be released by hand; it ends with its term")
        _only_alive(unit, rules, None)
        begin_release(draft, unit, "User", now)
        return True


def only_postpaid(unit: Instance, why: str) -> None:
    """Raise Refusal for a prepaid instance."""
    if unit.payment_timing != "Postpaid":
        raise Refusal(NOT_SUPPORTED, f"{unit.id} is prepaid: {why}.", field="instanceId")


def _only_alive(unit: Instance, rules: Rules, now: Instant | None) -> None:
    if unit.status not in ENDABLE:
        ended = "" if unit.ended_at is None else f" since {rfc3339(unit.ended_at, rules.written_zone)}"
        raise Refusal(
            WRONG_STATE, f"{unit.id} is {unit.status}{ended}; nothing is left to release.", field="instanceId"
        )
    if now is not None:
        check_release_ahead(unit, rules, now)


def check_release_ahead(unit: Instance, rules: Rules, now: Instant) -> None:
    """Raise Refusal if the release time has come: the bill ends there, even if the work is late."""
    if unit.release_at is not None and unit.release_at <= now:
        raise Refusal(
            WRONG_STATE,
            f"The release time of {unit.id}, {rfc3339(unit.release_at, rules.written_zone)}, has come; "
            "it is being released.",
            field="instanceId",
        )

"""Due work on an instance, each piece at its own time."""

from __future__ import annotations

from typing import ClassVar

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import Needed, SuspendedInstances
from leasebook.domain.book.tables import ACCOUNTS, INSTANCES
from leasebook.domain.commands.account.funds import halted_needs, resume_some
from leasebook.domain.commands.command import IN_TRANSITION, DueCommand, Needs
from leasebook.domain.commands.instance.release import unit_needs
from leasebook.domain.commands.instance.renewal import renew_by_itself
from leasebook.domain.model.instance import EndReason, Instance
from leasebook.domain.record.agenda import DueKind, is_due
from leasebook.domain.rules.billing_switch import switch_to_postpaid
from leasebook.domain.rules.lifecycle import change
from leasebook.domain.rules.metering import charge_usage, note_arrears
from leasebook.domain.rules.release import begin_release, stop
from leasebook.domain.rules.reminder import said
from leasebook.domain.values.calendar import Instant, next_full_hour
from leasebook.domain.values.rule_settings import Rules


class DoDue(DueCommand, frozen=True, kw_only=True):
    """Do one piece of due work on an instance. Returns whether it was still due.

    Each piece is done exactly once: only while the instance itself says that it is due at that time.
    """

    answer: ClassVar[type] = bool

    def needs(self) -> Needs:
        """The instance; for a resumption, the account's other suspended instances as well."""
        unit: Needed = (INSTANCES, (self.due.unit_id,))
        return (unit, SuspendedInstances(unit_id=self.due.unit_id)) if self.due.kind is DueKind.RESUME else (unit,)

    def needs_more(self, book: Book) -> Needs:
        """The rows for charging it. A reminder changes only the instance."""
        if self.due.kind is DueKind.REMIND and not _in_transition(book.get(INSTANCES, self.due.unit_id)):
            return ()
        needs = unit_needs(book, self.due.unit_id)
        unit = book.get(INSTANCES, self.due.unit_id) if self.due.kind is DueKind.RESUME else None
        return needs if unit is None else [*needs, *halted_needs(book, unit.account_id)]

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Do the work as of its due time, which is ``now`` here."""
        unit = draft.get(INSTANCES, self.due.unit_id)
        # A retry of the same batch under another number finds the work done: the instance shows it.
        if unit is None or not is_due(unit, self.due):
            return False
        match self.due.kind:
            case DueKind.CHARGE:
                zone = draft.require(ACCOUNTS, unit.account_id).time_zone
                unit = change(draft, charge_usage(draft, unit, now), charge_at=next_full_hour(now, zone))
                note_arrears(draft, unit, rules, now)
            case DueKind.RENEW:
                renew_by_itself(draft, unit, rules, now)
            case DueKind.RELEASE:
                begin_release(draft, unit, "Schedule", now)
            case DueKind.EXPIRE:
                _expire(draft, unit, rules, now)
            case DueKind.RETIRE:
                reason: EndReason = "Expiry" if unit.payment_timing == "Prepaid" else "Arrears"
                begin_release(draft, unit, reason, now)
            case DueKind.STOP:
                _stop_unpaid(draft, unit, rules, now)
            case DueKind.RESUME:
                resume_some(draft, change(draft, unit, resume_at=None).account_id, now)
            case DueKind.REMIND:
                change(draft, unit, **said(unit, now, now if self.seen_at is None else self.seen_at))
        return True


def _in_transition(unit: Instance | None) -> bool:
    """Whether its engine may confirm a change right after this work, which needs those rows."""
    return unit is not None and unit.status in IN_TRANSITION


def _expire(draft: Draft, unit: Instance, rules: Rules, now: Instant) -> None:
    """End a term: the instance stops, or becomes postpaid if that was asked for (decision 14)."""
    if unit.status == "BillingChanging" and switch_to_postpaid(draft, unit, rules, now):
        return
    stop(draft, unit, rules, now)


def _stop_unpaid(draft: Draft, unit: Instance, rules: Rules, now: Instant) -> None:
    """Stop a postpaid instance if its account has been in debt for the whole grace (decision 14)."""
    since = draft.require(ACCOUNTS, unit.account_id).arrears_since
    if since is not None and since + rules.arrears_grace_us <= now:
        stop(draft, unit, rules, now)
    else:
        note_arrears(draft, unit, rules, now)

"""An engine's reports: the requested change is done, the instance is gone, or the change is impossible."""

from __future__ import annotations

from typing import ClassVar

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import SuspendedInstances
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES, OFFERINGS, PRICES, SERVICES
from leasebook.domain.commands.account.funds import halted_needs, renew_waiting, resume_some
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.instance import Instance, InstanceStatus
from leasebook.domain.record.ledger import PREPAID_REVENUE, Posting, wallet
from leasebook.domain.rules.lifecycle import change
from leasebook.domain.rules.metering import charge_usage, start_meter
from leasebook.domain.rules.release import finish_release, settle_size
from leasebook.domain.rules.term import next_try, term_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules


class _Report(Command, frozen=True, kw_only=True):
    """A report about an instance. It returns False and changes nothing if the instance does not wait for it."""

    answer: ClassVar[type] = bool
    awaited: ClassVar[InstanceStatus]

    unit_id: str

    def needs(self) -> Needs:
        """The instance."""
        yield INSTANCES, (self.unit_id,)

    def needs_more(self, book: Book) -> Needs:
        """Its account, its services, and its offering."""
        unit = book.get(INSTANCES, self.unit_id)
        if unit is not None:
            for placed in unit.placements:
                yield SERVICES, (placed.service_id,)
            yield OFFERINGS, unit.offering
            if self.awaited == "Reconfiguring":
                yield PRICES, unit.offering
            yield ACCOUNTS, (unit.account_id,)
            yield ACCOUNT_LIMITS, (unit.account_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """See the class."""
        unit = draft.get(INSTANCES, self.unit_id)
        if unit is None or unit.status != self.awaited:
            return False
        self.settle(draft, unit, rules, now)
        return True

    def settle(self, draft: Draft, unit: Instance, rules: Rules, now: Instant) -> None:
        """Apply the report."""
        raise NotImplementedError


class ConfirmRunning(_Report, frozen=True, kw_only=True):
    """The engine has the instance's capacity: the term or the meter starts now."""

    awaited: ClassVar[InstanceStatus] = "Creating"

    def settle(self, draft: Draft, unit: Instance, rules: Rules, now: Instant) -> None:  # noqa: ARG002 - no setting matters
        """Start it."""
        if unit.payment_timing == "Postpaid":
            start_meter(draft, change(draft, unit, started_at=now), now)
            return
        term = term_of(now, unit.term_months, draft.require(ACCOUNTS, unit.account_id).time_zone)
        change(
            draft,
            unit,
            status="Running",
            started_at=now,
            term_from=now,
            term_anchor=term.anchor,
            expires_at=term.expires_at,
            renew_at=next_try(term.expires_at, now) if unit.auto_renew else None,
        )


class _Failure(_Report, frozen=True, kw_only=True):
    """A failure: the advance payment is refunded. That may pay a debt, and then suspended instances run again.

    It may also pay for renewals that waited for money.
    """

    reason: str

    def needs(self) -> Needs:
        """The suspended instances as well."""
        yield from super().needs()
        yield SuspendedInstances(unit_id=self.unit_id)

    def needs_more(self, book: Book) -> Needs:
        """The rows of the suspended instances as well."""
        yield from super().needs_more(book)
        unit = book.get(INSTANCES, self.unit_id)
        if unit is not None:
            yield from halted_needs(book, unit.account_id)


class ConfirmFailed(_Failure, frozen=True, kw_only=True):
    """The engine cannot provide the instance: its payment and its units are returned."""

    awaited: ClassVar[InstanceStatus] = "Creating"

    def settle(self, draft: Draft, unit: Instance, rules: Rules, now: Instant) -> None:
        """Return payment and units."""
        draft.put(OFFERINGS, draft.require(OFFERINGS, *unit.offering).give_back(unit.reserved))
        give_back_money(draft, unit, unit.charged, now)
        change(draft, unit, status="CreateFailed", charged=Micro(0), placements=(), failure=self.reason)
        renew_waiting(draft, unit.account_id, rules, now)


class ConfirmResized(_Report, frozen=True, kw_only=True):
    """The instance has its new size from now on."""

    awaited: ClassVar[InstanceStatus] = "Reconfiguring"

    def settle(self, draft: Draft, unit: Instance, rules: Rules, now: Instant) -> None:  # noqa: ARG002 - no setting matters
        """Meter the new size, and return units that are no longer reserved."""
        target = unit.target_count
        assert target is not None  # noqa: S101 - it is being resized
        unit = settle_size(draft, charge_usage(draft, unit, now), target)
        change(draft, unit, status="Running", failure=None, sized_at=None if unit.meter_from is None else now)


class ConfirmResizeFailed(_Failure, frozen=True, kw_only=True):
    """The engine cannot provide the new size: the instance keeps the old one, and the payment is refunded."""

    awaited: ClassVar[InstanceStatus] = "Reconfiguring"

    def settle(self, draft: Draft, unit: Instance, rules: Rules, now: Instant) -> None:
        """Undo the resize."""
        paid = unit.resize_paid
        give_back_money(draft, unit, paid, now)
        unit = settle_size(draft, unit, unit.count)
        change(draft, unit, status="ReconfigureFailed", charged=Micro(unit.charged - paid), failure=self.reason)
        renew_waiting(draft, unit.account_id, rules, now)


class ConfirmReleased(_Report, frozen=True, kw_only=True):
    """The engine has nothing left of the instance. Only now do its units return to the stock (decision 6)."""

    awaited: ClassVar[InstanceStatus] = "Releasing"

    def settle(self, draft: Draft, unit: Instance, rules: Rules, now: Instant) -> None:  # noqa: ARG002 - no setting matters
        """End it."""
        finish_release(draft, unit, now)


def give_back_money(draft: Draft, unit: Instance, amount: Micro, now: Instant) -> None:
    """Refund an advance payment. The caller updates the instance's own sum (``charged``)."""
    in_debt = draft.require(ACCOUNTS, unit.account_id).arrears_since is not None
    if amount > 0:
        draft.post(
            Posting(
                account_id=unit.account_id,
                at=now,
                kind="Refund",
                debit=PREPAID_REVENUE,
                credit=wallet(unit.account_id),
                amount=amount,
                unit_id=unit.id,
                project_id=unit.project_id,
            )
        )
    if in_debt:
        resume_some(draft, unit.account_id, now)

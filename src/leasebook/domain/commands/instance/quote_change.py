"""Quotes of changes: all checks of a renewal, of a resize or of a change of billing, without making it."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES, OFFERINGS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.commands.instance.billing_switch import check_billing, judge_billing
from leasebook.domain.commands.instance.quote import Verdict
from leasebook.domain.commands.instance.release import unit_needs
from leasebook.domain.commands.instance.renewal import judge_term, renewed_term
from leasebook.domain.commands.instance.resize import check_count, judge_growth, large_growth
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.offering import UNITS_OF_COMPUTE, Offering
from leasebook.domain.record.ledger import PaymentTiming
from leasebook.domain.rules.ownership import require_instance
from leasebook.domain.rules.purchase_checks import Verdict as Judged
from leasebook.domain.rules.purchase_checks import approval_refusal
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import Refusal
from leasebook.domain.values.rule_settings import Rules

STATE = "state"
"""The rule on what the instance is: whether it can be changed so at all. If not, no other rule is asked."""


class ChangeQuoted(msgspec.Struct, frozen=True):
    """The result: the instance as it would be, what it would cost at once, and the checks."""

    unit_id: str
    region: str
    unit_type: str
    count: int
    payment_timing: PaymentTiming
    expires_at: Instant | None
    price: Micro | None
    at_once: Micro
    balance: Micro
    verdicts: tuple[Verdict, ...]


class Change(NamedTuple):
    """A change as judged: the verdicts, the payment at once, and when the term ends then; None: it has none."""

    verdicts: list[Judged]
    paid: Micro
    expires_at: Instant | None


class QuoteChange(Command, frozen=True, kw_only=True):
    """Check a renewal, a resize or a change of billing with the code that would make it.

    A resize has the new ``count``, and a change of billing the ``payment_timing``, with ``months`` to become prepaid. A
    renewal has neither, and the ``months`` or the ``day`` of a month or both.
    """

    answer: ClassVar[type] = ChangeQuoted

    account_id: str
    by: str
    unit_id: str
    count: int | None
    months: int = 0
    day: int | None = None
    payment_timing: PaymentTiming | None = None
    by_manager: bool = False

    def needs(self) -> Needs:
        """The instance."""
        yield INSTANCES, (self.unit_id,)

    def needs_more(self, book: Book) -> Needs:
        """The rows by which it is judged."""
        return unit_needs(book, self.unit_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> ChangeQuoted:
        """Raises Refusal: the account has no instance of compute units with that id."""
        unit = require_instance(draft, self.account_id, self.unit_id, kind=UNITS_OF_COMPUTE)
        offering: Offering = draft.require(OFFERINGS, *unit.offering)
        state: Refusal | None = None
        try:
            judged = self._judged(draft, rules, now, unit)
        except Refusal as refusal:
            state, judged = refusal, Change([], Micro(0), unit.expires_at)
        timing = self.payment_timing or unit.payment_timing
        return ChangeQuoted(
            unit_id=unit.id,
            region=unit.region,
            unit_type=unit.type,
            count=unit.count if self.count is None else self.count,
            payment_timing=timing,
            expires_at=judged.expires_at,
            price=offering.per_month if timing == "Prepaid" else offering.per_minute,
            at_once=judged.paid,
            balance=draft.require(ACCOUNTS, unit.account_id).balance,
            verdicts=tuple(
                Verdict(rule, None, None) if refusal is None else Verdict(rule, refusal.reason, refusal.message)
                for rule, refusal in ((STATE, state), *judged.verdicts)
            ),
        )

    def _judged(self, draft: Draft, rules: Rules, now: Instant, unit: Instance) -> Change:
        """Raises Refusal where the state of the instance does not allow the change."""
        if self.payment_timing is not None:
            return self._of_billing(draft, rules, now, unit, self.payment_timing)
        if self.count is not None:
            return Change(*self._of_resize(draft, rules, now, unit, self.count), unit.expires_at)
        return self._of_renewal(draft, rules, now, unit)

    def _of_billing(self, draft: Draft, rules: Rules, now: Instant, unit: Instance, timing: PaymentTiming) -> Change:
        check_billing(unit, timing, rules, now)
        if unit.status == "BillingChanging":
            return Change([], Micro(0), unit.expires_at)
        # The use until now is charged to a draft of its own, which is dropped.
        judged = judge_billing(
            *(Draft(draft.book, now, draft.within), rules, now, unit, timing, self.months),
            is_buyer=self.by == unit.created_by,
            is_manager=self.by_manager,
        )
        return Change(judged.verdicts, judged.paid, unit.expires_at if judged.term is None else judged.term.expires_at)

    def _of_renewal(self, draft: Draft, rules: Rules, now: Instant, unit: Instance) -> Change:
        zone = draft.require(ACCOUNTS, unit.account_id).time_zone
        term = renewed_term(unit, self.months, self.day, zone, rules, now)
        verdicts, amount = judge_term(
            draft, rules, unit, term, now, is_buyer=self.by == unit.created_by, is_manager=self.by_manager
        )
        return Change(verdicts, amount, term.expires_at)

    def _of_resize(
        self, draft: Draft, rules: Rules, now: Instant, unit: Instance, count: int
    ) -> tuple[list[Judged], Micro]:
        check_count(unit, count)
        if count < unit.count:
            return [], Micro(0)
        verdicts, paid = judge_growth(draft, rules, now, unit, count - unit.count)
        offering: Offering = draft.require(OFFERINGS, *unit.offering)
        _, large = large_growth(unit, offering, count, paid, self.by)
        guard = draft.get(ACCOUNT_LIMITS, unit.account_id)
        return [*verdicts, ("approval", approval_refusal(guard, large, rules, now))], paid

"""Quotes of changes: all checks of a renewal or of a resize, without making it."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES, OFFERINGS
from leasebook.domain.commands.command import Command, Needs
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


class QuoteChange(Command, frozen=True, kw_only=True):
    """Check a renewal or a resize with the code that would make it.

    A resize has the new ``count``; a renewal has None there, and the ``months`` or the ``day`` of a month or both.
    """

    answer: ClassVar[type] = ChangeQuoted

    account_id: str
    by: str
    unit_id: str
    count: int | None
    months: int = 0
    day: int | None = None
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
        expires_at = unit.expires_at
        try:
            if self.count is None:
                verdicts, paid, expires_at = self._of_renewal(draft, rules, now, unit)
            else:
                verdicts, paid = self._of_resize(draft, rules, now, unit, self.count)
        except Refusal as refusal:
            verdicts, paid = [(STATE, refusal)], Micro(0)
        else:
            verdicts = [(STATE, None), *verdicts]
        return ChangeQuoted(
            unit_id=unit.id,
            region=unit.region,
            unit_type=unit.type,
            count=unit.count if self.count is None else self.count,
            payment_timing=unit.payment_timing,
            expires_at=expires_at,
            price=offering.per_month if unit.payment_timing == "Prepaid" else offering.per_minute,
            at_once=paid,
            balance=draft.require(ACCOUNTS, unit.account_id).balance,
            verdicts=tuple(
                Verdict(rule, None, None) if refusal is None else Verdict(rule, refusal.reason, refusal.message)
                for rule, refusal in verdicts
            ),
        )

    def _of_renewal(
        self, draft: Draft, rules: Rules, now: Instant, unit: Instance
    ) -> tuple[list[Judged], Micro, Instant | None]:
        zone = draft.require(ACCOUNTS, unit.account_id).time_zone
        term = renewed_term(unit, self.months, self.day, zone, rules, now)
        verdicts, amount = judge_term(
            draft, rules, unit, term, now, is_buyer=self.by == unit.created_by, is_manager=self.by_manager
        )
        return verdicts, amount, term.expires_at

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

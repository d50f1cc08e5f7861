"""Changes of an instance's number of units (decision 15)."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.charged_tags import budgeted_tags
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES, OFFERINGS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.commands.instance.release import unit_needs
from leasebook.domain.model.approvals.approval import Consent
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.limits import LimitedUse, judge_spend, judge_units, month_name
from leasebook.domain.model.offering import UNITS_OF_COMPUTE, Offering, OfferingKind
from leasebook.domain.record.ledger import PREPAID_REVENUE, Order, Posting, wallet
from leasebook.domain.rules.approval import check_approval
from leasebook.domain.rules.lifecycle import change
from leasebook.domain.rules.ownership import require_instance
from leasebook.domain.rules.purchase_checks import (
    PurchaseTerms,
    balance_needed,
    balance_refusal,
    large_purchase,
)
from leasebook.domain.rules.term import price_of_rest
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import MICRO_MAX, Micro
from leasebook.domain.values.refusal import NOT_SUPPORTED, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules
from leasebook.domain.values.wording import counted


class Resized(msgspec.Struct, frozen=True):
    """The answer to a resize."""

    unit_id: str
    order_id: str


class Resize(Command, frozen=True, kw_only=True):
    """Change an instance's number of units.

    Added units are reserved at once; the change is done when the engine confirms.

    A prepaid instance can only grow, and pays the added units for the rest of its term. A postpaid instance is metered
    for the new number from the confirmation on.
    """

    answer: ClassVar[type] = Resized

    account_id: str
    by: str
    unit_id: str
    order_id: str
    count: int
    kind: OfferingKind = UNITS_OF_COMPUTE
    consent: Consent | None = None
    """Given when an approver has it done."""

    def needs(self) -> Needs:
        """The instance."""
        yield INSTANCES, (self.unit_id,)

    def needs_more(self, book: Book) -> Needs:
        """The rows for charging it."""
        return unit_needs(book, self.unit_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Resized:
        """Raises Refusal: not running, units in use, prepaid and smaller, or lack of stock or balance.

        Raises ApprovalNeeded if it makes the instance larger than its account allows without an approval.
        """
        unit = require_instance(draft, self.account_id, self.unit_id, kind=self.kind)
        _check(unit, self.count)
        offering = draft.require(OFFERINGS, *unit.offering)
        added = self.count - unit.count
        if added > 0:
            self._check_limits(draft, rules, now, unit, offering, added)
            draft.put(OFFERINGS, offering.take(added))
        paid = Micro(0)
        if added > 0 and unit.payment_timing == "Prepaid":
            paid = self._pay(draft, rules, now, unit, offering, added)
        elif added > 0:
            _check_balance(draft, rules, unit, offering, added)
        if added > 0:
            self._check_approval(draft, rules, now, unit, offering, paid)
        draft.order(self._order(unit, paid, now))
        change(
            draft,
            unit,
            status="Reconfiguring",
            target_count=self.count,
            resize_paid=paid,
            charged=Micro(unit.charged + paid),
            failure=None,
        )
        return Resized(unit.id, self.order_id)

    def _check_limits(
        self, draft: Draft, rules: Rules, now: Instant, unit: Instance, offering: Offering, added: int
    ) -> None:
        """Check the added units against the limits that their purchase would be checked against."""
        guard = draft.get(ACCOUNT_LIMITS, unit.account_id)
        if guard is None:
            return
        zone = draft.require(ACCOUNTS, unit.account_id).time_zone
        cost = Micro(added * (offering.per_minute or 0) * 60)
        if unit.payment_timing == "Prepaid" and offering.per_month is not None:
            cost = price_of_rest(unit, added, offering.per_month, zone, now)
        tags = budgeted_tags(draft, unit, now)
        asked = LimitedUse(unit.created_by, unit.type, added, cost, month_name(now, zone), unit.project_id, tags)
        refusal = judge_units(guard, asked) or judge_spend(guard, asked, rules.currency)
        if refusal is not None:
            raise refusal

    def _check_approval(
        self, draft: Draft, rules: Rules, now: Instant, unit: Instance, offering: Offering, paid: Micro
    ) -> None:
        """Compare the instance as it will be with the limits; the cost of a prepaid one is that of the added units."""
        prepaid = unit.payment_timing == "Prepaid"
        price = offering.per_month if prepaid else offering.per_minute
        terms = PurchaseTerms(
            unit.account_id, offering, self.count, unit.payment_timing, 0, unit.release_at, price, self.by
        )
        large = msgspec.structs.replace(large_purchase(terms), is_new=False)
        if prepaid:
            large = msgspec.structs.replace(large, cost=paid)
        check_approval(draft, rules, now, terms, large, order_id=self.order_id, consent=self.consent)

    def _pay(self, draft: Draft, rules: Rules, now: Instant, unit: Instance, offering: Offering, added: int) -> Micro:
        if offering.per_month is None:
            raise Refusal(NOT_SUPPORTED, f"{offering.name} is not sold by the month any more.")
        account = draft.require(ACCOUNTS, unit.account_id)
        amount = price_of_rest(unit, added, offering.per_month, account.time_zone, now)
        if account.balance < amount or amount + unit.charged >= MICRO_MAX:
            raise balance_refusal(
                account.balance, amount, rules, f"{counted(added, 'more unit')} for the rest of the term"
            )
        if amount > 0:
            draft.post(
                Posting(
                    account_id=account.id,
                    at=now,
                    kind="Resize",
                    debit=wallet(account.id),
                    credit=PREPAID_REVENUE,
                    amount=amount,
                    order_id=self.order_id,
                    unit_id=unit.id,
                    count=added,
                    price=offering.per_month,
                    since=now,
                    until=unit.expires_at,
                    project_id=unit.project_id,
                )
            )
        return amount

    def _order(self, unit: Instance, paid: Micro, now: Instant) -> Order:
        return Order(
            id=self.order_id,
            account_id=unit.account_id,
            kind="Resize",
            unit_id=unit.id,
            payment_timing=unit.payment_timing,
            region=unit.region,
            type=unit.type,
            count=self.count,
            months=0,
            amount=paid,
            created_at=now,
            created_by=self.by,
        )


def _check(unit: Instance, count: int) -> None:
    if unit.status not in ("Running", "ReconfigureFailed"):
        raise Refusal(
            WRONG_STATE, f"{unit.id} is {unit.status}; only a running instance is resized.", field="instanceId"
        )
    if count == unit.count:
        raise Refusal(WRONG_STATE, f"{unit.id} has {counted(count, 'unit')} already.", field="count")
    if count < unit.count and unit.payment_timing == "Prepaid":
        raise Refusal(
            NOT_SUPPORTED,
            f"{unit.id} is prepaid with {unit.count} units, which are paid until its term ends; "
            f"it cannot have {count}.",
            field="count",
        )
    if count < unit.used:
        raise Refusal(
            WRONG_STATE,
            f"Replicas use {unit.used} of the {unit.count} units of {unit.id}, so it cannot have {count}. "
            "Scale the services on it first (ScaleService, /v2/service).",
            field="count",
        )


def _check_balance(draft: Draft, rules: Rules, unit: Instance, offering: Offering, added: int) -> None:
    """Check that the balance suffices for a purchase of the added units (decision 11)."""
    if offering.per_minute is None:
        raise Refusal(NOT_SUPPORTED, f"{offering.name} is not sold by the minute any more.")
    terms = PurchaseTerms(unit.account_id, offering, added, "Postpaid", 0, None, offering.per_minute, unit.created_by)
    balance, needed = draft.require(ACCOUNTS, unit.account_id).balance, max(balance_needed(terms, rules), 0)
    if balance < needed:
        raise balance_refusal(balance, needed, rules, f"{counted(added, 'more postpaid unit')} to start")

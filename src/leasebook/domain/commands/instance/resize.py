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
from leasebook.domain.model.approvals.approval_limit import LargePurchase
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.limits import LimitedUse, judge_spend, judge_units, month_name
from leasebook.domain.model.offering import UNITS_OF_COMPUTE, Offering, OfferingKind
from leasebook.domain.record.ledger import PREPAID_REVENUE, Order, Posting, wallet
from leasebook.domain.rules.approval import check_approval
from leasebook.domain.rules.lifecycle import change
from leasebook.domain.rules.ownership import require_instance
from leasebook.domain.rules.purchase_checks import (
    PurchaseTerms,
    Verdict,
    balance_needed,
    balance_refusal,
    check_amount,
    first_refusal,
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
    for the new number from the confirmation on. ``amount_max`` is the most to pay at once; None: whatever it costs.
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
    amount_max: Micro | None = None

    def needs(self) -> Needs:
        """The instance."""
        yield INSTANCES, (self.unit_id,)

    def needs_more(self, book: Book) -> Needs:
        """The rows for charging it."""
        return unit_needs(book, self.unit_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Resized:
        """Raises Refusal: not running, units in use, prepaid and smaller, lack of stock or balance, or too dear.

        Raises ApprovalNeeded if it makes the instance larger than its account allows without an approval.
        """
        unit = require_instance(draft, self.account_id, self.unit_id, kind=self.kind)
        check_count(unit, self.count)
        offering = draft.require(OFFERINGS, *unit.offering)
        added = self.count - unit.count
        paid = Micro(0)
        if added > 0:
            verdicts, paid = judge_growth(draft, rules, now, unit, added)
            refusal = first_refusal(verdicts)
            if refusal is not None:
                raise refusal
            check_amount(paid, self.amount_max, rules)
            draft.put(OFFERINGS, offering.take(added))
            self._pay(draft, now, unit, offering, added, paid)
            terms, large = large_growth(unit, offering, self.count, paid, self.by)
            check_approval(draft, rules, now, terms, large, order_id=self.order_id, consent=self.consent)
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

    def _pay(self, draft: Draft, now: Instant, unit: Instance, offering: Offering, added: int, amount: Micro) -> None:
        if amount <= 0:
            return
        draft.post(
            Posting(
                account_id=unit.account_id,
                at=now,
                kind="Resize",
                debit=wallet(unit.account_id),
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


def check_count(unit: Instance, count: int) -> None:
    """Raise Refusal where the instance cannot have that number of units, whatever they cost."""
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


def judge_growth(draft: Draft, rules: Rules, now: Instant, unit: Instance, added: int) -> tuple[list[Verdict], Micro]:
    """Return every rule's verdict on units that are added, but for approvals, and the amount that is paid at once.

    The rules are in the order in which a resize is refused. The limits are those that the purchase of the added units
    would be checked against.
    """
    offering: Offering = draft.require(OFFERINGS, *unit.offering)
    guard = draft.get(ACCOUNT_LIMITS, unit.account_id)
    account = draft.require(ACCOUNTS, unit.account_id)
    prepaid = unit.payment_timing == "Prepaid"
    paid, cost = Micro(0), Micro(added * (offering.per_minute or 0) * 60)
    if prepaid and offering.per_month is not None:
        cost = paid = price_of_rest(unit, added, offering.per_month, account.time_zone, now)
    asked = None
    if guard is not None:
        tags = budgeted_tags(draft, unit, now)
        month = month_name(now, account.time_zone)
        asked = LimitedUse(unit.created_by, unit.type, added, cost, month, unit.project_id, tags)
    unsold = None
    if prepaid and offering.per_month is None:
        unsold = Refusal(NOT_SUPPORTED, f"{offering.name} is not sold by the month any more.")
    elif not prepaid and offering.per_minute is None:
        unsold = Refusal(NOT_SUPPORTED, f"{offering.name} is not sold by the minute any more.")
    return [
        ("units", judge_units(guard, asked)),
        ("spend", judge_spend(guard, asked, rules.currency)),
        ("stock", _of_stock(offering, added)),
        ("price", unsold),
        ("balance", None if unsold else _of_balance(account.balance, rules, unit, offering, added, paid)),
    ], paid


def large_growth(
    unit: Instance, offering: Offering, count: int, paid: Micro, by: str
) -> tuple[PurchaseTerms, LargePurchase]:
    """Return a larger instance as the limits on approvals see it; the cost of a prepaid one is that of added units."""
    prepaid = unit.payment_timing == "Prepaid"
    price = offering.per_month if prepaid else offering.per_minute
    terms = PurchaseTerms(unit.account_id, offering, count, unit.payment_timing, 0, unit.release_at, price, by)
    large = msgspec.structs.replace(large_purchase(terms), is_new=False)
    return terms, msgspec.structs.replace(large, cost=paid) if prepaid else large


def _of_stock(offering: Offering, added: int) -> Refusal | None:
    try:
        offering.take(added)
    except Refusal as refusal:
        return refusal
    return None


def _of_balance(
    balance: Micro, rules: Rules, unit: Instance, offering: Offering, added: int, paid: Micro
) -> Refusal | None:
    """Return the refusal if the balance does not suffice: for the rest of the term, or as for a purchase."""
    if unit.payment_timing == "Prepaid":
        if balance >= paid and paid + unit.charged < MICRO_MAX:
            return None
        return balance_refusal(balance, paid, rules, f"{counted(added, 'more unit')} for the rest of the term")
    terms = PurchaseTerms(unit.account_id, offering, added, "Postpaid", 0, None, offering.per_minute, unit.created_by)
    needed = max(balance_needed(terms, rules), 0)
    if balance >= needed:
        return None
    return balance_refusal(balance, needed, rules, f"{counted(added, 'more postpaid unit')} to start")

"""Changes between postpaid and prepaid."""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.charged_tags import budgeted_tags
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES, OFFERINGS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.commands.instance.release import check_release_ahead, unit_needs
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.limits import (
    AccountLimits,
    LimitedUse,
    judge_end,
    judge_extension,
    judge_spend,
    judge_switch,
    month_name,
)
from leasebook.domain.model.offering import Offering
from leasebook.domain.record.ledger import PREPAID_REVENUE, Order, PaymentTiming, Posting, wallet
from leasebook.domain.rules.lifecycle import change
from leasebook.domain.rules.metering import charge_last_minute, paid_until
from leasebook.domain.rules.ownership import require_instance
from leasebook.domain.rules.purchase_checks import Verdict, balance_refusal, check_amount, first_refusal
from leasebook.domain.rules.term import Term, next_try, term_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import MICRO_MAX, Micro
from leasebook.domain.values.refusal import NOT_SUPPORTED, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules
from leasebook.domain.values.wording import counted


class Turned(msgspec.Struct, frozen=True):
    """The answer to a change of billing. ``dropped`` is the release time that the instance had and lost."""

    unit_id: str
    order_id: str
    dropped: Instant | None = None


class ChangeBilling(Command, frozen=True, kw_only=True):
    """Change how an instance is paid, from now on or from the end of its term.

    Postpaid becomes prepaid at once: use until now is charged, and the paid term begins when the started minute ends.
    Prepaid becomes postpaid at the end of its term and shows BillingChanging until then; a change back to prepaid keeps
    it prepaid. At the switch it gets the account's default release time, counted from then, if the account has one.
    ``amount_max`` is the most to pay at once for a term; None: whatever it costs.

    A prepaid instance has no release time. Giving one up lets the instance live longer, so it is checked like a later
    release time at the end of the term (decision 29).
    """

    answer: ClassVar[type] = Turned

    account_id: str
    by: str
    unit_id: str
    order_id: str
    payment_timing: PaymentTiming
    months: int = 0
    auto_renew: bool = False
    auto_renew_months: int = 1
    by_manager: bool = False
    amount_max: Micro | None = None

    def needs(self) -> Needs:
        """The instance."""
        yield INSTANCES, (self.unit_id,)

    def needs_more(self, book: Book) -> Needs:
        """The rows for charging it."""
        return unit_needs(book, self.unit_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Turned:
        """Raises Refusal: wrong status, already paid so, balance too small, dearer than agreed, or release time passed.

        Also if the account's limits require a release time and there is no default, or do not allow it to be given up.
        """
        unit = require_instance(draft, self.account_id, self.unit_id)
        check_billing(unit, self.payment_timing, rules, now)
        paid = Micro(0)
        if unit.status == "BillingChanging":
            change(draft, unit, status="Running")
        else:
            judged = judge_billing(
                *(draft, rules, now, unit, self.payment_timing, self.months),
                is_buyer=self.by == unit.created_by,
                is_manager=self.by_manager,
            )
            refusal = first_refusal(judged.verdicts)
            if refusal is not None:
                raise refusal
            check_amount(judged.paid, self.amount_max, rules)
            extensions = unit.extensions + judged.extends
            if self.payment_timing == "Postpaid":
                change(draft, unit, status="BillingChanging", auto_renew=False, renew_at=None, extensions=extensions)
            else:
                self._prepay(draft, judged, extensions, now)
                paid = judged.paid
        draft.order(self._order(unit, paid, now))
        return Turned(unit.id, self.order_id, unit.release_at)

    def _prepay(self, draft: Draft, judged: JudgedBilling, extensions: int, now: Instant) -> None:
        unit, term, amount = judged.unit, judged.term, judged.paid
        assert term is not None  # noqa: S101 - an instance that is sold by the month has a term
        if amount > 0:
            draft.post(
                Posting(
                    account_id=unit.account_id,
                    at=now,
                    kind="Conversion",
                    debit=wallet(unit.account_id),
                    credit=PREPAID_REVENUE,
                    amount=amount,
                    order_id=self.order_id,
                    unit_id=unit.id,
                    count=unit.count,
                    price=draft.require(OFFERINGS, *unit.offering).per_month,
                    since=term.anchor,
                    until=term.expires_at,
                    project_id=unit.project_id,
                )
            )
        change(
            draft,
            unit,
            payment_timing="Prepaid",
            term_months=self.months,
            term_from=term.anchor,
            term_anchor=term.anchor,
            expires_at=term.expires_at,
            auto_renew=self.auto_renew,
            auto_renew_months=self.auto_renew_months,
            renew_at=next_try(term.expires_at, now) if self.auto_renew else None,
            meter_from=None,
            metered_minutes=0,
            metered_peak=0,
            sized_at=None,
            price_number=None,
            quoted_price=None,
            quoted_count=0,
            quoted_number=0,
            release_at=None,
            extensions=extensions,
            charge_at=None,
            stop_at=None,
            charged=Micro(unit.charged + amount),
        )

    def _order(self, unit: Instance, amount: Micro, now: Instant) -> Order:
        return Order(
            id=self.order_id,
            account_id=unit.account_id,
            kind="Conversion",
            unit_id=unit.id,
            payment_timing=self.payment_timing,
            region=unit.region,
            type=unit.type,
            count=unit.count,
            months=self.months,
            amount=amount,
            created_at=now,
            created_by=self.by,
        )


class JudgedBilling(NamedTuple):
    """A change of billing, by every rule in the order in which it is refused, with the payment at once and the term.

    ``unit`` is the instance with its use until now charged. ``extends``: the change lets the instance live longer,
    which the account's limits count.
    """

    verdicts: list[Verdict]
    unit: Instance
    paid: Micro = Micro(0)
    term: Term | None = None
    extends: bool = False


def check_billing(unit: Instance, timing: PaymentTiming, rules: Rules, now: Instant) -> None:
    """Raise Refusal where the state of an instance does not let its billing change so, whatever the rules say."""
    changing = unit.status == "BillingChanging"
    if unit.status not in ("Running", "BillingChanging"):
        raise Refusal(WRONG_STATE, f"{unit.id} is {unit.status}; its billing cannot change.", field="instanceId")
    if timing == ("Postpaid" if changing else unit.payment_timing):
        if changing:
            message = f"{unit.id} becomes postpaid when its term ends: that was asked for already."
        else:
            message = f"{unit.id} is paid {timing} already."
        raise Refusal(WRONG_STATE, message, field="instanceId")
    check_release_ahead(unit, rules, now)


def judge_billing(
    draft: Draft,
    rules: Rules,
    now: Instant,
    unit: Instance,
    timing: PaymentTiming,
    months: int,
    *,
    is_buyer: bool,
    is_manager: bool,
) -> JudgedBilling:
    """Return every rule's verdict on a change of billing that ``check_billing`` allows, of an instance that runs.

    To become prepaid, the use until now is charged to the draft; a quote gives one that is dropped.
    """
    offering: Offering = draft.require(OFFERINGS, *unit.offering)
    closed = _of_sale(offering)
    longer = _Longer(draft.get(ACCOUNT_LIMITS, unit.account_id), rules, now, is_buyer=is_buyer, is_manager=is_manager)
    if timing == "Postpaid":
        ends = now if unit.expires_at is None else unit.expires_at
        release_at, refusal = judge_switch(longer.guard, ends, rules.written_zone, unit.project_id)
        extends = unit.extensions > 0 and release_at is None
        verdicts: list[Verdict] = [("stock", closed), ("end", refusal or longer.judge(unit, None, later=extends))]
        return JudgedBilling(verdicts, unit, extends=extends)
    if offering.per_month is None:
        unsold = Refusal(NOT_SUPPORTED, f"{offering.name} is not sold by the month.")
        return JudgedBilling([("stock", closed), ("price", unsold)], unit)
    before = unit.charged
    unit = charge_last_minute(draft, unit, now)
    # The meter has charged the started minute already, so the paid term begins where that minute ends.
    begins = Instant(max(now, paid_until(unit) or now))
    account = draft.require(ACCOUNTS, unit.account_id)
    amount = Micro(unit.count * offering.per_month * months)
    # The use until now is charged with it, and the limit's sum does not include that use yet.
    cost = Micro(amount + unit.charged - before)
    month, tags = month_name(now, account.time_zone), budgeted_tags(draft, unit, now)
    asked = LimitedUse(unit.created_by, unit.type, 0, cost, month, unit.project_id, tags)
    unpaid_for = None
    if account.balance < amount or amount + unit.charged >= MICRO_MAX:
        unpaid_for = balance_refusal(
            account.balance, amount, rules, f"{counted(unit.count, 'unit')} for {counted(months, 'month')}"
        )
    term = term_of(begins, months, account.time_zone)
    extends = unit.release_at is not None
    verdicts = [
        ("stock", closed),
        ("price", None),
        ("spend", judge_spend(longer.guard, asked, rules.currency)),
        ("balance", unpaid_for),
        ("end", longer.judge(unit, term.expires_at, later=extends)),
    ]
    return JudgedBilling(verdicts, unit, amount, term, extends)


def _of_sale(offering: Offering) -> Refusal | None:
    try:
        offering.require_sold()
    except Refusal as refusal:
        return refusal
    return None


class _Longer:
    """The account's rules on an instance that goes on without the release time that it has or had."""

    def __init__(
        self, guard: AccountLimits | None, rules: Rules, now: Instant, *, is_buyer: bool, is_manager: bool
    ) -> None:
        self.guard: Final = guard
        self._rules = rules
        self._now = now
        self._is_buyer = is_buyer
        self._is_manager = is_manager

    def judge(self, unit: Instance, ends: Instant | None, *, later: bool) -> Refusal | None:
        """Return why it may not; None: it may."""
        refusal = judge_extension(
            self.guard,
            is_buyer=self._is_buyer,
            is_manager=self._is_manager,
            extensions=unit.extensions,
            later=later,
        )
        if refusal is None and unit.release_at is not None:
            refusal = judge_end(
                *(self.guard, ends, self._now, self._rules.written_zone),
                project_id=unit.project_id,
                before=unit.release_at,
            )
        return refusal

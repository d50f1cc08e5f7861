"""Changes between postpaid and prepaid."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.charged_tags import budgeted_tags
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES, OFFERINGS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.commands.instance.release import check_release_ahead, unit_needs
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.limits import LimitedUse, judge_end, judge_extension, judge_spend, judge_switch, month_name
from leasebook.domain.record.ledger import PREPAID_REVENUE, Order, PaymentTiming, Posting, wallet
from leasebook.domain.rules.lifecycle import change
from leasebook.domain.rules.metering import charge_last_minute, paid_until
from leasebook.domain.rules.ownership import require_instance
from leasebook.domain.rules.purchase_checks import balance_refusal
from leasebook.domain.rules.term import next_try, term_of
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

    def needs(self) -> Needs:
        """The instance."""
        yield INSTANCES, (self.unit_id,)

    def needs_more(self, book: Book) -> Needs:
        """The rows for charging it."""
        return unit_needs(book, self.unit_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Turned:
        """Raises Refusal: wrong status, already paid so, balance too small, or release time passed.

        Also if the account's limits require a release time and there is no default, or do not allow it to be given up.
        """
        unit = require_instance(draft, self.account_id, self.unit_id)
        changing = unit.status == "BillingChanging"
        if unit.status not in ("Running", "BillingChanging"):
            raise Refusal(WRONG_STATE, f"{unit.id} is {unit.status}; its billing cannot change.", field="instanceId")
        if self.payment_timing == ("Postpaid" if changing else unit.payment_timing):
            raise Refusal(
                WRONG_STATE,
                f"{unit.id} {'becomes' if changing else 'is'} {self.payment_timing.lower()} already.",
                field="instanceId",
            )
        check_release_ahead(unit, rules, now)
        paid = Micro(0)
        if not changing:
            draft.require(OFFERINGS, *unit.offering).require_sold()
        if changing:
            change(draft, unit, status="Running")
        elif self.payment_timing == "Postpaid":
            ends = now if unit.expires_at is None else unit.expires_at
            release_at, refusal = judge_switch(
                draft.get(ACCOUNT_LIMITS, self.account_id), ends, rules.written_zone, unit.project_id
            )
            if refusal is not None:
                raise refusal
            longer = unit.extensions > 0 and release_at is None
            self._judge_longer(draft, rules, now, unit, None, later=longer)
            extensions = unit.extensions + longer
            change(draft, unit, status="BillingChanging", auto_renew=False, renew_at=None, extensions=extensions)
        else:
            paid = self._prepay(draft, rules, unit, now)
        draft.order(self._order(unit, paid, now))
        return Turned(unit.id, self.order_id, unit.release_at)

    def _judge_longer(
        self, draft: Draft, rules: Rules, now: Instant, unit: Instance, ends: Instant | None, *, later: bool
    ) -> None:
        """Check that an instance may go on without the release time that it has or had; raises Refusal."""
        guard = draft.get(ACCOUNT_LIMITS, unit.account_id)
        refusal = judge_extension(
            guard,
            is_buyer=self.by == unit.created_by,
            is_manager=self.by_manager,
            extensions=unit.extensions,
            later=later,
        )
        if refusal is None and unit.release_at is not None:
            refusal = judge_end(
                guard, ends, now, rules.written_zone, project_id=unit.project_id, before=unit.release_at
            )
        if refusal is not None:
            raise refusal

    def _prepay(self, draft: Draft, rules: Rules, unit: Instance, now: Instant) -> Micro:
        offering = draft.require(OFFERINGS, *unit.offering)
        if offering.per_month is None:
            raise Refusal(NOT_SUPPORTED, f"{offering.name} is not sold by the month.")
        before = unit.charged
        unit = charge_last_minute(draft, unit, now)
        # The meter has charged the started minute already, so the paid term begins where that minute ends.
        begins = Instant(max(now, paid_until(unit) or now))
        account = draft.require(ACCOUNTS, unit.account_id)
        amount = Micro(unit.count * offering.per_month * self.months)
        # The use until now is charged with it, and the limit's sum does not include that use yet.
        cost = Micro(amount + unit.charged - before)
        month, tags = month_name(now, account.time_zone), budgeted_tags(draft, unit, now)
        asked = LimitedUse(unit.created_by, unit.type, 0, cost, month, unit.project_id, tags)
        limit = judge_spend(draft.get(ACCOUNT_LIMITS, account.id), asked, rules.currency)
        if limit is not None:
            raise limit
        if account.balance < amount or amount + unit.charged >= MICRO_MAX:
            raise balance_refusal(
                account.balance, amount, rules, f"{counted(unit.count, 'unit')} for {counted(self.months, 'month')}"
            )
        term = term_of(begins, self.months, account.time_zone)
        gives_up = unit.release_at is not None
        self._judge_longer(draft, rules, now, unit, term.expires_at, later=gives_up)
        if amount > 0:
            draft.post(
                Posting(
                    account_id=account.id,
                    at=now,
                    kind="Conversion",
                    debit=wallet(account.id),
                    credit=PREPAID_REVENUE,
                    amount=amount,
                    order_id=self.order_id,
                    unit_id=unit.id,
                    count=unit.count,
                    price=offering.per_month,
                    since=begins,
                    until=term.expires_at,
                    project_id=unit.project_id,
                )
            )
        change(
            draft,
            unit,
            payment_timing="Prepaid",
            term_months=self.months,
            term_from=begins,
            term_anchor=begins,
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
            extensions=unit.extensions + gives_up,
            charge_at=None,
            stop_at=None,
            charged=Micro(unit.charged + amount),
        )
        return amount

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

"""Renewing a prepaid instance by hand, and renewing it automatically."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.charged_tags import budgeted_tags
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES, OFFERINGS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.commands.instance.release import unit_needs
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.limits import LimitedUse, judge_renewal, judge_spend, month_name
from leasebook.domain.model.offering import Offering, OfferingKind
from leasebook.domain.record.ledger import PREPAID_REVENUE, Order, Posting, wallet
from leasebook.domain.rules.lifecycle import change
from leasebook.domain.rules.ownership import require_instance
from leasebook.domain.rules.purchase_checks import Verdict, balance_refusal, check_amount, first_refusal
from leasebook.domain.rules.reminder import unpaid
from leasebook.domain.rules.term import (
    TERM_MONTHS_MAX,
    Term,
    is_too_long,
    months_between,
    next_late_try,
    next_try,
    own_term,
    price_of_months,
    renewal_order,
    term_of,
    term_to_day,
)
from leasebook.domain.values.calendar import Instant, rfc3339
from leasebook.domain.values.money import MICRO_MAX, Micro
from leasebook.domain.values.refusal import BAD_VALUE, NOT_SUPPORTED, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules

RENEWABLE = frozenset({"Running", "Stopped", "Reconfiguring", "ReconfigureFailed", "BillingChanging"})


class SetAutoRenew(Command, frozen=True, kw_only=True):
    """Renew a prepaid instance by that many months whenever its term ends (decision 13); None: stop doing so."""

    answer: ClassVar[type] = bool

    account_id: str
    unit_id: str
    months: int | None
    kind: OfferingKind | None = None

    def needs(self) -> Needs:
        """The instance, and the account."""
        yield INSTANCES, (self.unit_id,)
        yield ACCOUNTS, (self.account_id,)

    def needs_more(self, book: Book) -> Needs:
        """The rows for charging it: a stopped instance is renewed at once."""
        return unit_needs(book, self.unit_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Raises Refusal: postpaid, ended, of another kind, or no automatic renewal to remove.

        Also for an instance that is to become postpaid: a renewal would silently undo that (decision 30).
        """
        unit = require_instance(draft, self.account_id, self.unit_id, kind=None)
        if self.kind not in (None, unit.kind):
            raise Refusal(BAD_VALUE, f"{unit.id} is {unit.kind}, not {self.kind}.", field="instanceType")
        only_prepaid(unit)
        if unit.status not in RENEWABLE | {"Creating"}:
            raise Refusal(WRONG_STATE, f"{unit.id} is {unit.status}; it cannot be renewed.", field="instanceId")
        if self.months is None:
            if not unit.auto_renew:
                raise Refusal(WRONG_STATE, f"{unit.id} has no auto-renew rule.", field="instanceId")
            change(draft, unit, auto_renew=False, renew_at=None)
            return True
        if unit.status == "BillingChanging":
            raise Refusal(
                WRONG_STATE,
                f"{unit.id} becomes postpaid when its term ends, and a rule would renew it instead. Have it stay "
                "prepaid (ChangeBilling to Prepaid), and make the rule then.",
                field="instanceId",
            )
        # If automatic renewal is on already, an overdue attempt stays due: the change must not skip it.
        tried = unit.renew_at if unit.auto_renew else None
        unit = change(draft, unit, auto_renew=True, auto_renew_months=self.months)
        unit = change(draft, unit, renew_at=tried or _next_try(unit, now))
        if unit.status == "Stopped" and unit.awaits_renewal:
            renew_if_paid(draft, unit, rules, now)
        return True


class Renewed(msgspec.Struct, frozen=True):
    """The answer to a renewal."""

    unit_id: str
    order_id: str
    expires_at: Instant


class Renew(Command, frozen=True, kw_only=True):
    """Renew a prepaid instance: by whole months, until a day of a month, or both (months first).

    A stopped instance runs again. If it has been stopped for longer than the renewal reaches, the renewal is refused.
    ``amount_max`` is the most to pay; None: whatever it costs.
    """

    answer: ClassVar[type] = Renewed

    account_id: str
    by: str
    unit_id: str
    order_id: str
    months: int
    day: int | None
    by_manager: bool = False
    amount_max: Micro | None = None

    def needs(self) -> Needs:
        """The instance."""
        yield INSTANCES, (self.unit_id,)

    def needs_more(self, book: Book) -> Needs:
        """The rows for charging it."""
        return unit_needs(book, self.unit_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Renewed:
        """Raises Refusal: nothing to renew, balance too small, dearer than agreed, or forbidden by the limits."""
        unit = require_instance(draft, self.account_id, self.unit_id, kind=None)
        zone = draft.require(ACCOUNTS, unit.account_id).time_zone
        term = renewed_term(unit, self.months, self.day, zone, rules, now)
        verdicts, amount = judge_term(
            draft, rules, unit, term, now, is_buyer=self.by == unit.created_by, is_manager=self.by_manager
        )
        refusal = first_refusal(verdicts)
        if refusal is not None:
            raise refusal
        check_amount(amount, self.amount_max, rules)
        _extend(draft, unit, term, amount, now, months=self.months, order_id=self.order_id, by=self.by)
        return Renewed(unit.id, self.order_id, term.expires_at)


def renewed_term(unit: Instance, months: int, day: int | None, zone: str, rules: Rules, now: Instant) -> Term:
    """Return the term after a renewal by hand; raises Refusal where the instance cannot have it, whatever it costs."""
    only_prepaid(unit)
    if unit.status not in RENEWABLE:
        raise Refusal(WRONG_STATE, f"{unit.id} is {unit.status}; it cannot be renewed.", field="instanceId")
    term = _longer(unit, months, day, zone)
    if term.expires_at <= now:
        raise Refusal(
            BAD_VALUE,
            f"The term would end at {rfc3339(term.expires_at, rules.written_zone)}, and that has passed. "
            "Renew for longer.",
            field="months",
        )
    return term


def only_prepaid(unit: Instance) -> None:
    """Raise Refusal for a postpaid instance."""
    if unit.payment_timing != "Prepaid":
        raise Refusal(
            NOT_SUPPORTED, f"{unit.id} is postpaid: it has no term that could be renewed.", field="instanceId"
        )


def renew_by_itself(draft: Draft, unit: Instance, rules: Rules, now: Instant) -> None:
    """Try an automatic renewal; if it cannot be paid, set the next attempt (decision 13).

    In an older store an instance may have automatic renewal and be about to become postpaid. It loses the renewal.
    """
    if unit.status == "BillingChanging":
        change(draft, unit, auto_renew=False, renew_at=None)
    elif not renew_if_paid(draft, unit, rules, now):
        offsets = draft.require(ACCOUNTS, unit.account_id).remind_before_us
        changes = unpaid(unit, offsets, now)
        changes["renew_at"] = _next_try(unit, now)
        change(draft, unit, **changes)


def renew_if_paid(draft: Draft, unit: Instance, rules: Rules, now: Instant) -> bool:
    """Make an automatic renewal if it can be paid, and return whether it was made. Otherwise nothing changes."""
    zone = draft.require(ACCOUNTS, unit.account_id).time_zone
    try:
        if draft.require(ACCOUNTS, unit.account_id).status != "Active":
            return False  # A renewal buys, and nothing is bought in a suspended account.
        term = _longer(unit, unit.auto_renew_months, None, zone)
        verdicts, amount = judge_term(draft, rules, unit, term, now)
    except Refusal:
        return False  # The term would be too long.
    if first_refusal(verdicts) is not None or term.expires_at <= now:
        return False
    months = unit.auto_renew_months
    _extend(draft, unit, term, amount, now, months=months, order_id=renewal_order(unit), by=unit.created_by)
    return True


def _next_try(unit: Instance, now: Instant) -> Instant | None:
    if not unit.auto_renew or unit.expires_at is None:
        return None
    if unit.status == "Stopped":
        return None if unit.retire_at is None else next_late_try(unit.expires_at, unit.retire_at, now)
    return next_try(unit.expires_at, now)


def _longer(unit: Instance, months: int, day: int | None, zone: str) -> Term:
    """Return the term after a renewal; raises Refusal (BAD_VALUE) if it is too long."""
    term = own_term(unit)
    longer = term_of(term.anchor, term.months + months, zone) if months else term
    longer = longer if day is None else term_to_day(longer, day, zone, later=not months)
    if is_too_long(unit, longer, zone):
        field = "months" if months else "expiryDay"
        raise Refusal(BAD_VALUE, f"No term is longer than {TERM_MONTHS_MAX} months.", field=field)
    return longer


def judge_term(
    draft: Draft,
    rules: Rules,
    unit: Instance,
    term: Term,
    now: Instant,
    *,
    is_buyer: bool = True,
    is_manager: bool = False,
) -> tuple[list[Verdict], Micro]:
    """Return every rule's verdict on a longer term, in the order in which a renewal is refused, and its price.

    ``is_buyer`` and ``is_manager`` say who asks; a renewal by itself is asked for by the buyer.
    """
    offering: Offering = draft.require(OFFERINGS, *unit.offering)
    guard, account = draft.get(ACCOUNT_LIMITS, unit.account_id), draft.require(ACCOUNTS, unit.account_id)
    closed = unsold = limit = unpaid_for = None
    amount = Micro(0)
    if offering.no_renewals:
        closed = Refusal(
            WRONG_STATE,
            f"The offering {offering.name} is closed and its instances are not renewed. Buy another type or region "
            "before the term ends (DescribeOfferings, /v2/catalog).",
            field="instanceId",
        )
    if offering.per_month is None:
        unsold = Refusal(NOT_SUPPORTED, f"{offering.name} is not sold by the month any more.")
    else:
        added = months_between(own_term(unit), term, account.time_zone)
        amount = price_of_months(max(unit.count, unit.target_count or 0), offering.per_month, added)
        tags = budgeted_tags(draft, unit, now)
        month = month_name(now, account.time_zone)
        asked = LimitedUse(unit.created_by, unit.type, 0, amount, month, unit.project_id, tags)
        limit = judge_spend(guard, asked, rules.currency)
        if account.balance < amount or amount + unit.charged >= MICRO_MAX:
            unpaid_for = balance_refusal(account.balance, amount, rules, f"the renewal of {unit.id}")
    end = judge_renewal(
        guard,
        term.expires_at,
        now,
        rules.written_zone,
        project_id=unit.project_id,
        extensions=unit.extensions,
        is_buyer=is_buyer,
        is_manager=is_manager,
    )
    verdicts = [("stock", closed), ("price", unsold), ("spend", limit), ("balance", unpaid_for), ("end", end)]
    return verdicts, amount


def _extend(
    draft: Draft, unit: Instance, term: Term, amount: Micro, now: Instant, *, months: int, order_id: str, by: str
) -> None:
    """Charge a renewal, and extend the term. ``months`` are the whole months that were asked for.

    A stopped instance runs again, and one that was to become postpaid stays prepaid.
    """
    since = own_term(unit).expires_at
    offering: Offering = draft.require(OFFERINGS, *unit.offering)
    reserved = max(unit.count, unit.target_count or 0)
    # If a resize under way fails, the renewal's price for its added units is refunded as well.
    zone = draft.require(ACCOUNTS, unit.account_id).time_zone
    added = months_between(own_term(unit), term, zone)
    without = price_of_months(unit.count, offering.per_month or Micro(0), added)
    draft.order(
        Order(
            id=order_id,
            account_id=unit.account_id,
            kind="Renewal",
            unit_id=unit.id,
            payment_timing="Prepaid",
            region=unit.region,
            type=unit.type,
            count=unit.count,
            months=months,
            amount=amount,
            created_at=now,
            created_by=by,
        )
    )
    if amount > 0:
        draft.post(
            Posting(
                account_id=unit.account_id,
                at=now,
                kind="Renewal",
                debit=wallet(unit.account_id),
                credit=PREPAID_REVENUE,
                amount=amount,
                order_id=order_id,
                unit_id=unit.id,
                count=reserved,
                price=offering.per_month,
                since=since,
                until=term.expires_at,
                project_id=unit.project_id,
            )
        )
    unit = change(
        draft,
        unit,
        status="Running" if unit.status in ("Stopped", "BillingChanging") else unit.status,
        term_anchor=term.anchor,
        term_months=term.months,
        expires_at=term.expires_at,
        retire_at=None,
        extensions=unit.extensions + (unit.extensions > 0),
        resize_paid=Micro(unit.resize_paid + amount - without if reserved > unit.count else unit.resize_paid),
        charged=Micro(unit.charged + amount),
    )
    change(draft, unit, renew_at=_next_try(unit, now))

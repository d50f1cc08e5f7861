"""Purchases that need an approval: which ones do, how one is kept as a request, and how a request ends."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.store_queries import APPROVALS as WAITING
from leasebook.domain.book.tables import ACCOUNT_LIMITS, APPROVALS
from leasebook.domain.model.approvals.approval import PREFIX, Approval, ApprovalDeed, Consent
from leasebook.domain.model.approvals.approval_limit import Exceeded, LargePurchase, exceeded
from leasebook.domain.model.offering import QUOTA
from leasebook.domain.rules.bounds import check_number
from leasebook.domain.rules.purchase_checks import PurchaseTerms, large_purchase
from leasebook.domain.values.calendar import Instant, rfc3339
from leasebook.domain.values.money import Micro, amount_text
from leasebook.domain.values.refusal import APPROVAL, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules

DEEDS: Final[dict[str, ApprovalDeed]] = {
    "BuyUnits": "units",
    "BuyReplicas": "replicas",
    "CreateService": "service",
    "Resize": "resize",
}
"""The thing that is asked for, by the class of the command."""
_encode: Final = msgspec.json.Encoder().encode


class ApprovalNeeded(Refusal):
    """The refusal of a purchase that needs an approval. ``decide`` keeps the purchase as a request.

    ``order_id`` is the id that the order gets if it is approved.
    """

    def __init__(self, over: Exceeded, terms: PurchaseTerms, large: LargePurchase, order_id: str) -> None:
        super().__init__(APPROVAL, f"It needs an approval: {'; '.join(over.reasons)}.")
        self.over = over
        self.terms = terms
        self.large = large
        self.order_id = order_id


def check_approval(
    draft: Draft,
    rules: Rules,
    now: Instant,
    terms: PurchaseTerms,
    large: LargePurchase | None = None,
    *,
    order_id: str,
    consent: Consent | None,
) -> None:
    """Raise ApprovalNeeded if a purchase exceeds a limit and has no consent yet.

    With a consent, raise Refusal (WRONG_STATE) if it costs more than when it was asked for. ``large`` is given where it
    differs from ``large_purchase`` of the terms.
    """
    if consent is not None:
        _check_price(terms, consent, rules)
        return
    guard = draft.get(ACCOUNT_LIMITS, terms.account_id)
    if guard is None:
        return
    large = large_purchase(terms) if large is None else large
    over = exceeded(guard.rules.approval_limits(large.user_id), large, now, rules.currency)
    if over is not None:
        raise ApprovalNeeded(over, terms, large, order_id)


def _check_price(terms: PurchaseTerms, consent: Consent, rules: Rules) -> None:
    if terms.price is None or terms.price <= consent.price:
        return
    each = "month" if terms.payment_timing == "Prepaid" else "minute"
    raise Refusal(
        WRONG_STATE,
        f"A unit of {terms.offering.name} costs {amount_text(terms.price)} {rules.currency} a {each} now, and it cost "
        f"{amount_text(consent.price)} when the purchase was asked for. Reject the request (RejectPurchase, "
        "/v2/account), and have the purchase asked for at the new price.",
    )


def keep_request(
    draft: Draft, command: Any, needed: ApprovalNeeded, rules: Rules, now: Instant
) -> tuple[Refusal, Instant]:
    """Write a refused purchase as a request; return the answer to its caller, and when the request lapses.

    Raises Refusal (QUOTA) if too many requests of the account wait already.
    """
    terms, over, large = needed.terms, needed.over, needed.large
    guard = draft.require(ACCOUNT_LIMITS, terms.account_id)
    check_number(rules, WAITING, guard.waiting)
    deed = DEEDS[type(command).__name__]
    lapses_at = Instant(now + (over.lapse_us or rules.approval_keep_us))
    row = Approval(
        id=PREFIX + needed.order_id,
        account_id=terms.account_id,
        asked_by=terms.by,
        deed="quota" if deed == "units" and terms.offering.kind == QUOTA else deed,
        command=_encode(msgspec.structs.replace(command, token=None, nonce=None)).decode(),
        token=None if command.token is None else command.token.value,
        reasons="; ".join(over.reasons),
        region=terms.region,
        type=terms.type,
        count=large.count,
        payment_timing=terms.payment_timing,
        months=terms.months,
        release_at=terms.release_at,
        price=terms.price or Micro(0),
        cost=large.cost,
        self_approval=over.self_approval,
        asked_at=now,
        lapses_at=lapses_at,
        remind_at=next_reminder(lapses_at, now, rules),
    )
    draft.add(APPROVALS, row)
    draft.put(ACCOUNT_LIMITS, msgspec.structs.replace(guard, waiting=guard.waiting + 1))
    return Refusal(APPROVAL, _answer(row, rules, is_confined=command.within is not None)), lapses_at


def _answer(row: Approval, rules: Rules, *, is_confined: bool) -> str:
    """Write the answer to the caller. One whose policy is for projects (``is_confined``) sees no requests."""
    then = "DescribeApprovals (/v2/account) shows what becomes of it"
    if row.token is not None:
        then = "The same call with the same client token then returns the result of the purchase"
    elif is_confined:
        then = "The purchase is then in its project"
    return (
        f"This needs an approval: {row.reasons}. Nothing was bought yet: it waits as the request {row.id} until "
        f"{rfc3339(row.lapses_at, rules.written_zone)}. A manager of the account or an operator approves it "
        f"(ApprovePurchase, /v2/account). {then}."
    )


def next_reminder(lapses_at: Instant, after: Instant, rules: Rules) -> Instant | None:
    """Return when the approvers are reminded next, later than ``after``; None: not any more."""
    return next((Instant(lapses_at - span) for span in rules.approval_remind_us if lapses_at - span > after), None)


def end_request(draft: Draft, row: Approval, **end: Any) -> Approval:
    """Write the one end of an open request, and count it as waiting no more. Returns the row."""
    ended = msgspec.structs.replace(row, remind_at=None, **end)
    guard = draft.require(ACCOUNT_LIMITS, row.account_id)
    draft.put(APPROVALS, ended)
    draft.put(ACCOUNT_LIMITS, msgspec.structs.replace(guard, waiting=guard.waiting - 1))
    return ended

"""Quotes: all checks of a purchase, without buying."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import OfferingsOfType
from leasebook.domain.book.store_queries import QUOTES as MADE
from leasebook.domain.book.tables import ACCOUNTS, OFFERINGS, QUOTES
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.commands.instance.purchase import Purchase, buyer_of, choose, terms_of
from leasebook.domain.model.offering import UNITS_OF_COMPUTE, Offering, OfferingKind
from leasebook.domain.model.quote import Quote
from leasebook.domain.rules.bounds import check_bound, counted
from leasebook.domain.rules.ownership import require_project
from leasebook.domain.rules.purchase_checks import balance_needed, judge
from leasebook.domain.rules.resource.tag_policy import policy_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import STOCK, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules


class Verdict(msgspec.Struct, frozen=True):
    """The result of one check: None, or the reason and a sentence."""

    rule: str
    reason: str | None
    message: str | None


class Quoted(msgspec.Struct, frozen=True):
    """The result of a quote: terms, price and checks of a purchase that is not made."""

    region: str
    price: Micro | None
    at_once: Micro
    balance_needed: Micro
    balance: Micro
    verdicts: tuple[Verdict, ...]
    quote_id: str | None
    expires_at: Instant | None


class QuoteUnits(Command, frozen=True, kw_only=True):
    """Check a purchase with the code that would make it, and hold its price if asked for.

    ``quote_id`` is the id of the held price; None: it is not held. ``asked_at`` is when it was asked for: quotes held
    then count against the account's bound.
    """

    answer: ClassVar[type] = Quoted

    purchase: Purchase
    region: str | None
    unit_type: str
    count: int
    kind: OfferingKind = UNITS_OF_COMPUTE
    quote_id: str | None = None
    asked_at: Instant = Instant(0)

    def needs(self) -> Needs:
        """The offerings, and the rows of the buyer."""
        if self.region is None:
            yield OfferingsOfType(self.unit_type)
        else:
            yield OFFERINGS, (self.region, self.unit_type)
        if self.quote_id is not None:
            yield QUOTES, (self.quote_id,)
            yield counted(MADE, self.purchase.account_id, self.asked_at)
        yield from buyer_of(self.purchase)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Quoted:
        """Raises Refusal: no offering of that region, type and kind, an unknown project, or too many quotes held."""
        require_project(draft, self.purchase.account_id, self.purchase.project_id)
        offering, refused = self._choose(draft)
        terms = terms_of(draft, self.purchase, offering, self.count, now)
        verdicts = [
            Verdict(rule, None, None) if refusal is None else Verdict(rule, refusal.reason, refusal.message)
            for rule, refusal in (
                *(
                    (rule, refused if rule == "stock" and refused is not None else refusal)
                    for rule, refusal in judge(draft, rules, now, terms)
                ),
                ("tags", self._of_tags(draft)),
            )
        ]
        held = self.quote_id is not None and terms.price is not None
        expires_at = Instant(now + rules.quote_keep_us) if held else None
        if self.quote_id is not None and terms.price is not None and expires_at is not None:
            check_bound(draft, rules, MADE, self.purchase.account_id)
            draft.add(
                QUOTES,
                Quote(
                    id=self.quote_id,
                    account_id=self.purchase.account_id,
                    region=offering.region,
                    type=offering.type,
                    count=self.count,
                    payment_timing=terms.payment_timing,
                    months=terms.months,
                    price=terms.price,
                    created_at=now,
                    expires_at=expires_at,
                ),
            )
        return Quoted(
            region=offering.region,
            price=terms.price,
            at_once=terms.at_once,
            balance_needed=balance_needed(terms, rules),
            balance=draft.require(ACCOUNTS, self.purchase.account_id).balance,
            verdicts=tuple(verdicts),
            quote_id=self.quote_id if held else None,
            expires_at=expires_at,
        )

    def _of_tags(self, draft: Draft) -> Refusal | None:
        """Return what the account's tag policy would refuse the purchase with, as it refuses every new thing."""
        policy = policy_of(draft, self.purchase.account_id)
        try:
            if policy is not None:
                policy.check(self.purchase.tags.tags)
        except Refusal as refusal:
            return refusal
        return None

    def _choose(self, draft: Draft) -> tuple[Offering, Refusal | None]:
        """Choose as the purchase would; if no region has the stock, quote the first region with that refusal."""
        try:
            return choose(
                draft, self.region, self.unit_type, self.count, field="computeUnitConfig", kind=self.kind
            ), None
        except Refusal as refusal:
            if refusal.reason not in (STOCK, WRONG_STATE):
                raise
            shelf = [row for row in draft.offerings_of(self.unit_type) if row.kind == self.kind]
            return next((row for row in shelf if row.is_sold), shelf[0]), refusal

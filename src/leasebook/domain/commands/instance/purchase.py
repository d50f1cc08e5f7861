"""Purchases: units, units for replicas of a service, and quota."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import OfferingsOfType
from leasebook.domain.book.tables import (
    ACCOUNT_LIMITS,
    ACCOUNTS,
    INSTANCES,
    OFFERINGS,
    PROJECTS,
    QUOTES,
    SERVICES,
)
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.commands.service.model import model_of, run_model
from leasebook.domain.model.approvals.approval import Consent
from leasebook.domain.model.instance import Instance, Placement
from leasebook.domain.model.limits import default_release
from leasebook.domain.model.offering import UNITS_OF_COMPUTE, Offering, OfferingKind
from leasebook.domain.model.quote import Quote
from leasebook.domain.model.service import Service
from leasebook.domain.record.ledger import PREPAID_REVENUE, Order, PaymentTiming, Posting, wallet
from leasebook.domain.replicas.trust import check_trusted_somewhere, is_exposed
from leasebook.domain.rules.approval import check_approval
from leasebook.domain.rules.lifecycle import count, reminding
from leasebook.domain.rules.ownership import own_service, require_project
from leasebook.domain.rules.purchase_checks import PurchaseTerms, check_quote, judge
from leasebook.domain.rules.resource.tag_policy import tag_new
from leasebook.domain.rules.term import term_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import BAD_VALUE, STOCK, Refusal
from leasebook.domain.values.resource_tags import NewTags
from leasebook.domain.values.rule_settings import Rules
from leasebook.domain.values.wording import counted


class Billing(msgspec.Struct, frozen=True, kw_only=True):
    """How an instance is paid: prepaid for some months, or postpaid by the minute, with or without a release time."""

    payment_timing: PaymentTiming
    months: int = 0
    auto_renew: bool = False
    auto_renew_months: int = 1
    release_at: Instant | None = None


class Purchased(msgspec.Struct, frozen=True):
    """The answer to a purchase (decision 7). ``unit_id`` names the instance."""

    unit_id: str
    order_id: str


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """The buyer, the new ids, how the instance is paid, the quote, the new name and tags, and the project.

    ``consent`` is given when an approver has the purchase done. Units for a service go into the service's project.
    """

    account_id: str
    by: str
    unit_id: str
    order_id: str
    billing: Billing
    quote_id: str | None = None
    tags: NewTags = NewTags()
    consent: Consent | None = None
    project_id: str | None = None


class BuyUnits(Command, frozen=True, kw_only=True):
    """Buy units of a type; without a region, in the first region with enough stock (decision 8).

    Quota is bought the same way: its type is the model, and it has no region.
    """

    answer: ClassVar[type] = Purchased

    purchase: Purchase
    region: str | None
    unit_type: str
    count: int
    kind: OfferingKind = UNITS_OF_COMPUTE

    def needs(self) -> Needs:
        """The offerings, the quote, and the rows of the buyer."""
        if self.region is None:
            yield OfferingsOfType(self.unit_type)
        else:
            yield OFFERINGS, (self.region, self.unit_type)
        if self.purchase.quote_id is not None:
            yield QUOTES, (self.purchase.quote_id,)
        yield from buyer_of(self.purchase)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Purchased:
        """Buy as ``buy`` describes."""
        require_project(draft, self.purchase.account_id, self.purchase.project_id)
        region = self.region
        if region is None and self.purchase.quote_id is not None:
            # A quote is for one region, so the purchase need not name the region again.
            quote = draft.get(QUOTES, self.purchase.quote_id)
            known = {offering.region for offering in draft.offerings_of(self.unit_type)}
            region = quote.region if quote is not None and quote.region in known else None
        field = "computeUnitConfig" if self.kind == UNITS_OF_COMPUTE else "model"
        offering = choose(draft, region, self.unit_type, self.count, field=field, kind=self.kind)
        return buy(draft, rules, now, self.purchase, offering, self.count)


class BuyReplicas(Command, frozen=True, kw_only=True):
    """Buy the units for more replicas of a service, and run them (decision 9)."""

    answer: ClassVar[type] = Purchased

    purchase: Purchase
    service_id: str
    replicas: int

    def needs(self) -> Needs:
        """The service."""
        yield SERVICES, (self.service_id,)

    def needs_more(self, book: Book) -> Needs:
        """The offerings of its shape, and the rows of the buyer."""
        service = book.get(SERVICES, self.service_id)
        if service is not None:
            yield from shelf_of(service)
            yield from model_of(service)
        yield from buyer_of(self.purchase)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Purchased:
        """Buy as ``buy_replicas`` describes."""
        service = own_service(draft, self.purchase.account_id, self.service_id)
        return buy_replicas(draft, rules, now, self.purchase, service, self.replicas, field="serviceId")


def buyer_of(purchase: Purchase) -> Needs:
    """Yield the account, its limits, and the project."""
    yield ACCOUNTS, (purchase.account_id,)
    yield ACCOUNT_LIMITS, (purchase.account_id,)
    if purchase.project_id is not None:
        yield PROJECTS, (purchase.project_id,)


def shelf_of(service: Service) -> Needs:
    """Yield the offerings that a service's units can come from."""
    if service.region is None:
        yield OfferingsOfType(service.shape.unit_type)
    else:
        yield OFFERINGS, (service.region, service.shape.unit_type)


def offerings_of(draft: Draft, service: Service) -> list[Offering]:
    """Return the existing offerings among those of ``shelf_of``."""
    unit_type = service.shape.unit_type
    if service.region is None:
        return [row for row in draft.offerings_of(unit_type) if row.kind == UNITS_OF_COMPUTE]
    row = draft.get(OFFERINGS, service.region, unit_type)
    return [] if row is None or row.removed_at is not None else [row]


def buy_replicas(
    draft: Draft, rules: Rules, now: Instant, purchase: Purchase, service: Service, replicas: int, *, field: str
) -> Purchased:
    """Buy the units of that many replicas, and place them there. ``field`` is what its caller named the type with."""
    each = service.shape.units_per_replica
    units = replicas * each
    if service.project_id != purchase.project_id:
        purchase = msgspec.structs.replace(purchase, project_id=service.project_id)
    model = run_model(draft, service)
    # A purchase for a service that exists names the service, and a new service its version.
    named = field if field == "serviceId" else "modelId"
    check_trusted_somewhere(rules, model, offerings_of(draft, service), field=named)

    def may_run(offering: Offering) -> bool:
        return not is_exposed(rules, model, offering.region, offering.type)

    offering = choose(draft, service.region, service.shape.unit_type, units, field=field, may=may_run)
    return buy(draft, rules, now, purchase, offering, units, placed=Placement(service.id, replicas, each, service.runs))


def choose(
    draft: Draft,
    region: str | None,
    unit_type: str,
    count: int,
    *,
    field: str,
    kind: OfferingKind = UNITS_OF_COMPUTE,
    may: Callable[[Offering], bool] | None = None,
) -> Offering:
    """Return the region's offering, or the first in the catalogue's order with enough stock (decision 8).

    ``may`` says which offerings are eligible; None: all. Raises Refusal (BAD_VALUE, naming the field) if the catalogue
    has no offering of that kind, (WRONG_STATE) if all are closed, and (STOCK) if none has enough free units.
    """
    if region is not None:
        offering = draft.get(OFFERINGS, region, unit_type)
        if offering is None or offering.kind != kind or offering.removed_at is not None:
            raise _not_sold(f"{unit_type} in {region}" if kind == UNITS_OF_COMPUTE else f"quota of {unit_type}", field)
        return offering
    shelf = [offering for offering in draft.offerings_of(unit_type) if offering.kind == kind]
    if not shelf:
        raise _not_sold(unit_type, field)
    if not any(offering.is_sold for offering in shelf):
        shelf[0].require_sold()
    shelf = [offering for offering in shelf if offering.is_sold]
    if may is not None:
        shelf = [offering for offering in shelf if may(offering)]
    for offering in shelf:
        if offering.stock_free >= count:
            return offering
    free = ", ".join(f"{offering.region} {offering.stock_free}" for offering in shelf)
    raise Refusal(
        STOCK,
        f"No region has {counted(count, 'free unit')} of {unit_type} ({free}). "
        "Ask for fewer, or try again when units are released.",
    )


def _not_sold(what: str, field: str) -> Refusal:
    return Refusal(
        BAD_VALUE,
        f"The catalogue has no {what[:80]}. DescribeOfferings (/v2/catalog) lists what is sold.",
        field=field,
    )


def terms_of(draft: Draft, purchase: Purchase, offering: Offering, units: int, now: Instant) -> PurchaseTerms:
    """Return the terms of a purchase without a quote, at the offering's own price.

    A postpaid purchase without a release time gets the account's default, if it has one.
    """
    billing = purchase.billing
    release_at = billing.release_at
    if billing.payment_timing == "Postpaid":
        release_at = default_release(
            draft.get(ACCOUNT_LIMITS, purchase.account_id), release_at, now, purchase.project_id
        )
    price = offering.per_month if billing.payment_timing == "Prepaid" else offering.per_minute
    return PurchaseTerms(
        purchase.account_id,
        offering,
        units,
        billing.payment_timing,
        billing.months,
        release_at,
        price,
        purchase.by,
        purchase.project_id,
        purchase.tags.tags,
    )


def buy(
    draft: Draft,
    rules: Rules,
    now: Instant,
    purchase: Purchase,
    offering: Offering,
    units: int,
    *,
    placed: Placement | None = None,
) -> Purchased:
    """Sell: reserve the units, charge the account or check its balance, and write the order and the instance.

    Raises the first Refusal of ``judge``, that of a quote for another purchase, or ApprovalNeeded.
    """
    billing = purchase.billing
    terms = terms_of(draft, purchase, offering, units, now)
    quote = _use_quote(draft, rules, now, purchase, terms)
    if quote is not None:
        terms = msgspec.structs.replace(terms, price=quote.price)
    for rule, refusal in judge(draft, rules, now, terms):
        if refusal is not None and rule != "approval":
            raise refusal
    check_approval(draft, rules, now, terms, order_id=purchase.order_id, consent=purchase.consent)
    draft.put(OFFERINGS, offering.take(units))
    amount = terms.at_once
    if amount > 0:
        _charge(draft, purchase, terms, now)
    draft.order(order_of(purchase, "Purchase", offering, units, amount, now))
    unit = Instance(
        id=purchase.unit_id,
        account_id=purchase.account_id,
        created_by=purchase.by,
        order_id=purchase.order_id,
        service_id=None if placed is None else placed.service_id,
        region=offering.region,
        type=offering.type,
        kind=offering.kind,
        count=units,
        placements=() if placed is None else (placed,),
        payment_timing=billing.payment_timing,
        status="Creating",
        created_at=now,
        term_months=billing.months,
        auto_renew=billing.auto_renew,
        auto_renew_months=billing.auto_renew_months,
        release_at=terms.release_at,
        charged=amount,
        project_id=purchase.project_id,
    )
    if quote is not None and billing.payment_timing == "Postpaid":
        unit = msgspec.structs.replace(
            unit, quoted_price=quote.price, quoted_count=units, quoted_number=offering.price_number
        )
    draft.add(INSTANCES, reminding(draft, None, unit))
    tag_new(draft, purchase.tags, unit.id, unit.account_id)
    count(draft, unit, 1)
    return Purchased(purchase.unit_id, purchase.order_id)


def order_of(purchase: Purchase, kind: str, offering: Offering, units: int, amount: Micro, now: Instant) -> Order:
    """Return the order of a purchase."""
    return Order(
        id=purchase.order_id,
        account_id=purchase.account_id,
        kind=kind,  # type: ignore[arg-type]
        unit_id=purchase.unit_id,
        payment_timing=purchase.billing.payment_timing,
        region=offering.region,
        type=offering.type,
        count=units,
        months=purchase.billing.months,
        amount=amount,
        created_at=now,
        created_by=purchase.by,
    )


def _use_quote(draft: Draft, rules: Rules, now: Instant, purchase: Purchase, terms: PurchaseTerms) -> Quote | None:
    if purchase.quote_id is None:
        return None
    quote = check_quote(draft.get(QUOTES, purchase.quote_id), purchase.quote_id, terms, rules, now)
    draft.put(QUOTES, msgspec.structs.replace(quote, used_by=purchase.unit_id))
    return quote


def _charge(draft: Draft, purchase: Purchase, terms: PurchaseTerms, now: Instant) -> None:
    """Charge the full term at the purchase (decision 11), from now on, although the engine may need a moment."""
    zone = draft.require(ACCOUNTS, purchase.account_id).time_zone
    draft.post(
        Posting(
            account_id=purchase.account_id,
            at=now,
            kind="Purchase",
            debit=wallet(purchase.account_id),
            credit=PREPAID_REVENUE,
            amount=terms.at_once,
            order_id=purchase.order_id,
            unit_id=purchase.unit_id,
            count=terms.count,
            price=terms.price,
            since=now,
            until=term_of(now, purchase.billing.months, zone).expires_at,
            project_id=purchase.project_id,
        )
    )

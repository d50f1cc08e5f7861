"""Buying units, by themselves or as replicas of a service."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasehold.commands.command import Command, Needs
from leasehold.domain.book import ACCOUNTS, OFFERINGS, SERVICES, UNITS, Book, Draft, Shelf
from leasehold.domain.calendar import Instant
from leasehold.domain.catalogue import Offering
from leasehold.domain.ledger import PREPAID_REVENUE, Order, PaymentTiming, Posting, wallet
from leasehold.domain.money import Micro, amount_text
from leasehold.domain.refusal import BAD_VALUE, BALANCE, NOT_SUPPORTED, STOCK, Refusal
from leasehold.domain.rules import Rules
from leasehold.domain.scheduling import check_release_time
from leasehold.domain.service import Service
from leasehold.domain.unit import Unit
from leasehold.domain.whose import own_service


class Billing(msgspec.Struct, frozen=True, kw_only=True):
    """How it is paid: prepaid for some months, or postpaid by the minute, perhaps until a release time."""

    payment_timing: PaymentTiming
    months: int = 0
    auto_renew: bool = False
    auto_renew_months: int = 1
    release_at: Instant | None = None


class Bought(msgspec.Struct, frozen=True):
    """What a purchase answers (decision 7). ``unit_id`` names the instance."""

    unit_id: str
    order_id: str


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """Who buys, under which new ids, and how it is paid."""

    account_id: str
    user_id: str
    unit_id: str
    order_id: str
    billing: Billing


class BuyUnits(Command, frozen=True, kw_only=True):
    """Buy a number of units of a type; in any region with enough stock where none is named (decision 8)."""

    answer: ClassVar[type] = Bought

    purchase: Purchase
    region: str | None
    unit_type: str
    count: int

    def needs(self) -> Needs:
        """The shelf, and who pays."""
        if self.region is None:
            yield Shelf(self.unit_type)
        else:
            yield OFFERINGS, (self.region, self.unit_type)
        yield ACCOUNTS, (self.purchase.account_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Bought:
        """See buy()."""
        offering = choose(draft, self.region, self.unit_type, self.count, field="computeUnitConfig")
        return buy(draft, rules, now, self.purchase, offering, self.count)


class BuyReplicas(Command, frozen=True, kw_only=True):
    """Buy the units for more replicas of a service, and run them (decision 9)."""

    answer: ClassVar[type] = Bought

    purchase: Purchase
    service_id: str
    replicas: int

    def needs(self) -> Needs:
        """The service."""
        yield SERVICES, (self.service_id,)

    def needs_more(self, book: Book) -> Needs:
        """The shelf that its shape names, and who pays."""
        service = book.get(SERVICES, self.service_id)
        if service is not None:
            yield from shelf_of(service)
        yield ACCOUNTS, (self.purchase.account_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Bought:
        """See buy_replicas()."""
        service = own_service(draft, self.purchase.account_id, self.service_id)
        return buy_replicas(draft, rules, now, self.purchase, service, self.replicas)


def shelf_of(service: Service) -> Needs:
    """Return the offerings that a service's units can come from."""
    if service.region is None:
        yield Shelf(service.shape.unit_type)
    else:
        yield OFFERINGS, (service.region, service.shape.unit_type)


def buy_replicas(
    draft: Draft, rules: Rules, now: Instant, purchase: Purchase, service: Service, replicas: int
) -> Bought:
    """Buy the units of that many replicas, and scale the service up by as many."""
    count = replicas * service.shape.units_per_replica
    offering = choose(draft, service.region, service.shape.unit_type, count, field="serviceId")
    bought = buy(draft, rules, now, purchase, offering, count, service_id=service.id, replicas=replicas)
    draft.put(SERVICES, msgspec.structs.replace(service, replicas=service.replicas + replicas))
    return bought


def choose(draft: Draft, region: str | None, unit_type: str, count: int, *, field: str) -> Offering:
    """Pick the offering: the region's, or the first in the catalogue's order with enough stock (decision 8).

    Raises Refusal where the catalogue has no such offering, naming the field, or none with enough free units.
    """
    if region is not None:
        offering = draft.get(OFFERINGS, region, unit_type)
        if offering is None:
            raise _not_sold(f"{unit_type} in {region}", field)
        return offering
    shelf = draft.shelf(unit_type)
    if not shelf:
        raise _not_sold(unit_type, field)
    for offering in shelf:
        if offering.stock_free >= count:
            return offering
    free = ", ".join(f"{offering.region} {offering.stock_free}" for offering in shelf)
    raise Refusal(
        STOCK,
        f"No region has {count} free units of {unit_type} ({free}). "
        "Ask for fewer, or try again when units are released.",
    )


def _not_sold(what: str, field: str) -> Refusal:
    return Refusal(
        BAD_VALUE,
        f"The catalogue has no {what}. DescribeOfferings (/v2/catalog) lists what is sold.",
        field=field,
    )


def buy(
    draft: Draft,
    rules: Rules,
    now: Instant,
    purchase: Purchase,
    offering: Offering,
    count: int,
    *,
    service_id: str | None = None,
    replicas: int = 0,
) -> Bought:
    """Sell: take the stock, take the money or see that there is some, write the order and the instance.

    Raises Refusal for a release time that is not ahead, too little stock, too small a balance, or an
    offering that is not sold that way.
    """
    billing = purchase.billing
    check_release_time(billing.release_at, rules, now, field="billing.releaseTime")
    draft.put(OFFERINGS, offering.take(count))
    amount = _pay(draft, rules, now, purchase, offering, count)
    draft.order(
        Order(
            id=purchase.order_id,
            account_id=purchase.account_id,
            kind="Purchase",
            unit_id=purchase.unit_id,
            payment_timing=billing.payment_timing,
            region=offering.region,
            type=offering.type,
            count=count,
            months=billing.months,
            amount=amount,
            created_at=now,
            created_by=purchase.user_id,
        )
    )
    draft.put(
        UNITS,
        Unit(
            id=purchase.unit_id,
            account_id=purchase.account_id,
            created_by=purchase.user_id,
            order_id=purchase.order_id,
            service_id=service_id,
            region=offering.region,
            type=offering.type,
            count=count,
            replicas=replicas,
            payment_timing=billing.payment_timing,
            status="Creating",
            created_at=now,
            term_months=billing.months,
            auto_renew=billing.auto_renew,
            auto_renew_months=billing.auto_renew_months,
            release_at=billing.release_at,
            charged=amount,
        ),
    )
    return Bought(purchase.unit_id, purchase.order_id)


def _pay(draft: Draft, rules: Rules, now: Instant, purchase: Purchase, offering: Offering, count: int) -> Micro:
    """Charge a prepaid purchase whole; see that a postpaid one can pay its first hour (decision 11)."""
    prepaid = purchase.billing.payment_timing == "Prepaid"
    price = offering.per_month if prepaid else offering.per_minute
    if price is None:
        raise Refusal(
            NOT_SUPPORTED,
            f"{offering.name} is not sold {'by the month' if prepaid else 'by the minute'}: it has no such price. "
            f"An operator can set {'pricePerMonth' if prepaid else 'pricePerMinute'} with SetOffering (/v2/catalog).",
        )
    account = draft.require(ACCOUNTS, purchase.account_id)
    if prepaid:
        amount = Micro(count * price * purchase.billing.months)
        if account.balance < amount:
            _refuse_balance(account.balance, amount, rules, f"{count} units for {purchase.billing.months} months")
        if amount > 0:
            draft.post(
                Posting(
                    account_id=account.id,
                    at=now,
                    kind="Purchase",
                    debit=wallet(account.id),
                    credit=PREPAID_REVENUE,
                    amount=amount,
                    order_id=purchase.order_id,
                    unit_id=purchase.unit_id,
                )
            )
        return amount
    required = rules.postpaid_balance_min
    if required is None:
        required = Micro(count * price * 60)
    # An account in debt buys nothing more, whatever the minimum is.
    if account.balance < max(required, 0):
        _refuse_balance(account.balance, required, rules, f"{count} postpaid units to start")
    return Micro(0)


def _refuse_balance(balance: int, required: int, rules: Rules, what: str) -> None:
    raise Refusal(
        BALANCE,
        f"The balance is {amount_text(balance)} {rules.currency}, and {what} takes {amount_text(required)}. "
        "Top up the account, or ask for less.",
    )

"""The rows of an instance in a month."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Context, Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, Final, NamedTuple

import msgspec

from leasebook.domain.book.project_scope import Projects
from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import GONE, Instance
from leasebook.domain.model.offering import EVERYWHERE, QUOTA, UNITS_OF_COMPUTE
from leasebook.domain.model.resource.project import public_project
from leasebook.domain.record.ledger import Posting, wallet
from leasebook.domain.rules.statement import Line, lines_of
from leasebook.domain.values.calendar import MINUTE_US, SECOND_US, Instant, to_datetime
from leasebook.domain.values.money import amount_text
from leasebook.domain.values.resource_tags import ResourceTags
from leasebook.export.focus.amortization import Spread, refunded_posting, spreads_of
from leasebook.export.focus.columns import Category, Row, Use

DECIMALS: Final = 18
"""Of quantities that are no whole numbers: a price times a quantity is the cost to less than a micro-unit."""
_SCALE: Final = 10**DECIMALS
MINUTES: Final = "Unit-Minutes"
MONTHS: Final = "Unit-Months"
_EXACT: Final = Context(prec=80)


class Month(NamedTuple):
    """A month on an account's clocks, from ``since`` until before ``until``."""

    since: Instant
    until: Instant


class Seller(msgspec.Struct, frozen=True):
    """Who sells, and in which currency."""

    name: str
    currency: str


class _Priced(NamedTuple):
    """A cost as a quantity times a price; cost and price in micro-units."""

    cost: int
    quantity: Decimal
    price: int
    unit: str


class _Use(NamedTuple):
    """Units of an instance that replicas use, or do not use (None: not known): their cost, and their share."""

    use: Use | None
    cost: int
    parts: int
    of: int


def rows_of(
    account: Account,
    unit: Instance,
    month: Month,
    bill: Sequence[Posting],
    terms: Sequence[Posting],
    seller: Seller,
    tags: ResourceTags | None = None,
    projects: Mapping[str, str] | None = None,
    within: Projects | None = None,
) -> Iterator[Row]:
    """Return an instance's rows: what was charged in the month, and the month's part of what was paid in advance.

    ``bill`` are its postings in the month, ``terms`` all that was paid in advance for it or paid back before the
    month's end. Metered use is billed and effective at once. A payment in advance is billed when it is made and has
    no effective cost by itself: that is spread over its time, in rows that are not billed. ``tags`` are those of now.
    ``projects`` are the names of the account's projects by id: the project of a charge is its sub-account, and the
    default project is none. ``within`` has the public ids of the projects whose charges are returned; None: all.
    An instance that is in none of them now shows nothing of what it is now: neither name and tags nor its use.
    """
    common, is_here = _common(account, unit, month, seller), is_paid_in(unit.project_id, within)
    if tags is not None and is_here:
        common["resource_name"] = tags.name
        common["tags"] = msgspec.json.encode(tags.tags).decode() if tags.tags else None
    for line in lines_of(bill):
        if line.kind == "Usage" and is_paid_in(line.project_id, within):
            yield _metered(_of_project(common, line.project_id, projects), unit, month, line)
    spreads = spreads_of(terms)
    for posting in terms:
        if month.since <= posting.at < month.until and is_paid_in(posting.project_id, within):
            of_project = _of_project(common, posting.project_id, projects)
            yield _paid(of_project, unit, month, posting, refunded_posting(spreads, posting))
    for spread in spreads:
        if is_paid_in(spread.posting.project_id, within) and (amount := spread.part(*month)):
            of_project = _of_project(common, spread.posting.project_id, projects)
            yield from _parts(of_project, unit, month, spread, amount, by_use=is_here)


def is_paid_in(project_id: str | None, within: Projects | None) -> bool:
    """Whether the project of a row, None for the default one, is among some projects; these None: every one is."""
    return within is None or public_project(project_id) in within


def _of_project(common: dict[str, Any], project_id: str | None, projects: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the common columns with a charge's project."""
    if project_id is None:
        return common
    return common | {"sub_account_id": project_id, "sub_account_name": (projects or {}).get(project_id, project_id)}


def invoice_of(account: Account, month: Month) -> str:
    """Return the id of an account's invoice for a month: its statement of that name."""
    return _invoice_of(account.id, account.time_zone, month)


def _invoice_of(account_id: str, time_zone: str, month: Month) -> str:
    return f"{account_id}/{to_datetime(month.since, time_zone):%Y-%m}"


@lru_cache(1000)
def invoice_detail_of(invoice_id: str, service_name: str, category: Category) -> str:
    """Return the id of the line of an invoice on which charges of a service and a category are."""
    return f"{invoice_id}/{service_name.replace(' ', '-').lower()}/{category.lower()}"


def commitment_of(posting: Posting) -> str:
    """Return the id of the commitment that a payment in advance makes: its order's."""
    return posting.order_id or f"{posting.unit_id}/{posting.at}"


def _applied(unit: Instance, posting: Posting, cost: int) -> str:
    """Return how much of a cost is drawn from a commitment, as a JSON object."""
    names = f'"ContractId": {encode_basestring(unit.id)}, "ContractCommitmentId": '
    names += encode_basestring(commitment_of(posting))
    return f'{{"Elements": [{{{names}, "ContractCommitmentAppliedCost": {amount_text(cost)}}}]}}'


@lru_cache(1000)
def _of_month(account_id: str, account_name: str, time_zone: str, month: Month, seller: Seller) -> dict[str, Any]:
    """Return the columns that all rows of an account's month have in common; callers copy them."""
    return {
        "billing_account_id": account_id,
        "billing_account_name": account_name,
        "billing_currency": seller.currency,
        "billing_period_start": whole(month.since),
        "billing_period_end": whole(month.until),
        # A price by the month is no discount of the one by the minute: the two are prices of their own.
        "commitment_discount_id": None,
        "commitment_discount_status": None,
        "host_provider_name": seller.name,
        "invoice_id": _invoice_of(account_id, time_zone, month),
        "invoice_issuer_name": seller.name,
        "pricing_category": "Standard",
        "pricing_currency": seller.currency,
        "provider_name": seller.name,
        "publisher_name": seller.name,
        "service_provider_name": seller.name,
        "sku_price_details": None,
        "sub_account_id": None,
        "sub_account_name": None,
        "resource_name": None,
        "tags": None,
    }


def _common(account: Account, unit: Instance, month: Month, seller: Seller) -> dict[str, Any]:
    quota = unit.kind == QUOTA
    region = None if unit.region == EVERYWHERE else unit.region
    return _of_month(account.id, account.name, account.time_zone, month, seller) | {
        "region_id": region,
        "region_name": region,
        "resource_id": unit.id,
        "resource_type": "TPM quota" if quota else "Compute unit",
        "service_category": "AI and Machine Learning" if quota else "Compute",
        "service_name": "Model quota" if quota else "Compute units",
        "service_subcategory": "Generative AI" if quota else "Other (Compute)",
        "sku_id": _sku(unit),
        "sku_meter": "Quota held" if quota else "Units held",
        "created_by": unit.created_by,
    }


def _metered(common: dict[str, Any], unit: Instance, month: Month, line: Line) -> Row:
    count, minutes = line.count or unit.count, line.minutes or 0
    # A charge that no store could hold was cut to what it can; its price was not.
    priced = _priced(line.amount if line.price is None else count * minutes * line.price, line.price, MINUTES)
    return _row(
        common,
        unit,
        priced,
        (line.since or month.since, line.until or month.until),
        billed_cost=line.amount,
        effective_cost=line.amount,
        charge_category="Usage",
        charge_class=None,
        charge_description=f"{what_of(unit, count)}, metered by the minute",
        charge_frequency="Usage-Based",
        consumed=decimal_of(count * minutes),
        order_id=line.order_id or unit.order_id,
        posting_kind=line.kind,
    )


def _paid(common: dict[str, Any], unit: Instance, month: Month, posting: Posting, refunded: Posting | None) -> Row:
    amount = -posting.effect_on(wallet(posting.account_id))
    told = refunded or posting
    what = what_of(unit, told.count or unit.count)
    return _row(
        common,
        unit,
        _priced(amount, told.price, MONTHS),
        (told.since or posting.at, told.until or posting.at),
        billed_cost=amount,
        effective_cost=0,
        capacity_reservation_id=unit.id if unit.kind == UNITS_OF_COMPUTE else None,
        charge_category="Purchase",
        charge_class="Correction" if refunded is not None and refunded.at < month.since else None,
        charge_description=f"{posting.kind}: {what}, paid {'back' if posting.kind == 'Refund' else 'in advance'}",
        charge_frequency="Recurring" if posting.kind == "Renewal" else "One-Time",
        order_id=told.order_id or unit.order_id,
        posting_kind=posting.kind,
    )


def _parts(
    common: dict[str, Any], unit: Instance, month: Month, spread: Spread, amount: int, *, by_use: bool
) -> Iterator[Row]:
    """Return the month's part of a payment in advance: in two rows where some of the units are used and some not.

    Without ``by_use`` it is one row that does not say which.
    """
    posting, count = spread.posting, spread.posting.count or unit.count
    begin, end = max(spread.begin, month.since), min(spread.end, month.until)
    held_us = count * (spread.elapsed_us(month.until) - spread.elapsed_us(month.since))
    what = what_of(unit, count)
    taken_back = amount < 0 < spread.amount
    if taken_back:
        end = spread.refunded_at or end
    for use, some, share, of in _by_use(unit, amount) if by_use and not taken_back else [_Use(None, amount, 1, 1)]:
        told = "taken back by a refund" if taken_back else "part of a term paid in advance"
        yield _row(
            common,
            unit,
            _priced(some, posting.price, MONTHS),
            (begin, end),
            billed_cost=0,
            effective_cost=some,
            capacity_reservation_id=unit.id if use else None,
            capacity_reservation_status=use,
            charge_category="Usage",
            charge_class="Correction" if taken_back else None,
            charge_description=f"{what}, {told}{f', {use.lower()}' if use else ''}",
            charge_frequency="Usage-Based",
            consumed=decimal_of(held_us * share, MINUTE_US * of),
            contract_applied=_applied(unit, posting, some),
            order_id=posting.order_id or unit.order_id,
            posting_kind=posting.kind,
        )


def _by_use(unit: Instance, amount: int) -> list[_Use]:
    """Divide an amount between the units that replicas use and the unused ones.

    The present use counts, since use over time is not recorded. The use of an ended instance is unknown, and replicas
    use no quota; their amounts are not divided.
    """
    if unit.kind != UNITS_OF_COMPUTE or unit.status in GONE or unit.status == "Releasing":
        return [_Use(None, amount, 1, 1)]
    units, of = unit.used, unit.reserved
    # Towards zero, whatever the sign of the amount is.
    used = abs(amount) * units // of * (1 if amount > 0 else -1)
    parts = (_Use("Used", used, units, of), _Use("Unused", amount - used, of - units, of))
    return [part for part in parts if part.cost]


def _row(
    common: dict[str, Any],
    unit: Instance,
    priced: _Priced,
    period: tuple[int, int],
    *,
    effective_cost: int,
    charge_category: Category,
    consumed: Decimal | None = None,
    capacity_reservation_id: str | None = None,
    capacity_reservation_status: Use | None = None,
    **more: Any,
) -> Row:
    start = whole(period[0])
    return Row(
        **common,
        **more,
        effective_cost=effective_cost,
        charge_category=charge_category,
        invoice_detail_id=invoice_detail_of(common["invoice_id"], common["service_name"], charge_category),
        pricing_currency_effective_cost=effective_cost,
        capacity_reservation_id=capacity_reservation_id,
        capacity_reservation_status=capacity_reservation_status,
        charge_period_start=start,
        # The end is exclusive, and no period is empty.
        charge_period_end=max(whole(period[1]), Instant(start + SECOND_US)),
        consumed_quantity=consumed,
        consumed_unit=None if consumed is None else MINUTES,
        list_cost=priced.cost,
        list_unit_price=priced.price,
        contracted_cost=priced.cost,
        contracted_unit_price=priced.price,
        pricing_currency_list_unit_price=priced.price,
        pricing_currency_contracted_unit_price=priced.price,
        pricing_quantity=priced.quantity,
        pricing_unit=priced.unit,
        sku_price_id=f"{_sku(unit)}/{'minute' if priced.unit == MINUTES else 'month'}",
    )


def _priced(cost: int, price: int | None, unit: str) -> _Priced:
    """Say how many at that price a cost is; one at the whole cost where no price is on record."""
    if price:
        return _Priced(cost, decimal_of(cost, price), price, unit)
    return _Priced(cost, decimal_of(1 if cost > 0 else -1), abs(cost), "Units")


def _sku(unit: Instance) -> str:
    return f"{unit.kind}/{unit.region}/{unit.type}"


def what_of(unit: Instance, count: int) -> str:
    """Say in words what was charged for."""
    kind = f"quota of {unit.type}" if unit.kind == QUOTA else f"{unit.type} in {unit.region}"
    return f"{count} unit{'' if count == 1 else 's'} of {kind}"


def whole(at: int) -> Instant:
    """Cut a moment to whole seconds."""
    return Instant(at - at % SECOND_US)


def decimal_of(numerator: int, denominator: int = 1) -> Decimal:
    """Write a quotient as a quantity with ``DECIMALS`` decimal places; a half is rounded to the even digit."""
    whole_part, rest = divmod(numerator * _SCALE, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and whole_part % 2):
        whole_part += 1
    return Decimal(whole_part).scaleb(-DECIMALS, _EXACT)

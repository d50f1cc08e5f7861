"""The catalogue."""

from __future__ import annotations

from typing import Final

from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import Fault, bad_field
from leasebook.api.handlers.account.funds import amount
from leasebook.api.paging import part
from leasebook.api.presenters import rows as present
from leasebook.contract.errors import RESOURCE_NOT_FOUND
from leasebook.contract.nouns import offering as cat
from leasebook.domain.commands.store.offering import SetOffering
from leasebook.domain.commands.store.offering_end import CloseOffering, RemoveOffering, ReopenOffering
from leasebook.domain.model.offering import EVERYWHERE, QUOTA, UNITS_OF_COMPUTE, Offering, PriceChange
from leasebook.ports.queries.read_repository import ReadRepository


async def describe_offerings(context: Context, call: Call[cat.DescribeOfferingsRequest]) -> cat.OfferingList:
    """List the offerings."""
    found = await context.read(call, lambda ask: ask.offerings())
    page, end = part(found, catalogue_key, call.request, "offerings")
    return cat.OfferingList(offerings=[present.offering(row, context.shown) for row in page], **end)


def catalogue_key(row: Offering) -> tuple[int, str, str]:
    """Return the key by which the catalogue is sorted."""
    return row.position, row.region, row.type


def _key_named(
    asked: cat.SetOfferingRequest | cat.DescribePricesRequest | cat.OfferingNameRequest,
) -> tuple[str, str]:
    """Return the region and the type of the offering that a request names; raises Fault."""
    if asked.model is not None:
        if asked.region not in (None, EVERYWHERE) or asked.type is not None:
            raise bad_field("model", "Quota is named by its model alone, without a region and a type.")
        return EVERYWHERE, asked.model
    if asked.region is None or asked.type is None:
        missing = "region" if asked.region is None else "type"
        raise bad_field(missing, "Units of compute have a region and a type, quota has a model.")
    return asked.region, asked.type


async def describe_prices(context: Context, call: Call[cat.DescribePricesRequest]) -> cat.PricePage:
    """List the prices per minute that an offering has had, oldest first."""
    region, unit_type = _key_named(call.request)

    def ask_prices(ask: ReadRepository) -> tuple[PriceChange, ...] | None:
        if all((row.region, row.type) != (region, unit_type) for row in ask.offerings(removed=True)):
            return None
        found = ask.price_list(region, unit_type)
        return () if found is None else found.changes

    changes = await context.read(call, ask_prices)
    if changes is None:
        what = f"{unit_type} in {region}" if call.request.model is None else f"quota of {unit_type}"
        raise Fault(RESOURCE_NOT_FOUND, f"The catalogue has no {what}. DescribeOfferings lists all offerings.")
    # Two prices can have the same time, so a page ends at a number.
    scope = f"prices {region} {unit_type}"
    page, end = part(enumerate(changes), lambda numbered: numbered[:1], call.request, scope)
    prices = [present.price_change(change, context.shown) for _, change in page]
    return cat.PricePage(region=region, type=unit_type, prices=prices, **end)


async def set_offering(context: Context, call: Call[cat.SetOfferingRequest]) -> cat.OfferingDetail:
    """Add an offering, or change its prices or its stock."""
    asked = call.request
    region, unit_type = _key_named(asked)
    command = SetOffering(
        token=call.token(),
        region=region,
        unit_type=unit_type,
        kind=UNITS_OF_COMPUTE if asked.model is None else QUOTA,
        per_minute=amount(asked.price_per_minute, "pricePerMinute"),
        per_month=amount(asked.price_per_month, "pricePerMonth"),
        stock_total=asked.stock_total,
        stock_source=asked.stock_source,
        routes=context.rules.routes,
    )
    offering: Offering = await context.submit(call, command)
    return present.offering(offering, context.shown)


async def close_offering(context: Context, call: Call[cat.CloseOfferingRequest]) -> cat.OfferingDetail:
    """Sell no more of an offering; held units stay with their buyers."""
    region, unit_type = _key_named(call.request)
    command = CloseOffering(
        token=call.token(), region=region, unit_type=unit_type, no_renewals=call.request.no_renewals
    )
    offering: Offering = await context.submit(call, command)
    return present.offering(offering, context.shown)


async def reopen_offering(context: Context, call: Call[cat.ReopenOfferingRequest]) -> cat.OfferingDetail:
    """Sell a closed offering again."""
    region, unit_type = _key_named(call.request)
    command = ReopenOffering(token=call.token(), region=region, unit_type=unit_type)
    offering: Offering = await context.submit(call, command)
    return present.offering(offering, context.shown)


async def remove_offering(context: Context, call: Call[cat.RemoveOfferingRequest]) -> bool:
    """Take a closed offering that no instance holds out of the catalogue."""
    region, unit_type = _key_named(call.request)
    held = await context.read(call, lambda ask: ask.unit_ends(region, unit_type), long=True)
    if held.endless:
        until = ", by some of them without an end"
    else:
        until = "" if held.last is None else f" until {context.shown(held.last)} at the latest, if none is renewed"
    command = RemoveOffering(
        token=call.token(), region=region, unit_type=unit_type, until=until, routes=context.rules.routes
    )
    done: bool = await context.submit(call, command)
    return done


OPERATIONS: Final[dict[str, Operation]] = {
    "describe_offerings": describe_offerings,
    "set_offering": set_offering,
    "describe_prices": describe_prices,
    "close_offering": close_offering,
    "reopen_offering": reopen_offering,
    "remove_offering": remove_offering,
}

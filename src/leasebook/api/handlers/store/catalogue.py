"""The catalogue."""

from __future__ import annotations

from typing import Final

from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import bad_field
from leasebook.api.handlers.account.funds import amount
from leasebook.api.paging import part
from leasebook.api.presenters import rows as present
from leasebook.contract.nouns import offering as cat
from leasebook.domain.commands.store.offering import SetOffering
from leasebook.domain.model.offering import EVERYWHERE, QUOTA, UNITS_OF_COMPUTE, Offering


async def describe_offerings(context: Context, call: Call[cat.DescribeOfferingsRequest]) -> cat.OfferingList:
    """List the offerings."""
    found = await context.read(call, lambda ask: ask.offerings())
    page, end = part(found, catalogue_key, call.request, "offerings")
    return cat.OfferingList(offerings=[present.offering(row) for row in page], **end)


def catalogue_key(row: Offering) -> tuple[int, str, str]:
    """Return the key by which the catalogue is sorted."""
    return row.position, row.region, row.type


async def set_offering(context: Context, call: Call[cat.SetOfferingRequest]) -> cat.OfferingDetail:
    """Add an offering, or change its prices or its stock."""
    asked = call.request
    if asked.model is not None:
        if asked.region not in (None, EVERYWHERE) or asked.type is not None:
            raise bad_field("model", "Quota is named by its model alone, without a region and a type.")
        region, unit_type = EVERYWHERE, asked.model
    elif asked.region is None or asked.type is None:
        missing = "region" if asked.region is None else "type"
        raise bad_field(missing, "Units of compute have a region and a type, quota has a model.")
    else:
        region, unit_type = asked.region, asked.type
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
    return present.offering(offering)


OPERATIONS: Final[dict[str, Operation]] = {
    "describe_offerings": describe_offerings,
    "set_offering": set_offering,
}

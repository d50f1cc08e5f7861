"""Stock and prices that a test asks for."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from leasebook.client import Client
from leasebook.server.composition import DEMO_OFFERINGS

MICRO: Final = 1_000_000
PER_MINUTE: Final = Decimal("0.10")
PER_MONTH: Final = Decimal(3000)
"""Prices of types that the documents do not name; the others cost what they cost in the demo."""


def set_stock(operator: Client, region: str, free: Mapping[str, int]) -> None:
    """Set how many units of each type are free in a region; units that are held stay held. Prices that are set stay."""
    there = {(one.region, one.type): one for one in operator.each_of_offerings()}
    for unit_type, units in free.items():
        found = there.get((region, unit_type))
        held = 0 if found is None else found.stock_total - found.stock_free
        per_minute = None if found is None else found.price_per_minute
        per_month = None if found is None else found.price_per_month
        known = DEMO_OFFERINGS.get(unit_type)
        if per_minute is None:
            per_minute = PER_MINUTE if known is None else Decimal(known.per_minute) / MICRO
        if per_month is None:
            per_month = PER_MONTH if known is None else Decimal(known.per_month) / MICRO
        operator.set_offering(
            region=region,
            type=unit_type,
            stock_total=held + units,
            price_per_minute=per_minute,
            price_per_month=per_month,
        )

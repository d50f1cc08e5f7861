"""Which instances would have been cheaper by the month, from what the account itself paid in a past month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from leasebook.contract.nouns.account import StatementUnit

USAGE: Final = "Usage"


class Advice(msgspec.Struct, frozen=True):
    """An instance, what its metered minutes cost in the month, and what the month would have cost in advance."""

    instance_id: str
    name: str | None
    region: str
    type: str
    count: int
    paid: Decimal
    prepaid: Decimal

    @property
    def saving(self) -> Decimal:
        """The amount that would not have been spent."""
        return self.paid - self.prepaid


def cheaper_prepaid(units: Sequence[StatementUnit], month_prices: Mapping[tuple[str, str], Decimal]) -> list[Advice]:
    """Return the instances whose metered minutes cost more than a month of the same units in advance.

    ``month_prices`` are those of today, of one unit by region and type. The largest number of units that ran counts,
    so that the month in advance covers all that was used. The greatest saving comes first.
    """
    found = []
    for unit in units:
        used = [line for line in unit.lines if line.kind == USAGE]
        price = month_prices.get((unit.region, unit.type))
        if not used or price is None:
            continue
        paid = sum((Decimal(line.amount) for line in used), Decimal(0))
        count = max(line.count or 0 for line in used)
        if paid > price * count:
            found.append(Advice(unit.instance_id, unit.name, unit.region, unit.type, count, paid, price * count))
    return sorted(found, key=lambda one: (-one.saving, one.instance_id))

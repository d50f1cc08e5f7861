"""Changing the catalogue."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasehold.commands.command import Command, Needs
from leasehold.domain.book import OFFERINGS, PRICES, Draft
from leasehold.domain.calendar import Instant
from leasehold.domain.catalogue import QUOTA, UNITS_OF_COMPUTE, Offering, OfferingKind, PriceList
from leasehold.domain.money import Micro
from leasehold.domain.refusal import BAD_VALUE, WRONG_STATE, Refusal
from leasehold.domain.rules import Rules
from leasehold.domain.service import resource_type_of, shape_of


class SetOffering(Command, frozen=True, kw_only=True):
    """Add an offering to the catalogue, or change its prices or its stock; None leaves a value as it is.

    A new price holds for what is bought and for minutes that begin from now on. Answers the offering.
    """

    answer: ClassVar[type] = Offering

    region: str
    unit_type: str
    per_minute: Micro | None = None
    per_month: Micro | None = None
    stock_total: int | None = None
    kind: OfferingKind | None = None

    def needs(self) -> Needs:
        """The offering and its prices."""
        yield OFFERINGS, (self.region, self.unit_type)
        yield PRICES, (self.region, self.unit_type)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Offering:  # noqa: ARG002
        """Raises Refusal for a stock smaller than what is held, another kind, and a type that reads as another."""
        if self.kind != QUOTA and draft.get(OFFERINGS, self.region, self.unit_type) is None:
            _refuse_misread(self.unit_type)
        # A new offering comes last in the catalogue's order: what sorts by time needs no counter.
        offering = draft.get(OFFERINGS, self.region, self.unit_type) or Offering(
            self.region, self.unit_type, int(now), None, None, 0, 0, self.kind or UNITS_OF_COMPUTE
        )
        if self.kind not in (None, offering.kind):
            field = "model" if self.kind == QUOTA else "type"
            raise Refusal(WRONG_STATE, f"{offering.name} is there already, as {offering.kind}.", field=field)
        if offering.kind == QUOTA and self.per_month is not None:
            raise Refusal(BAD_VALUE, "Quota is sold by the minute only.", field="pricePerMonth")
        if self.per_minute is not None and self.per_minute != offering.per_minute:
            prices = draft.get(PRICES, self.region, self.unit_type) or PriceList(self.region, self.unit_type, ())
            draft.put(PRICES, prices.with_change(now, self.per_minute))
            offering = msgspec.structs.replace(offering, per_minute=self.per_minute)
        if self.per_month is not None:
            offering = msgspec.structs.replace(offering, per_month=self.per_month)
        if self.stock_total is not None:
            offering = _restock(offering, self.stock_total)
        draft.put(OFFERINGS, offering)
        return offering


def _refuse_misread(unit_type: str) -> None:
    if shape_of(resource_type_of(unit_type, 1)).unit_type != unit_type:
        raise Refusal(
            BAD_VALUE,
            f"{unit_type} is how resource types of services spell another type. Choose another name.",
            field="type",
        )


def _restock(offering: Offering, total: int) -> Offering:
    held = offering.stock_total - offering.stock_free
    if total < held:
        raise Refusal(
            WRONG_STATE,
            f"{held} units of {offering.name} are held by instances, so its stock cannot be {total}. "
            f"Set {held} or more, or release instances first.",
            field="stockTotal",
        )
    return msgspec.structs.replace(offering, stock_total=total, stock_free=total - held)

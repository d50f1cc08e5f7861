"""Changing the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import OfferingsOfType
from leasebook.domain.book.tables import ENGINE_CAPACITIES, OFFERINGS, PRICES
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.engine_capacity import serves
from leasebook.domain.model.offering import (
    BY_ENGINE,
    QUOTA,
    UNITS_OF_COMPUTE,
    Offering,
    OfferingKind,
    PriceList,
    StockSource,
)
from leasebook.domain.model.service import resource_type_of, shape_of
from leasebook.domain.replicas.engine_route import Routes, engine_for
from leasebook.domain.replicas.planner import INSTANT
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import BAD_VALUE, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules
from leasebook.domain.values.wording import are


class SetOffering(Command, frozen=True, kw_only=True):
    """Add an offering to the catalogue, or change its prices or its stock; None leaves a value.

    A new price applies to purchases and to minutes that begin from now on. ``routes`` say which engine serves the
    offering: stock that follows the engine is counted again with it. Returns the offering.
    """

    answer: ClassVar[type] = Offering

    region: str
    unit_type: str
    per_minute: Micro | None = None
    per_month: Micro | None = None
    stock_total: int | None = None
    kind: OfferingKind | None = None
    stock_source: StockSource | None = None
    routes: Routes = ()

    @property
    def engine(self) -> str:
        """The engine that serves it."""
        return INSTANT if self.kind == QUOTA else engine_for(self.routes, self.region, self.unit_type)

    def needs(self) -> Needs:
        """The offering and its prices; if an engine serves it, the engine and all offerings of the type."""
        yield OFFERINGS, (self.region, self.unit_type)
        yield PRICES, (self.region, self.unit_type)
        if self.engine != INSTANT:
            yield ENGINE_CAPACITIES, (self.engine,)
            yield OfferingsOfType(self.unit_type)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Offering:  # noqa: ARG002
        """Raises Refusal: stock below the reserved units, another kind, or a type spelled like another.

        Also for stock that follows an engine without a number of units, or that is set although it follows one.
        """
        known = draft.get(OFFERINGS, self.region, self.unit_type)
        if self.kind != QUOTA and known is None:
            _refuse_misread(self.unit_type)
        # A new offering comes last in the catalogue's order: the time as its position needs no counter.
        offering = known or Offering(
            self.region, self.unit_type, int(now), None, None, 0, 0, self.kind or UNITS_OF_COMPUTE
        )
        if offering.removed_at is not None:
            # It is made again, and its count of prices goes on: released instances were charged by the earlier ones.
            offering = msgspec.structs.replace(offering, removed_at=None, closed_at=None, no_renewals=False)
        if self.kind not in (None, offering.kind):
            field = "model" if self.kind == QUOTA else "type"
            raise Refusal(WRONG_STATE, f"{offering.name} is there already, as {offering.kind}.", field=field)
        if offering.kind == QUOTA and self.per_month is not None:
            raise Refusal(BAD_VALUE, "Quota is sold by the minute only.", field="pricePerMonth")
        if self.per_minute is not None and self.per_minute != offering.per_minute:
            offering = reprice(draft, offering, self.per_minute, now)
            offering = msgspec.structs.replace(offering, per_minute=self.per_minute)
        if self.per_month is not None:
            offering = msgspec.structs.replace(offering, per_month=self.per_month)
        draft.put(OFFERINGS, self._stocked(draft, offering))
        self._reckon(draft)
        return draft.require(OFFERINGS, self.region, self.unit_type)

    def _stocked(self, draft: Draft, offering: Offering) -> Offering:
        """Return the offering with the requested stock or stock source."""
        source = self.stock_source or offering.stock_source
        if source == BY_ENGINE:
            if self.stock_source is not None:
                self._check_engine(draft, offering)
            if self.stock_total is not None:
                raise Refusal(
                    WRONG_STATE,
                    f"The stock of {offering.name} is what its engine has, so it cannot be set to {self.stock_total}. "
                    "Leave stockTotal out, or set it with stockSource Set.",
                    field="stockTotal",
                )
        elif self.stock_total is not None or source != offering.stock_source:
            offering = _restock(offering, offering.stock_total if self.stock_total is None else self.stock_total)
        return msgspec.structs.replace(offering, stock_source=source)

    def _check_engine(self, draft: Draft, offering: Offering) -> None:
        """Raise Refusal if no engine reports its units, or another region's stock follows that engine already."""
        if offering.kind == QUOTA:
            raise Refusal(BAD_VALUE, "Quota runs on no engine; its stock is set.", field="stockSource")
        if self.engine == INSTANT:
            raise _no_source(f"No engine serves {offering.name}. Route it to one with the setting engines")
        supply = draft.get(ENGINE_CAPACITIES, self.engine)
        if supply is None or not any(word.counts for word in supply.words):
            raise _no_source(f"The engine {self.engine} has not said yet what it has. Try again once it was seen")
        if supply.has(offering.type) is None:
            raise _no_source(
                f"The engine {self.engine} has no bound for {offering.type}: it runs whatever is sold. Say how much it "
                "has, as its page tells"
            )
        for other in draft.offerings_of(offering.type):
            follows = other.region != offering.region and other.stock_source == BY_ENGINE
            if follows and serves(self.engine, other, self.routes):
                raise _no_source(
                    f"{other.name} takes its stock from the engine {self.engine} already, and what that has is there "
                    "once. Set the stock of one of them"
                )

    def _reckon(self, draft: Draft) -> None:
        """Compare the engine's units with its offerings again."""
        if self.engine == INSTANT:
            return
        shelf = {one.region: one for one in draft.offerings_of(self.unit_type)}
        shelf[self.region] = draft.require(OFFERINGS, self.region, self.unit_type)
        reckon(draft, self.engine, self.unit_type, shelf.values(), self.routes)


def reckon(draft: Draft, engine: str, unit_type: str, shelf: Iterable[Offering], routes: Routes) -> None:
    """Compare an engine's units of a type with its offerings, ``shelf``, again."""
    supply = draft.get(ENGINE_CAPACITIES, engine)
    if supply is None:
        return
    in_order = sorted(shelf, key=lambda one: (one.position, one.region))
    supply, changed = supply.reckon(unit_type, in_order, routes)
    draft.put(ENGINE_CAPACITIES, supply)
    for offering in changed:
        draft.put(OFFERINGS, offering)


def reprice(draft: Draft, offering: Offering, per_minute: Micro, now: Instant) -> Offering:
    """Record a price per minute that applies from now on; returns the offering with it. Needs its prices."""
    prices = draft.get(PRICES, offering.region, offering.type) or PriceList(offering.region, offering.type, ())
    prices = prices.with_change(now, per_minute)
    draft.put(PRICES, prices)
    return msgspec.structs.replace(offering, per_minute=per_minute, price_number=len(prices.changes))


def _no_source(why: str) -> Refusal:
    return Refusal(WRONG_STATE, f"{why}; or leave stockSource at Set.", field="stockSource")


def _refuse_misread(unit_type: str) -> None:
    if shape_of(resource_type_of(unit_type, 1)).unit_type != unit_type:
        raise Refusal(
            BAD_VALUE,
            f"{unit_type} is how resource types of services spell another type. Choose another name.",
            field="type",
        )


def _restock(offering: Offering, total: int) -> Offering:
    reserved = offering.reserved
    if total < reserved:
        raise Refusal(
            WRONG_STATE,
            f"{are(reserved, 'unit', f'of {offering.name}')} held by instances, so its stock cannot be {total}. "
            f"Set {reserved} or more, or release instances first.",
            field="stockTotal",
        )
    return offering.stocked(total)

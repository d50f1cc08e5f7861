"""The catalogue: what is for sale where, at which price, and how much of it is free."""

from __future__ import annotations

import msgspec

from leasehold.domain.calendar import MINUTE_US, Instant
from leasehold.domain.money import Micro
from leasehold.domain.refusal import STOCK, Refusal

OfferingKey = tuple[str, str]
"""(region, type)."""


class Offering(msgspec.Struct, frozen=True):
    """One type of compute unit in one region.

    ``position`` is its place in the catalogue's order. A price of None means: not sold that way.
    Free stock plus the units held by live instances is always the total.
    """

    region: str
    type: str
    position: int
    per_minute: Micro | None
    per_month: Micro | None
    stock_total: int
    stock_free: int

    @property
    def name(self) -> str:
        """What people call it, for messages."""
        return f"{self.type} in {self.region}"

    def take(self, count: int) -> Offering:
        """Hold that many units; raises Refusal where fewer are free."""
        if count > self.stock_free:
            raise Refusal(
                STOCK,
                f"{count} units of {self.name} were asked for and {self.stock_free} of {self.stock_total} are "
                "free. Ask for fewer, choose another region or type, or try again when units are released.",
            )
        return msgspec.structs.replace(self, stock_free=self.stock_free - count)

    def give_back(self, count: int) -> Offering:
        """Return held units to the stock."""
        free = self.stock_free + count
        if free > self.stock_total:
            raise AssertionError(f"more {self.name} given back than were ever held")
        return msgspec.structs.replace(self, stock_free=free)


class PriceChange(msgspec.Struct, frozen=True, array_like=True):
    """The price per minute from that instant on; None: not sold by the minute, so nothing is charged."""

    since: Instant
    per_minute: Micro | None


class PriceList(msgspec.Struct, frozen=True):
    """Every price per minute that an offering ever had, oldest first."""

    region: str
    type: str
    changes: tuple[PriceChange, ...]

    def with_change(self, since: Instant, per_minute: Micro | None) -> PriceList:
        """Add the price that holds from now on."""
        return msgspec.structs.replace(self, changes=(*self.changes, PriceChange(since, per_minute)))

    def cost_per_unit(self, start: Instant, first_minute: int, end_minute: int) -> Micro:
        """Price of the minutes [first_minute, end_minute) counted from start, for one unit.

        Each minute costs what held at its first instant, so a change of price touches only minutes that
        begin after it, and any way to cut an interval into parts costs the same in sum.
        """
        total = 0
        until = end_minute
        for change in reversed(self.changes):
            # The first minute that begins at or after the change (ceiling division, no float).
            from_minute = max(first_minute, -((start - change.since) // MINUTE_US))
            if from_minute < until:
                total += (until - from_minute) * (change.per_minute or 0)
                until = from_minute
            if until <= first_minute:
                break
        return Micro(total)

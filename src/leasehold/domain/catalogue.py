"""The catalogue: what is for sale where, at which price, and how much of it is free."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from leasehold.domain.calendar import MINUTE_US, Instant
from leasehold.domain.money import Micro
from leasehold.domain.refusal import STOCK, Refusal

OfferingKind = Literal["ComputingUnit", "TPM"]
"""What is sold: units of compute, or quota of calls to a model (the documents' instanceType)."""
UNITS_OF_COMPUTE: Final[OfferingKind] = "ComputingUnit"
QUOTA: Final[OfferingKind] = "TPM"
EVERYWHERE: Final = "global"
"""The region of what is sold for no place in particular: quota."""
StockSource = Literal["Set", "Engine"]
"""Who says how many units of an offering there are: an operator, or the engine that runs them."""
BY_HAND: Final[StockSource] = "Set"
BY_ENGINE: Final[StockSource] = "Engine"
TPM_PER_UNIT: Final = 10_000
RPM_PER_UNIT: Final = 33
"""A unit of quota: so many tokens and so many requests a minute."""


class Offering(msgspec.Struct, frozen=True):
    """One type of compute unit in one region; or the quota of one model, whose name is the type.

    ``position`` is its place in the catalogue's order. A price of None means: not sold that way.
    Free stock plus the units held by live instances, less those that are ``oversold``, is always the total. Units are
    oversold only where the engine has fewer than are held; then none are free.
    """

    region: str
    type: str
    position: int
    per_minute: Micro | None
    per_month: Micro | None
    stock_total: int
    stock_free: int
    kind: OfferingKind = UNITS_OF_COMPUTE
    stock_source: StockSource = BY_HAND
    oversold: int = 0

    @property
    def held(self) -> int:
        """How many units live instances hold."""
        return self.stock_total - self.stock_free + self.oversold

    @property
    def name(self) -> str:
        """What people call it, for messages."""
        return f"{self.type} in {self.region}" if self.kind == UNITS_OF_COMPUTE else f"quota of {self.type}"

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
        """Return held units to the stock; what is oversold becomes less first."""
        if count > self.held:
            raise AssertionError(f"more {self.name} given back than were ever held")
        return self._holding(self.stock_total, self.held - count)

    def stocked(self, total: int) -> Offering:
        """Have another total. What is held stays held: what the total does not cover is oversold."""
        return self._holding(total, self.held)

    def _holding(self, total: int, held: int) -> Offering:
        free, oversold = max(0, total - held), max(0, held - total)
        return msgspec.structs.replace(self, stock_total=total, stock_free=free, oversold=oversold)


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

    def as_quoted(self, quoted_at: Instant | None, bought_at: Instant) -> PriceList:
        """Return the prices as they stood when they were quoted: changes until the purchase do not count."""
        if quoted_at is None:
            return self
        kept = tuple(change for change in self.changes if not quoted_at < change.since <= bought_at)
        return msgspec.structs.replace(self, changes=kept)

    def stretches(self, start: Instant, first_minute: int, end_minute: int) -> list[Stretch]:
        """Cut the minutes [first_minute, end_minute) counted from start where the price changes, oldest first.

        Each minute costs what held at its first instant, so a change of price touches only minutes that
        begin after it, and any way to cut an interval into parts costs the same in sum.
        """
        found: list[Stretch] = []
        until = end_minute
        for change in reversed(self.changes):
            # The first minute that begins at or after the change (ceiling division, no float).
            from_minute = max(first_minute, -((start - change.since) // MINUTE_US))
            if from_minute < until:
                found.append(Stretch(from_minute, until, change.per_minute or Micro(0)))
                until = from_minute
            if until <= first_minute:
                break
        return found[::-1]

    def cost_per_unit(self, start: Instant, first_minute: int, end_minute: int) -> Micro:
        """Price of the minutes [first_minute, end_minute) counted from start, for one unit."""
        return Micro(
            sum((end - first) * price for first, end, price in self.stretches(start, first_minute, end_minute))
        )


class Stretch(NamedTuple):
    """The minutes [first, end) of a meter, which have one price."""

    first: int
    end: int
    price: Micro

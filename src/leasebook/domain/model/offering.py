"""The catalogue: the offerings, their prices, and their free stock."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from leasebook.domain.values.calendar import MINUTE_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import STOCK, WRONG_STATE, Refusal
from leasebook.domain.values.wording import were

OfferingKind = Literal["ComputingUnit", "TPM"]
"""The kind of goods: units of compute, or quota for calls of a model (``instanceType`` in the documents)."""
UNITS_OF_COMPUTE: Final[OfferingKind] = "ComputingUnit"
QUOTA: Final[OfferingKind] = "TPM"
EVERYWHERE: Final = "global"
"""The region of goods that belong to no particular place: quota."""
StockSource = Literal["Set", "Engine"]
"""The source of an offering's stock: an operator, or the engine that runs its instances."""
BY_HAND: Final[StockSource] = "Set"
BY_ENGINE: Final[StockSource] = "Engine"
TPM_PER_UNIT: Final = 10_000
RPM_PER_UNIT: Final = 33
"""Tokens and requests a minute in one unit of quota."""


class Offering(msgspec.Struct, frozen=True):
    """One type of compute unit in one region; or the quota of one model, whose name is the type.

    ``position`` is its place in the catalogue's order. A price of None means that it is not sold that way.
    ``price_number`` counts the prices per minute that it has had, which puts purchases and price changes into one order
    (decision 24).

    From ``closed_at`` on no more units are sold, and held units stay with their buyers; with ``no_renewals`` their
    terms are not renewed either. From ``removed_at`` on it is no part of the catalogue: the row stays for the books.

    Free stock plus the units reserved by live instances, less ``oversold``, always equals the total. Units are oversold
    only where the engine has fewer than are reserved; then none are free.
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
    price_number: int = 0
    closed_at: Instant | None = None
    no_renewals: bool = False
    removed_at: Instant | None = None

    @property
    def reserved(self) -> int:
        """How many units live instances reserve."""
        return self.stock_total - self.stock_free + self.oversold

    @property
    def name(self) -> str:
        """The offering's name in messages."""
        return f"{self.type} in {self.region}" if self.kind == UNITS_OF_COMPUTE else f"quota of {self.type}"

    @property
    def is_sold(self) -> bool:
        """Whether units of it can be sold: it is neither closed nor removed."""
        return self.closed_at is None and self.removed_at is None

    def require_sold(self) -> None:
        """Raise Refusal (WRONG_STATE) if it is closed."""
        if not self.is_sold:
            raise Refusal(
                WRONG_STATE,
                f"The offering {self.name} is closed: held units stay with their buyers, and nothing more "
                "of it is sold. Choose another region or type (DescribeOfferings, /v2/catalog).",
            )

    def take(self, count: int) -> Offering:
        """Reserve ``count`` units; raises Refusal: closed (WRONG_STATE), or fewer are free (STOCK)."""
        self.require_sold()
        if count > self.stock_free:
            raise Refusal(
                STOCK,
                f"{were(count, 'unit', f'of {self.name}')} asked for and {self.stock_free} of {self.stock_total} are "
                "free. Ask for fewer, choose another region or type, or try again when units are released.",
            )
        return msgspec.structs.replace(self, stock_free=self.stock_free - count)

    def give_back(self, count: int) -> Offering:
        """Return reserved units to the stock; oversold units are reduced first."""
        if count > self.reserved:
            raise AssertionError(f"more {self.name} given back than were ever held")
        return self._holding(self.stock_total, self.reserved - count)

    def stocked(self, total: int) -> Offering:
        """Return the offering with another total. Reserved units stay reserved; those beyond the total are oversold."""
        return self._holding(total, self.reserved)

    def _holding(self, total: int, reserved: int) -> Offering:
        free, oversold = max(0, total - reserved), max(0, reserved - total)
        return msgspec.structs.replace(self, stock_total=total, stock_free=free, oversold=oversold)


class PriceChange(msgspec.Struct, frozen=True, array_like=True):
    """The price per minute from ``since`` on; None: not sold by the minute, so no charge."""

    since: Instant
    per_minute: Micro | None


class PriceList(msgspec.Struct, frozen=True):
    """Every price per minute that an offering ever had, oldest first."""

    region: str
    type: str
    changes: tuple[PriceChange, ...]

    def with_change(self, since: Instant, per_minute: Micro | None) -> PriceList:
        """Return the list with a price that applies from ``since`` on."""
        return msgspec.structs.replace(self, changes=(*self.changes, PriceChange(since, per_minute)))

    def for_meter(self, start: Instant, number: int | None) -> PriceList:
        """Return the prices as they apply to a meter that started after ``number`` changes (decision 24).

        A later change applies to no minute that began before it. It therefore cannot apply to the first minute, even if
        both have the same time. With a number of None the meter started before changes were counted, so the times alone
        decide.
        """
        if number is None:
            return self
        later = tuple(
            PriceChange(Instant(max(change.since, start + 1)), change.per_minute) for change in self.changes[number:]
        )
        return msgspec.structs.replace(self, changes=(*self.changes[:number], *later))

    def first_minute_after(self, number: int, start: Instant) -> int | None:
        """Return the first minute from ``start`` that a change after the first ``number`` applies to; None: none."""
        return min((first_minute(start, change) for change in self.changes[number:]), default=None)

    def stretches(self, start: Instant, first: int, end: int) -> list[Stretch]:
        """Cut the minutes [first, end) counted from ``start`` where the price changes, oldest first.

        Each minute costs the price at its first instant. A price change therefore affects only minutes that begin after
        it, and any division of an interval costs the same in sum.
        """
        found: list[Stretch] = []
        until = end
        for change in reversed(self.changes):
            from_minute = max(first, first_minute(start, change))
            if from_minute < until:
                found.append(Stretch(from_minute, until, change.per_minute or Micro(0)))
                until = from_minute
            if until <= first:
                break
        return found[::-1]


class Stretch(NamedTuple):
    """The minutes [first, end) of a meter, at one price."""

    first: int
    end: int
    price: Micro


def first_minute(start: Instant, change: PriceChange) -> int:
    """Return the first minute, counted from ``start``, that begins at or after a change; negative if it is older."""
    return -((start - change.since) // MINUTE_US)

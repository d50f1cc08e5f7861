"""The oracle of metered use: which minutes an instance ran, with how many units at most, at which prices.

A minute is paid for the most units that are reserved in it for any time at all, once, and at the price valid as it
began. Changes of one moment have an order: a price that is set after a meter started is not valid for the minute that
began then.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from leasebook.domain.record.ledger import Posting

MINUTE: Final = 60_000_000


class Pin(NamedTuple):
    """A quoted price, which is valid for its purchase until the first change after a number of changes."""

    price: int
    number: int


class QuotedSize(NamedTuple):
    """Units from a moment on, and how many of them are still those that a price was quoted for."""

    at: int
    units: int
    quoted: int = 0


class Run:
    """An instance that is metered: since when, with how many units from when on, and until when.

    ``seen`` is how many changes of the price came before it. A pause is a size of no units.
    """

    def __init__(self, start: int, size: QuotedSize, pin: Pin | None, seen: int) -> None:
        self.start = start
        self.end: int | None = None
        self.sizes = [size]
        self.pin = pin
        self.seen = seen

    @property
    def minutes(self) -> int:
        """How many minutes it began until it ended."""
        assert self.end is not None
        return max(0, -((self.start - self.end) // MINUTE))

    @property
    def paid(self) -> int:
        """When the last minute ends that it began."""
        return self.start + self.minutes * MINUTE

    def convert(self, now: int) -> None:
        """The instance is paid in another way from now on, but for the minute that has begun."""
        self.end = now
        self.end = max(now, self.paid)

    def goes_on(self, size: QuotedSize) -> None:
        """It stopped and is back before the end of the minute in which it did."""
        assert self.end is not None
        self.sizes += [QuotedSize(self.end, 0), size]
        self.end = None

    def peaks(self, minutes: int, charged_at: int) -> Iterator[tuple[int, int, int]]:
        """When each of the first minutes begins, the units at a quoted price in it, and the others.

        Units that were not reserved for any time before the end, or before the last charge, do not count.
        """
        until = charged_at if self.end is None else self.end
        follow = [*self.sizes[1:], None]
        changes = [
            size
            for size, later in zip(self.sizes, follow, strict=True)
            if (size.at < until or size is self.sizes[0]) and (later is None or later.at > size.at)
        ]
        held, coming = QuotedSize(0, 0), 0
        for minute in range(minutes):
            begins = self.start + minute * MINUTE
            while coming < len(changes) and changes[coming].at <= begins:
                held = changes[coming]
                coming += 1
            most, quoted = held.units, min(held.units, held.quoted)
            while coming < len(changes) and changes[coming].at < begins + MINUTE:
                held = changes[coming]
                most = max(most, held.units)
                coming += 1
            yield begins, quoted, most - quoted

    def costs(self, minutes: int, prices: list[tuple[int, int]], charged_at: int) -> Iterator[tuple[int, Priced]]:
        """How many units each minute is paid for at which price; free minutes are left out."""
        held = [
            (since if number < self.seen else max(since, self.start + 1), price)
            for number, (since, price) in enumerate(prices)
        ]
        for begins, quoted, rest in self.peaks(minutes, charged_at):
            valid = [number for number, (since, _) in enumerate(held) if since <= begins]
            listed = held[valid[-1]][1] if valid else 0
            is_pinned = self.pin is not None and (not valid or valid[-1] < self.pin.number)
            cost: Counter[int] = Counter()
            cost[self.pin.price if self.pin is not None and is_pinned else listed] += quoted
            cost[listed] += rest
            if priced := {price: units for price, units in cost.items() if price and units}:
                yield begins, priced


Priced = dict[int, int]
"""Units by the price of one."""


def charged_minutes(postings: Iterable[Posting]) -> dict[int, Priced]:
    """For how many units and at which price each minute was charged, as the postings of one instance say it."""
    charged: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for posting in postings:
        assert posting.since is not None
        assert posting.minutes is not None
        assert posting.count is not None
        assert posting.price is not None
        assert posting.minutes > 0
        assert posting.count > 0
        assert posting.amount == posting.count * posting.minutes * posting.price, posting
        for minute in range(posting.minutes):
            begins = posting.since + minute * MINUTE
            assert begins < posting.at, f"charged before it began: {posting}"
            charged[begins][posting.price] += posting.count
    return {begins: dict(units) for begins, units in charged.items()}

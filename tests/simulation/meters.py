"""The oracle of metered use: which minutes an instance ran, with how many units at most, at which price."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from leasehold.domain.ledger import Posting

MINUTE: Final = 60_000_000


class Pin(NamedTuple):
    """A quoted price, which holds until the first change after the purchase."""

    price: int
    bought_at: int


class Run:
    """An instance that is metered without a pause: since when, with how many units from when on, and until when."""

    def __init__(self, start: int, count: int, pin: Pin | None) -> None:
        self.start = start
        self.end: int | None = None
        self.sizes = [(start, count)]
        self.pin = pin

    @property
    def minutes(self) -> int:
        """How many minutes it began until it ended."""
        assert self.end is not None
        return max(0, -((self.start - self.end) // MINUTE))

    def peaks(self, minutes: int) -> Iterator[tuple[int, int]]:
        """When each of the first minutes begins, and the most units that are held in it."""
        end = self.end
        changes = [(at, count) for at, count in self.sizes if end is None or at <= end]
        held, coming = 0, 0
        for minute in range(minutes):
            begins = self.start + minute * MINUTE
            while coming < len(changes) and changes[coming][0] <= begins:
                held = changes[coming][1]
                coming += 1
            most = held
            while coming < len(changes) and changes[coming][0] < begins + MINUTE:
                held = changes[coming][1]
                most = max(most, held)
                coming += 1
            yield begins, most

    def costs(self, minutes: int, prices: list[tuple[int, int]]) -> Iterator[tuple[int, tuple[int, int]]]:
        """The same, with the price of a unit in that minute: what holds as it begins. Free minutes are left out."""
        held, coming = (0, 0), 0
        for begins, most in self.peaks(minutes):
            while coming < len(prices) and prices[coming][0] <= begins:
                held = prices[coming]
                coming += 1
            price = held[1]
            if self.pin is not None and held[0] <= self.pin.bought_at:
                price = self.pin.price
            if price:
                yield begins, (most, price)


def charged_minutes(postings: Iterable[Posting]) -> dict[int, tuple[int, int]]:
    """For how many units and at which price each minute was charged, as the postings of one instance say it."""
    units: Counter[int] = Counter()
    prices: dict[int, int] = {}
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
            units[begins] += posting.count
            assert prices.setdefault(begins, posting.price) == posting.price, f"two prices in a minute: {posting}"
    return {begins: (units[begins], price) for begins, price in prices.items()}

"""Spreading what was paid in advance evenly over the time that it was paid for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Final

import msgspec

from leasebook.domain.record.ledger import Posting
from leasebook.domain.values.calendar import Instant

REFUNDED: Final = ("Purchase", "Resize")
"""The kinds of payments that are refunded if the engine cannot provide the units: purchases and resizes."""


class Spread(msgspec.Struct, frozen=True):
    """A payment, and the time from ``begin`` until before ``end`` that it is spread over.

    Every microsecond has the same part of it, and the parts of any months add up to ``amount`` exactly. Once it is
    paid back, all of it is taken back; without any time to be spread over, it belongs to the moment of ``begin``.
    """

    posting: Posting
    amount: int
    begin: Instant
    end: Instant
    refunded_at: Instant | None = None

    def elapsed_us(self, at: Instant) -> int:
        """How much of its time lies before a moment, and was not taken back before it."""
        if self.refunded_at is not None and at > self.refunded_at:
            return 0
        return max(0, min(at, self.end) - self.begin)

    def before(self, at: Instant) -> int:
        """How much of it belongs to the time before a moment."""
        if self.end > self.begin:
            return self.amount * self.elapsed_us(at) // (self.end - self.begin)
        taken_back = self.refunded_at is not None and at > self.refunded_at
        return self.amount if at > self.begin and not taken_back else 0

    def part(self, since: Instant, until: Instant) -> int:
        """How much of it belongs to a stretch of time; below zero where what earlier ones had is taken back in it."""
        return self.before(until) - self.before(since)


class Course:
    """How much of many payments lies between some moments, exactly: each payment is rounded down by itself."""

    def __init__(self, moments: Sequence[Instant]) -> None:
        """``moments`` are in order."""
        self._moments: Final = moments
        self._begun = [0] * len(moments)
        """By moment: the parts before it of payments whose time goes on after it."""
        self._over = [0] * (len(moments) + 1)
        """By moment: the payments whose time ends before it, or with it, and after the moment before."""

    def add(self, spread: Spread) -> None:
        """Add a payment that is spread over some time, and was not paid back."""
        moments, begun = self._moments, self._begun
        begin, amount, length = spread.begin, spread.amount, spread.end - spread.begin
        first = bisect_right(moments, begin)
        last = bisect_left(moments, spread.end)
        for place in range(first, last):
            begun[place] += amount * (moments[place] - begin) // length
        self._over[last] += amount

    def parts(self) -> list[int]:
        """Return how much lies between each moment and the next."""
        before = [begun + over for begun, over in zip(self._begun, accumulate(self._over), strict=False)]
        return [later - earlier for earlier, later in pairwise(before)]


def spreads_of(postings: Iterable[Posting]) -> list[Spread]:
    """Spread an instance's payments in advance, in the order of writing, each over the time that it was paid for.

    A payment for a time that has begun is spread over the rest of it: a month that is over never changes. A refund
    ends the last earlier payment of the same amount. A refund without one counts at its own time, and so does a
    payment that names no time.
    """
    spreads: list[Spread] = []
    for posting in postings:
        if posting.kind != "Refund":
            spreads.append(_spread(posting))
            continue
        index = _refunded(spreads, posting)
        if index is None:
            spreads.append(Spread(posting, -posting.amount, posting.at, posting.at))
        else:
            spreads[index] = msgspec.structs.replace(spreads[index], refunded_at=posting.at)
    return spreads


def _spread(posting: Posting) -> Spread:
    begin = posting.at if posting.since is None else Instant(max(posting.since, posting.at))
    return Spread(
        posting, posting.amount, begin, begin if posting.until is None else Instant(max(begin, posting.until))
    )


def _refunded(spreads: list[Spread], refund: Posting) -> int | None:
    for index in range(len(spreads) - 1, -1, -1):
        spread = spreads[index]
        due = spread.posting.kind in REFUNDED and spread.amount == refund.amount
        if due and spread.refunded_at is None:
            return index
    return None


def refunded_posting(spreads: Iterable[Spread], refund: Posting) -> Posting | None:
    """Return the payment that a refund pays back."""
    for spread in spreads:
        if spread.refunded_at == refund.at and spread.amount == refund.amount:
            return spread.posting
    return None

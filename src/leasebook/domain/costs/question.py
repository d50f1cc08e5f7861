"""The question for costs: by which properties charges are grouped and filtered, and the sums of the answer."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Final, NamedTuple

from leasebook.domain.costs.folding import Charge, Groups, Part, Payment, spread_payments
from leasebook.domain.costs.periods import Periods, Stretch
from leasebook.domain.costs.rows import Alike, CostGroup, CostPeriod, Sums
from leasebook.domain.costs.spread import Course, Spread
from leasebook.domain.model.offering import EVERYWHERE
from leasebook.domain.model.resource.project import public_project
from leasebook.domain.values.calendar import Instant

USAGE: Final = "Usage"
TAG: Final = "tag:"
"""The beginning of the name of a property that is a tag."""
Key = tuple[str | None, ...]

DIMENSIONS: Final[dict[str, Callable[[CostGroup], str | None]]] = {
    "account": lambda group: group.account_id,
    # Of a group for the rest of the charges the projects are not known.
    "project": lambda group: None if group.rest else public_project(group.project_id),
    "user": lambda group: group.user_id,
    "type": lambda group: group.type,
    # Quota has no region.
    "region": lambda group: None if group.region == EVERYWHERE else group.region,
    "service": lambda group: group.service_id,
    "kind": lambda group: group.kind,
}
"""The properties by which charges can be grouped and filtered, besides tags. None: a charge is without it."""


def value_of(group: CostGroup, name: str) -> str | None:
    """Return a property of a group of charges; a tag is called ``tag:`` and its key."""
    if name.startswith(TAG):
        return group.tags.get(name.removeprefix(TAG))
    return DIMENSIONS[name](group)


def is_known(name: str) -> bool:
    """Whether charges can be grouped by a name."""
    return name in DIMENSIONS or (name.startswith(TAG) and len(name) > len(TAG))


class Asked(NamedTuple):
    """By which properties costs are grouped, and the values of properties that pass; None: without the property."""

    group_by: tuple[str, ...] = ()
    only: Mapping[str, frozenset[str | None]] = {}

    def key_of(self, group: CostGroup) -> Key | None:
        """Return the values by which a group of charges is grouped; None: the filter leaves it out."""
        if any(value_of(group, name) not in values for name, values in self.only.items()):
            return None
        return tuple(value_of(group, name) for name in self.group_by)


class Amounts(NamedTuple):
    """Sums of an answer, in micro-units; ``more`` are those still expected in the period, billed and amortised."""

    billed: int = 0
    amortised: int = 0
    more_billed: int = 0
    more_amortised: int = 0

    def plus(self, other: Amounts) -> Amounts:
        """Add other sums."""
        return Amounts(*(mine + others for mine, others in zip(self, other, strict=True)))


class _Way(NamedTuple):
    """How the sums of a group go into the answer; ``key`` None: the filter leaves the group out."""

    key: Key | None
    is_used: bool
    """Whether the billed amount is also the amortised one: metered use."""


class Answer:
    """Collects the costs of one account by the place of the period and the values of the group."""

    def __init__(self, asked: Asked, periods: Periods, groups: Mapping[str, CostGroup], fresh: Groups) -> None:
        """``groups`` are those of the account by id; ``fresh`` finds the group of a charge that has no sums yet."""
        self._asked: Final = asked
        self._periods: Final = periods
        self._months: Final = periods.whole_months()
        self._groups = dict(groups)
        self._fresh: Final = fresh
        # Numbers in lists: an answer by the hour adds up many thousands of them.
        self._rows: dict[tuple[int, Key], list[int]] = {}
        self._ways: dict[str, _Way] = {}

    @property
    def rows(self) -> dict[tuple[int, Key], Amounts]:
        """The sums."""
        return {place: Amounts(*sums) for place, sums in self._rows.items()}

    def stretch(self, stretch: Stretch, rows: Iterable[CostPeriod]) -> None:
        """Add the sums of whole periods."""
        is_month = stretch.level == "Month"
        for row in rows:
            place = self._periods.place(row.since)
            if place is not None:
                for group_id, sums in row.sums.items():
                    self._sums(place, group_id, sums, is_month=is_month)

    def part(self, part: Part) -> None:
        """Add an addition to the sums that is not yet made: amounts by the hour, and parts of payments by the month."""
        is_month, place = part.level == "Month", self._periods.place(part.since)
        within = not is_month or self._months[0] <= part.since < self._months[1]
        if place is not None and within:
            sums = Sums(spread=part.sums.spread) if is_month else part.sums
            self._sums(place, part.group_id, sums, is_month=is_month)

    def _sums(self, place: int, group_id: str, sums: Sums, *, is_month: bool) -> None:
        way = self._ways.get(group_id) or self._way(group_id)
        if way.key is not None:
            billed, spread = sums
            row = self._rows.setdefault((place, way.key), [0, 0, 0, 0])
            row[0] += billed
            row[1] += (billed if way.is_used else 0) + (spread if is_month else 0)

    def outside(self) -> list[tuple[Instant, Instant]]:
        """Return the spans outside of whole months: the sums do not have their parts of payments in advance."""
        since, until = self._months
        spans = [(self._periods.since, since), (until, self._periods.until)]
        return [(begin, end) for begin, end in spans if begin < end]

    def payments(self, found: Iterable[list[Payment]], since: Instant, until: Instant) -> None:
        """Add the parts of instances' payments in advance that lie in one of these spans; a list for each instance."""
        first, moments = self._moments(since, until)
        courses: dict[Key, Course] = {}
        for payment, spread in chain.from_iterable(map(spread_payments, found)):
            group_id = self._fresh.of(payment.posting.account_id, payment.alike)
            key = (self._ways.get(group_id) or self._way(group_id)).key
            if key is None:
                continue
            if spread.refunded_at is None and spread.begin < spread.end:
                course = courses.get(key)
                if course is None:
                    course = courses[key] = Course(moments)
                course.add(spread)
                continue
            for place, amount in self._parts(spread, since, until):
                self._add(place, group_id, Amounts(amortised=amount))
        for key, course in courses.items():
            for place, amount in enumerate(course.parts(), first):
                if amount:
                    self._rows.setdefault((place, key), [0, 0, 0, 0])[1] += amount

    def _moments(self, since: Instant, until: Instant) -> tuple[int, list[Instant]]:
        """Return the place of the period in which a span begins, and the moments that cut the span into periods."""
        starts = self._periods.starts
        first, last = bisect_right(starts, since), bisect_left(starts, until)
        return first - 1, [since, *starts[first:last], until]

    def _parts(self, spread: Spread, since: Instant, until: Instant) -> Iterable[tuple[int, int]]:
        """Yield the parts of a payment in the periods of a span."""
        last = max(spread.begin, spread.end, spread.refunded_at or 0)
        first = self._periods.place(Instant(max(since, min(spread.begin, until - 1))))
        for place in range(0 if first is None else first, len(self._periods)):
            begin, end = self._periods.bounds(place)
            begin, end = max(begin, since), min(end, until)
            if begin >= until or begin > last:
                return
            if begin < end and (amount := spread.part(begin, end)):
                yield place, amount

    def expect_use(self, account_id: str, alike: Alike, use: Mapping[int, int]) -> None:
        """Add metered use that is still to come, by the place of its period."""
        group_id = self._fresh.of(account_id, alike)
        for place, amount in use.items():
            self._add(place, group_id, Amounts(more_billed=amount, more_amortised=amount))

    def expect_payment(self, charge: Charge, spread: Spread) -> None:
        """Add a payment that is still to come."""
        group_id = self._fresh.of(charge.account_id, charge.alike)
        place = self._periods.place(charge.at)
        if place is not None:
            self._add(place, group_id, Amounts(more_billed=charge.amount))
        for at, amount in self._parts(spread, self._periods.since, self._periods.until):
            self._add(at, group_id, Amounts(more_amortised=amount))

    def _add(self, place: int, group_id: str, amounts: Amounts) -> None:
        way = self._ways.get(group_id) or self._way(group_id)
        if way.key is not None:
            row = self._rows.setdefault((place, way.key), [0, 0, 0, 0])
            row[:] = [mine + more for mine, more in zip(row, amounts, strict=True)]

    def _way(self, group_id: str) -> _Way:
        group = self._groups.get(group_id)
        if group is None:
            self._groups |= {one.id: one for one in self._fresh.new}
            group = self._groups[group_id]
        way = self._ways[group_id] = _Way(self._asked.key_of(group), group.kind == USAGE)
        return way

"""The units of each type that engines report, who reports them, and how they compare with the stock on offer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from leasebook.domain.model.offering import BY_ENGINE, UNITS_OF_COMPUTE, Offering
from leasebook.domain.replicas.engine_route import Routes, engine_for
from leasebook.domain.values.calendar import DAY_US

UNBOUNDED: Final = 1_000_000_000
"""Upper bound of any stock, in units. An engine that reports this number or more runs everything that is sold."""
SHARED: Final = ""
"""The node name of an engine that all its workers share, for example a Ray cluster."""
FORGOTTEN_US: Final = DAY_US
"""How long a report is kept after its units stopped counting, in microseconds."""


class CapacityReport(msgspec.Struct, frozen=True):
    """The last report that one worker made about an engine on one node: the units of each type, used ones included.

    Times are the machine's, in microseconds since 1970 UTC. ``units`` were reported at ``seen_at``; both are None until
    the engine has answered once. ``trouble`` says why the engine cannot be asked since ``trouble_since``.
    ``gone_since`` is when the store found that the worker had been dead for too long; its units do not count from then
    on.
    """

    node: str
    holder: str
    units: dict[str, int] | None = None
    seen_at: int | None = None
    trouble: str | None = None
    trouble_since: int | None = None
    gone_since: int | None = None

    @property
    def counts(self) -> bool:
        """Whether these units may be sold."""
        return self.units is not None and self.gone_since is None


class TypeCapacity(msgspec.Struct, frozen=True):
    """One type on one engine, over all ``regions`` that it serves: the units ``offered`` and the units that it ``has``.

    ``has`` is None where it is unknown or unbounded. ``oversold`` counts the units reserved by instances beyond
    ``has``, for the offerings that were compared. Free stock plays no part here.
    """

    regions: tuple[str, ...]
    offered: int
    has: int | None
    oversold: int = 0

    @property
    def difference(self) -> int:
        """Units offered beyond those that the engine has. Negative: units that it has and that are not offered."""
        return 0 if self.has is None else self.offered - self.has

    @property
    def gap(self) -> tuple[int, int]:
        """A change of this pair is an event: the difference and the oversold units. Both zero: all agrees."""
        return self.difference, self.oversold


FITS: Final = (0, 0)


def name_of(units: Mapping[str, int], unit_type: str) -> str | None:
    """Return the name under which ``units`` lists a type: the type, or the longest matching prefix with a star."""
    if unit_type in units:
        return unit_type
    fitting = [name for name in units if name.endswith("*") and unit_type.startswith(name[:-1])]
    return max(fitting, key=len, default=None)


def units_of(units: Mapping[str, int], unit_type: str) -> int | None:
    """Return how many units of a type ``units`` lists; None where it does not list the type."""
    name = name_of(units, unit_type)
    return None if name is None else units[name]


class EngineCapacity(msgspec.Struct, frozen=True):
    """An engine: the report of each node, and for each type on offer how it compares with the reports.

    Changes of the differences are events of the account ``told_to``. With None they are events of no account.
    """

    engine: str
    told_to: str | None = None
    words: tuple[CapacityReport, ...] = ()
    stocks: dict[str, TypeCapacity] = {}

    def word(self, node: str) -> CapacityReport | None:
        """Return the last report about a node."""
        return next((word for word in self.words if word.node == node), None)

    def has(self, unit_type: str) -> int | None:
        """Return how many units of a type there are on all nodes that count; None: unknown, or unbounded."""
        found = [units_of(word.units, unit_type) or 0 for word in self.words if word.counts and word.units is not None]
        return None if not found or any(count >= UNBOUNDED for count in found) else sum(found)

    @property
    def seen_at(self) -> int | None:
        """Return the oldest ``seen_at`` of the nodes that count."""
        return min((word.seen_at for word in self.words if word.counts and word.seen_at is not None), default=None)

    def with_notify_account(self, account_id: str | None) -> EngineCapacity:
        """Return this engine with another account whose events report the differences from now on."""
        return msgspec.structs.replace(self, told_to=account_id)

    def hear(self, word: CapacityReport, dead: AbstractSet[str], gone: AbstractSet[str]) -> EngineCapacity | None:
        """Merge a worker's report and expire dead nodes; None if another live worker owns that node's report.

        A report without units is about trouble: the units seen last stay. A node in ``gone`` expires only if its worker
        is dead.
        """
        before = self.word(word.node)
        if before is not None and before.holder != word.holder and before.holder not in dead:
            return None
        at = word.seen_at or word.trouble_since or 0
        words = [_merged(before, word)]
        for other in self.words:
            if other.node == word.node:
                continue
            if other.gone_since is None and other.node in gone and other.holder in dead:
                words.append(msgspec.structs.replace(other, gone_since=at))
            elif other.gone_since is None or at - other.gone_since < FORGOTTEN_US:
                words.append(other)
        return msgspec.structs.replace(self, words=tuple(sorted(words, key=lambda one: one.node)))

    def reckon(
        self, unit_type: str, shelf: Iterable[Offering], routes: Routes
    ) -> tuple[EngineCapacity, list[Offering]]:
        """Compare a type with its offerings, and set the stock of the offerings that follow the engine.

        ``shelf`` holds every offering of the type. Returns the engine, and the offerings whose stock has changed.
        """
        served = [one for one in shelf if serves(self.engine, one, routes)]
        has, stocks = self.has(unit_type), {name: one for name, one in self.stocks.items() if name != unit_type}
        stocked = served if has is None else list(_followed(served, has))
        if stocked:
            reserved = sum(one.reserved for one in stocked)
            stocks[unit_type] = TypeCapacity(
                tuple(one.region for one in stocked),
                sum(one.stock_total for one in stocked),
                has,
                0 if has is None else max(0, reserved - has),
            )
        changed = [after for before, after in zip(served, stocked, strict=True) if after != before]
        return msgspec.structs.replace(self, stocks=dict(sorted(stocks.items()))), changed


def _merged(before: CapacityReport | None, word: CapacityReport) -> CapacityReport:
    if word.units is not None:
        return word
    since = word.trouble_since
    if before is None:
        return word
    if before.trouble is not None:
        since = before.trouble_since
    return msgspec.structs.replace(
        word, units=before.units, seen_at=before.seen_at, trouble_since=since, gone_since=before.gone_since
    )


def serves(engine: str, offering: Offering, routes: Routes) -> bool:
    """Whether an engine runs the instances of an offering. No engine runs quota, or removed offerings."""
    if offering.removed_at is not None:
        return False
    return offering.kind == UNITS_OF_COMPUTE and engine_for(routes, offering.region, offering.type) == engine


def served_types(engine: str, offerings: Iterable[Offering], routes: Routes) -> tuple[str, ...]:
    """Return the types offered where that engine serves them, sorted."""
    return tuple(sorted({one.type for one in offerings if serves(engine, one, routes)}))


def _followed(served: Sequence[Offering], has: int) -> Iterator[Offering]:
    """Keep the stock that an operator set, and give the rest to the first offering that follows the engine."""
    rest = max(0, has - sum(one.stock_total for one in served if one.stock_source != BY_ENGINE))
    for one in served:
        if one.stock_source != BY_ENGINE:
            yield one
        else:
            yield one.stocked(rest)
            rest = 0


def changes(
    before: Mapping[str, TypeCapacity], after: Mapping[str, TypeCapacity]
) -> Iterator[tuple[str, TypeCapacity]]:
    """Yield types whose difference appeared, changed or ended. A type that is no longer offered has no difference."""
    for unit_type in sorted(before.keys() | after.keys()):
        old, new = before.get(unit_type), after.get(unit_type)
        if (FITS if old is None else old.gap) != (FITS if new is None else new.gap):
            yield unit_type, TypeCapacity((), 0, None) if new is None else new

"""What engines really have of each type of unit, who says so, and how the stock that is offered compares with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from leasebook.domain.model.offering import BY_ENGINE, UNITS_OF_COMPUTE, Offering
from leasebook.domain.replicas.engine_route import Routes, engine_for
from leasebook.domain.values.calendar import DAY_US

UNBOUNDED: Final = 1_000_000_000
"""So many units, or more, are no number: the engine runs whatever is sold. It is the greatest stock there can be."""
SHARED: Final = ""
"""The node of an engine that is one for all who work on it, such as a cluster."""
FORGOTTEN_US: Final = DAY_US
"""What a node said is forgotten so long after it stopped to count."""


class CapacityReport(msgspec.Struct, frozen=True):
    """What one worker last said of an engine on one node: the units of each type, used ones included.

    Times are the machine's, microseconds since 1970 UTC. ``units`` are those of ``seen_at``, None where the engine
    could never be asked. ``trouble`` keeps it from being asked, since ``trouble_since``. ``gone_since``: its worker was
    found to be dead for so long then that its units do not count any more.
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
        """Whether its units are there to be sold."""
        return self.units is not None and self.gone_since is None


class TypeCapacity(msgspec.Struct, frozen=True):
    """One type on one engine, over all ``regions`` that it serves: the units ``offered``, and those that it ``has``.

    ``has`` is None where nobody knows, or where there is no bound. ``oversold`` units are held by instances beyond what
    it has, as far as that was looked at; free stock is not looked at here.
    """

    regions: tuple[str, ...]
    offered: int
    has: int | None
    oversold: int = 0

    @property
    def difference(self) -> int:
        """How many units are offered that it has not; below zero: how many it has that are not offered."""
        return 0 if self.has is None else self.offered - self.has

    @property
    def gap(self) -> tuple[int, int]:
        """What is told when it changes: the difference, and what is oversold. Nothing but zeros: it fits."""
        return self.difference, self.oversold


FITS: Final = (0, 0)


def name_of(units: Mapping[str, int], unit_type: str) -> str | None:
    """Return under which name there are units of a type: its own, or the longest beginning of it with a star."""
    if unit_type in units:
        return unit_type
    fitting = [name for name in units if name.endswith("*") and unit_type.startswith(name[:-1])]
    return max(fitting, key=len, default=None)


def units_of(units: Mapping[str, int], unit_type: str) -> int | None:
    """Return how many units of a type there are; None: it is none of those that are named."""
    name = name_of(units, unit_type)
    return None if name is None else units[name]


class EngineCapacity(msgspec.Struct, frozen=True):
    """An engine: what is said of it, node by node, and how each type that is offered there compares with that.

    ``told_to`` is the account whose events tell of differences; None: nobody's.
    """

    engine: str
    told_to: str | None = None
    words: tuple[CapacityReport, ...] = ()
    stocks: dict[str, TypeCapacity] = {}

    def word(self, node: str) -> CapacityReport | None:
        """Return what was last said of a node."""
        return next((word for word in self.words if word.node == node), None)

    def has(self, unit_type: str) -> int | None:
        """Return how many units of a type there are on all nodes that count; None: unknown, or without a bound."""
        found = [units_of(word.units, unit_type) or 0 for word in self.words if word.counts and word.units is not None]
        return None if not found or any(count >= UNBOUNDED for count in found) else sum(found)

    @property
    def seen_at(self) -> int | None:
        """Return when the node was seen that was not seen for the longest time, of those that count."""
        return min((word.seen_at for word in self.words if word.counts and word.seen_at is not None), default=None)

    def told(self, account_id: str | None) -> EngineCapacity:
        """Let an account's events tell of differences from now on."""
        return msgspec.structs.replace(self, told_to=account_id)

    def hear(self, word: CapacityReport, dead: AbstractSet[str], gone: AbstractSet[str]) -> EngineCapacity | None:
        """Take a worker's word, and let nodes go; None where somebody else's word counts, who is not ``dead``.

        A word without units is about trouble: what was last seen stays. Of the nodes that are ``gone`` those are let go
        whose workers are dead.
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
        """Compare a type with what is offered of it, and let the stock that follows the engine follow it.

        ``shelf`` is every offering of the type. Returns also the offerings whose stock is another one now.
        """
        served = [one for one in shelf if serves(self.engine, one, routes)]
        has, stocks = self.has(unit_type), {name: one for name, one in self.stocks.items() if name != unit_type}
        stocked = served if has is None else list(_followed(served, has))
        if stocked:
            held = sum(one.held for one in stocked)
            stocks[unit_type] = TypeCapacity(
                tuple(one.region for one in stocked),
                sum(one.stock_total for one in stocked),
                has,
                0 if has is None else max(0, held - has),
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
    """Whether an engine runs what is bought of an offering. Nothing runs quota."""
    return offering.kind == UNITS_OF_COMPUTE and engine_for(routes, offering.region, offering.type) == engine


def served_types(engine: str, offerings: Iterable[Offering], routes: Routes) -> tuple[str, ...]:
    """Return the types that are offered somewhere where that engine serves them, in order."""
    return tuple(sorted({one.type for one in offerings if serves(engine, one, routes)}))


def _followed(served: Sequence[Offering], has: int) -> Iterator[Offering]:
    """Leave what is set by hand, and give the first offering that follows the engine all the rest."""
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
    """Return the types whose difference appeared, became another one or ended; a type that is offered no more fits."""
    for unit_type in sorted(before.keys() | after.keys()):
        old, new = before.get(unit_type), after.get(unit_type)
        if (FITS if old is None else old.gap) != (FITS if new is None else new.gap):
            yield unit_type, TypeCapacity((), 0, None) if new is None else new

"""Checks of stock against the last reports about engines: differences that are errors, and those that are remarks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from leasebook.domain.model.engine_capacity import UNBOUNDED, units_of
from leasebook.store.queries.read_repository import Fetch


class Stocked(NamedTuple):
    """A type on an engine: the recorded comparison, the last reports, and the offerings that it serves."""

    engine: str
    type: str
    said: dict[str, Any]
    has: int | None
    offered: int
    reserved: int
    by_hand: int
    followed: int | None

    @property
    def name(self) -> str:
        """Its name in findings."""
        return f"engine {self.engine} has {self.has} units of {self.type}"


def _has(words: list[dict[str, Any]], unit_type: str) -> int | None:
    seen = [
        units_of(one["units"], unit_type) or 0
        for one in words
        if one["units"] is not None and one["gone_since"] is None
    ]
    return sum(seen) if seen and max(seen) < UNBOUNDED else None


def _stocked(fetch: Fetch) -> Iterator[Stocked]:
    offerings = {
        (region, unit_type): (source, total, total - free + oversold)
        for region, unit_type, source, total, free, oversold in fetch(
            "SELECT region, type, stock_source, stock_total, stock_free, oversold FROM offerings", ()
        )
    }
    for engine, words, stocks in fetch("SELECT engine, words, stocks FROM supplies ORDER BY engine", ()):
        for unit_type, count in json.loads(stocks).items():
            rows = [offerings.get((region, unit_type), ("Set", 0, 0)) for region in count["regions"]]
            followed = [total for source, total, _ in rows if source == "Engine"]
            yield Stocked(
                engine,
                unit_type,
                count,
                _has(json.loads(words), unit_type),
                sum(total for _, total, _ in rows),
                sum(reserved for _, _, reserved in rows),
                sum(total for source, total, _ in rows if source == "Set"),
                sum(followed) if followed else None,
            )


def supply_findings(fetch: Fetch) -> Iterator[str]:
    """Yield a finding for each stock that follows an engine and differs from its last report."""
    for one in _stocked(fetch):
        left = None if one.has is None else max(0, one.has - one.by_hand)
        if left is not None and one.followed is not None and one.followed != left:
            yield f"{one.name} and leaves {left} to the stock that follows it, which is {one.followed}"
        if one.said["has"] != one.has:
            yield f"{one.name}, and {one.said['has']} are written down for it"


def supply_remarks(fetch: Fetch) -> Iterator[str]:
    """Yield a remark for each stock that an operator set and the engine lacks or exceeds, and for oversold units."""
    for one in _stocked(fetch):
        if one.has is None:
            continue
        if one.offered != one.has:
            yield f"{one.name}, and {one.offered} are offered, {one.by_hand} of them set by hand"
        if one.reserved > one.has:
            yield f"{one.name}, and {one.reserved} are sold: {one.reserved - one.has} more than there are"

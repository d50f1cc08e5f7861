"""The metrics of stock that follows an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import Gauge

from leasebook.domain.model.engine_capacity import TypeCapacity

_LABELS: Final = ("engine", "type")


class StockMetrics:
    """Shows offered units of the types that an engine serves, and the engine's own units. It belongs to the store."""

    def __init__(self, gauge: Callable[..., Gauge]) -> None:
        self._offered = gauge(
            "leasebook_stock_offered_units", "Units offered, of types that an engine serves.", *_LABELS, of_store=True
        )
        self._engine = gauge(
            "leasebook_stock_engine_units",
            "Units that an engine has of a type, if the engine has a bound.",
            *_LABELS,
            of_store=True,
        )
        self._oversold = gauge(
            "leasebook_stock_oversold_units", "Units sold beyond an engine's capacity.", *_LABELS, of_store=True
        )
        self._stocks: dict[str, Mapping[str, TypeCapacity]] = {}

    def counted(self, engine: str, stocks: Mapping[str, TypeCapacity]) -> None:
        """Set an engine's units and the offered units, by type; types that are left out are not offered."""
        self._stocks[engine] = stocks
        for gauge in (self._offered, self._engine, self._oversold):
            gauge.clear()
        for name, counts in self._stocks.items():
            for unit_type, count in counts.items():
                self._offered.labels(name, unit_type).set(count.offered)
                self._oversold.labels(name, unit_type).set(count.oversold)
                if count.has is not None:
                    self._engine.labels(name, unit_type).set(count.has)

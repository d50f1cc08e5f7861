"""The metrics of the sums of costs."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Gauge


class CostMetrics:
    """Shows how far the sums of costs are. It belongs to the store."""

    def __init__(self, gauge: Callable[..., Gauge]) -> None:
        self._behind = gauge(
            "leasebook_costs_behind_postings",
            "Postings that are not yet part of the sums by which DescribeCosts answers; it reads them one by one.",
            of_store=True,
        )

    def costs_behind(self, postings: int) -> None:
        """Set how many numbers of postings are not yet part of the sums."""
        self._behind.set(postings)

"""The metrics of the log store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from prometheus_client import Counter, Gauge


class LogStoreMetrics:
    """Counts lines of replicas and requests by how they ended, and shows whether the log store takes lines."""

    def __init__(self, counter: Callable[..., Counter], gauge: Callable[..., Gauge]) -> None:
        self._lines = counter(
            "leasebook_log_store_lines_total",
            "Lines of replicas, by what became of them: the log store took them (sent), it will not take them "
            "(refused), or they were dropped from a full log before they were sent (lost).",
            "outcome",
        )
        self._requests = counter(
            "leasebook_log_store_requests_total",
            "Requests with lines to the log store, by outcome: taken, refused, or to be repeated (later).",
            "outcome",
        )
        self._away = gauge("leasebook_log_store_away", "1 while the log store does not take lines, otherwise 0.")

    def log_lines(self, outcome: Literal["sent", "refused", "lost"], count: int) -> None:
        """Count lines by what became of them."""
        self._lines.labels(outcome).inc(count)

    def log_request(self, outcome: Literal["taken", "refused", "later"]) -> None:
        """Count a request with lines."""
        self._requests.labels(outcome).inc()

    def log_store_away(self, *, away: bool) -> None:
        """Set whether the log store does not take lines now."""
        self._away.set(away)

"""The metrics of cost exports over the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from prometheus_client import Counter, Gauge

ExportOutcome = Literal["sent", "failed", "abandoned", "refused"]


class ExportMetrics:
    """Counts cost exports by how they ended, and the bytes of their files."""

    def __init__(self, counter: Callable[..., Counter], gauge: Callable[..., Gauge]) -> None:
        self._open = gauge("leasebook_cost_exports_open", "Cost exports that are being made or sent.")
        self._ended = counter(
            "leasebook_cost_exports_total",
            "Cost exports, by outcome: the whole file was sent (sent), it could not be made (failed), its caller left "
            "before the end (abandoned), or a limit was reached (refused).",
            "outcome",
        )
        self._bytes = counter("leasebook_cost_export_bytes_total", "Bytes of cost exports that were sent.")

    def exports_open(self, change: int) -> None:
        """Note that an export began (1), or ended (-1)."""
        self._open.inc(change)

    def export_ended(self, outcome: ExportOutcome, sent_bytes: int) -> None:
        """Count an export by how it ended, and the bytes of it that were sent."""
        self._ended.labels(outcome).inc()
        self._bytes.inc(sent_bytes)

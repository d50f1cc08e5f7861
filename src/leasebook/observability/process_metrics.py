"""The metrics of the process, under the names that Prometheus' own client libraries give them."""

from __future__ import annotations

from typing import Final

from prometheus_client import ProcessCollector

from leasebook.observability.request_metrics import Family


class ProcessMetrics(ProcessCollector):
    """Reads `/proc` when metrics are read; a system without it has none of these metrics."""

    families: Final = (
        Family("process_virtual_memory_bytes", "gauge", "Virtual memory of the process.", ()),
        Family("process_resident_memory_bytes", "gauge", "Resident memory of the process.", ()),
        Family("process_start_time_seconds", "gauge", "Start of the process, as seconds since 1970 UTC.", ()),
        Family("process_cpu_seconds_total", "counter", "Processor time of the process, user and system.", ()),
        Family("process_open_fds", "gauge", "Open file descriptors of the process.", ()),
        Family("process_max_fds", "gauge", "Maximum number of open file descriptors of the process.", ()),
    )

    def __init__(self) -> None:
        super().__init__(registry=None)

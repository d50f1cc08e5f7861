"""The metrics of connections."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter, Gauge


class ConnectionMetrics:
    """Counts connections: those that are open, those that were not let in, and those that were too slow."""

    def __init__(self, counter: Callable[..., Counter], gauge: Callable[..., Gauge]) -> None:
        self._open = gauge(
            "leasebook_connections_open",
            "Connections that are open, at the port for callers or for operators.",
            "listener",
        )
        self._not_let_in = counter(
            "leasebook_connections_refused_total",
            "Connections that were not let in: too many in all, too many of one address, no file left, or no TLS "
            "handshake.",
            "reason",
        )
        self._timeouts = counter(
            "leasebook_connection_timeouts_total",
            "Connections that were closed because they were too slow: with a handshake, a head, a body, with taking "
            "an answer, or because they were idle.",
            "kind",
        )
        self._unread = counter(
            "leasebook_requests_unread_total",
            "Requests that could not be read, or were too large or too slow, by the status that they got.",
            "status",
        )

    def connections(self, listener: str, count: int) -> None:
        """Set how many are open at a listener."""
        self._open.labels(listener).set(count)

    def not_let_in(self, reason: str) -> None:
        """Count one that was not let in: ``total``, ``address``, ``files`` or ``handshake``."""
        self._not_let_in.labels(reason).inc()

    def timed_out(self, kind: str) -> None:
        """Count one that was too slow: ``handshake``, ``head``, ``body``, ``write`` or ``idle``."""
        self._timeouts.labels(kind).inc()

    def unread(self, status: int) -> None:
        """Count a request that could not be read."""
        self._unread.labels(str(status)).inc()

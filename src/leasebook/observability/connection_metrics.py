"""The metrics of connections."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter, Gauge


class ConnectionMetrics:
    """Counts open connections, refused ones, and ones that a time limit closed."""

    def __init__(self, counter: Callable[..., Counter], gauge: Callable[..., Gauge]) -> None:
        self._open = gauge(
            "leasebook_connections_open",
            "Open connections, at the port for callers or for operators.",
            "listener",
        )
        self._not_let_in = counter(
            "leasebook_connections_refused_total",
            "Refused connections, by reason: too many in all (total), too many of one address (address), no file "
            "descriptor left (files), or no TLS handshake (handshake).",
            "reason",
        )
        self._timeouts = counter(
            "leasebook_connection_timeouts_total",
            "Connections closed by a time limit: of a TLS handshake, a head, a body, of reading an answer (write), "
            "or without a request (idle).",
            "kind",
        )
        self._unread = counter(
            "leasebook_requests_unread_total",
            "Requests that were not valid HTTP, too large or too slow, by the status of the answer.",
            "status",
        )

    def connections(self, listener: str, count: int) -> None:
        """Set the number of open connections at a listener."""
        self._open.labels(listener).set(count)

    def not_let_in(self, reason: str) -> None:
        """Count a refused connection: ``total``, ``address``, ``files`` or ``handshake``."""
        self._not_let_in.labels(reason).inc()

    def timed_out(self, kind: str) -> None:
        """Count a connection closed by a time limit: ``handshake``, ``head``, ``body``, ``write`` or ``idle``."""
        self._timeouts.labels(kind).inc()

    def unread(self, status: int) -> None:
        """Count a request that could not be read."""
        self._unread.labels(str(status)).inc()

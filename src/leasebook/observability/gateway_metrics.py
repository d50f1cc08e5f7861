"""The metrics of the gateway: calls of services, and their WebSockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from prometheus_client import Counter, Gauge, Histogram


class GatewayMetrics:
    """Counts calls of services and WebSockets by how they ended, and measures the time of the first byte."""

    def __init__(
        self,
        counter: Callable[..., Counter],
        gauge: Callable[..., Gauge],
        histogram: Callable[..., Histogram],
        seconds: tuple[float, ...],
    ) -> None:
        self._calls = counter(
            "leasebook_gateway_calls_total",
            "Calls of services: succeeded, failed by the replica, refused, or aborted by the caller.",
            "outcome",
        )
        self._first_byte = histogram(
            "leasebook_gateway_first_byte_seconds", "Time until a replica began to answer.", seconds
        )
        self._in_flight = gauge("leasebook_gateway_calls_in_flight", "Calls being forwarded now.")
        self._sockets = gauge("leasebook_gateway_websockets", "Open WebSockets of services.")
        self._socket_ends = counter(
            "leasebook_gateway_websockets_ended_total",
            "Ended WebSockets of services, by reason: closed by one end (closed), hung up (caller_gone, "
            "replica_gone), a rule broken (idle, too_big, protocol), key deleted (revoked), service gone "
            "(withdrawn), or server stopping (stopping).",
            "why",
        )
        self._socket_bytes = counter(
            "leasebook_gateway_websocket_bytes_total",
            "Bytes of ended WebSockets, sent by callers (up) and by replicas (down).",
            "direction",
        )
        self._keys_refused = counter(
            "leasebook_gateway_keys_refused_total",
            "Calls of services without a valid key, by reason: none, unknown, wrong, deleted, orphaned, or expired.",
            "why",
        )

    def gateway_called(self, outcome: Literal["succeeded", "failed", "refused", "aborted"]) -> None:
        """Count a call of a service, by how it ended."""
        self._calls.labels(outcome).inc()

    def gateway_key_refused(self, why: str) -> None:
        """Count a call of a service without a valid key."""
        self._keys_refused.labels(why).inc()

    def gateway_first_byte(self, seconds: float) -> None:
        """Note how long a replica took until it began to answer."""
        self._first_byte.observe(seconds)

    def gateway_in_flight(self, change: int) -> None:
        """Note that a call began (1), or ended (-1)."""
        self._in_flight.inc(change)

    def gateway_sockets(self, change: int) -> None:
        """Note that a WebSocket was opened (1), or ended (-1)."""
        self._sockets.inc(change)

    def gateway_socket_ended(self, why: str) -> None:
        """Count an ended WebSocket, by reason."""
        self._socket_ends.labels(why).inc()

    def gateway_socket_bytes(self, sent: int, received: int) -> None:
        """Count the bytes of a WebSocket: ``sent`` by the caller, ``received`` from the replica."""
        self._socket_bytes.labels("up").inc(sent)
        self._socket_bytes.labels("down").inc(received)

"""The gateway's part of the metrics, as an operator reads it."""

from __future__ import annotations

from leasebook.observability.metrics import Metrics


def test_each_event_of_the_gateway_has_its_line() -> None:
    metrics = Metrics()
    gateway = metrics.gateway
    gateway.gateway_called("failed")
    gateway.gateway_key_refused("wrong")
    gateway.gateway_first_byte(0.2)
    gateway.gateway_in_flight(3)
    gateway.gateway_in_flight(-1)
    gateway.gateway_sockets(1)
    gateway.gateway_socket_ended("idle")
    gateway.gateway_socket_bytes(5, 7)
    lines = metrics.render()[0].decode().splitlines()
    for line in (
        'leasebook_gateway_calls_total{outcome="failed"} 1.0',
        'leasebook_gateway_keys_refused_total{why="wrong"} 1.0',
        "leasebook_gateway_first_byte_seconds_count 1.0",
        "leasebook_gateway_calls_in_flight 2.0",
        "leasebook_gateway_websockets 1.0",
        'leasebook_gateway_websockets_ended_total{why="idle"} 1.0',
        'leasebook_gateway_websocket_bytes_total{direction="up"} 5.0',
        'leasebook_gateway_websocket_bytes_total{direction="down"} 7.0',
    ):
        assert line in lines

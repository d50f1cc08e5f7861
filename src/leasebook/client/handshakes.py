"""Connections of the client whose answers are awaited: they are also closed when a TLS handshake is cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Trace = Callable[[str, Mapping[str, Any]], Awaitable[None]]


def closing() -> dict[str, Trace]:
    """Return the extensions of one request over TLS, for the HTTP library.

    The library closes a connection whose handshake fails, but forgets one whose handshake is cancelled, as by a timeout
    around the call. Its socket would stay open until Python collects it.
    """
    connected: list[Any] = []

    async def trace(event: str, about: Mapping[str, Any]) -> None:
        if event.endswith("connect_tcp.complete"):
            connected.append(about["return_value"])
        elif event.endswith("start_tls.failed"):
            for stream in connected:
                await stream.aclose()

    return {"trace": trace}

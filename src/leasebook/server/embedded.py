"""A listener inside another program, such as a test: no signals, no second thread, no line printed."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Final

from uvicorn.server import ServerState

from leasebook.config.fields import Settings
from leasebook.observability.metrics import Metrics
from leasebook.server.transport.configuration import config_of, limits_of
from leasebook.server.transport.connection_limits import Caps
from leasebook.server.transport.listener import Listener

CONNECTIONS_MAX: Final = 1024
SWEEP_S: Final = 1.0
CLOSE_S: Final = 2.0
"""Bound on the wait for answers under way when the listener closes, in seconds."""
LOOK_S: Final = 0.002


class EmbeddedListener:
    """Serves an ASGI application on a listening socket, on the running loop, until ``close``.

    uvicorn's own server is not used: its stop takes a tenth of a second, which a test would wait for.
    """

    def __init__(self, app: Any, listening: socket.socket) -> None:
        config = config_of(app)
        config.load()
        caps = Caps(CONNECTIONS_MAX, CONNECTIONS_MAX, lambda _: False, seats=0)
        self._state = ServerState()
        self._listener = Listener(listening, config, self._state, limits_of(Settings()), caps, Metrics().connections)
        self._sweeping = asyncio.get_running_loop().create_task(self._sweep())

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self._listener.sweep()

    async def close(self) -> None:
        """Let no more connections in, and wait for answers under way, at most CLOSE_S seconds."""
        self._sweeping.cancel()
        self._listener.close()
        for connection in tuple(self._state.connections):
            connection.shutdown()
        loop = asyncio.get_running_loop()
        until = loop.time() + CLOSE_S
        while self._state.connections and loop.time() < until:  # noqa: ASYNC110 - no event tells of the last
            await asyncio.sleep(LOOK_S)
        for connection in tuple(self._state.connections):
            # Its answer is later than that. The loop may end with this call, and then nothing else closes it.
            connection.transport.abort()
        await self._listener.wait_closed()

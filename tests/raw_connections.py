"""Raw connections of a test: a server that treats each as the test says, a caller, and an end of all of them.

A transport that is never closed becomes garbage with its event loop. Python warns of it when it collects it, in the
middle of a later test of the process, and that test fails. So each connection is closed before the loop ends, and its
end is waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

HOST: Final = "127.0.0.1"
TURNS: Final = 10
"""More turns of the loop than a connection takes from being accepted to being served, or from its abort to its end."""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Treats one connection, which is closed when it returns. It may be cancelled while it waits."""


async def ended(transports: Iterable[Any]) -> None:
    """Abort transports of the running loop, and wait until their sockets are closed."""
    for transport in transports:
        transport.abort()
    for _ in range(TURNS):
        await asyncio.sleep(0)


@asynccontextmanager
async def raw_connection(
    address: str | int, **options: Any
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect to a host and its port, or to a port of this machine. ``options`` are those of ``open_connection``."""
    host, _, port = f"{HOST}:{address}".rpartition(":") if isinstance(address, int) else address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), **options)
    try:
        yield reader, writer
    finally:
        await ended([writer.transport])


class _Connections:
    """The connections of one server."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._open: dict[asyncio.Task[None], asyncio.WriteTransport] = {}
        self.failures: list[Exception] = []

    def come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection. This is no coroutine: its task could be cancelled before it knows of the connection."""
        task = asyncio.create_task(self._one(reader, writer))
        self._open[task] = writer.transport

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The caller has gone.
        except Exception as error:  # noqa: BLE001 - the server's end raises it
            self.failures.append(error)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        task = asyncio.current_task()
        assert task is not None
        del self._open[task]

    async def end(self) -> None:
        """End all that there are, and those that come at this very moment."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await ended(self._open.values())


@asynccontextmanager
async def raw_server(serve: Serve, *, host: str = HOST, port: int = 0, **options: Any) -> AsyncIterator[int]:
    """Serve connections; yields the port. Afterwards it takes none, and all are closed.

    ``options`` are those of ``asyncio.start_server``. Raises what ``serve`` raised first, unless the caller had gone.
    """
    connections = _Connections(serve)
    server = await asyncio.start_server(connections.come, host, port, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await connections.end()
    for failure in connections.failures:
        raise failure

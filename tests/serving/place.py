"""A listener in the test's own loop, in front of an application of the test's, with a clock that the test moves."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from leasebook.server.transport.connection_limits import Caps
from leasebook.server.transport.listener import Listener
from leasebook.server.transport.pace import Limits
from leasebook.server.transport.tls import Tls
from tests.raw_connections import ended

LIMITS = Limits(head_s=10, body_s=10, body_rate=1000, idle_s=75, write_s=60)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class ListenerMeter:
    """The counts of a listener."""

    def __init__(self) -> None:
        self.open = 0
        self.seen: Counter[str] = Counter()

    def connections(self, listener: str, count: int) -> None:
        assert listener == "callers"
        self.open = count

    def not_let_in(self, reason: str) -> None:
        self.seen[reason] += 1

    def timed_out(self, kind: str) -> None:
        self.seen[kind] += 1

    def unread(self, status: int) -> None:
        self.seen[str(status)] += 1


class ListenerHarness:
    """A listener and what it counted."""

    def __init__(self, listener: Listener, port: int, counted: ListenerMeter) -> None:
        self.listener = listener
        self.port = port
        self.counted = counted
        self.writers: list[asyncio.StreamWriter] = []

    async def connected(self, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a connection."""
        made = await asyncio.open_connection("127.0.0.1", self.port, **options)
        self.writers.append(made[1])
        return made

    async def pass_s(self, seconds: float) -> None:
        """Let so much time pass, second by second, as the sweeps see it."""
        await asyncio.sleep(0.02)
        for _ in range(int(seconds)):
            self.listener.now += 1
            for connection in tuple(self.listener._open):
                connection.sweep(self.listener.now, 1.0)
            await asyncio.sleep(0)
        await asyncio.sleep(0.02)


@asynccontextmanager
async def listening(
    app: Any, *, limits: Limits = LIMITS, caps: Caps | None = None, tls: Tls | None = None, ws: Any = "none"
) -> AsyncIterator[ListenerHarness]:
    """Listen."""
    config = uvicorn.Config(app, http="httptools", ws=ws, lifespan="off", log_config=None, access_log=False)
    config.load()
    counted = ListenerMeter()
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        one.setblocking(False)
        caps = caps or Caps(100, None, lambda _: False)
        listener = Listener(one, config, ServerState(), limits, caps, counted, tls)
        place = ListenerHarness(listener, one.getsockname()[1], counted)
        try:
            yield place
        finally:
            listener.close()
            await listener.wait_closed()
            await ended(writer.transport for writer in place.writers)
            await ended(connection.transport for connection in tuple(listener._open))


def answering(text: bytes = b"fine", *, before: Callable[[], Awaitable[None]] | None = None) -> Any:
    """Return an application that reads the body and says a text."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        del scope
        while (await receive()).get("more_body"):
            pass
        if before is not None:
            await before()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
        await send({"type": "http.response.body", "body": text})

    return app

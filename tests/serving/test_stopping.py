"""A listener that is closed: connections on the way in are not forgotten."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
import uvloop

from leasebook.server import embedded
from leasebook.server.embedded import EmbeddedListener
from tests.raw_connections import raw_connection
from tests.serving.place import GET, answering, listening


def test_nobody_who_is_on_the_way_in_keeps_a_stop_waiting() -> None:
    async def scene() -> None:
        async with listening(answering()) as place:
            callers = [socket.create_connection(("127.0.0.1", place.port)) for _ in range(5)]
            # They are accepted, and become connections at the loop's next turn only: the others have got their notice
            # then.
            place.listener._accept()
            place.listener.close()
            assert place.listener._open == set()
            for caller in callers:
                await asyncio.to_thread(_ended, caller)
            assert place.listener._open == set()

    uvloop.run(asyncio.wait_for(scene(), 60))


async def test_an_embedded_listener_closes_connections_whose_answer_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "CLOSE_S", 0.01)
    asked = asyncio.Event()

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    with socket.create_server(("127.0.0.1", 0)) as door:
        door.setblocking(False)
        listener = EmbeddedListener(app, door)
        async with raw_connection(door.getsockname()[1]) as (reader, writer), asyncio.timeout(10):
            writer.write(GET)
            await asked.wait()
            await listener.close()
            assert await reader.read() == b""


def _ended(caller: socket.socket) -> None:
    with caller:
        caller.settimeout(4)
        assert caller.recv(1) == b""

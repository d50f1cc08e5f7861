"""A listener that is closed: connections on the way in are not forgotten."""

from __future__ import annotations

import asyncio
import socket

import uvloop

from tests.serving.place import answering, listening


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

    uvloop.run(asyncio.wait_for(scene(), 20))


def _ended(caller: socket.socket) -> None:
    with caller:
        caller.settimeout(4)
        assert caller.recv(1) == b""

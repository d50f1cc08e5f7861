"""A body is not read before the application has looked at its head and asks for it."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from leasebook.server.transport.connection import UNASKED_MAX
from leasebook.server.transport.listener import READ_SIZE
from tests.serving.place import answering, listening

SIZE = 16 << 20
"""More than all buffers of the kernel take."""
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


def asking(asked: asyncio.Event, then: Any) -> Any:
    """Return an application that asks for the body when the test lets it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asked.wait()
        await then(scope, receive, send)

    return app


async def poured(port: int, head: bytes) -> tuple[socket.socket, int]:
    """Send a head, and then as much as is taken; returns how much that was."""
    loop = asyncio.get_running_loop()
    caller = socket.socket()
    caller.setblocking(False)
    await loop.sock_connect(caller, ("127.0.0.1", port))
    await loop.sock_sendall(caller, head)
    sent = tries = 0
    while sent < SIZE and tries < 20:
        try:
            sent += caller.send(b"x" * min(65536, SIZE - sent))
            tries = 0
        except BlockingIOError:
            tries += 1
        await asyncio.sleep(0.002)
    return caller, sent


async def test_a_body_that_nobody_has_asked_for_waits_in_the_kernel_and_comes_when_it_is_asked_for() -> None:
    async def scene(head: bytes) -> None:
        asked = asyncio.Event()
        async with listening(asking(asked, answering())) as place:
            caller, sent = await poured(place.port, head)
            (connection,) = place.listener._open
            exchange = connection._exchange
            assert exchange is not None
            assert 0 < len(exchange.body) <= UNASKED_MAX + READ_SIZE
            assert sent < SIZE
            # A caller whose body was not asked for is not too slow.
            await place.pass_s(30)
            assert place.counted.seen == {}
            asked.set()
            caller.setblocking(True)
            await asyncio.to_thread(caller.sendall, b"x" * (SIZE - sent))
            caller.setblocking(False)
            got = await asyncio.get_running_loop().sock_recv(caller, 65536)
            assert got.startswith(b"HTTP/1.1 200")
            caller.close()

    await scene(POST + b"Content-Length: %d\r\n\r\n" % SIZE)


async def test_who_is_refused_by_its_head_is_never_asked_to_send() -> None:
    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async with listening(refusing) as place:
        reader, writer = await place.connected()
        writer.write(POST + b"Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 403")
        assert b"connection: close" in answer
        assert b"100 Continue" not in answer
        # And one that sends all the same is read no further than to the answer.
        reader, writer = await place.connected()
        writer.write(POST + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1000)
        assert b"connection: close" in await reader.read()

"""Connections to replicas that no call uses make room for those that one needs."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from leasebook.gateway.upstream import Upstream
from tests.raw_connections import raw_server


class OpenReplica:
    """Answers, and keeps its connections."""

    def __init__(self) -> None:
        self.open = 0
        self.made = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.made += 1
        try:
            while (await reader.readline()).strip():
                while (await reader.readline()).strip():
                    pass
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        finally:
            self.open -= 1


async def call(upstream: Upstream, port: int) -> None:
    answer = await upstream.ask("GET", f"127.0.0.1:{port}", "/", [], None)
    assert await answer.read() == b"ok"


async def test_what_is_idle_for_longest_is_closed_where_a_call_needs_its_place() -> None:
    upstream = Upstream(connect_s=5, headers_max=8192, connections_max=3)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(upstream.close)
        replicas = [OpenReplica() for _ in range(5)]
        ports = [await stack.enter_async_context(raw_server(replica.serve)) for replica in replicas]
        for port in ports:
            await call(upstream, port)
            await asyncio.sleep(0.02)
            assert sum(replica.open for replica in replicas) <= 3
        assert [replica.open for replica in replicas] == [0, 0, 1, 1, 1]
        # Connections in use by calls are never closed, and kept ones are used again.
        await asyncio.gather(*(call(upstream, port) for port in ports[2:]))
        assert [replica.made for replica in replicas] == [1] * 5
        await upstream.close()
        await asyncio.sleep(0.02)


async def test_without_a_bound_all_are_kept() -> None:
    upstream = Upstream(connect_s=5, headers_max=8192)
    async with AsyncExitStack() as stack:
        replicas = [OpenReplica() for _ in range(4)]
        for replica in replicas:
            await call(upstream, await stack.enter_async_context(raw_server(replica.serve)))
        assert [replica.open for replica in replicas] == [1] * 4
        await upstream.close()
        await asyncio.sleep(0.02)

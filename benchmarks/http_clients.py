"""The cost of one call to a replica: by aiohttp, which the gateway uses, and by httpcore2, which sends webhooks.

Run it as ``python -m benchmarks.http_clients``. A process of its own answers; what counts is the processor time of the
client, which other work on the machine changes little. It adds no line to the history: nothing of ours is measured.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from multiprocessing.connection import Connection

import aiohttp
import httpcore2

CALLS = 3_000
ROUNDS = 5
SMALL = 1_000
LARGE = 64 << 20
"""Bytes of the answers' bodies."""

Ask = Callable[[str], Awaitable[int]]


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError):
        while head := await reader.readuntil(b"\r\n\r\n"):
            size = LARGE if head.startswith(b"GET /large") else SMALL
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n" % size)
            for start in range(0, size, 1 << 16):
                writer.write(bytes(min(1 << 16, size - start)))
                await writer.drain()
    writer.close()


def _serve(pipe: Connection) -> None:
    async def run() -> None:
        server = await asyncio.start_server(_answer, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


async def _spent(ask: Ask, url: str, calls: int, size: int) -> float:
    """Processor time of one call, in seconds."""
    await ask(url)
    began = time.process_time()
    for _ in range(calls):
        assert await ask(url) == size
    return (time.process_time() - began) / calls


async def measure(port: int) -> None:
    base = f"http://127.0.0.1:{port}"
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        httpcore2.AsyncConnectionPool() as pool,
    ):

        async def by_aiohttp(url: str) -> int:
            async with session.get(url) as answer:
                return sum([len(piece) async for piece in answer.content.iter_any()])

        async def by_httpcore(url: str) -> int:
            async with pool.stream("GET", url) as answer:
                return sum([len(piece) async for piece in answer.aiter_stream()])

        asks: dict[str, Ask] = {"aiohttp": by_aiohttp, "httpcore2": by_httpcore}
        for what, path, calls, size in (("1 kB", "/small", CALLS, SMALL), ("64 MiB", "/large", 1, LARGE)):
            best = dict.fromkeys(asks, float("inf"))
            for _ in range(ROUNDS):
                for name, ask in asks.items():
                    best[name] = min(best[name], await _spent(ask, base + path, calls, size))
            shown = ", ".join(f"{name} {seconds * 1e6:,.0f} us" for name, seconds in best.items())
            print(f"{what}: {shown}, ratio {best['httpcore2'] / best['aiohttp']:.2f}")


def main() -> None:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    try:
        asyncio.run(measure(ours.recv()))
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()

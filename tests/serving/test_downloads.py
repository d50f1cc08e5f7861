"""Files on the wire: one that fails on the way has no end, and a caller who leaves ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import uvloop

from leasebook.api.context import Download
from leasebook.api.responses import send_download
from leasebook.batch import Unavailable
from tests.serving.place import GET, listening

PIECE = b"x" * 100_000


def downloading(pieces: Callable[[], AsyncIterator[bytes]]) -> Any:
    """Return an application that answers every request with a file."""

    async def app(_: Any, receive: Any, send: Any) -> None:
        await receive()
        await send_download(send, receive, Download("text/csv", "costs.csv", pieces()), ())

    return app


def test_a_file_that_is_sent_whole_has_an_end_and_one_that_fails_has_none() -> None:
    async def whole() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield PIECE

    async def broken() -> AsyncIterator[bytes]:
        yield PIECE
        raise Unavailable("the disk is gone")

    async def scene() -> None:
        found = []
        for pieces in (whole, broken):
            async with listening(downloading(pieces)) as place:
                reader, writer = await place.connected()
                writer.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                found.append(await reader.read())
        assert found[0].startswith(b"HTTP/1.1 200")
        assert b'content-disposition: attachment; filename="costs.csv"' in found[0]
        assert [answer.count(b"x" * 1000) >= 100 for answer in found] == [True, True]
        assert [answer.endswith(b"\r\n0\r\n\r\n") for answer in found] == [True, False]

    uvloop.run(asyncio.wait_for(scene(), 60))


def test_a_file_ends_when_its_caller_leaves_also_while_the_next_piece_is_made() -> None:
    async def scene() -> None:
        closed = asyncio.Event()

        async def waiting() -> AsyncIterator[bytes]:
            try:
                yield PIECE
                await asyncio.Event().wait()
            finally:
                closed.set()

        async with listening(downloading(waiting)) as place:
            reader, writer = await place.connected()
            writer.write(GET)
            await reader.readexactly(len(PIECE))
            writer.transport.abort()
            await closed.wait()

    uvloop.run(asyncio.wait_for(scene(), 60))


def test_a_caller_who_reads_nothing_keeps_the_next_pieces_from_being_read() -> None:
    async def scene() -> None:
        made, closed = 0, asyncio.Event()

        async def many() -> AsyncIterator[bytes]:
            nonlocal made
            try:
                while True:
                    made += 1
                    yield PIECE
            finally:
                closed.set()

        async with listening(downloading(many)) as place:
            reader, writer = await place.connected()
            writer.write(GET)
            await reader.readexactly(1000)
            before = -1
            while made != before:
                before = made
                await asyncio.sleep(0.1)
            assert made < 200
            await reader.readexactly(100 * len(PIECE))
            assert made > before
            writer.transport.abort()
            # Pieces that are always there must not keep the answer going.
            await closed.wait()

    uvloop.run(asyncio.wait_for(scene(), 60))

"""The body of a request, between the connection that reads it and the application that takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from leasebook.server.transport.request_body import RequestBody


def test_pieces_that_came_before_they_were_taken_are_one() -> None:
    body = RequestBody()
    assert not body.changed
    body.add(b"one ")
    body.add(b"two")
    assert body.changed
    assert len(body) == 7
    assert body.take() == b"one two"
    assert (len(body), body.changed, body.more) == (0, False, True)


def test_the_end_is_news_though_no_byte_comes_with_it() -> None:
    body = RequestBody()
    body.end()
    assert (body.changed, body.more, body.take()) == (True, False, b"")
    assert not body.changed


def test_a_reader_waits_for_a_piece_for_the_end_and_for_the_close() -> None:
    async def scene() -> None:
        body = RequestBody()
        happenings: list[Callable[[], None]] = [lambda: body.add(b"a"), body.end, body.close]
        for happens in happenings:
            waiting = asyncio.create_task(body.wait())
            await asyncio.sleep(0)
            assert not waiting.done()
            happens()
            await asyncio.wait_for(waiting, 30)
        assert body.closed

    asyncio.run(scene())

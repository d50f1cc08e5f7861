"""Where there is no place left, a few seats are for monitors that ask how the server does, and for nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

from leasebook.server.transport.connection_limits import Caps
from tests.serving.place import ListenerHarness, answering, listening

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
OTHER = b"POST /v2/clock HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
SOCKET = (
    b"GET /services/a/ HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: YWJjZGVmZ2hpamtsbW5vcA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def full(seats: int) -> Caps:
    """No places at all."""
    return Caps(0, 0, lambda _: True, seats=seats)


async def asked(place: ListenerHarness, request: bytes, **options: Any) -> bytes:
    reader, writer = await place.connected(**options)
    writer.write(request)
    return await reader.read()


async def test_who_asks_how_the_server_does_is_answered_and_nobody_else() -> None:
    async with listening(answering(), caps=full(3)) as place:
        for path in (b"/healthz", b"/readyz"):
            answer = await asked(place, HEALTH.replace(b"/healthz", path))
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"connection: close" in answer, "a seat is for one question"
        assert place.counted.seen == {}
        for number, request in enumerate((OTHER, SOCKET, HEALTH.replace(b"/healthz", b"/metrics")), start=1):
            answer = await asked(place, request)
            assert answer.startswith(b"HTTP/1.1 503")
            assert b"Overloaded" in answer
            assert b"retry-after: 1" in answer
            assert place.counted.seen == {"total": number}
        await asyncio.sleep(0.02)
        assert not place.listener._seats


async def test_whoever_sits_longest_makes_room_and_an_address_only_for_itself() -> None:
    async with listening(answering(), caps=full(4)) as place:
        quiet = await place.connected(local_addr=("127.0.0.9", 0))
        sitting = [await place.connected(local_addr=("127.0.0.2", 0)) for _ in range(8)]
        for reader, _ in sitting[:5]:
            assert (await reader.read()).startswith(b"HTTP/1.1 503")
        assert place.counted.seen == {"total": 5}
        assert len(place.listener._seats) == 4
        assert len(place.listener._open) == 4, "a caller that was sent away keeps no file"
        # One that was not pushed out is served all the while.
        quiet[1].write(HEALTH)
        assert (await quiet[0].read()).startswith(b"HTTP/1.1 200")
        assert (await asked(place, HEALTH)).startswith(b"HTTP/1.1 200")


async def test_a_listener_without_seats_sends_everybody_away() -> None:
    async with listening(answering(), caps=full(0)) as place:
        reader, _ = await place.connected()
        assert (await reader.read()).startswith(b"HTTP/1.1 503")
        assert place.counted.seen == {"total": 1}


async def test_as_many_as_wait_come_in_within_one_turn_of_the_loop() -> None:
    async with listening(answering()) as place:
        loop = asyncio.get_running_loop()
        loop.remove_reader(place.listener._socket)
        for _ in range(50):
            await place.connected()
        assert not place.listener._coming
        place.listener._accept()
        assert len(place.listener._coming) == 50
        place.listener._listen()
        await asyncio.sleep(0.05)
        assert place.listener._caps.count == 50


async def test_a_crowd_that_comes_in_one_turn_of_the_loop_keeps_no_monitor_out_and_leaves_no_file() -> None:
    async with listening(answering(), caps=full(4)) as place:
        loop = asyncio.get_running_loop()
        loop.remove_reader(place.listener._socket)
        crowd = [await place.connected(local_addr=("127.0.0.2", 0)) for _ in range(20)]
        reader, writer = await place.connected()
        writer.write(HEALTH)
        place.listener._accept()
        place.listener._listen()
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        ended = await asyncio.gather(*(one.read() for one, _ in crowd[:17]), return_exceptions=True)
        assert all(end == b"" or isinstance(end, ConnectionResetError) for end in ended), ended
        assert place.counted.seen == {"total": 17}
        assert len(place.listener._open) == len(place.listener._seats) == 3

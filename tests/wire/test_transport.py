"""An answer's head and body go out together; what stands alone goes out at the end of the turn; nothing is lost."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvloop
from leasehold.cli.transport import JoinedProtocol, JoinedTransport


class Recorded(asyncio.Transport):
    """The transport below: what reaches it, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes | str] = []

    def write(self, data: Any) -> None:
        self.pieces.append(bytes(data))

    def close(self) -> None:
        self.pieces.append("closed")

    def abort(self) -> None:
        self.pieces.append("aborted")

    def get_write_buffer_size(self) -> int:
        return 7


def test_two_writes_of_a_turn_are_one() -> None:
    async def scene() -> None:
        below = Recorded()
        joined = JoinedTransport(below)
        joined.write(b"head")
        assert below.pieces == []
        assert joined.get_write_buffer_size() == 7 + 4
        joined.write(b"body")
        assert below.pieces == [b"headbody"]
        await asyncio.sleep(0)
        assert below.pieces == [b"headbody"]

    asyncio.run(scene())


def test_a_write_alone_goes_out_at_the_end_of_the_turn() -> None:
    async def scene() -> None:
        below = Recorded()
        joined = JoinedTransport(below)
        joined.write(bytearray(b"event"))
        await asyncio.sleep(0)
        assert below.pieces == [b"event"]
        for piece in (b"1", b"2", b"3"):
            joined.write(piece)
        await asyncio.sleep(0)
        assert below.pieces == [b"event", b"12", b"3"]

    asyncio.run(scene())


def test_an_empty_body_sends_the_head() -> None:
    async def scene() -> None:
        below = Recorded()
        joined = JoinedTransport(below)
        joined.write(b"")
        joined.write(b"head")
        joined.write(b"")
        assert below.pieces == [b"head"]

    asyncio.run(scene())


def test_closing_sends_what_is_held_back_first_and_aborting_does_not() -> None:
    async def scene() -> None:
        below = Recorded()
        JoinedTransport(below).write(b"lost")
        joined = JoinedTransport(below)
        joined.write(b"last")
        joined.close()
        joined = JoinedTransport(below)
        joined.write(b"more")
        joined.abort()
        assert below.pieces == [b"last", "closed", "aborted"]
        await asyncio.sleep(0)
        assert below.pieces == [b"last", "closed", "aborted", b"lost"]

    asyncio.run(scene())


def test_a_server_answers_in_one_packet() -> None:
    """Of a socket that keeps packets apart: on it, two writes would be two."""

    async def answered() -> list[bytes]:
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with mine, its:
            mine.setblocking(False)
            below = _OnSocket(its)
            joined = JoinedTransport(below)
            joined.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
            joined.write(b"{}")
            joined.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            loop = asyncio.get_running_loop()
            return [await loop.sock_recv(mine, 1000) for _ in range(2)]

    assert uvloop.run(answered()) == [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ]


class _OnSocket(asyncio.Transport):
    def __init__(self, its: socket.socket) -> None:
        super().__init__()
        self._its = its

    def write(self, data: Any) -> None:
        self._its.sendall(data)


def test_the_server_is_on_it() -> None:
    from leasehold.cli.server import _config
    from leasehold.settings import Settings

    async def app(*_: Any) -> None:
        raise AssertionError

    assert _config(app, Settings()).http is JoinedProtocol  # type: ignore[arg-type]

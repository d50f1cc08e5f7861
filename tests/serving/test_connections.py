"""Connections in one loop: held back bytes, requests handed over, and time limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from leasebook.server.transport.connection_limits import Caps, counted_as
from leasebook.server.transport.exchange import Exchange
from tests.serving.place import GET, answering, listening

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


def play(scene: Callable[[], Awaitable[None]]) -> None:
    uvloop.run(asyncio.wait_for(scene(), 20))


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length")), 0)
    return int(head.split(b" ")[1]), await reader.readexactly(length)


# --- one packet ------------------------------------------------------------------------------------------


class Recorded:
    """The connection below an exchange: what reaches it, piece by piece."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.writable: asyncio.Event | None = None
        self.pieces: list[bytes] = []
        self.ended = 0

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def headers(self) -> list[tuple[bytes, bytes]]:
        return [(b"date", b"now")]

    def wants_more(self) -> None:
        pass

    def ends_soon(self) -> bool:
        return True

    def answered(self) -> None:
        self.ended += 1

    def break_off(self) -> None:
        self.pieces.append(b"broken off")


def exchange(wire: Recorded, *, method: str = "GET", version: str = "1.1") -> Exchange:
    return Exchange(wire, {"method": method, "http_version": version, "path": "/"}, keep_alive=True, expects=False)


def start(*headers: tuple[bytes, bytes], status: int = 200) -> Any:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(text: bytes, *, more: bool = False) -> Any:
    return {"type": "http.response.body", "body": text, "more_body": more}


def test_head_and_body_go_out_in_one_piece_and_a_head_alone_at_the_end_of_the_turn() -> None:
    async def scene() -> None:
        wire = Recorded()
        one = exchange(wire)
        await one.send(start((b"Content-Length", b"2")))
        assert wire.pieces == []
        await one.send(body(b"{}"))
        assert wire.pieces == [b"HTTP/1.1 200 OK\r\ndate: now\r\nContent-Length: 2\r\n\r\n{}"]
        assert wire.ended == 1
        await asyncio.sleep(0)
        assert len(wire.pieces) == 1
        two = exchange(wire)
        await two.send(start())
        await asyncio.sleep(0)
        assert wire.pieces[1] == b"HTTP/1.1 200 OK\r\ndate: now\r\ntransfer-encoding: chunked\r\n\r\n"
        await two.send(body(b"event", more=True))
        await two.send(body(b""))
        assert wire.pieces[2:] == [b"5\r\nevent\r\n", b"0\r\n\r\n"]

    play(scene)


def test_an_answer_without_a_body_has_none_whatever_is_said() -> None:
    async def scene() -> None:
        for asked in (exchange(wire := Recorded(), method="HEAD"), exchange(wire)):
            await asked.send(start((b"content-length", b"9"), status=304))
            await asked.send(body(b"unwanted"))
            assert wire.pieces[-1].endswith(b"content-length: 9\r\n\r\n")

    play(scene)


def test_an_answer_of_unknown_length_over_http_1_0_ends_with_its_connection() -> None:
    async def scene() -> None:
        wire = Recorded()
        one = exchange(wire, version="1.0")
        one.keep_alive = False
        await one.send(start())
        await one.send(body(b"all", more=True))
        await one.send(body(b" of it"))
        assert b"".join(wire.pieces) == b"HTTP/1.1 200 OK\r\ndate: now\r\nconnection: close\r\n\r\nall of it"

    play(scene)


@pytest.mark.parametrize(
    "message",
    [
        start((b"x", b"a\r\nset-cookie: b")),
        start((b"x", b"a\nb")),
        start((b"x", b"a\0")),
        start((b"x: y\r\nz", b"a")),
        start((b"", b"a")),
        start(status=99),
        start(status=600),
        body(b"first"),
    ],
)
def test_an_answer_that_cannot_be_written_becomes_an_error_of_ours(message: Any) -> None:
    async def scene() -> None:
        wire = Recorded()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            del scope, receive
            await send(message)

        await exchange(wire).run(app)
        assert wire.pieces[0].startswith(b"HTTP/1.1 500 ")
        assert b"set-cookie" not in wire.pieces[0]
        assert b"x-bce-error-message: Something went wrong here.\r\n" in wire.pieces[0]

    play(scene)


def test_an_answer_that_fails_on_the_way_is_broken_off() -> None:
    async def scene() -> None:
        wire = Recorded()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            del scope, receive
            await send(start((b"content-length", b"9")))
            await send(body(b"too", more=True))
            raise RuntimeError

        await exchange(wire).run(app)
        assert wire.pieces[-1] == b"broken off"

    play(scene)


# --- reading ---------------------------------------------------------------------------------------------


def test_what_comes_while_a_request_is_answered_waits_in_the_kernel() -> None:
    async def scene() -> None:
        gate, asked = asyncio.Event(), 0

        async def wait() -> None:
            nonlocal asked
            asked += 1
            await gate.wait()

        async with listening(answering(before=wait)) as place:
            reader, writer = await place.connected()
            writer.write(GET * 3_000)
            await asyncio.sleep(0.1)
            (connection,) = place.listener._open
            assert asked == 1
            assert connection._paused
            assert len(connection._unread) <= 2 * len(place.listener.buffer)
            gate.set()
            for _ in range(3_000):
                assert await answer_of(reader) == (200, b"fine")
            writer.close()

    play(scene)


def test_a_body_that_nobody_reads_waits_in_the_kernel() -> None:
    async def scene() -> None:
        gate = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await gate.wait()
            await answering()(scope, receive, send)

        async with listening(app) as place:
            reader, writer = await place.connected()
            writer.write(POST + b"Content-Length: 8000000\r\n\r\n" + b"x" * 8_000_000)
            await asyncio.sleep(0.1)
            (connection,) = place.listener._open
            assert connection._exchange is not None
            assert len(connection._exchange.body) < 100_000
            # While we do not read, no caller is to blame for being slow.
            await place.pass_s(100)
            gate.set()
            assert await answer_of(reader) == (200, b"fine")
            writer.close()

    play(scene)


def test_a_caller_that_hangs_up_is_noticed_while_it_is_answered() -> None:
    async def scene() -> None:
        told = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            del scope, send
            while (await receive())["type"] != "http.disconnect":
                pass
            told.set()

        async with listening(app) as place:
            _, writer = await place.connected()
            writer.write(GET)
            await asyncio.sleep(0.05)
            writer.close()
            await told.wait()

    play(scene)


# --- time ------------------------------------------------------------------------------------------------


def test_time_runs_as_it_is_said() -> None:
    async def scene() -> None:
        async with listening(answering()) as place:
            silent, idle = await place.connected(), await place.connected()
            idle[1].write(GET)
            assert (await answer_of(idle[0]))[0] == 200
            await place.pass_s(9)
            assert place.counted.seen == {}
            await place.pass_s(2)
            assert place.counted.seen == {"head": 1}
            assert await silent[0].read() == b""
            await place.pass_s(62)
            assert place.counted.seen == {"head": 1}
            await place.pass_s(4)
            assert place.counted.seen == {"head": 1, "idle": 1}
            assert await idle[0].read() == b""

    play(scene)


def test_the_next_request_has_its_time_from_its_first_byte_and_an_empty_line_is_none() -> None:
    async def scene() -> None:
        async with listening(answering()) as place:
            reader, writer = await place.connected()
            writer.write(GET)
            assert (await answer_of(reader))[0] == 200
            await place.pass_s(40)
            writer.write(b"\r\n")
            await place.pass_s(20)
            writer.write(b"GET")
            await place.pass_s(9)
            assert place.counted.seen == {}
            await place.pass_s(2)
            assert (await answer_of(reader))[0] == 408
            assert place.counted.seen == {"head": 1}

    play(scene)


def test_who_works_on_an_answer_is_given_all_time() -> None:
    async def scene() -> None:
        gate = asyncio.Event()

        async def wait() -> None:
            await gate.wait()

        async with listening(answering(before=wait)) as place:
            reader, writer = await place.connected()
            writer.write(GET)
            await place.pass_s(3600)
            gate.set()
            assert (await answer_of(reader))[0] == 200
            assert place.counted.seen == {}
            writer.close()

    play(scene)


def test_a_caller_that_takes_nothing_is_cut_off_and_one_that_takes_a_little_is_not() -> None:
    async def scene() -> None:
        async with listening(answering(b"x" * 40_000_000)) as place:
            taker, other = await place.connected(limit=4096), await place.connected(limit=4096)
            for _, writer in (taker, other):
                writer.write(GET)
            await asyncio.sleep(0.1)
            for _ in range(3):
                await place.pass_s(40)
                await taker[0].readexactly(5_000_000)
                await asyncio.sleep(0.05)
            assert place.counted.seen == {"write": 1}
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await other[0].readexactly(40_000_000)

    play(scene)


# --- WebSockets ------------------------------------------------------------------------------------------


class Spoken(asyncio.Protocol):
    """Takes the place of uvicorn's protocol for WebSockets: sends back its input."""

    made: list[Spoken] = []  # noqa: RUF012 - emptied by the test

    def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
        assert config.loaded
        assert app_state == {}
        self.connections = server_state.connections
        self.heard = b""
        self.lost = False
        self.made.append(self)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.connections.add(self)
        assert transport.get_extra_info("peername")

    def data_received(self, data: bytes) -> None:
        self.heard += data
        if data.endswith(b"?"):
            self.transport.pause_reading()
            self.transport.write(b"!" * 10)
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.connections.discard(self)
        self.lost = True

    def shutdown(self) -> None:
        self.transport.close()


UPGRADE = GET.replace(b"/ ", b"/chat?a=b ")[:-2] + b"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n"


def test_a_websocket_is_handed_over_and_still_counted() -> None:
    async def scene() -> None:
        Spoken.made.clear()
        caps = Caps(10, None, lambda _: False)
        async with listening(answering(), ws=Spoken, caps=caps) as place:
            reader, writer = await place.connected()
            writer.write(GET + UPGRADE + b"early?")
            assert (await answer_of(reader))[0] == 200
            assert await reader.readexactly(10) == b"!" * 10
            (spoken,) = Spoken.made
            assert spoken.heard == (
                b"GET /chat?a=b HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\n"
                b"upgrade: WebSocket\r\n\r\nearly?"
            )
            assert place.listener.state.connections == {spoken}
            await place.pass_s(3600)
            assert caps.count == 1
            writer.write(b"late?")
            assert await reader.readexactly(10) == b"!" * 10
            writer.close()
            await asyncio.sleep(0.05)
            assert spoken.lost
            assert caps.count == 0
            assert place.listener.state.connections == set()

    play(scene)


@pytest.mark.parametrize(
    "asked",
    [
        UPGRADE.replace(b"GET", b"POST"),
        UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0"),
        UPGRADE.replace(b"WebSocket", b"h2c"),
        UPGRADE.replace(b", Upgrade", b""),
        UPGRADE[:-2] + b"Content-Length: 1\r\n\r\nx",
        UPGRADE[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_only_looks_like_one_is_a_plain_request(asked: bytes) -> None:
    async def scene() -> None:
        Spoken.made.clear()
        async with listening(answering(), ws=Spoken) as place:
            reader, writer = await place.connected()
            writer.write(asked)
            assert (await answer_of(reader))[0] == 200
            assert Spoken.made == []
            writer.close()

    play(scene)


# --- who is let in ---------------------------------------------------------------------------------------


def test_an_address_has_its_bound_and_the_last_places_are_for_those_who_have_few() -> None:
    caps = Caps(80, 40, lambda host: host == "10.0.0.1")
    assert [caps.enter("10.0.0.2")[1] for _ in range(41)] == [None] * 40 + ["address"]
    assert [caps.enter("10.0.0.3")[1] for _ in range(31)] == [None] * 30 + ["total"]
    assert [caps.enter("10.0.0.4")[1] for _ in range(5)] == [None] * 4 + ["total"]
    assert [caps.enter("10.0.0.1")[1] for _ in range(7)] == [None] * 6 + ["total"]
    caps.leave("10.0.0.3")
    assert caps.enter("10.0.0.5")[1] is None
    assert caps.count == 80


def test_a_proxy_that_is_trusted_speaks_for_many() -> None:
    caps = Caps(80, 4, lambda host: host == "10.0.0.1")
    assert [caps.enter("10.0.0.1")[1] for _ in range(81)] == [None] * 80 + ["total"]


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_an_address_is_counted_as_what_one_caller_has(host: str, counted: str) -> None:
    assert counted_as(host) == counted


def test_an_address_has_at_most_half_of_them() -> None:
    assert Caps(384, None, lambda _: False).per_address == 192
    assert Caps(10_000, None, lambda _: False).per_address == 1024


def test_who_is_not_let_in_gets_an_answer_and_is_counted() -> None:
    async def scene() -> None:
        async with listening(answering(), caps=Caps(1, None, lambda _: False)) as place:
            first, second = await place.connected(), await place.connected()
            second[1].write(GET)
            assert (await answer_of(second[0]))[0] == 503
            assert place.counted.seen == {"total": 1}
            first[1].write(GET)
            assert (await answer_of(first[0]))[0] == 200
            first[1].close()
            await asyncio.sleep(0.05)
            third = await place.connected()
            third[1].write(GET)
            assert (await answer_of(third[0]))[0] == 200

    play(scene)


def test_a_process_without_files_waits_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from leasebook.server.transport import listener

    monkeypatch.setattr(listener, "REST_S", 0.05)

    async def scene() -> None:
        async with listening(answering()) as place:
            real, failures = place.listener._socket, 2

            class Full:
                """A socket on a process that has no file left, twice."""

                def fileno(self) -> int:
                    return real.fileno()

                def accept(self) -> Any:
                    nonlocal failures
                    if failures:
                        failures -= 1
                        raise OSError(errno.EMFILE, "Too many open files")
                    return real.accept()

            place.listener._socket = Full()  # type: ignore[assignment]
            reader, writer = await place.connected()
            writer.write(GET)
            assert (await answer_of(reader))[0] == 200
            assert place.counted.seen == {"files": 2}
            writer.close()

    play(scene)

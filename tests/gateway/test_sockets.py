"""WebSockets through the gateway: real clients, real servers, and replicas that keep to nothing."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError, web

from leasebook.gateway.websocket.frames import close_frame
from leasebook.gateway.websocket.handshake import accept_of
from tests.gateway.scene import BOUND_S, SERVICE, UNITS, GatewayHarness, an_office, bound, echo, raw, served, until
from tests.raw_connections import raw_connection

KEY = base64.b64encode(b"0123456789abcdef").decode()


@contextlib.asynccontextmanager
async def talking(talk: Any, **settings: Any) -> AsyncIterator[str]:
    """Serve WebSockets with a server that is none of ours; yields its address."""

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(**{"max_msg_size": 64 << 20, **settings})
        await socket.prepare(request)
        await talk(socket, request)
        return socket

    app = web.Application()
    app.router.add_get("/{rest:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    listener = bound()
    await web.SockSite(runner, listener).start()
    try:
        yield "{}:{}".format(*listener.getsockname())
    finally:
        await runner.cleanup()


async def echoing(socket: web.WebSocketResponse, _request: web.Request) -> None:
    """Send every message back."""
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await socket.send_bytes(message.data)


def opened(office: GatewayHarness, rest: str = "/", **more: Any) -> Any:
    """Open a WebSocket to the service with its key."""
    headers = {"Authorization": f"Bearer {more.pop('key', office.key)}", **more.pop("headers", {})}
    return office.http.ws_connect(office.url(rest), headers=headers, max_msg_size=64 << 20, **more)


async def close_of(socket: Any) -> tuple[int | None, str]:
    """Read to the close; returns its code and its reason."""
    async with asyncio.timeout(BOUND_S):
        while (message := await socket.receive()).type not in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR):
            pass
    return socket.close_code, str(message.extra or "")


async def metric(office: GatewayHarness, line: str) -> float:
    """Read a line of the metrics."""
    page = (await office.desk.send("/metrics", "", b"", method="GET")).body
    return float(next((one.split()[-1] for one in page.splitlines() if one.startswith(line + " ")), "0"))


async def settled(office: GatewayHarness, line: str, value: float) -> None:
    """Wait until a line of the metrics has a value: an end may take its time to hang up."""
    async with asyncio.timeout(BOUND_S):
        while await metric(office, line) != value:  # noqa: ASYNC110 - the condition has no event
            await asyncio.sleep(0.01)


# --- what passes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [0, 15])
async def test_messages_pass_both_ways_as_they_are_and_the_socket_counts_as_one_call(
    tmp_path: Path, compress: int
) -> None:
    asked: list[web.Request] = []
    codes: list[int | None] = []

    async def talk(socket: web.WebSocketResponse, request: web.Request) -> None:
        asked.append(request)
        await echoing(socket, request)
        codes.append(socket.close_code)

    async with an_office(tmp_path) as office, talking(talk, protocols=["b"]) as replica:
        office.replicas(replica)
        headers = {"X-Mine": "1", "X-Forwarded-For": "192.0.2.1"}
        async with opened(office, "/a%2Fb?c=d", protocols=["a", "b"], compress=compress, headers=headers) as socket:
            assert socket.protocol == "b"
            assert bool(socket.compress) is bool(compress)
            for size in (0, 1, 125, 126, 65_535, 65_536, 1_000_000):
                await socket.send_bytes(os.urandom(size // 2) + bytes(size - size // 2))
                assert len((await socket.receive()).data) == size
            await socket.send_str("grüß")
            assert (await socket.receive()).data == "grüß"
            await socket.ping(b"x")
            assert await metric(office, "leasebook_gateway_websockets") == 1
            await socket.close(code=4001, message=b"enough")
        await until(lambda: codes)
        assert codes == [4001]
        found = asked[0]
        assert (found.raw_path, found.headers["X-Mine"]) == ("/a%2Fb?c=d", "1")
        assert found.headers["X-Forwarded-For"] == "192.0.2.1, 127.0.0.1"
        assert found.headers["X-Forwarded-Proto"] == "http"
        assert "Authorization" not in found.headers
        assert (await office.counted(1))["succeedCallTotal"] == 1
        await settled(office, "leasebook_gateway_websockets", 0)
        assert await metric(office, 'leasebook_gateway_websockets_ended_total{why="closed"}') == 1
        assert await metric(office, "leasebook_gateway_calls_in_flight") == 0


async def test_what_a_replica_sends_right_behind_its_answer_arrives_and_so_does_its_close(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, agreeing(b"\x81\x02hi" + close_frame(4002, "done", None)) as replica:
        office.replicas(replica)
        async with opened(office) as socket:
            assert (await socket.receive()).data == "hi"
            assert await close_of(socket) == (4002, "done")
        assert (await office.counted(1))["succeedCallTotal"] == 1


def agreeing(more: bytes, *, headers: bytes | None = None, then: asyncio.Event | None = None) -> Any:
    """Make a replica that agrees to a WebSocket, writes those bytes, and waits for the end or an event."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key"))
        said = (
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ACCEPT\r\n"
            if headers is None
            else headers
        )
        said = said.replace(b"ACCEPT", accept_of(key))
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\n" + said + b"\r\n" + more)
        await (reader.read() if then is None else then.wait())

    return raw(handle)


# --- the agreement ---------------------------------------------------------------------------------------

_UP = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
_YES = _UP + b"Sec-WebSocket-Accept: ACCEPT\r\n"
DISAGREEING = {
    "no proof": _UP,
    "a wrong proof": _UP + b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
    "two proofs": _YES + b"Sec-WebSocket-Accept: ACCEPT\r\n",
    "another protocol": _YES.replace(b"websocket", b"h2c"),
    "two protocols": _YES + b"Upgrade: h2c\r\n",
    "no Connection": _YES.replace(b"Connection: Upgrade\r\n", b""),
    "a subprotocol nobody offered": _YES + b"Sec-WebSocket-Protocol: b\r\n",
    "an extension nobody offered": _YES + b"Sec-WebSocket-Extensions: x-mux\r\n",
    "a control character": _YES + b"X-A: a\x1bb\r\n",
    "too many headers": _YES + b"".join(b"X-%d: a\r\n" % number for number in range(101)),
    "two lengths": _YES + b"Content-Length: 1\r\nContent-Length: 2\r\n",
}


async def test_a_replica_that_does_not_really_agree_is_502(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office:
        wrong = []
        for name, headers in DISAGREEING.items():
            async with agreeing(b"", headers=headers) as replica:
                await office.moved(replica)
                status, said = await asked(office, UPGRADE)
                if (status, said.get("code")) != (502, "ReplicaFailed"):
                    wrong.append((name, status, said))
        assert not wrong, wrong


UPGRADE = f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"


async def asked(
    office: GatewayHarness, headers: str, *, method: str = "GET", path: str = "/services/echo/"
) -> tuple[int, Any]:
    """Ask over a bare socket; returns the status and what was said."""
    head = f"{method} {path} HTTP/1.1\r\nHost: {office.base}\r\nAuthorization: Bearer {office.key}\r\n{headers}\r\n"
    async with raw_connection(office.base) as (reader, writer), asyncio.timeout(BOUND_S):
        writer.write(head.encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        body = b"" if head.startswith("HTTP/1.1 101") else await reader.read()
    assert head.lower().count("date:") == 1
    with contextlib.suppress(ValueError):
        return int(head.split(" ")[1]), json.loads(body)
    return int(head.split(" ")[1]), body.decode()


async def test_only_what_is_a_handshake_is_taken_for_one(tmp_path: Path) -> None:
    bad = {
        "another version": UPGRADE.replace("13", "8"),
        "no version": UPGRADE.replace("Sec-WebSocket-Version: 13\r\n", ""),
        "no key": UPGRADE.replace(f"Sec-WebSocket-Key: {KEY}\r\n", ""),
        "a short key": UPGRADE.replace(KEY, "eA=="),
        "two keys": UPGRADE + f"Sec-WebSocket-Key: {KEY}\r\n",
        "a body": UPGRADE + "Content-Length: 5\r\n",
        "a strange subprotocol": UPGRADE + "Sec-WebSocket-Protocol: a b\r\n",
    }
    async with an_office(tmp_path) as office, talking(echoing) as replica:
        office.replicas(replica)
        for name, headers in bad.items():
            status, said = await asked(office, headers)
            assert (status, said["code"]) == (400, "InvalidHandshake"), name
        status, said = await asked(office, UPGRADE, method="POST")
        assert (status, said["code"]) == (400, "InvalidHandshake")
        status, said = await asked(office, UPGRADE.replace("Connection: Upgrade\r\n", "Connection: close\r\n"))
        assert (status, said["code"]) == (501, "UpgradeNotSupported")
        status, said = await asked(office, UPGRADE.replace("websocket", "h2c") + "Connection: close\r\n")
        assert status != 101
        for method in ("CONNECT", "TRACE"):
            status, said = await asked(office, "Connection: close\r\n", method=method)
            assert (status, said["code"]) == (400, "InvalidHTTPRequest"), method
        status, said = await asked(office, UPGRADE, path="/v2/computeunit?Action=DescribeComputeUnits")
        assert (status, said) == (403, "WebSockets are passed on at /services/NAME/... only.\n")
        office.key = "lsk-none"
        status, said = await asked(office, UPGRADE)
        assert (status, said["code"]) == (401, "InvalidServiceKey")


async def test_a_replica_that_speaks_no_websocket_answers_as_to_any_get(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        status, said = await asked(office, UPGRADE)
        assert (status, said["method"]) == (200, "GET")


# --- ends ------------------------------------------------------------------------------------------------


async def test_a_websocket_on_a_path_of_models_reaches_no_service(tmp_path: Path) -> None:
    async with an_office(tmp_path, prefix="/x") as office:
        headers = {"Authorization": f"Bearer {office.key}"}
        # Each name is what follows ten characters, the length of /services/.
        for name, path in (
            ("ompletions", "/v2/chat/completions"),
            ("etions", "/v2/completions"),
            ("ls", "/x/v2/models/echo"),
        ):
            body = {"name": name, "urlSuffix": name, "modelSetId": "am-0", "modelId": "amv-0"}
            await office.do("/x" + SERVICE, "CreateService", {**body, "resourceConfig": {"type": "GPU-1-1"}})
            with pytest.raises(WSServerHandshakeError) as refused:
                await office.http.ws_connect(f"http://{office.base}{path}", headers=headers)
            assert refused.value.status == 404, path


async def test_a_caller_who_hangs_up_without_a_word_takes_the_replicas_socket_along(tmp_path: Path) -> None:
    codes: list[int | None] = []

    async def talk(socket: web.WebSocketResponse, request: web.Request) -> None:
        await echoing(socket, request)
        codes.append(socket.close_code)

    async with an_office(tmp_path) as office, talking(talk) as replica:
        office.replicas(replica)
        async with opened(office) as socket:
            await socket.send_str("x")
            await socket.receive()
            socket._writer.transport.abort()
        await until(lambda: codes)
        assert codes == [1001]
        assert (await office.counted(1))["failureCallTotal"] == 1


@pytest.mark.parametrize(("sent", "code"), [(b"\x81\x02hi", 1014), (b"\x81\x05hi", 1006), (b"\x81", 1014)])
async def test_a_replica_that_hangs_up_is_distinguished_from_one_that_closes(
    tmp_path: Path, sent: bytes, code: int
) -> None:
    go = asyncio.Event()
    async with an_office(tmp_path) as office, agreeing(sent, then=go) as replica:
        office.replicas(replica)
        async with opened(office) as socket:
            go.set()
            assert (await close_of(socket))[0] == code
        assert (await office.counted(1))["failureCallTotal"] == 1
        assert await metric(office, 'leasebook_gateway_websockets_ended_total{why="replica_gone"}') == 1


async def test_a_message_that_is_too_long_closes_the_socket_whoever_sends_it_and_in_however_many_frames(
    tmp_path: Path,
) -> None:
    codes: list[int | None] = []

    async def talk(socket: web.WebSocketResponse, request: web.Request) -> None:
        if request.path == "/big":
            await socket.send_bytes(bytes(2049))
        await echoing(socket, request)
        codes.append(socket.close_code)

    async with an_office(tmp_path, socket_message_max_bytes="2048") as office, talking(talk) as replica:
        office.replicas(replica)
        async with opened(office) as socket:
            await socket.send_bytes(bytes(2048))
            assert len((await socket.receive()).data) == 2048
            await socket.send_bytes(bytes(2049))
            assert await close_of(socket) == (1009, "a message has at most 2048 bytes")
        async with opened(office) as socket:
            for _ in range(3):
                await socket._writer.send_frame(bytes(1000), WSMsgType.BINARY)
            assert len((await socket.receive()).data) == 1000
            mask = bytes(4)
            socket._writer.transport.write(b"\x02\xfe\x05\x00" + mask + bytes(1280))
            socket._writer.transport.write(b"\x80\xfe\x05\x00" + mask + bytes(1280))
            assert (await close_of(socket))[0] == 1009
        async with opened(office, "/big") as socket:
            assert (await close_of(socket))[0] == 1009
        await until(lambda: len(codes) == 3)
        assert codes == [1009, 1009, 1009]
        await settled(office, 'leasebook_gateway_websockets_ended_total{why="too_big"}', 3)


async def test_frames_against_the_protocol_close_the_socket(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office:
        async with talking(echoing) as replica:
            await office.moved(replica)
            async with opened(office) as socket:
                socket._writer.transport.write(b"\x81\x02hi")
                assert (await close_of(socket))[0] == 1002
        for wrong in (
            b"\x81\x82" + bytes(6),
            b"\x83\x00",
            b"\xc1\x00",
            b"\x80\x00",
            b"\x09\x00",
            b"\x89\x7e\x00\x7e",
        ):
            async with agreeing(wrong) as replica:
                await office.moved(replica)
                async with opened(office) as socket:
                    assert (await close_of(socket))[0] == 1014, wrong
        await settled(office, 'leasebook_gateway_websockets_ended_total{why="protocol"}', 7)


async def test_a_socket_on_which_nothing_passes_is_closed(tmp_path: Path) -> None:
    async with an_office(tmp_path, socket_idle_seconds="1") as office, talking(echoing) as replica:
        office.replicas(replica)
        async with opened(office) as socket:
            assert await close_of(socket) == (1001, "nothing has passed for too long")


async def test_a_socket_whose_replica_takes_nothing_any_more_is_cut(tmp_path: Path) -> None:
    go = asyncio.Event()
    async with an_office(tmp_path, socket_idle_seconds="1") as office, agreeing(b"", then=go) as replica:
        office.replicas(replica)
        async with opened(office) as socket:
            ended = asyncio.create_task(close_of(socket))
            frame = b"\x82\xfe\xff\xff" + bytes(4) + bytes(65_535)
            while not ended.done():
                socket._writer.transport.write(frame)
                await asyncio.sleep(0.001)
            assert await ended == (1001, "what was sent has not been taken for too long")
        await settled(office, "leasebook_gateway_websockets", 0)
        go.set()


@pytest.mark.parametrize("way", ["up", "down"])
async def test_an_end_that_does_not_read_makes_the_other_wait(tmp_path: Path, way: str) -> None:
    sent = 0
    read = asyncio.Event()

    async def pour(socket: Any) -> None:
        nonlocal sent
        for _ in range(64):
            await socket.send_bytes(bytes(1 << 20))
            sent += 1

    async def take(socket: Any) -> int:
        await read.wait()
        return sum([len((await socket.receive()).data) for _ in range(64)])

    async def talk(socket: web.WebSocketResponse, _request: web.Request) -> None:
        took.set_result(await take(socket)) if way == "up" else await pour(socket)

    took: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with an_office(tmp_path) as office, talking(talk, compress=False) as replica:
        office.replicas(replica)
        async with opened(office) as socket:
            mine = asyncio.create_task(pour(socket) if way == "up" else take(socket))
            await at_rest(lambda: sent)
            assert 0 < sent < 40
            read.set()
            result = await mine
            assert (await took if way == "up" else result) == 64 << 20


async def at_rest(number: Any) -> None:
    """Wait until a number that has risen has not changed for a while."""
    seen, same = number(), 0
    async with asyncio.timeout(BOUND_S):
        while same < 30:
            await asyncio.sleep(0.01)
            same = same + 1 if number() == seen and seen else 0
            seen = number()


# --- who may, and for how long ---------------------------------------------------------------------------


async def test_an_open_socket_is_a_call_of_its_replica_and_a_key_and_an_account_have_so_many(tmp_path: Path) -> None:
    bounds: Any = {"concurrency_max": "3", "sockets_per_key_max": "2", "sockets_per_account_max": "3"}
    async with an_office(tmp_path, **bounds) as office, talking(echoing) as replica:
        office.replicas(replica)
        keys = [(await office.do(SERVICE, "CreateServiceKey", {"name": f"k{n}"}))["key"] for n in range(2)]
        async with opened(office), opened(office):
            status, said = await asked(office, UPGRADE)
            assert (status, said["code"]) == (429, "TooManyWebSockets")
            async with opened(office, key=keys[0]):
                office.key, mine = keys[1], office.key
                status, said = await asked(office, UPGRADE)
                assert (status, said["code"]) == (429, "TooManyWebSockets")
                assert "account" in said["message"]
                status, said = await office.said()
                assert (status, said["code"]) == (503, "Overloaded")
                office.key = mine
        await settled(office, "leasebook_gateway_websockets", 0)
        async with opened(office):
            assert (await asked(office, UPGRADE))[0] == 101


@pytest.mark.parametrize("how", ["key", "off", "released"])
async def test_a_socket_ends_with_its_key_and_with_its_service(tmp_path: Path, how: str) -> None:
    async with an_office(tmp_path) as office, talking(echoing) as replica:
        office.replicas(replica)
        made = await office.do(SERVICE, "CreateServiceKey", {"name": "spare"})
        async with opened(office, key=made["key"]) as socket, opened(office) as other:
            if how == "key":
                await office.do(SERVICE, "DeleteServiceKey", {"keyId": made["keyId"]})
                assert await close_of(socket) == (1008, "the key was deleted")
                await other.send_str("still here")
                assert (await other.receive()).data == "still here"
            elif how == "off":
                await office.do(SERVICE, "DeactivateService", {"serviceId": office.service})
                assert await close_of(socket) == (1001, "the service takes no calls any more")
            else:
                await office.do(UNITS, "ReleaseComputeUnit", {"instanceId": office.unit})
                assert (await close_of(socket))[0] == 1001

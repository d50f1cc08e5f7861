"""Bytes that pass through the gateway unchanged, on kept connections: bare sockets on both sides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from leasebook.gateway import upstream
from tests.gateway.scene import GatewayHarness, an_office, raw
from tests.serving.place import listening

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
WITHIN_S = 15


class ScriptedReplica:
    """Keeps its connections, and what it was asked on each. It answers as the path says, by ``answers``."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self.answers = answers
        self.heads: list[bytes] = []
        self.connections: list[list[bytes]] = []
        self.hangs_up = False
        """Whether it reads one more request, and closes the connection instead of answering it."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked: list[bytes] = []
        self.connections.append(asked)
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length: "):
                    await reader.readexactly(int(line.partition(b": ")[2]))
            asked.append(head.partition(b"\r\n")[0])
            self.heads.append(head)
            answer = self.answers.get(head.split(b" ")[1], OK)
            if self.hangs_up:
                self.hangs_up = False
                return
            writer.write(answer)
            await writer.drain()


@asynccontextmanager
async def stood(
    tmp_path: Path, answers: dict[bytes, bytes] | None = None
) -> AsyncIterator[tuple[GatewayHarness, ScriptedReplica, Callable[..., Any]]]:
    """Run a service behind our own connections, with one replica; yields it and what connects to it."""
    replica = ScriptedReplica(answers or {})
    async with (
        an_office(tmp_path) as office,
        raw(replica.serve) as address,
        listening(office.desk.service.app) as place,
    ):
        office.replicas(address)
        yield office, replica, place.connected


def head(office: GatewayHarness, method: str, path: str, *, version: str = "1.1", more: bytes = b"") -> bytes:
    first = f"{method} /services/echo{path} HTTP/{version}\r\nHost: leasebook.test\r\n"
    return f"{first}Authorization: Bearer {office.key}\r\n".encode() + more + b"\r\n"


async def answered(reader: asyncio.StreamReader, *, body: int) -> bytes:
    """Read one answer and ``body`` bytes of its body; further bytes would be taken for the next."""
    async with asyncio.timeout(WITHIN_S):
        return await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(body)


BODILESS = {
    ("GET", "/304"): b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: x\r\n\r\n",
    ("GET", "/304-chunked"): b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\nETag: x\r\n\r\n",
    ("GET", "/204"): b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    ("DELETE", "/204-bare"): b"HTTP/1.1 204 No Content\r\n\r\n",
    ("HEAD", "/head"): b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n",
    ("HEAD", "/head-chunked"): b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ("HEAD", "/head-304"): b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n",
    (
        "GET",
        "/103",
    ): b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
}


async def test_answers_without_a_body_keep_the_callers_connection_and_are_no_failures(tmp_path: Path) -> None:
    answers = {path.encode(): answer for (_, path), answer in BODILESS.items()}
    async with stood(tmp_path, answers) as (office, _, connected):
        reader, writer = await connected()
        for method, path in BODILESS:
            writer.write(head(office, method, path))
            got = await answered(reader, body=0)
            assert b"transfer-encoding" not in got or method == "HEAD", (path, got)
            assert b"connection: close" not in got.lower(), (path, got)
            if path == "/304":
                # The length that a 200 would have had is passed on as the replica gave it.
                assert b"content-length: 1234\r\n" in got
            if path.startswith("/204"):
                assert b"content-length" not in got
            # On the same connection, and nothing of the last answer before it.
            writer.write(head(office, "GET", "/"))
            assert (await answered(reader, body=2)).startswith(b"HTTP/1.1 200 OK\r\n"), path
        metric = await office.counted(2 * len(BODILESS))
        assert (metric["succeedCallTotal"], metric["failureCallTotal"]) == (2 * len(BODILESS), 0)


async def test_who_speaks_the_old_http_gets_no_chunks(tmp_path: Path) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"
    async with stood(tmp_path, {b"/stream": chunked}) as (office, _, connected):
        for more in (b"", b"Connection: keep-alive\r\n"):
            reader, writer = await connected()
            writer.write(head(office, "GET", "/stream", version="1.0", more=more))
            async with asyncio.timeout(WITHIN_S):
                top, _, body = (await reader.read()).partition(b"\r\n\r\n")
            assert body == b"helloworld"
            assert b"chunked" not in top.lower()
            assert b"connection: close" in top.lower()


VALUES = {
    b"x-latin": b"caf\xe9",
    b"x-utf": "caf\u00e9 \u4e2d".encode(),
    b"x-mixed": b"\xff\xc3\xa9\x80 \xed\xa0\x80",
    b"x-tab": b"a\tb",
}


async def test_header_values_pass_unchanged_both_ways_whatever_their_bytes(tmp_path: Path) -> None:
    lines = b"".join(b"%b: %b\r\n" % pair for pair in VALUES.items())
    answer = b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: 2\r\n\r\nhi"
    async with stood(tmp_path, {b"/": answer}) as (office, replica, connected):
        reader, writer = await connected()
        for method, more in (("GET", b""), ("POST", b"Content-Length: 2\r\n")):
            forwarded = b"X-Forwarded-For: caf\xe9\r\n"
            request = head(office, method, "/", more=lines + more + forwarded)
            writer.write(request + (b"ab" if more else b""))
            got = await answered(reader, body=2)
            seen = dict(line.partition(b": ")[::2] for line in replica.heads[-1].split(b"\r\n")[1:] if line)
            back = dict(line.partition(b": ")[::2] for line in got.split(b"\r\n")[1:] if line)
            for name, value in VALUES.items():
                assert seen[name] == value, (method, name)
                assert back[name] == value, (method, name)
            assert seen[b"X-Forwarded-For"].startswith(b"caf\xe9, ")


async def _post(
    office: GatewayHarness, connected: Callable[..., Any], body: bytes = b"ab", method: str = "POST"
) -> bytes:
    reader, writer = await connected()
    writer.write(head(office, method, "/", more=b"Content-Length: %d\r\n" % len(body)) + body)
    async with asyncio.timeout(WITHIN_S):
        got: bytes = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return got.partition(b"\r\n")[0]


@pytest.mark.parametrize(("idle_s", "connections"), [(1.0, 1), (1.9, 2), (4.9, 2)])
async def test_a_connection_that_was_idle_for_as_long_as_a_model_server_keeps_one_is_not_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, idle_s: float, connections: int
) -> None:
    moved = [0.0]
    monkeypatch.setattr("aiohttp.connector.monotonic", lambda: time.monotonic() * 1e-6 + moved[0])
    async with stood(tmp_path) as (office, replica, connected):
        assert b"200" in await _post(office, connected)
        moved[0] += idle_s
        assert b"200" in await _post(office, connected)
        assert len(replica.connections) == connections


async def test_what_was_not_written_before_a_connection_closed_is_written_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = upstream.Request.write_bytes
    closed: list[bool] = []

    async def closing_first(self: Any, writer: Any, conn: Any, content_length: int | None = None) -> None:
        # The replica's end comes just between choosing the connection and writing to it.
        if not closed and conn.protocol.asked > 1:
            closed.append(True)
            conn.transport.close()
        await write(self, writer, conn, content_length)

    monkeypatch.setattr(upstream.Request, "write_bytes", closing_first)
    async with stood(tmp_path) as (office, replica, connected):
        for _ in range(3):
            assert b"200" in await _post(office, connected, b"a" * 200_000)
        assert closed
        assert sum(map(len, replica.connections)) == 3
        assert len(replica.connections) == 2


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [
        ("DELETE", b"", b"200"),
        ("PUT", b"", b"200"),
        ("PUT", b"ab", b"502"),
        ("POST", b"", b"502"),
        ("POST", b"ab", b"502"),
    ],
)
async def test_a_request_that_met_the_closing_is_sent_again_where_that_does_nothing_twice(
    tmp_path: Path, method: str, body: bytes, status: bytes
) -> None:
    async with stood(tmp_path) as (office, replica, connected):
        assert b"200" in await _post(office, connected)
        replica.hangs_up = True
        assert status in await _post(office, connected, body, method)
        assert len(replica.heads) == (3 if status == b"200" else 2)

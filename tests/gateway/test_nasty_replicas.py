"""Answers to a caller where a replica answers as it should not: a table, each case with a real connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NamedTuple

from tests.gateway.scene import GatewayHarness, an_office, raw
from tests.raw_connections import raw_connection

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\n"
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = b"Content-Length: 2\r\n\r\nhi"


class WholeAnswer(NamedTuple):
    """The bytes of the answer: all that the server wrote until it hung up."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key == name]


async def asked(office: GatewayHarness, method: str = "GET", more: bytes = b"") -> WholeAnswer:
    """Call the service over a bare socket and read to the end."""
    head = f"{method} /services/echo/ HTTP/1.1\r\nHost: {office.base}\r\nConnection: close\r\n"
    async with raw_connection(office.base) as (reader, writer), asyncio.timeout(15):
        writer.write(f"{head}Authorization: Bearer {office.key}\r\n".encode() + more + b"\r\n")
        text = await reader.read()
    top, _, body = text.partition(b"\r\n\r\n")
    first, *lines = top.decode("latin-1").split("\r\n")
    pairs = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)]
    return WholeAnswer(int(first.split(" ")[1]), pairs, body)


def answering(answer: bytes) -> AbstractAsyncContextManager[str]:
    """Make a replica that writes those bytes to whatever it is asked, and hangs up."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return raw(handle)


REFUSED = {
    "101 unasked": SWITCH + WEBSOCKET + b"GET / HTTP/1.1",
    "101 to another protocol": SWITCH + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "101 bare": SWITCH + b"\r\n" + OK + WHOLE,
    "101 with a length": SWITCH + b"Content-Length: 5\r\n\r\nhello",
    "101 after 100": b"HTTP/1.1 100 Continue\r\n\r\n" + SWITCH + WEBSOCKET,
    "status 0": b"HTTP/1.1 000 Zero\r\n" + WHOLE,
    "status 99": b"HTTP/1.1 099 Below\r\n" + WHOLE,
    "status 600": b"HTTP/1.1 600 Above\r\n" + WHOLE,
    "status 999": b"HTTP/1.1 999 Far\r\n" + WHOLE,
    "status 1000": b"HTTP/1.1 1000 Long\r\n" + WHOLE,
    "status of two digits": b"HTTP/1.1 20 Short\r\n" + WHOLE,
    "no status": b"HTTP/1.1\r\n" + WHOLE,
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\n" + WHOLE,
    "TLS": b"\x15\x03\x01\x00\x02\x02\x46" * 4,
    "NUL in a value": OK + b"X-A: a\0b\r\n" + WHOLE,
    "an escape in a value": OK + b"X-A: a\x1b[2Jb\r\n" + WHOLE,
    "CR in a value": OK + b"X-A: a\rX-B: b\r\n" + WHOLE,
    "DEL in a value": OK + b"X-A: a\x7fb\r\n" + WHOLE,
    "a space in a name": OK + b"X A: a\r\n" + WHOLE,
    "a space after a name": OK + b"X-A : a\r\n" + WHOLE,
    "an empty name": OK + b": a\r\n" + WHOLE,
    "a quote in a name": OK + b'X"A: a\r\n' + WHOLE,
    "a line without a colon": OK + b"X-A\r\n" + WHOLE,
    "two lengths": OK + b"Content-Length: 3\r\n" + WHOLE,
    "a length twice": OK + b"Content-Length: 2\r\n" + WHOLE,
    "a length with a sign": OK + b"Content-Length: +2\r\n\r\nhi",
    "a negative length": OK + b"Content-Length: -2\r\n\r\nhi",
    "a length of words": OK + b"Content-Length: 2, 2\r\n\r\nhi",
    "a huge length": OK + b"Content-Length: 99999999999999999999999\r\n\r\nhi",
    "a coding nobody asked for": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "two codings": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "an unknown coding": OK + b"Transfer-Encoding: xchunked\r\n\r\nhi",
    "too many headers": OK + b"".join(b"X-%d: a\r\n" % number for number in range(101)) + WHOLE,
    "too long a header": OK + b"X-A: " + b"a" * 40_000 + b"\r\n" + WHOLE,
    "too much of headers": OK + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 1000) for n in range(60)) + WHOLE,
}


async def test_what_is_no_answer_that_can_be_passed_on_is_502_and_none_of_it_reaches_the_caller(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office:
        wrong = []
        for name, answer in REFUSED.items():
            async with answering(answer) as replica:
                await office.moved(replica)
                for method in ("GET", "POST"):
                    got = await asked(office, method)
                    refused = got.status == 502 and json.loads(got.body)["code"] == "ReplicaFailed"
                    if not refused or {"x-a", "x-b", "upgrade"} & {key for key, _ in got.headers}:
                        wrong.append((name, method, got))
        assert not wrong, "\n".join(map(str, wrong))


PASSED: dict[str, tuple[bytes, int, dict[str, Any]]] = {
    "100 and 103 before it": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK + WHOLE,
        200,
        {"link": [], "content-length": ["2"]},
    ),
    "two dates": (OK + b"Date: a\r\nDate: b\r\n" + WHOLE, 200, {"date": 1}),
    "two servers": (OK + b"Server: a\r\nServer: b\r\n" + WHOLE, 200, {"server": []}),
    "what is between neighbours": (
        OK + b"Connection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 1\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\n" + WHOLE,
        200,
        {"x-hop": [], "keep-alive": [], "proxy-authenticate": [], "upgrade": [], "connection": ["close"]},
    ),
    "what speaks for the whole address": (
        OK + b'Alt-Svc: h2="evil:1"\r\nStrict-Transport-Security: max-age=1\r\nClear-Site-Data: "*"\r\n' + WHOLE,
        200,
        {"alt-svc": [], "strict-transport-security": [], "clear-site-data": []},
    ),
    "a lone LF ends a line": (OK + b"X-A: a\nX-B: b\r\n" + WHOLE, 200, {"x-a": ["a"], "x-b": ["b"]}),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\nETag: x\r\n\r\n", 304, {"etag": ["x"]}),
    "204 with a length": (b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n", 204, {"content-length": []}),
    "a foreign status": (b"HTTP/1.1 299 Odd\r\n" + WHOLE, 299, {}),
    "the last status": (b"HTTP/1.1 599 Odd\r\n" + WHOLE, 599, {}),
}


async def test_what_can_be_mended_is_passed_on_mended(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office:
        for name, (answer, status, headers) in PASSED.items():
            async with answering(answer) as replica:
                await office.moved(replica)
                got = await asked(office)
                assert got.status == status, (name, got)
                assert got.body == (b"" if status in (204, 304) else b"hi"), name
                for header, values in headers.items():
                    found = got.all(header)
                    assert (len(found) if isinstance(values, int) else found) == values, (name, header)


async def test_an_answer_to_nothing_closes_the_connection_and_is_not_given_to_whoever_asks_next(tmp_path: Path) -> None:
    evil = OK + b"Content-Length: 4\r\n\r\nevil"
    answered, closed = asyncio.Event(), asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + WHOLE)
        await answered.wait()
        writer.write(evil)
        with contextlib.suppress(ConnectionError):
            await reader.read()
        closed.set()

    async with an_office(tmp_path) as office, raw(handle) as replica:
        office.replicas(replica)
        assert (await asked(office)).body == b"hi"
        answered.set()
        async with asyncio.timeout(10):
            await closed.wait()
        assert (await asked(office)).body == b"hi"

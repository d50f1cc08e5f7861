"""Logs of tests: stores of logs, which are real HTTP servers in the test, and a log without pretty traces."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import structlog

from tests.raw_connections import raw_server

HOST = "127.0.0.1"
TAKEN = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


def answer_of(status: int, body: Any = None, *headers: str) -> bytes:
    """An answer with a JSON body."""
    text = b"" if body is None else json.dumps(body).encode()
    return "\r\n".join([f"HTTP/1.1 {status} So", f"content-length: {len(text)}", *headers, "", ""]).encode() + text


class LogRecord(NamedTuple):
    """A line as it arrived, and whose it is."""

    line: str
    observed_ns: int
    whose: Mapping[str, str]


class LogRequest(NamedTuple):
    """A request that arrived."""

    head: str
    headers: Mapping[str, str]
    body: Any

    @property
    def records(self) -> list[LogRecord]:
        """Its lines, in their order."""
        return [
            LogRecord(record["body"]["stringValue"], int(record["observedTimeUnixNano"]), whose)
            for resource in self.body["resourceLogs"]
            for whose in [{one["key"]: one["value"]["stringValue"] for one in resource["resource"]["attributes"]}]
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]


class LogKeeper:
    """Keeps requests. ``answer`` says what each is answered."""

    def __init__(self) -> None:
        self.requests: list[LogRequest] = []
        self.answer: Callable[[LogRequest], Awaitable[bytes] | bytes] = lambda _request: TAKEN
        self.url = ""

    @property
    def records(self) -> list[LogRecord]:
        """All lines, in the order in which they arrived."""
        return [record for request in self.requests for record in request.records]

    @property
    def lines(self) -> list[str]:
        """Their texts."""
        return [record.line for record in self.records]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests on one connection."""
        while True:
            head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            request = LogRequest(head, headers, json.loads(await reader.readexactly(int(headers["content-length"]))))
            answer = self.answer(request)
            content = answer if isinstance(answer, bytes) else await answer
            if content.startswith(b"HTTP/1.1 2"):
                self.requests.append(request)
            writer.write(content)
            await writer.drain()


@asynccontextmanager
async def a_log_store(port: int = 0) -> AsyncIterator[LogKeeper]:
    """Serve one; afterwards connections to it are refused."""
    keeper = LogKeeper()
    async with raw_server(keeper.serve, port=port, limit=1 << 26) as taken:
        keeper.url = f"http://{HOST}:{taken}/v1/logs"
        yield keeper


@contextmanager
def a_log_store_in_a_thread() -> Iterator[LogKeeper]:
    """Serve one beside a test that has no loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    served = a_log_store()
    try:
        yield asyncio.run_coroutine_threadsafe(served.__aenter__(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(served.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _TakesAll(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Take it."""
        self.rfile.read(int(self.headers["content-length"]))
        self.wfile.write(TAKEN)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@cache
def with_log_store() -> Mapping[str, str]:
    """Return the settings of a log store that takes everything, as long as this process lives."""
    server = ThreadingHTTPServer((HOST, 0), _TakesAll)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return {"LEASEBOOK_LOG_STORE_URL": f"http://{HOST}:{server.server_port}/v1/logs"}


@contextmanager
def plain_log() -> Iterator[None]:
    """Print the lines that matter, and plain traces: the pretty ones, with the local values of each call, take seconds.

    The tests of other folders read the log as it is at first.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    yield
    structlog.reset_defaults()

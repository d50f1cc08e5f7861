"""A connection on which a WebSocket is asked for: an ASGI scope, and the switch from HTTP to frames."""

from __future__ import annotations

import asyncio
import http
from collections.abc import Sequence
from typing import Any, Final, cast
from urllib.parse import unquote

import httptools
import structlog
from uvicorn.config import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from leasebook.gateway.ports import SWITCH, Hearing

log = structlog.get_logger()

_ELSEWHERE: Final = b"WebSockets are passed on at /services/NAME/... only.\n"
_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")

Pairs = Sequence[tuple[bytes, bytes]]


class SocketProtocol(asyncio.Protocol):
    """Takes over a connection from uvicorn's HTTP protocol, which hands it the request's head and nothing else.

    The application answers with ``websocket.http.response.start`` and ``.body``, with ``websocket.close``, or by the
    switch in the scope: then everything that comes goes to the protocol that it names.
    """

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: Any = None) -> None:
        self._config = config
        self._state = server_state
        self._app_state = app_state
        self._loop = asyncio.get_running_loop()
        self._asked: asyncio.Queue[str] = asyncio.Queue()
        self._writable = asyncio.Event()
        self._writable.set()
        self._hearing: Hearing | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._status: int | None = None
        self._whole = False
        self._in_chunks = False
        self.transport: asyncio.Transport

    # --- what the loop says ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin on a connection."""
        self.transport = cast("asyncio.Transport", transport)
        self._state.connections.add(self)  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """Take the head, and then what comes after the switch. Nothing may come between."""
        if self._hearing is not None:
            self._hearing.data_received(data)
        elif self._task is None:
            self._begin(data)
        else:
            self.transport.abort()

    def pause_writing(self) -> None:
        """Wait before more is written."""
        self._writable.clear()
        if self._hearing is not None:
            self._hearing.pause_writing()

    def resume_writing(self) -> None:
        """Write on."""
        self._writable.set()
        if self._hearing is not None:
            self._hearing.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass the event on to the receiver, if there is one."""
        self._state.connections.discard(self)
        self._writable.set()
        if self._hearing is not None:
            self._hearing.connection_lost(exc)
        else:
            self._asked.put_nowait("websocket.disconnect")

    # --- what the server says --------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """End, because the server stops: with a close, or with the answer that is being made."""
        self._stopping = True
        if self._hearing is not None:
            self._hearing.stop()

    # --- the application -------------------------------------------------------------------------------------

    def _begin(self, head: bytes) -> None:
        line, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        method, _, rest = line.partition(b" ")
        try:
            path, query = _parts(rest.rpartition(b" ")[0])
        except ValueError:
            self._head(400, [(b"content-length", b"0"), (b"connection", b"close")])
            self.transport.close()
            return
        pairs = [(name.lower(), value.strip()) for name, _, value in (one.partition(b":") for one in lines)]
        scope = {
            "type": "websocket",
            "asgi": {"version": self._config.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method.decode("latin-1"),
            "scheme": "wss" if is_ssl(self.transport) else "ws",
            "server": get_local_addr(self.transport),
            "client": get_remote_addr(self.transport),
            "root_path": self._config.root_path,
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "query_string": query,
            "headers": pairs,
            "subprotocols": [],
            "state": self._app_state.copy(),
            "extensions": {"websocket.http.response": {}, SWITCH: self},
        }
        self._asked.put_nowait("websocket.connect")
        self._task = self._loop.create_task(self._run(scope))
        self._task.add_done_callback(self._state.tasks.discard)
        self._state.tasks.add(self._task)

    async def _run(self, scope: dict[str, Any]) -> None:
        try:
            await self._config.loaded_app(scope, self._receive, self._send)
        except Exception:
            log.exception("a WebSocket failed")
            if self._hearing is None and self._status is None:
                await self._deny(500, (_TEXT,), b"Internal Server Error\n")
        finally:
            self._state.total_requests += 1
            # An incomplete answer is cut off, so that no caller takes a part for all of it.
            if self._whole:
                self.transport.close()
            else:
                self.transport.abort()

    async def _receive(self) -> dict[str, Any]:
        return {"type": await self._asked.get(), "code": 1006}

    async def _send(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "websocket.http.response.start":
            self._start(message["status"], message["headers"])
        elif kind == "websocket.http.response.body":
            await self._body(message.get("body", b""), more=message.get("more_body", False))
        elif kind == "websocket.close":
            await self._deny(403, (_TEXT,), _ELSEWHERE)
        else:
            raise RuntimeError(f"A WebSocket is accepted by the switch, not with {kind}.")

    async def _deny(self, status: int, headers: Pairs, body: bytes) -> None:
        self._start(status, [*headers, (b"content-length", str(len(body)).encode())])
        await self._body(body, more=False)

    def begin(self, headers: Pairs, protocol: Hearing) -> None:
        """Answer 101, and hand all that comes from now on to ``protocol``."""
        switch = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
        self._head(101, [*self._state.default_headers, *switch, *headers])
        self._hearing = protocol
        if self._stopping:
            protocol.stop()

    def _start(self, status: int, headers: Pairs) -> None:
        self._in_chunks = status not in (204, 304) and all(name != b"content-length" for name, _ in headers)
        framing = [(b"transfer-encoding", b"chunked")] if self._in_chunks else []
        self._head(status, [*self._state.default_headers, *headers, *framing, (b"connection", b"close")])

    def _head(self, status: int, headers: Pairs) -> None:
        try:
            phrase = http.HTTPStatus(status).phrase
        except ValueError:
            phrase = ""
        self._status = status
        lines = [b"%s: %s\r\n" % pair for pair in headers]
        self.transport.write(b"".join((f"HTTP/1.1 {status} {phrase}\r\n".encode(), *lines, b"\r\n")))

    async def _body(self, piece: bytes, *, more: bool) -> None:
        await self._writable.wait()
        if self._in_chunks:
            piece = (b"%x\r\n%s\r\n" % (len(piece), piece) if piece else b"") + (b"" if more else b"0\r\n\r\n")
        if piece and not self.transport.is_closing():
            self.transport.write(piece)
        self._whole = not more


def _parts(url: bytes) -> tuple[bytes, bytes]:
    """Return the path and the query of a request; raises ValueError."""
    try:
        parts = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError as error:
        raise ValueError(str(error)) from None
    if not parts.path:
        raise ValueError("it has no path")
    return parts.path, parts.query or b""

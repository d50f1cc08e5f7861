"""One connection: it takes one request at a time, and reads no more than there is room for."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol, cast
from urllib.parse import unquote

import structlog

from leasebook.server.transport.body import Chunks, Sized
from leasebook.server.transport.exchange import Application, Exchange
from leasebook.server.transport.head import BadRequest, Head, check_partial, read_head
from leasebook.server.transport.pace import BodyPace, Limits, SendPace
from leasebook.server.transport.refusal import MONITORED, TOO_MANY, refusal, too_slow

log = structlog.get_logger()

BODY_AHEAD_MAX: Final = 64 * 1024
"""How many bytes of a body are read before the application takes them."""
UNASKED_MAX: Final = 4 * 1024
"""The same before the application asks for the body: it looks at the head first, and most bodies are in one packet
with it."""
THROWN_AWAY_MAX: Final = 64 * 1024
"""How many bytes of an unread body are read and discarded to reach the next request. If more are to come, the
connection ends."""
LINGER_S: Final = 5.0
"""How long bytes that come after the last answer are discarded, so that the caller can read that answer."""

ASGI: Final = {"version": "3.0", "spec_version": "2.3"}

# The states of a connection.
IDLE: Final = "idle"
HEAD: Final = "head"
BODY: Final = "body"
ANSWER: Final = "answer"
LINGER: Final = "linger"
HANDED: Final = "handed over"


class House(Protocol):
    """The listener, as its connections see it: the values that they share, and the events that they report."""

    now: float
    """The loop's time at the last sweep: exact enough for limits of seconds, and costs nothing to ask."""
    loop: asyncio.AbstractEventLoop
    limits: Limits
    buffer: memoryview
    app: Application
    ws_class: Any
    """uvicorn's protocol for WebSockets, or None."""
    config: Any
    state: Any
    """uvicorn's state, with the connections and tasks that a stop waits for."""
    scheme: str
    local: tuple[str, int] | None

    def opened(self, connection: Connection) -> None:
        """Take note of a connection."""

    def closed(self, connection: Connection) -> None:
        """Take note that a connection is gone."""

    def turned_away(self, connection: Connection) -> None:
        """Take note that a connection was refused for lack of room."""

    def timed_out(self, kind: str) -> None:
        """Count a connection that was too slow."""

    def refused(self, status: int) -> None:
        """Count a request that could not be read."""


class Connection(asyncio.BufferedProtocol):
    """Reads requests one after another. While one is answered, at most one read of the next is taken, and not parsed.

    One place, ``_adjust``, decides from the state of the connection whether the socket is read; so no path through the
    code can forget it. There are no timers: a sweep of the listener looks at all connections once a second.
    """

    __slots__ = (
        "_body",
        "_body_pace",
        "_deadline",
        "_does",
        "_exchange",
        "_handed",
        "_house",
        "_paused",
        "_send_pace",
        "_unread",
        "address",
        "client",
        "loop",
        "spare",
        "transport",
        "writable",
    )

    def __init__(self, house: House, client: tuple[str, int] | None, address: Any, *, spare: bool = False) -> None:
        self._house = house
        self.loop = house.loop
        self.client = client
        self.address = address
        """The key under which the listener counts it."""
        self.spare = spare
        """Whether it is beyond all places, so that it may only ask for the server's health."""
        self.transport: asyncio.Transport = None  # type: ignore[assignment]  # until it is made
        self.writable: asyncio.Event | None = None
        self._does = HEAD
        self._deadline = 0.0
        self._exchange: Exchange | None = None
        self._unread = b""
        self._body: Sized | Chunks | None = None
        """The rest of a body that is still to come."""
        self._paused = False
        self._handed: Any = None
        self._body_pace = BodyPace(house.limits)
        self._send_pace = SendPace()

    # --- events of the loop ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: the first head is due from now on."""
        # uvloop's transport has all methods of this class, and another class.
        self.transport = cast("asyncio.Transport", transport)
        self._deadline = self._house.now + self._house.limits.head_s
        self._house.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and let the application know if it still answers."""
        if self._exchange is not None:
            self._exchange.hung_up()
        self.resume_writing()
        if self._handed is not None:
            self._handed.connection_lost(exc)
        self._house.closed(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the buffer to read into. All connections share one: the bytes are taken out of it at once."""
        del sizehint
        return self._house.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take the bytes that were read."""
        self.received(self._house.buffer[:nbytes].tobytes())

    def eof_received(self) -> None:
        """Close: a caller that sends no more is taken for gone, since nearly all callers go in that way."""
        if self._handed is not None:
            self._handed.eof_received()

    def pause_writing(self) -> None:
        """Hold the answer back: the caller does not receive it."""
        if self._handed is not None:
            self._handed.pause_writing()
        elif self.writable is None:
            self.writable = asyncio.Event()

    def resume_writing(self) -> None:
        """Go on with the answer."""
        if self._handed is not None:
            self._handed.resume_writing()
        elif self.writable is not None:
            self.writable.set()
            self.writable = None

    def shutdown(self) -> None:
        """Close, after the current answer. uvicorn's server calls this when it stops."""
        if self._exchange is None or self._exchange.complete:
            self.transport.close()
        else:
            self._exchange.keep_alive = False

    # --- reading ---

    def received(self, data: bytes) -> None:
        """Take bytes that came."""
        if self._handed is not None:
            self._handed.data_received(data)
            return
        if self._does is LINGER:
            return
        if self._does is ANSWER:
            self._unread += data
        else:
            self._read(data)
        self._adjust()

    def _read(self, data: bytes) -> None:
        """Read up to the end of one request. Bytes after it are kept unparsed."""
        try:
            while data:
                if self._does is BODY:
                    data = self._read_body(data)
                elif self._does is ANSWER:
                    self._unread = data
                    return
                elif self._does is LINGER or self._does is HANDED:
                    return
                else:
                    data = self._read_head(data)
        except BadRequest as error:
            self._house.refused(error.error.status)
            self._refuse(error)

    def _read_head(self, data: bytes) -> bytes:
        """Read a head, if it is complete; return the bytes after it. Raises BadRequest."""
        known = len(self._unread)
        if known:
            data, self._unread = self._unread + data, b""
        start = 0
        while data.startswith(b"\r\n", start):
            # An empty line before a request is read past: some clients end a body with one.
            start += 2
        if start:
            data, known = data[start:], 0
        if data and self._does is IDLE:
            self._does, self._deadline = HEAD, self._house.now + self._house.limits.head_s
        end = data.find(b"\r\n\r\n", max(0, known - 3))
        if end < 0:
            if data != b"\r":
                check_partial(data)
            self._unread = data
            return b""
        head, rest = read_head(data[:end]), data[end + 4 :]
        if self.spare and head.path not in MONITORED:
            self.turn_away()
            return b""
        if head.websocket and self._house.ws_class is not None:
            self._hand_over(head, rest)
            return b""
        return self._begin(head, rest)

    def _begin(self, head: Head, rest: bytes) -> bytes:
        """Have a request answered, though its body may still be on its way; return the bytes not taken yet."""
        house = self._house
        path = head.path.decode("ascii")
        scope = {
            "type": "http",
            "asgi": ASGI,
            "http_version": head.version,
            "server": house.local,
            "client": self.client,
            "scheme": house.scheme,
            "root_path": "",
            "headers": head.headers,
            "state": {},
            "method": head.method.decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "raw_path": head.path,
            "query_string": head.query,
        }
        exchange = self._exchange = Exchange(
            self, scope, keep_alive=head.keep_alive and not self.spare, expects=head.expects
        )
        length = head.length
        if length is not None and length <= len(rest):
            exchange.body.pieces, rest = rest[:length], rest[length:]
            self._whole()
        else:
            self._does = BODY
            self._body = Chunks() if length is None else Sized(length)
            self._body_pace.begin()
        tasks = house.state.tasks
        task = self.loop.create_task(exchange.run(house.app))
        task.add_done_callback(tasks.discard)
        tasks.add(task)
        return rest

    def _read_body(self, data: bytes) -> bytes:
        """Pass on a part of a body; return the bytes after the body. Raises BadRequest."""
        exchange, body = self._exchange, self._body
        assert exchange is not None  # noqa: S101 - it began with the head
        assert body is not None  # noqa: S101 - and the body with it
        self._body_pace.arrived += len(data)
        piece, rest = body.feed(data)
        whole = body.done
        if exchange.complete:
            if whole:
                self._next(rest)
            return b""
        if piece:
            exchange.body.add(piece)
        if whole:
            self._whole()
        return rest

    def _whole(self) -> None:
        """Take note that a request is complete. It is answered before the next one is parsed."""
        self._does = ANSWER
        self._body = None
        if self._exchange is not None:
            self._exchange.body.end()

    def _adjust(self) -> None:
        """Read the socket or not, as the state of the connection requires. No other place decides it."""
        if self._does is ANSWER:
            hold = bool(self._unread)
        elif self._does is BODY:
            exchange = self._exchange
            hold = (
                exchange is not None
                and not exchange.complete
                and len(exchange.body.pieces) > (BODY_AHEAD_MAX if exchange.body.asked else UNASKED_MAX)
            )
        else:
            hold = False
        if hold is self._paused or self._does is HANDED or self.transport.is_closing():
            return
        self._paused = hold
        if hold:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    # --- the exchange's side (``exchange.Wire``) ---

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers of every answer."""
        headers: list[tuple[bytes, bytes]] = self._house.state.default_headers
        return headers

    def wants_more(self) -> None:
        """Read on: the application has taken the part of the body that came."""
        self._adjust()

    def ends_soon(self) -> bool:
        """Whether the rest of the body is small. If the caller waits for ``100 Continue``, it may never come."""
        exchange, body = self._exchange, self._body
        if exchange is not None and exchange.body.expects:
            return False
        return body is None or (isinstance(body, Sized) and body.left <= THROWN_AWAY_MAX)

    def answered(self) -> None:
        """Go on with the next request, or close."""
        house, exchange = self._house, self._exchange
        assert exchange is not None  # noqa: S101 - it was its answer
        house.state.total_requests += 1
        if self.transport.is_closing():
            return
        if not exchange.keep_alive:
            self._close(gently=self._does is BODY or bool(self._unread))
        elif self._does is ANSWER:
            unread, self._unread = self._unread, b""
            self._next(unread)
            self._adjust()
        else:
            # The rest of the body, which is small, comes first.
            self._adjust()

    def _next(self, data: bytes) -> None:
        self._does, self._exchange, self._body = IDLE, None, None
        self._deadline = self._house.now + self._house.limits.idle_s
        if data:
            self._read(data)

    def break_off(self) -> None:
        """Close, with the answer unfinished."""
        if self._exchange is not None and self._exchange.scope["http_version"] == "1.0":
            # Without a reset, this caller would take the end of the connection for the end of the answer.
            self.transport.abort()
        else:
            self.transport.close()

    def _close(self, *, gently: bool) -> None:
        """Close; ``gently`` if more bytes may come: the kernel would then reset the connection and lose the answer."""
        if gently and self.transport.can_write_eof():
            self._does, self._unread = LINGER, b""
            self._deadline = self._house.now + LINGER_S
            self.transport.write_eof()
            self._adjust()
        else:
            self.transport.close()

    # --- refusing ---

    def turn_away(self) -> None:
        """Answer that there is no room, and close at once: a lingering connection would hold a file uncounted."""
        self._house.turned_away(self)
        if self._exchange is None:
            self.write(refusal(TOO_MANY, self.headers()))
        self.transport.close()

    def _refuse(self, error: BadRequest) -> None:
        """Answer that a request cannot be taken, and close."""
        exchange, self._unread = self._exchange, b""
        if exchange is not None and not exchange.complete:
            exchange.hung_up()
            if exchange.started:
                self.transport.close()
                return
        self.write(refusal(error, self.headers()))
        self._close(gently=True)

    def _hand_over(self, head: Head, rest: bytes) -> None:
        """Give the connection to uvicorn's protocol for WebSockets. It is still counted and swept here."""
        self._does = HANDED
        self._house.state.connections.discard(self)
        lines = [b"%b %b%b HTTP/1.1" % (head.method, head.path, b"?" + head.query if head.query else b"")]
        lines += [b"%b: %b" % (name, value) for name, value in head.headers]
        self._handed = self._house.ws_class(config=self._house.config, server_state=self._house.state, app_state={})
        self._handed.connection_made(self.transport)
        self._handed.data_received(b"\r\n".join(lines) + b"\r\n\r\n")
        if rest:
            self._handed.data_received(rest)

    # --- the sweep ---

    def sweep(self, now: float, passed_s: float) -> None:
        """Close the connection if it is too slow. ``passed_s``: seconds since the last sweep."""
        if self._send_pace.is_stuck(self.transport.get_write_buffer_size(), now, self._house.limits.write_s):
            self._house.timed_out("write")
            self.transport.abort()
        elif self.transport.is_closing() or self._does in (ANSWER, HANDED):
            return
        elif self._does is BODY:
            self._sweep_body(passed_s)
        elif self._does is IDLE and self._send_pace.unsent:
            # A caller that still receives the last answer is not idle.
            self._deadline = now + self._house.limits.idle_s
        elif now < self._deadline:
            return
        elif self._does is LINGER:
            self.transport.close()
        elif self._does is IDLE:
            self._house.timed_out("idle")
            self.transport.close()
        else:
            self._house.timed_out("head")
            if self._unread:
                self._refuse(too_slow(f"The request's head was not whole after {self._house.limits.head_s:g} s."))
            else:
                self.transport.close()

    def _sweep_body(self, passed_s: float) -> None:
        """Refuse a body that comes too slowly. Time in which the server did not read, or had not asked, is free."""
        exchange = self._exchange
        if self._paused or (exchange is not None and exchange.body.expects):
            return
        if not self._body_pace.is_too_slow(passed_s):
            return
        self._house.timed_out("body")
        if exchange is not None and exchange.complete:
            self.transport.close()
        else:
            rate = self._house.limits.body_rate
            self._refuse(too_slow(f"The body came more slowly than {rate:g} bytes a second."))

"""One connection: requests come in one at a time, and nothing is read that nobody has room for."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol, cast
from urllib.parse import unquote

import msgspec
import structlog

from leasebook.server.transport.chunked import Chunks
from leasebook.server.transport.exchange import Application, Exchange
from leasebook.server.transport.head import BadRequest, Head, check_partial, read_head
from leasebook.server.transport.refusal import MONITORED, TOO_MANY, refusal, too_slow

log = structlog.get_logger()

BODY_AHEAD_MAX: Final = 64 * 1024
"""So much of a body is read before the application takes it."""
UNASKED_MAX: Final = 4 * 1024
"""And beyond this nothing before it asks: it looks at the head first, and most bodies are in the same packet."""
THROWN_AWAY_MAX: Final = 64 * 1024
"""So much of a body that nobody wants is read for the sake of the next request; beyond it the connection ends."""
LINGER_S: Final = 5.0
"""For so long what still comes is thrown away after the last answer, so that the caller can read that answer."""

ASGI: Final = {"version": "3.0", "spec_version": "2.3"}

# What a connection does now.
IDLE: Final = "idle"
HEAD: Final = "head"
BODY: Final = "body"
ANSWER: Final = "answer"
LINGER: Final = "linger"
HANDED: Final = "handed over"


class Limits(msgspec.Struct, frozen=True):
    """How long a connection may take for what, in seconds, and how slowly a body may come."""

    head_s: float
    body_s: float
    body_rate: float
    idle_s: float
    write_s: float


class House(Protocol):
    """What all connections of a listener have in common."""

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
    """uvicorn's, with the connections and tasks that a stop waits for."""
    scheme: str
    local: tuple[str, int] | None

    def opened(self, connection: Connection) -> None:
        """Take note of a connection."""

    def closed(self, connection: Connection) -> None:
        """Take note that a connection is gone."""

    def turned_away(self, connection: Connection) -> None:
        """Take note that somebody was told that there is no room."""

    def timed_out(self, kind: str) -> None:
        """Count a connection that was too slow."""

    def refused(self, status: int) -> None:
        """Count a request that could not be read."""


class Connection(asyncio.BufferedProtocol):
    """Reads requests one after another. While one is answered, the next is neither parsed nor, beyond one read, taken.

    Whether the socket is read is decided in one place, ``_adjust``, by what the connection does now; so no way through
    can forget it. No timer is set: a sweep of the listener looks at all connections once a second.
    """

    __slots__ = (
        "_arrived",
        "_chunks",
        "_credit_s",
        "_deadline",
        "_does",
        "_exchange",
        "_handed",
        "_house",
        "_left",
        "_paused",
        "_unread",
        "_unsent",
        "_unsent_since",
        "address",
        "client",
        "loop",
        "spare",
        "transport",
        "writable",
    )

    def __init__(self, house: House, client: tuple[str, int] | None, address: Any) -> None:
        self._house = house
        self.loop = house.loop
        self.client = client
        self.address = address
        """Under what the listener counts it."""
        self.spare = False
        """Whether it is beyond all places, and may ask only how the server does."""
        self.transport: asyncio.Transport = None  # type: ignore[assignment]  # until it is made
        self.writable: asyncio.Event | None = None
        self._does = HEAD
        self._deadline = 0.0
        self._exchange: Exchange | None = None
        self._unread = b""
        self._left = 0
        self._chunks: Chunks | None = None
        self._paused = False
        self._handed: Any = None
        self._arrived = 0
        self._credit_s = 0.0
        self._unsent = 0
        self._unsent_since = 0.0

    # --- what the loop tells ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: the first head is due from now on."""
        # uvloop's is one in all but its class.
        self.transport = cast("asyncio.Transport", transport)
        self._deadline = self._house.now + self._house.limits.head_s
        self._house.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End: whoever still answers is told."""
        if self._exchange is not None:
            self._exchange.hung_up()
        self.resume_writing()
        if self._handed is not None:
            self._handed.connection_lost(exc)
        self._house.closed(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to read to: all connections share one buffer, for what is read is taken out at once."""
        del sizehint
        return self._house.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        self.received(self._house.buffer[:nbytes].tobytes())

    def eof_received(self) -> None:
        """Close: who sends no more is taken for gone, since that is how nearly everybody goes."""
        if self._handed is not None:
            self._handed.eof_received()

    def pause_writing(self) -> None:
        """Hold the answer: its caller takes nothing of it."""
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
        """Close, after the answer that is on its way; uvicorn's server says it."""
        if self._exchange is None or self._exchange.complete:
            self.transport.close()
        else:
            self._exchange.keep_alive = False

    # --- reading ---

    def received(self, data: bytes) -> None:
        """Take what came."""
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
        """Read up to the end of one request; what comes after it is kept as it is."""
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
        """Read a head, if it is whole; returns what comes after it. Raises BadRequest."""
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
        """Have a request answered, of which the body may be on its way; returns what is not taken yet."""
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
            exchange.body, rest = rest[:length], rest[length:]
            self._whole()
        else:
            self._does, self._credit_s, self._arrived = BODY, house.limits.body_s, 0
            self._chunks = Chunks() if length is None else None
            self._left = length or 0
        tasks = house.state.tasks
        task = self.loop.create_task(exchange.run(house.app))
        task.add_done_callback(tasks.discard)
        tasks.add(task)
        return rest

    def _read_body(self, data: bytes) -> bytes:
        """Hand over what came of a body; returns what comes after it. Raises BadRequest."""
        exchange = self._exchange
        assert exchange is not None  # noqa: S101 - it began with the head
        self._arrived += len(data)
        if self._chunks is not None:
            piece, rest = self._chunks.feed(data)
            whole = self._chunks.done
        else:
            piece, rest = data[: self._left], data[self._left :]
            self._left -= len(piece)
            whole = not self._left
        if exchange.complete:
            if whole:
                self._next(rest)
                return b""
            return b""
        if piece:
            exchange.arrived(piece)
        if whole:
            self._whole()
        return rest

    def _whole(self) -> None:
        """Take note that a request is whole; it is answered before the next is looked at."""
        self._does = ANSWER
        self._chunks = None
        if self._exchange is not None:
            self._exchange.ended()

    def _adjust(self) -> None:
        """Read on, or do not: the one place where that is decided."""
        if self._does is ANSWER:
            hold = bool(self._unread)
        elif self._does is BODY:
            exchange = self._exchange
            hold = (
                exchange is not None
                and not exchange.complete
                and len(exchange.body) > (BODY_AHEAD_MAX if exchange.asked else UNASKED_MAX)
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

    # --- what an exchange asks for ---

    def write(self, data: bytes) -> None:
        """Send it."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return what every answer has."""
        headers: list[tuple[bytes, bytes]] = self._house.state.default_headers
        return headers

    def wants_more(self) -> None:
        """Read on: what was there of the body is taken."""
        self._adjust()

    def ends_soon(self) -> bool:
        """Whether what is still to come of the body is little. Of one that waits for word, nobody knows if it comes."""
        exchange = self._exchange
        return self._chunks is None and self._left <= THROWN_AWAY_MAX and not (exchange and exchange.expects)

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
            # The rest of the body, which is little, comes first.
            self._adjust()

    def _next(self, data: bytes) -> None:
        self._does, self._exchange, self._chunks = IDLE, None, None
        self._deadline = self._house.now + self._house.limits.idle_s
        if data:
            self._read(data)

    def break_off(self) -> None:
        """Close, with the answer unfinished."""
        if self._exchange is not None and self._exchange.scope["http_version"] == "1.0":
            # Its caller would take a plain end for the end of the answer.
            self.transport.abort()
        else:
            self.transport.close()

    def _close(self, *, gently: bool) -> None:
        """Close; ``gently`` where more may be on its way, which would make the kernel take the answer back."""
        if gently and self.transport.can_write_eof():
            self._does, self._unread = LINGER, b""
            self._deadline = self._house.now + LINGER_S
            self.transport.write_eof()
            self._adjust()
        else:
            self.transport.close()

    # --- refusing ---

    def turn_away(self) -> None:
        """Say that there is no room, and close at once: who lingers has a file that nobody counts."""
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
        """Let uvicorn's protocol for WebSockets have the connection, which is still counted and swept here."""
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
        """Close what is too slow. ``passed_s``: since the last sweep."""
        if self._is_stuck(now):
            self._house.timed_out("write")
            self.transport.abort()
        elif self.transport.is_closing() or self._does in (ANSWER, HANDED):
            return
        elif self._does is BODY:
            self._sweep_body(passed_s)
        elif self._does is IDLE and self._unsent:
            # Who still takes the last answer is not idle.
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

    def _is_stuck(self, now: float) -> bool:
        """Whether the caller has taken nothing for too long of what was sent to it."""
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
            return False
        return unsent > 0 and now - self._unsent_since >= self._house.limits.write_s

    def _sweep_body(self, passed_s: float) -> None:
        """Let what came pay for the time that passed. Time in which we did not read, or had not asked yet, is free."""
        limits, exchange = self._house.limits, self._exchange
        if self._paused or (exchange is not None and exchange.expects):
            return
        self._credit_s = min(limits.body_s, self._credit_s + self._arrived / limits.body_rate - passed_s)
        self._arrived = 0
        if self._credit_s > 0:
            return
        self._house.timed_out("body")
        if exchange is not None and exchange.complete:
            self.transport.close()
        else:
            self._refuse(too_slow(f"The body came more slowly than {limits.body_rate:g} bytes a second."))

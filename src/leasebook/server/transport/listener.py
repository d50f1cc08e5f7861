"""A socket that is listened on: who is let in, and who is too slow."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol

import structlog
import uvicorn
from uvicorn.server import ServerState

from leasebook.server.transport.connection import Connection, Limits
from leasebook.server.transport.connection_limits import Caps
from leasebook.server.transport.exchange import Application
from leasebook.server.transport.refusal import TOO_MANY, refusal
from leasebook.server.transport.tls import Tls

log = structlog.get_logger()

READ_SIZE: Final = 16 * 1024
"""So much of a connection is read at once, and at most waits while a request is answered."""
ACCEPTED_AT_ONCE: Final = 64
REST_S: Final = 0.5
"""How long nobody is let in after the process had no file left."""
TOLD_EVERY_S: Final = 10.0
TLS_END_S: Final = 5.0
SEAT_S: Final = 1.0
"""How long a TLS handshake may take of somebody who has a seat, which nobody else gets meanwhile."""
HOW_TO_LET_IN: Final = {
    "total": "raise http.connections_max, and the limit of open files with it",
    "address": "if it is a proxy, name it in trusted_proxies; else raise http.connections_per_address_max",
    "files": "raise the limit of open files",
}


class Meter(Protocol):
    """Where connections are counted."""

    def connections(self, listener: str, count: int) -> None:
        """Set how many are open at a listener."""

    def not_let_in(self, reason: str) -> None:
        """Count one that was not let in."""

    def timed_out(self, kind: str) -> None:
        """Count one that was too slow."""

    def unread(self, status: int) -> None:
        """Count a request that could not be read."""


class Listener:
    """Lets connections in, and sweeps them. What all of them share stands here: see ``connection.House``."""

    def __init__(
        self,
        listening: socket.socket,
        config: uvicorn.Config,
        state: ServerState,
        limits: Limits,
        caps: Caps,
        meter: Meter,
        tls: Tls | None = None,
        name: str = "callers",
    ) -> None:
        self._socket = listening
        self._name = name
        self.config = config
        self.state: Any = state
        self.limits = limits
        self._caps = caps
        self._meter = meter
        self._tls = tls
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time()
        self.app: Application = config.loaded_app
        self.ws_class: Any = config.ws_protocol_class
        self.scheme = "http" if tls is None else "https"
        name = listening.getsockname()
        self.local: tuple[str, int] | None = (str(name[0]), int(name[1])) if isinstance(name, tuple) else None
        self.buffer = memoryview(bytearray(READ_SIZE))
        self._open: set[Connection] = set()
        self._coming: set[asyncio.Task[None]] = set()
        self._seats: dict[Connection, asyncio.Task[None]] = {}
        """The one that was given first comes first."""
        self._seats_max = caps.seats
        self._untold = 0
        self._told_at = -TOLD_EVERY_S
        self._closed = False
        self._listen()

    def _listen(self) -> None:
        if not self._closed:
            self.loop.add_reader(self._socket, self._accept)

    def close(self) -> None:
        """Let nobody in any more."""
        if not self._closed:
            self._closed = True
            self.loop.remove_reader(self._socket)

    async def wait_closed(self) -> None:
        """Return when nobody is on the way in any more."""
        for task in tuple(self._coming):
            task.cancel()

    # --- who comes in ---

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                caller, name = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise
                # Whoever waits in the kernel's queue is let in when somebody has gone.
                self._not_let_in("files", "")
                self.loop.remove_reader(self._socket)
                self.loop.call_later(REST_S, self._listen)
                return
            caller.setblocking(False)
            host = str(name[0]) if isinstance(name, tuple) else ""
            key, reason = self._caps.enter(host)
            if reason is None:
                client = (host, int(name[1])) if isinstance(name, tuple) else None
                self._begin(caller, Connection(self, client, key))
            elif reason == "total" and self._seats_max:
                self._seat(caller, (host, int(name[1])) if isinstance(name, tuple) else None)
            else:
                self._not_let_in(reason, host)
                self._turn_away(caller)

    def _seat(self, caller: socket.socket, client: tuple[str, int] | None) -> None:
        """Let somebody in beyond all places, who may ask how the server does and nothing else.

        There are a few seats. Who has had one for longest makes room, of the address that has most of them, also
        where that one is still on its way in: a crowd that comes in one turn of the loop keeps no monitor out.
        """
        if len(self._seats) >= self._seats_max:
            crowd = Counter(one.client and one.client[0] for one in self._seats)
            ((most, _),) = crowd.most_common(1)
            oldest = next(one for one in self._seats if (one.client and one.client[0]) == most)
            if oldest.transport is None:
                self._seats[oldest].cancel()
                self.turned_away(oldest)
            else:
                oldest.turn_away()
        connection = Connection(self, client, None)
        connection.spare = True
        self._seats[connection] = self._begin(caller, connection)

    def _begin(self, caller: socket.socket, connection: Connection) -> asyncio.Task[None]:
        task = self.loop.create_task(self._welcome(caller, connection))
        self._coming.add(task)

        def came(task: asyncio.Task[None]) -> None:
            self._coming.discard(task)
            if task.cancelled() and connection.transport is None:
                # It may not have begun: then nothing else closes the socket.
                caller.close()

        task.add_done_callback(came)
        return task

    async def _welcome(self, caller: socket.socket, connection: Connection) -> None:
        """Make a connection of a socket; with TLS that takes a handshake."""
        context = None if self._tls is None else self._tls.context
        wait_s = None if context is None else SEAT_S if connection.spare else self.limits.head_s
        end_s = None if context is None else TLS_END_S
        try:
            await self.loop.connect_accepted_socket(
                lambda: connection, caller, ssl=context, ssl_handshake_timeout=wait_s, ssl_shutdown_timeout=end_s
            )
        except BaseException as error:
            if connection.transport is None:
                self._left(connection)
            if not isinstance(error, OSError):
                raise
            if isinstance(error, ConnectionAbortedError):
                self._meter.timed_out("handshake")
            else:
                self._meter.not_let_in("handshake")
            log.debug("no handshake", reason=str(error))

    def _turn_away(self, caller: socket.socket) -> None:
        """Say that there is no room, as far as that goes without waiting."""
        with caller:
            if self._tls is not None:
                return
            try:
                caller.send(refusal(TOO_MANY, self.state.default_headers))
                caller.shutdown(socket.SHUT_WR)
                # What was sent and not read would take the answer back.
                caller.recv(READ_SIZE)
            except OSError:
                return

    def _not_let_in(self, reason: str, host: str) -> None:
        self._meter.not_let_in(reason)
        self._untold += 1
        now = time.monotonic()
        if now - self._told_at < TOLD_EVERY_S:
            return
        self._told_at = now
        log.warning(
            "connections are not let in",
            reason=reason,
            address=host,
            since_last_told=self._untold,
            open=self._caps.count,
            most=self._caps.most,
            most_of_one_address=self._caps.per_address,
            help=HOW_TO_LET_IN[reason],
        )
        self._untold = 0

    # --- what connections tell, and the sweep ---

    def opened(self, connection: Connection) -> None:
        """Take note of a connection."""
        self._open.add(connection)
        self.state.connections.add(connection)
        if self._closed:
            # Those that were open have been told that the service stops. This one was on its way in: nothing of it
            # was read, and nobody would tell it, so that the stop would wait for it as long as it may.
            connection.shutdown()

    def closed(self, connection: Connection) -> None:
        """Take note that a connection is gone."""
        self._open.discard(connection)
        self.state.connections.discard(connection)
        self._left(connection)

    def _left(self, connection: Connection) -> None:
        if connection.spare:
            self._seats.pop(connection, None)
        else:
            self._caps.leave(connection.address)

    def turned_away(self, connection: Connection) -> None:
        """Take note that somebody was told that there is no room, and give the seat free."""
        self._seats.pop(connection, None)
        self._not_let_in("total", connection.client[0] if connection.client else "")

    def timed_out(self, kind: str) -> None:
        """Count a connection that was too slow."""
        self._meter.timed_out(kind)

    def refused(self, status: int) -> None:
        """Count a request that could not be read."""
        self._meter.unread(status)

    def sweep(self) -> None:
        """Close what is too slow; once a second."""
        before, self.now = self.now, self.loop.time()
        self._meter.connections(self._name, self._caps.count)
        for connection in tuple(self._open):
            connection.sweep(self.now, self.now - before)


Make = Callable[[uvicorn.Config, ServerState, socket.socket], Listener]


class Server(uvicorn.Server):
    """uvicorn's start, ticks and stop, with our listeners; and signals are for whoever runs it."""

    def __init__(self, config: uvicorn.Config, make: Make) -> None:
        super().__init__(config)
        self._make = make
        self._listeners: list[Listener] = []

    def capture_signals(self) -> Any:
        """Leave the signals alone: a clean stop ends with exit code 0."""
        import contextlib

        return contextlib.nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await self.lifespan.startup()
        self._listeners = [self._make(self.config, self.server_state, one) for one in sockets or ()]
        self.servers = self._listeners  # type: ignore[assignment] # it closes them, and waits for that
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        """Sweep once a second, beside what uvicorn does."""
        if counter % 10 == 0:
            for listener in self._listeners:
                listener.sweep()
        return await super().on_tick(counter)

"""A listening socket: it lets connections in within bounds, and closes those that are too slow."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any, Final, Protocol

import structlog
import uvicorn
from uvicorn.server import ServerState

from leasebook.server.transport.connection import Connection
from leasebook.server.transport.connection_limits import Caps
from leasebook.server.transport.exchange import Application
from leasebook.server.transport.pace import Limits
from leasebook.server.transport.refusal import TOO_MANY, refusal
from leasebook.server.transport.refusal_log import RefusalLog
from leasebook.server.transport.seats import Seats
from leasebook.server.transport.tls import Tls

log = structlog.get_logger()

READ_SIZE: Final = 16 * 1024
"""How many bytes of a connection are read at once, and at most wait while a request is answered."""
ACCEPTED_AT_ONCE: Final = 64
REST_S: Final = 0.5
"""How long no connection is let in after the process had no file left."""
TLS_END_S: Final = 5.0
SEAT_S: Final = 1.0
"""How long the TLS handshake of a caller in a seat may take: no other caller gets the seat in that time."""


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
    """Lets connections in, and sweeps them. It holds what all connections share: see ``connection.House``."""

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
        self._seats = Seats(caps.seats)
        self._refusals = RefusalLog(meter, caps)
        self._closed = False
        self._listen()

    def _listen(self) -> None:
        if not self._closed:
            self.loop.add_reader(self._socket, self._accept)

    def close(self) -> None:
        """Let no more connections in."""
        if not self._closed:
            self._closed = True
            self.loop.remove_reader(self._socket)

    async def wait_closed(self) -> None:
        """Cancel the connections that are still on their way in."""
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
                # Callers that wait in the kernel's queue are let in when others have gone.
                self._refusals.add("files", "")
                self.loop.remove_reader(self._socket)
                self.loop.call_later(REST_S, self._listen)
                return
            caller.setblocking(False)
            host = str(name[0]) if isinstance(name, tuple) else ""
            key, reason = self._caps.enter(host)
            if reason is None:
                client = (host, int(name[1])) if isinstance(name, tuple) else None
                self._begin(caller, Connection(self, client, key))
            elif reason == "total" and self._seats.most:
                self._seat(caller, (host, int(name[1])) if isinstance(name, tuple) else None)
            else:
                self._refusals.add(reason, host)
                self._turn_away(caller)

    def _seat(self, caller: socket.socket, client: tuple[str, int] | None) -> None:
        """Let a caller in beyond all places, which may only ask for the server's health."""
        loser = self._seats.make_room()
        if loser is not None:
            if loser.transport is None:
                self.turned_away(loser)
            else:
                loser.turn_away()
        connection = Connection(self, client, None, spare=True)
        self._seats.take(connection, self._begin(caller, connection))

    def _begin(self, caller: socket.socket, connection: Connection) -> asyncio.Task[None]:
        task = self.loop.create_task(self._welcome(caller, connection))
        self._coming.add(task)

        def came(task: asyncio.Task[None]) -> None:
            self._coming.discard(task)
            if task.cancelled() and connection.transport is None:
                # The task may not have begun. Then nothing else closes the socket.
                caller.close()

        task.add_done_callback(came)
        return task

    async def _welcome(self, caller: socket.socket, connection: Connection) -> None:
        """Make a connection of a socket. With TLS this takes a handshake."""
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
        """Answer that there is no room, if that is possible without waiting."""
        with caller:
            if self._tls is not None:
                return
            try:
                caller.send(refusal(TOO_MANY, self.state.default_headers))
                caller.shutdown(socket.SHUT_WR)
                # Bytes left unread would make the kernel reset the connection, and the answer would be lost.
                caller.recv(READ_SIZE)
            except OSError:
                return

    # --- events of connections, and the sweep ---

    def opened(self, connection: Connection) -> None:
        """Take note of a connection."""
        self._open.add(connection)
        self.state.connections.add(connection)
        if self._closed:
            # Open connections were shut down when the service began to stop. This one was on its way in: nothing of
            # it was read, and nothing else would shut it down, so that the stop would wait for it as long as it may.
            connection.shutdown()

    def closed(self, connection: Connection) -> None:
        """Take note that a connection is gone."""
        self._open.discard(connection)
        self.state.connections.discard(connection)
        self._left(connection)

    def _left(self, connection: Connection) -> None:
        if connection.spare:
            self._seats.leave(connection)
        else:
            self._caps.leave(connection.address)

    def turned_away(self, connection: Connection) -> None:
        """Take note that a connection was refused for lack of room, and free its seat."""
        self._seats.leave(connection)
        self._refusals.add("total", connection.client[0] if connection.client else "")

    def timed_out(self, kind: str) -> None:
        """Count a connection that was too slow."""
        self._meter.timed_out(kind)

    def refused(self, status: int) -> None:
        """Count a request that could not be read."""
        self._meter.unread(status)

    def sweep(self) -> None:
        """Close the connections that are too slow. It is called once a second."""
        before, self.now = self.now, self.loop.time()
        self._meter.connections(self._name, self._caps.count)
        for connection in tuple(self._open):
            connection.sweep(self.now, self.now - before)


Make = Callable[[uvicorn.Config, ServerState, socket.socket], Listener]


class Server(uvicorn.Server):
    """uvicorn's start, ticks and stop, with our listeners. The code that runs it handles the signals."""

    def __init__(self, config: uvicorn.Config, make: Make, when_open: Callable[[], None] | None = None) -> None:
        """``when_open`` is called once, when the first connections may come in."""
        super().__init__(config)
        self._make = make
        self._when_open = when_open
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
        if self._when_open is not None:
            self._when_open()

    async def on_tick(self, counter: int) -> bool:
        """Sweep once a second, and do what uvicorn does."""
        if counter % 10 == 0:
            for listener in self._listeners:
                listener.sweep()
        return await super().on_tick(counter)

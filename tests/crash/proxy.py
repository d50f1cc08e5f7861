"""A proxy between a service and its database that cuts connections at a chosen moment."""

from __future__ import annotations

import enum
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit


class CutPoint(enum.Enum):
    """When a connection is cut, as seen from one statement."""

    BEFORE = "before the database gets it"
    AFTER = "as soon as the database has it"
    ANSWERED = "when the database has done it, and before the answer arrives"


SPECIAL = (80877103, 80877104)
"""Codes of the requests to encrypt, which come before a session begins."""


class Proxy:
    """Passes bytes between a service and its database, and cuts connections."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.port is not None
        self._database = ("127.0.0.1", parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = url.replace(f":{parts.port}/", f":{self.port}/")
        self._lock = threading.Lock()
        self._plan: tuple[str, CutPoint] | None = None
        self._countdown: int | None = None
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.cuts = 0
        self.is_closed = False
        """Whether new connections are refused."""
        self.closes_with_cut = False
        """Whether new connections are refused after the next cut."""
        self._begin(self._accept)

    def _begin(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def arm(self, statement: str, cut: CutPoint) -> None:
        """Cut the next connection on which that statement is executed."""
        with self._lock:
            self._plan = statement, cut

    def arm_at(self, packet: int) -> None:
        """Cut a connection on which a batch is taken, in front of that packet of those that come from now on."""
        with self._lock:
            self._countdown = packet

    @property
    def is_armed(self) -> bool:
        """Whether a cut is still to come."""
        with self._lock:
            return self._plan is not None or self._countdown is not None

    def disarm(self) -> None:
        """Cut nothing any more."""
        with self._lock:
            self._plan = self._countdown = None

    def cut_all(self) -> None:
        """Cut every connection that there is."""
        with self._lock:
            left = list(self._open)
        for connection in left:
            _shut(connection)

    def close(self) -> None:
        """Cut everything, and refuse new connections."""
        self.is_closed = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_closed:
                client.close()
                continue
            try:
                database = socket.create_connection(self._database)
            except OSError:
                client.close()
                continue
            for connection in (client, database):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {client, database}
            swallow = threading.Event()
            self._begin(self._answers, database, client, swallow)
            self._begin(self._requests, client, database, swallow)

    def _answers(self, database: socket.socket, client: socket.socket, swallow: threading.Event) -> None:
        """Hand on what the database says; when it is to be swallowed, cut instead."""
        with suppress(OSError):
            while (piece := database.recv(65536)) and not swallow.is_set():
                client.sendall(piece)
        self._done(database, client)

    def _requests(self, client: socket.socket, database: socket.socket, swallow: threading.Event) -> None:
        """Hand on what the service says, packet by packet."""
        with suppress(OSError, EOFError):
            self._session(client, database, swallow)
        self._done(client, database)

    def _done(self, own: socket.socket, other: socket.socket) -> None:
        """Cut a connection; each of its two threads closes the socket that it reads from."""
        _shut(own, other)
        with self._lock:
            self._open.discard(own)
        own.close()

    def _session(self, client: socket.socket, database: socket.socket, swallow: threading.Event) -> None:
        while True:
            size = _exactly(client, 4)
            rest = _exactly(client, struct.unpack("!i", size)[0] - 4)
            database.sendall(size + rest)
            if struct.unpack("!i", rest[:4])[0] not in SPECIAL:
                break
        prepared: dict[bytes, str] = {}
        takes_batches = False
        cut: CutPoint | None = None
        while True:
            kind, size = _exactly(client, 1), _exactly(client, 4)
            body = _exactly(client, struct.unpack("!i", size)[0] - 4)
            statement = _executed(kind, body, prepared)
            takes_batches = takes_batches or statement == "BEGIN"
            cut = cut or self._cut(statement, counts=takes_batches)
            if cut is CutPoint.BEFORE:
                return
            ends = kind in b"QS"
            if cut is CutPoint.ANSWERED and ends:
                swallow.set()
            database.sendall(kind + size + body)
            if cut is CutPoint.AFTER and ends:
                return

    def _cut(self, statement: str | None, *, counts: bool) -> CutPoint | None:
        """Say whether this is where to cut."""
        with self._lock:
            found: CutPoint | None = None
            if self._countdown is not None and counts:
                self._countdown -= 1
                if self._countdown <= 0:
                    self._countdown, found = None, CutPoint.BEFORE
            if self._plan is not None and statement == self._plan[0]:
                found, self._plan = self._plan[1], None
            if found is not None:
                self.cuts += 1
                self.is_closed = self.is_closed or self.closes_with_cut
            return found


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = connection.recv(size - len(found))
        if not piece:
            raise EOFError
        found += piece
    return found


def _executed(kind: bytes, body: bytes, prepared: dict[bytes, str]) -> str | None:
    """Return the statement that a packet has executed; remember those that are prepared."""
    match kind:
        case b"Q":
            return body.rstrip(b"\0").decode()
        case b"P":
            name, text = body.split(b"\0", 2)[:2]
            prepared[name] = text.decode()
        case b"B":
            return prepared.get(body.split(b"\0", 2)[1])
    return None


def _shut(*connections: socket.socket) -> None:
    for connection in connections:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(url: str) -> Iterator[Proxy]:
    """Stand between a service and its database for a while."""
    between = Proxy(url)
    try:
        yield between
    finally:
        between.close()

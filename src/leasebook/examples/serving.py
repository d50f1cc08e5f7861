"""The base of the example services: a threaded HTTP/1.1 server that drains on SIGTERM."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final

BODY_MAX: Final = 1 << 20
IDLE_S: Final = 120.0


class Server(ThreadingHTTPServer):
    """A thread for each connection. ``drain`` ends it: it completes answers in progress and closes idle connections."""

    daemon_threads = False
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], handler: type[Handler]) -> None:
        self.idle: set[socket.socket] = set()
        self.draining = False
        self.lock = threading.Lock()
        super().__init__(address, handler)

    def drain(self) -> None:
        """Take no more requests; ``serve_forever`` returns, and closing waits for those that were taken."""
        with self.lock:
            self.draining = True
            for connection in self.idle:
                # Its thread waits for a request, and reads now that none will come. The caller may have gone.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)
        threading.Thread(target=self.shutdown).start()

    def begin(self, connection: socket.socket) -> None:
        """Note that a connection has a request."""
        with self.lock:
            self.idle.discard(connection)

    def rest(self, connection: socket.socket) -> bool:
        """Note that a connection waits for a request; False: it is to wait for none."""
        with self.lock:
            if not self.draining:
                self.idle.add(connection)
            return not self.draining


class Handler(BaseHTTPRequestHandler):
    """Answers with JSON or a stream of events. An example says what, in ``answer``."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    server: Server
    # An answer is written in one piece, and a stream piece by piece: neither is to wait for the other side.
    disable_nagle_algorithm: ClassVar[bool] = True

    def handle_one_request(self) -> None:
        """Answer one request, unless the server drains."""
        if not self.server.rest(self.connection):
            self.close_connection = True
            return
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True
        finally:
            self.server.begin(self.connection)

    def parse_request(self) -> bool:
        """Note that a request has come."""
        self.server.begin(self.connection)
        return super().parse_request()

    def do_GET(self) -> None:
        """Answer a GET."""
        self._do(b"")

    def do_HEAD(self) -> None:
        """Answer a HEAD: as a GET, less the body."""
        self._do(b"")

    def do_POST(self) -> None:
        """Answer a POST."""
        body = self._body()
        if body is None:
            self.close_connection = True
            self.say(413, {"error": {"message": f"At most {BODY_MAX} bytes are taken.", "type": "invalid_request"}})
        else:
            self._do(body)

    do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815 - named so by the library

    def _do(self, body: bytes) -> None:
        if self.path.partition("?")[0] == "/health":
            self.say(200, {"status": "ok"})
        else:
            self.answer(body)

    def answer(self, body: bytes) -> None:
        """Answer a request for anything but /health."""
        raise NotImplementedError

    def _body(self) -> bytes | None:
        """Read the body; None where it is too long."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length") or 0)
            return self.rfile.read(length) if 0 <= length <= BODY_MAX else None
        pieces: list[bytes] = []
        while size := int(self.rfile.readline(80).partition(b";")[0], 16):
            if sum(map(len, pieces)) + size > BODY_MAX:
                return None
            pieces.append(self.rfile.read(size))
            self.rfile.readline(8)
        while self.rfile.readline(1024).strip():
            pass
        return b"".join(pieces)

    def say(self, status: int, value: Any) -> None:
        """Answer with JSON."""
        text = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        if self.server.draining or self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def stream(self, events: Iterable[str]) -> None:
        """Answer with server-sent events, each as soon as it is there."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in () if self.command == "HEAD" else events:
            text = f"data: {event}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
        if self.command != "HEAD":
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named so by the library
        """Say nothing of each request."""


def serve(handler: type[Handler], about: str, argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was taken. The port is --port, or the variable PORT."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 0))
    given = parser.parse_args(argv)
    with Server((given.host, given.port), handler) as server:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.drain())
        print(f"listening on {given.host}:{server.server_address[1]}", flush=True)  # noqa: T201 - its only output
        server.serve_forever(poll_interval=0.1)

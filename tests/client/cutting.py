"""A proxy between a client and a server that cuts connections where a test wants it."""

from __future__ import annotations

import re
import socket
import threading
from collections import deque
from contextlib import suppress
from typing import Literal

_KEPT = re.compile(rb"connection: keep-alive", re.IGNORECASE)
Cut = Literal["before", "after", "body", ""]
"""Before the server has the request; after it has answered, and the client has nothing; in the answer; not at all."""


class CuttingProxy:
    """Passes one request on each connection, and cuts as the next entry of ``cuts`` says; with none left it passes."""

    def __init__(self, host: str, port: int) -> None:
        self.cuts: deque[Cut] = deque()
        self.requests = 0
        self._to = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        # A thread that waits for a client would keep the port open.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        # A client that has what it wants closes its connection.
        with client, suppress(OSError):
            request = _whole(client)
            if not request:
                return
            self.requests += 1
            cut = self.cuts.popleft() if self.cuts else ""
            if cut == "before":
                return
            with socket.create_connection(self._to) as server:
                # The address stays that which the client signed.
                server.sendall(_KEPT.sub(b"connection: close", request, 1))
                if not request.startswith(b"POST /v2/events?Action=FollowEvents"):
                    answer = b"".join(iter(lambda: server.recv(65536), b""))
                    client.sendall({"": answer, "after": b"", "body": answer[:-5]}[cut])
                    return
                while piece := server.recv(65536):
                    event = piece.find(b"\n\n", max(0, piece.find(b"data:")))
                    if cut and b"data:" in piece and event >= 0:
                        client.sendall(piece[: event + 2])
                        return
                    client.sendall(piece)


def _whole(client: socket.socket) -> bytes:
    """Read a request with its body."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = client.recv(65536)
        if not piece:
            return b""
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    lines = [line.split(b":", 1) for line in head.lower().split(b"\r\n")[1:]]
    length = next((int(line[1]) for line in lines if line[0] == b"content-length"), 0)
    while len(body) < length:
        body += client.recv(65536)
    return head + b"\r\n\r\n" + body

"""A real server, and raw bytes at it."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from leasebook.contract.signing import sign
from tests.crash.fleet import Process
from tests.crash.lone import lone_server
from tests.harness import ROOT_KEY, ROOT_SECRET

HOST = "leasebook.test"
GET = f"GET /healthz HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


def signed_post() -> bytes:
    """Return the beginning of a head that the root has signed; headers about the body are to follow."""
    path, query = "/v2/clock", "Action=DescribeClock"
    authorization = sign(
        access_key=ROOT_KEY,
        secret_key=ROOT_SECRET,
        method="POST",
        path=path,
        query=query,
        headers={"host": HOST},
        timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        signed_headers=("host",),
    )
    return f"POST {path}?{query} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {authorization}\r\n".encode()


class RawAnswer(NamedTuple):
    """An answer, as raw as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The error code of an answer in our envelope."""
        answer = json.loads(self.body)
        usual = {"requestId", "code", "message", "error_code", "error_msg", "log_id"}
        # A refusal before the headers are read also has the keys for callers with a bearer key.
        assert set(answer) in (usual, usual | {"error", "id"})
        assert self.headers["x-bce-request-id"] == answer["requestId"]
        # The headers are in lower case here, values included.
        assert unquote(self.headers["x-bce-error-message"]) == answer["message"].lower()
        code: str = answer["code"]
        return code


@contextmanager
def server_with(folder: Path, settings: Mapping[str, object]) -> Iterator[Process]:
    """Run a server with settings."""
    config = folder / "settings.toml"
    config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
    with lone_server(folder, "--config", str(config)) as server:
        yield server


def port_of(server: Process) -> int:
    """Return where it listens."""
    assert server.port is not None
    return server.port


def connected(
    server: Process, *, source: str = "127.0.0.1", timeout_s: float = 8.0, room: int | None = None
) -> socket.socket:
    """Return a connection from that address; ``room``: bytes that it takes in before they are read."""
    connection = socket.socket()
    connection.settimeout(timeout_s)
    if room is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    connection.bind((source, 0))
    connection.connect(("127.0.0.1", port_of(server)))
    return connection


def read_answer(connection: socket.socket, *, kept: bytearray | None = None) -> RawAnswer | None:
    """Read one answer with a length; None where the connection ends before one begins."""
    received = bytearray() if kept is None else kept
    while b"\r\n\r\n" not in received:
        more = _more(connection)
        if not more:
            assert not received, f"half an answer: {bytes(received)!r}"
            return None
        received += more
    head, _, rest = bytes(received).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    length = int(headers.get("content-length", "0"))
    while len(rest) < length:
        more = _more(connection)
        assert more, "half a body"
        rest += more
    received[:] = rest[length:]
    return RawAnswer(int(first.split(" ")[1]), headers, rest[:length])


def _more(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


def ask(server: Process, raw: bytes) -> RawAnswer | None:
    """Send bytes on a connection of their own; returns the answer."""
    with connected(server) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(raw)
        return read_answer(connection)


def ends(connection: socket.socket) -> bool:
    """Whether the server ends a connection, whatever it says before."""
    while _more(connection):
        pass
    return True


def is_well(server: Process) -> float:
    """Fail unless the server answers; returns how many seconds that took."""
    began = time.monotonic()
    connection = HTTPConnection("127.0.0.1", port_of(server), timeout=10)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        assert answer.status == 200
        answer.read()
    finally:
        connection.close()
    return time.monotonic() - began


def memory_of(server: Process) -> int:
    """Return how many bytes a server has in memory."""
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) * 1024


def metric(server: Process, name: str) -> float:
    """Return a sample by its name with labels; 0 where there is none."""
    connection = HTTPConnection("127.0.0.1", port_of(server), timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def until(is_so: Callable[[], Any], what: str, *, within_s: float = 8.0) -> None:
    """Look until it is so."""
    give_up = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < give_up, what
        time.sleep(0.05)

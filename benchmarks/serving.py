"""A real server in a process of its own, and what the benchmark asks of it."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.ports import free_port

from leasebook.contract.signing import sign

ACCESS_KEY, SECRET_KEY = "AKBENCH", "secret-of-the-benchmark"
HOST = "127.0.0.1"
LEASEBOOK = (sys.executable, "-m", "leasebook")
PATIENT = {"LEASEBOOK_SIGNATURE_AGE_MAX_SECONDS": "86400", "LEASEBOOK_SIGNATURE_OPERATOR_AGE_MAX_SECONDS": "86400"}
"""Requests signed at the start of a benchmark are sent until its end. Older versions ignore these limits."""
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60
_BATCH = re.compile(r"^leasebook_batch_size_(sum|count) (\S+)$", re.MULTILINE)


def listens(pid: int, port: int) -> bool:
    """Return whether a process listens on a port; one that has ended does not."""
    # Fields 2, 4 and 10: the address as hexadecimal digits, the state (0A: it listens), and the inode.
    lines = [
        line.split() for path in ("tcp", "tcp6") for line in Path(f"/proc/net/{path}").read_text().splitlines()[1:]
    ]
    sockets = {
        f"socket:[{line[9]}]" for line in lines if line[3] == "0A" and int(line[1].rpartition(":")[2], 16) == port
    }
    try:
        return any(_named(one) in sockets for one in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def _named(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:  # closed meanwhile
        return ""


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used so far."""
    # The name in parentheses may hold anything. Field 3 follows it; we want 14 and 15.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_exact_s(pid: int) -> float:
    """Return the processor time of all threads of a process, to the nanosecond; of those that ended, none."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


class Server:
    """A server process on a store of its own.

    ``command`` is run in place of ``leasebook``: a variant of the server takes the same arguments. ``serving`` are
    arguments of ``serve`` besides those that say which store it is.
    """

    def __init__(
        self, name: str, command: Sequence[str], store: Sequence[str], log: Path, *, serving: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.port = free_port()
        self._command = tuple(command)
        self._store = tuple(store)
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, "serve", "--host", HOST, "--port", str(self.port), *store, *serving, "--demo"],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment() | (PATIENT if command[0] == sys.executable else {}),
            )

    def wait_until_ready(self) -> None:
        """Raise RuntimeError where it does not serve in time."""
        give_up = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"{self.name} does not serve:\n{self._log.read_text()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        # Between our look for a free port and the start of the server another process may take it. A server of another
        # benchmark would then say that it is ready, and ours would get signals before it heeds them.
        if not listens(self._process.pid, self.port):
            return False
        try:
            return self._get("/readyz")[0] == http.HTTPStatus.OK
        except OSError:
            return False

    def _get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def request(
        self,
        path: str,
        action: str,
        body: bytes,
        keys: tuple[str, str] = (ACCESS_KEY, SECRET_KEY),
        *,
        hashed: bool = False,
    ) -> bytes:
        """Return a signed request, byte for byte; ``hashed``: the signature covers the body by its SHA-256."""
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        headers = {"Host": f"{HOST}:{self.port}", "x-bce-date": stamp}
        if hashed:
            headers["x-bce-content-sha256"] = hashlib.sha256(body).hexdigest()
        authorization = sign(
            access_key=keys[0],
            secret_key=keys[1],
            method="POST",
            path=path,
            query=f"Action={action}",
            headers=headers,
            timestamp=stamp,
            expires_s=24 * 3600,
            signed_headers=tuple(headers),
        )
        lines = [
            f"POST {path}?Action={action} HTTP/1.1",
            *(f"{name}: {value}" for name, value in headers.items()),
            f"Authorization: {authorization}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def call(self, path: str, action: str, body: Any) -> Any:
        """Call an action and return its result; raises RuntimeError where it is refused."""
        with socket.create_connection((HOST, self.port), timeout=30) as connection:
            connection.sendall(self.request(path, action, json.dumps(body).encode()))
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            text = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{action}: {text.decode()}")
        return json.loads(text)["result"]

    def batches(self) -> tuple[float, float]:
        """Return how many commands were decided so far, and in how many batches."""
        found = dict(_BATCH.findall(self._get("/metrics")[1]))
        return float(found["sum"]), float(found["count"])

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def cpu_s(self) -> float:
        """Return the processor time that it has used so far."""
        return cpu_s(self._process.pid)

    def cpu_exact_s(self) -> float:
        """Return the processor time that its threads have used so far, to the nanosecond."""
        return cpu_exact_s(self._process.pid)

    def stop(self) -> None:
        """Stop it cleanly; raises RuntimeError where it does not end well."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(STOP_SECONDS_MAX)
        if code:
            raise RuntimeError(f"{self.name} ended with {code}:\n{self._log.read_text()[-4000:]}")

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def check(self) -> str:
        """Have the books proved; raises RuntimeError where they are wrong."""
        done = subprocess.run(
            [*self._command, "check", *self._store], capture_output=True, text=True, env=_environment(), check=False
        )
        if done.returncode:
            raise RuntimeError(f"THE BOOKS OF {self.name} ARE WRONG:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEASEBOOK_")}
    return {**kept, "LEASEBOOK_ROOT_ACCESS_KEY": ACCESS_KEY, "LEASEBOOK_ROOT_SECRET_KEY": SECRET_KEY}


def allow_many_files() -> None:
    """Raise the limit of open files as far as it goes."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

"""The actor that is one replica on a Ray cluster: it runs the command on its node and answers for it.

The class is sent to the nodes by value, so that they need Ray and nothing of Leasebook: this module imports the
standard library, and Ray where it runs. Whatever is asked of it is answered from memory, at once; the command is
watched and kept by threads and by the keeper's process (``ray_keeper``), which ends everything when this process ends.
"""

from __future__ import annotations

import collections
import fcntl
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

LOG_BYTES_MAX = 1 << 20
LINE_BYTES_MAX = 4096
MISSES_MAX = 3
"""How many checks in a row must fail before a replica that was ready counts as unhealthy."""
CHECK_TIMEOUT_S = 2.0
CHECK_STARTING_EVERY_S = 0.2
CHECK_READY_EVERY_S = 1.0
RAYLET_EVERY_S = 0.5
REASON_LINES = 5
PORT_TRIES = 50


class Tail:
    """The last lines of a stream, within a bound in bytes."""

    def __init__(self) -> None:
        self._lines: collections.deque[str] = collections.deque()
        self._bytes = 0
        self._unfinished = b""
        self._lock = threading.Lock()

    def feed(self, chunk: bytes) -> None:
        """Take what the command wrote. A line beyond the bound is cut into several."""
        *lines, rest = (self._unfinished + chunk).split(b"\n")
        while len(rest) >= LINE_BYTES_MAX:
            lines.append(rest[:LINE_BYTES_MAX])
            rest = rest[LINE_BYTES_MAX:]
        self._unfinished = rest
        with self._lock:
            for line in lines:
                text = line[:LINE_BYTES_MAX].decode(errors="replace")
                self._lines.append(text)
                self._bytes += len(text) + 1
            while self._bytes > LOG_BYTES_MAX:
                self._bytes -= len(self._lines.popleft()) + 1

    def last(self, lines_max: int) -> list[str]:
        """Return the last lines, oldest first, the one that is not finished yet among them."""
        with self._lock:
            lines = list(self._lines)
        unfinished = self._unfinished
        if unfinished:
            lines.append(unfinished.decode(errors="replace"))
        return lines[-lines_max:] if lines_max > 0 else []


def claim_port(host: str, wanted: int) -> tuple[int, Any] | None:
    """Return a free port of this node and the open file that holds the claim to it; None where there is none.

    A lock on a file of the node's keeps two replicas from choosing the same port before either listens on it. It ends
    with the process, by itself.
    """
    folder = pathlib.Path(tempfile.gettempdir()) / f"leasebook-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for _ in range(PORT_TRIES):
        with socket.socket() as probe:
            if wanted:
                # As servers do: a port whose last connections still linger is free.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, wanted))
            except OSError:
                return None
            port = probe.getsockname()[1]
        claim = (folder / str(port)).open("wb")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            claim.close()
            if wanted:
                return None
            continue
        return port, claim
    return None


def how_it_ended(status: int | None) -> str:
    """Return an exit status in words; negative is a signal."""
    if status is None:
        return "it was not started"
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


class Replica:
    """One replica. It is started by being made; what came of that, ``outcome`` says.

    ``order`` is the replica as the driver wants it (``ray_driver.order_of``), ``keeper`` the source of the keeper.
    """

    def __init__(self, order: dict[str, Any], keeper: str) -> None:
        self._order = order
        self._log = Tail()
        self._lock = threading.Lock()
        self._failure: dict[str, str] | None = None
        self._host = ""
        self._port: int | None = None
        self._claim: Any = None
        self._devices: list[str] = []
        self._control: socket.socket | None = None
        self._stopped = False
        self._ended: str | None = None
        self._was_ready = False
        self._misses = 0
        self._said: str | None = None
        threading.Thread(target=self._mind_raylet, args=(os.getppid(),), daemon=True).start()
        self._begin(keeper)

    def _mind_raylet(self, raylet: int) -> None:
        """End this process, and with it the command, when the node's raylet ends.

        A raylet ends itself when it has lost its cluster. Ray's workers mostly end with it, but one was seen to go on
        for minutes after its head was lost; then the replica is out of sight, and it must not run.
        """
        while os.getppid() == raylet:
            time.sleep(RAYLET_EVERY_S)
        os._exit(1)

    def _begin(self, keeper: str) -> None:
        """Find out where this is, choose the port, and start the command under its keeper."""
        import ray

        order, context = self._order, ray.get_runtime_context()
        self._host = ray.util.get_node_ip_address()
        self._devices = [str(device) for device in context.get_accelerator_ids().get("GPU", [])]
        if order["port"] is not None:
            claimed = claim_port(self._host, order["port"])
            if claimed is None:
                self._failure = {"no_room": f"Port {order['port']} of node {self._host} is taken."}
                return
            self._port, self._claim = claimed
        env = self._environment()
        command = [self._with_port(part) for part in order["command"]]
        if shutil.which(command[0], path=env["PATH"]) is None:
            self._failure = {"cannot": f"There is no command {command[0]} on node {self._host}."}
            return
        self._run(keeper, command, env)

    def _with_port(self, text: str) -> str:
        return text if self._port is None else text.replace("{port}", str(self._port))

    def _environment(self) -> dict[str, str]:
        """Return a clean environment: nothing of Ray's, and of the node's only what every program expects."""
        order = self._order
        kept = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": os.environ.get("HOME", "/"),
            "LANG": os.environ.get("LANG", "C.UTF-8"),
        }
        env = {name: self._with_port(value) for name, value in order["env"].items()}
        ours = {**order["names"], "CUDA_VISIBLE_DEVICES": ",".join(self._devices)}
        if self._port is not None:
            ours["PORT"] = str(self._port)
        return kept | env | ours

    def _run(self, keeper: str, command: list[str], env: dict[str, str]) -> None:
        """Start the keeper and wait for its first word, which is whether the command was started."""
        order = self._order
        self._control, theirs = socket.socketpair()
        log, log_end = os.pipe()
        passing = subprocess.Popen(  # noqa: S603 - our own source
            [sys.executable, "-I", "-S", "-c", keeper],
            stdin=theirs.fileno(),
            stdout=log_end,
            stderr=log_end,
            env={"PATH": env["PATH"], "LANG": env["LANG"]},
            start_new_session=True,
        )
        passing.wait()
        theirs.close()
        os.close(log_end)
        threading.Thread(target=self._read_log, args=(log,), daemon=True).start()
        home = env["HOME"]
        first = {
            "command": command,
            "env": env,
            "cwd": home if pathlib.Path(home).is_dir() else "/",
            "ends_in_s": order["ends_in_s"],
            "grace_s": order["grace_s"],
            "memory_bytes": order["memory_bytes"],
        }
        self._control.sendall(json.dumps(first).encode() + b"\n")
        news = self._control.makefile("rb")
        self._hear(news.readline())
        threading.Thread(target=self._listen, args=(news,), daemon=True).start()
        threading.Thread(target=self._check, daemon=True).start()

    def _hear(self, line: bytes) -> None:
        """Take one piece of news from the keeper; an empty one is its end."""
        with self._lock:
            if not line:
                self._ended = self._ended or "its keeper was killed, and the command with it"
                return
            news = json.loads(line)
            if "cannot" in news:
                self._failure = {"cannot": news["cannot"]}
            if "ended" in news:
                why, how = news["why"], how_it_ended(news["ended"])
                self._ended = f"{why} ({how})" if why else how

    def _listen(self, news: Any) -> None:
        line = b"-"
        while line:
            line = news.readline()
            self._hear(line)

    def _read_log(self, log: int) -> None:
        while chunk := os.read(log, 1 << 16):
            self._log.feed(chunk)
        os.close(log)

    def _check(self) -> None:
        """Ask the command how it is, again and again, until it has ended."""
        while self._ended is None:
            trouble = self._trouble()
            with self._lock:
                self._said = trouble
                if trouble is None:
                    self._was_ready, self._misses = True, 0
                else:
                    self._misses += 1
            time.sleep(CHECK_READY_EVERY_S if self._was_ready else CHECK_STARTING_EVERY_S)

    def _trouble(self) -> str | None:
        """Return the trouble that the command's health check found; None: none."""
        if self._port is None:
            return None
        path = self._order["health_path"]
        try:
            if path is None:
                socket.create_connection((self._host, self._port), timeout=CHECK_TIMEOUT_S).close()
                return None
            asked = http.client.HTTPConnection(self._host, self._port, timeout=CHECK_TIMEOUT_S)
            try:
                asked.request("GET", path)
                status = asked.getresponse().status
            finally:
                asked.close()
        except (OSError, http.client.HTTPException) as error:
            return f"its health check failed: {error or type(error).__name__}"
        healthy = 200 <= status < 400  # noqa: PLR2004 - what the contract calls healthy
        return None if healthy else f"its health check answered {status}"

    def outcome(self) -> dict[str, str]:
        """Return why the command was not started: ``cannot`` or ``no_room``; nothing where it was."""
        return self._failure or {}

    def report(self) -> dict[str, Any]:
        """Return the replica as the driver sees it. ``Stopped``: it was asked to end, and nothing is left of it."""
        with self._lock:
            reason, state = None, "Starting"
            if self._failure is not None:
                state, reason = "Exited", next(iter(self._failure.values()))
            elif self._ended is not None:
                state, reason = "Exited", self._ended
                lines = self._log.last(REASON_LINES)
                reason = "\n".join([reason, *lines])
            elif self._was_ready:
                state = "Unhealthy" if self._misses >= MISSES_MAX else "Ready"
                reason = self._said if state == "Unhealthy" else None
            else:
                reason = self._said
            if self._stopped:
                state = "Stopped" if state == "Exited" else "Stopping"
            address = None if self._port is None else f"{self._host}:{self._port}"
        return {"state": state, "address": address, "reason": reason, "devices": self._owned()}

    def _owned(self) -> list[str]:
        """Return the accelerators with their node, as each node counts its own from 0."""
        return [f"{self._host}/{device}" for device in self._devices]

    def stop(self, grace_s: float) -> None:
        """Tell the command to end, and have it killed after the grace."""
        self._stopped = True
        self._tell(stop=grace_s)

    def end_in(self, seconds: float | None) -> None:
        """Have the keeper end the command by itself in this many seconds; None: never."""
        self._tell(ends_in_s=seconds)

    def tail(self, lines_max: int) -> list[str]:
        """Return the last lines that the command wrote, oldest first."""
        return self._log.last(lines_max)

    def _tell(self, **order: Any) -> None:
        """Give the keeper an order. One that has ended needs none."""
        if self._control is None:
            return
        try:
            self._control.sendall(json.dumps(order).encode() + b"\n")
        except OSError:
            return

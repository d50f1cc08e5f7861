"""The command line in processes of its own, without the second of processor time that its imports take each time.

One process has everything imported and does nothing but fork: each fork is a real process, with its own pid,
environment and files, that may be killed, paused and stopped like any other. The start of a new interpreter before that
is tested where a server is started with a command in front of it, and by the examples, the tour and the wheel.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from tests.spent import count_in

ROOT = Path(__file__).parent.parent
REQUEST_MAX = 1 << 20
TERMINATED_BY = 128


class Forked:
    """A running command line, with as much of ``subprocess.Popen`` as tests use."""

    def __init__(self, arguments: Sequence[str], *, env: Mapping[str, str], stdout: int, stderr: int) -> None:
        self.args = ["leasebook", *arguments]
        self.returncode: int | None = None
        self._reports, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = json.dumps({"arguments": self.args, "environment": dict(env)}).encode()
        with theirs:
            socket.send_fds(_nursery().way, [request], [stdout, stderr, theirs.fileno()])
        self.pid = int(self._reports.recv(64))

    def poll(self) -> int | None:
        """Return how it ended; None: it runs."""
        return self._heard(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended, and return how; raises TimeoutExpired."""
        code = self._heard(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code

    def _heard(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self._reports.settimeout(timeout)
            try:
                self.returncode = int(self._reports.recv(64))
            except (BlockingIOError, TimeoutError):
                return None
            self._reports.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a power cut does."""
        self.send_signal(signal.SIGKILL)

    def __del__(self) -> None:
        self._reports.close()


def run(
    arguments: Sequence[str], *, env: Mapping[str, str], timeout: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end, as ``subprocess.run`` does."""
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as complained:
        process = Forked(arguments, env=env, stdout=told.fileno(), stderr=complained.fileno())
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        texts = []
        for file in (told, complained):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(process.args, code, *texts)


class _Nursery:
    """The process that forks, and the way to it; it ends when this one does."""

    def __init__(self) -> None:
        self.way, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forked", str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        count_in(self._process.pid)
        atexit.register(self._end)

    def _end(self) -> None:
        self.way.close()
        self._process.wait()


@cache
def _nursery() -> _Nursery:
    return _Nursery()


def _forking(requests: socket.socket) -> list[str]:
    """Fork as often as asked; returns, in a process that was forked, the arguments of its command line."""
    signal.signal(signal.SIGCHLD, _reap)
    while True:
        text, files, _, _ = socket.recv_fds(requests, REQUEST_MAX, 3)
        if not text:
            os._exit(0)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _born(requests, json.loads(text), files)
        for file in files:
            os.close(file)


def _reap(*_: object) -> None:
    """Wait for those that have ended, at once: only then is their time counted, for the test that they were for."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _born(requests: socket.socket, wanted: dict[str, Any], files: list[int]) -> list[str]:
    """Fork once more, so that a parent is there to hear of the end; returns in the process that is to work."""
    requests.close()
    stdout, stderr, told = files
    child = os.fork()
    if child:
        os.write(told, str(child).encode())
        _, status = os.waitpid(child, 0)
        os.write(told, str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    os.close(told)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.close(stdout)
    os.close(stderr)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    # An interpreter reads it once, when it starts.
    time.tzset()
    return list(wanted["arguments"])


def _import_everything() -> None:
    import leasebook.server.rotate_master_key
    import leasebook.server.serve
    import leasebook.store.migrate
    import leasebook.store.postgres.store
    import leasebook.store.sqlite.store
    import leasebook.store.verify.check  # noqa: F401

    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    import leasebook
    from leasebook.cli.main import main

    _import_everything()
    _, *words = _forking(socket.socket(fileno=int(sys.argv[1])))
    # As "python -m leasebook" leaves it, because messages about usage name it.
    __package__ = "leasebook"
    sys.argv = [str(Path(leasebook.__file__).parent / "__main__.py"), *words]
    main()

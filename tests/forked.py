"""The command line in processes of its own, without the second of processor time that its imports take each time.

One process has everything imported and does nothing but fork: each fork is a real process, with its own pid,
environment and files, that may be killed, paused and stopped like any other. The start of a new interpreter before that
is tested where a server is started with a command in front of it, and by the examples, the tour and the wheel.

All processes of a test run share the one that forks, which the first of them starts (``prepare``).
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import resource
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
from typing import Any, Final

from tests import spent

ROOT = Path(__file__).parent.parent
REQUEST_MAX = 1 << 20
TERMINATED_BY = 128


class Forked:
    """A running command line, with as much of ``subprocess.Popen`` as tests use."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        stdout: int,
        stderr: int,
        migrations: Path | None = None,
        nursery: Nursery | None = None,
    ) -> None:
        """``migrations``: it is the next version, whose migration lies in that folder (``tests/newer.py``).

        ``nursery`` forks it, in the place of the one of this run.
        """
        self.args = ["leasebook", *arguments]
        self.returncode: int | None = None
        self._reports, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        wanted = {
            "arguments": self.args,
            "environment": dict(env),
            "migrations": None if migrations is None else str(migrations),
        }
        request = json.dumps(wanted).encode()
        with theirs:
            socket.send_fds((nursery or _nursery()).way, [request], [stdout, stderr, theirs.fileno()])
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
                code, seconds = self._reports.recv(64).split()
            except (BlockingIOError, TimeoutError):
                return None
            self.returncode = int(code)
            spent.add(float(seconds))
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
    arguments: Sequence[str], *, env: Mapping[str, str], timeout: float = 120.0, migrations: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end, as ``subprocess.run`` does."""
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as complained:
        process = Forked(arguments, env=env, stdout=told.fileno(), stderr=complained.fileno(), migrations=migrations)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        texts = []
        for file in (told, complained):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(process.args, code, *texts)


class Nursery:
    """The process that forks, and the way to it; it ends when this one does.

    ``variables`` are more of its environment, for a library that has to be there when an interpreter starts.
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self.way, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forked", str(theirs.fileno())],
                cwd=ROOT,
                env=os.environ | dict(variables or {}),
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        atexit.register(self.end)

    def end(self) -> None:
        """End it. Processes that it has forked go on."""
        atexit.unregister(self.end)
        self.way.close()
        self._process.wait()


@cache
def _nursery() -> Nursery:
    return Nursery()


def prepare() -> None:
    """Start the process that forks, for this process and for all that are forked from it later."""
    _nursery()


def _forking(requests: socket.socket) -> dict[str, Any]:
    """Fork as often as asked; returns, in a process that was forked, what it is to be."""
    counted_s = 0.0
    while True:
        text, files, _, _ = socket.recv_fds(requests, REQUEST_MAX, 3)
        if not text:
            os._exit(0)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        # The time of this process since it forked last, at first for its imports.
        own_s = _own_s() - counted_s
        if os.fork() == 0:
            return _born(requests, json.loads(text), files, own_s)
        counted_s += own_s
        for file in files:
            os.close(file)


def _own_s() -> float:
    """Return the processor time of this process, also where a library sets its clocks."""
    took = resource.getrusage(resource.RUSAGE_SELF)
    return took.ru_utime + took.ru_stime


def _born(requests: socket.socket, wanted: dict[str, Any], files: list[int], before_s: float) -> dict[str, Any]:
    """Fork once more, so that a parent is there to hear of the end; returns in the process that is to work.

    The parent reports how it ended and the processor time that it took, with ``before_s``: tests/spent.py.
    """
    requests.close()
    stdout, stderr, told = files
    child = os.fork()
    if child:
        # A file system on which the child writes can be unmounted as soon as the child has ended.
        os.close(stdout)
        os.close(stderr)
        os.write(told, str(child).encode())
        _, status, took = os.wait4(child, 0)
        seconds = before_s + took.ru_utime + took.ru_stime
        os.write(told, f"{os.waitstatus_to_exitcode(status)} {seconds:.6f}".encode())
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
    return wanted


EVERYTHING: Final = (
    "cryptography.x509",
    "leasebook.console.openid.pages",
    "leasebook.server.rotate_master_key",
    "leasebook.server.serve",
    "leasebook.store.migrate",
    "leasebook.store.postgres.store",
    "leasebook.store.sqlite.store",
    "leasebook.store.verify.check",
)
"""Modules that import what any command line needs."""


def _import_everything() -> None:
    for module in EVERYTHING:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    import leasebook
    from leasebook.cli.main import main

    _import_everything()
    wanted = _forking(socket.socket(fileno=int(sys.argv[1])))
    _, *words = wanted["arguments"]
    # As "python -m leasebook" leaves it, because messages about usage name it.
    __package__ = "leasebook"
    sys.argv = [str(Path(leasebook.__file__).parent / "__main__.py"), *words]
    if wanted["migrations"] is None:
        main()
    else:
        from tests.newer import main as main_of_next

        main_of_next(wanted["migrations"])

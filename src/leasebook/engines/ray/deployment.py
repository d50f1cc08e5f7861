"""The process that gives an application to Ray Serve, as the guard of the application sees it.

It is a process of its own because its imports may take long, or end it. The module is sent to the nodes by value, and
imports only the standard library. Times are in seconds of the monotonic clock of the guard's node.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

READ_BYTES = 1 << 16


class Deployment:
    """One run of the deployer: its output, its end, and the port that it reports.

    ``program`` is the source of the deployer, ``wanted`` its order, which gets the file of the report as ``telling``.
    ``env`` comes on top of this process's own environment without what Ray set there. ``feed`` gets the output, in a
    thread of its own, until the last process that holds it has ended.
    """

    def __init__(
        self, program: str, wanted: Mapping[str, Any], env: Mapping[str, str], feed: Callable[[bytes], None]
    ) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        log, log_end = os.pipe()
        report, telling = os.pipe()
        self._process = subprocess.Popen(  # noqa: S603 - our own source
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=log_end,
            stderr=log_end,
            env=inherited | dict(env) | {"RAY_USAGE_STATS_ENABLED": "0"},
            pass_fds=[telling],
            start_new_session=True,
        )
        os.close(log_end)
        os.close(telling)
        self._report = report
        self.port = 0
        """Where Serve's proxies listen; 0 before the end, and where the deployer failed."""
        self.ended_at: float | None = None
        """When its end was seen."""
        threading.Thread(target=self._read, args=(log, feed), daemon=True).start()
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        self._process.stdin.write(json.dumps({**wanted, "telling": telling}).encode() + b"\n")
        self._process.stdin.close()

    @staticmethod
    def _read(log: int, feed: Callable[[bytes], None]) -> None:
        while chunk := os.read(log, READ_BYTES):
            feed(chunk)
        os.close(log)

    @property
    def pid(self) -> int:
        """The process, which is no part of the application."""
        return self._process.pid

    def see_end(self, now: float) -> int | None:
        """Return how it ended, once, at the first look that finds it so; None: it runs, or that was seen before."""
        if self.ended_at is not None or self._process.poll() is None:
            return None
        self.ended_at = now
        with os.fdopen(self._report, "rb") as report:
            self.port = int(report.read() or 0)
        return self._process.returncode

    def cut_off(self) -> bool:
        """Kill it if it still runs; returns whether it did."""
        if self._process.poll() is not None:
            return False
        self._process.kill()
        return True

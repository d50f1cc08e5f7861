"""Health checks: many at once, each with a timeout; a hanging check delays no others."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Final

import msgspec

FAILURES_MAX: Final = 3
"""A healthy replica becomes unhealthy after this many failed checks in a row."""
_AT_ONCE_MAX: Final = 128
_HEALTHY: Final = range(200, 400)
_STATUS: Final = re.compile(rb"[0-9]{3}")
"""The status is exactly three digits: the reason that is stored and shown must not contain longer numbers."""


class Target(msgspec.Struct, frozen=True):
    """A replica to check. ``was_ready``: it was found healthy before, perhaps by an earlier process."""

    host: str
    port: int
    path: str | None
    was_ready: bool


class Health(msgspec.Struct, frozen=True):
    """The health of one replica."""

    ready: bool
    failures: int = 0
    reason: str | None = None
    checked_at: float = float("-inf")
    """In seconds of the monotonic clock."""


async def _ask(target: Target) -> str | None:
    """Ask a replica once; return why it is not healthy."""
    writer: asyncio.StreamWriter | None = None
    try:
        reader, writer = await asyncio.open_connection(target.host, target.port)
        if target.path is None:
            return None
        request = f"GET {target.path} HTTP/1.1\r\nHost: {target.host}:{target.port}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        line = await reader.readline()
        words = line.split(None, 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/") or not _STATUS.fullmatch(words[1]):  # noqa: PLR2004
            return f"{target.path} was not answered with HTTP"
        return None if int(words[1]) in _HEALTHY else f"{target.path} was answered with {words[1].decode()}"
    finally:
        if writer is not None:
            writer.transport.abort()


class Checks:
    """Checks replicas whenever it is asked about them, and remembers what it found.

    One that was healthy is asked again every ``every_s`` at most, for ``timeout_s`` at most. ``look`` waits ``wait_s``
    for answers; those that take longer count when they come.
    """

    def __init__(self, *, every_s: float = 1.0, timeout_s: float = 2.0, wait_s: float = 0.25) -> None:
        self._every_s = every_s
        self._timeout_s = timeout_s
        self._wait_s = wait_s
        self._known: dict[str, Health] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(_AT_ONCE_MAX)

    async def look(self, targets: Mapping[str, Target]) -> Mapping[str, Health]:
        """Check these replicas, forget all others, and return the health of each."""
        for name in self._known.keys() - targets.keys():
            del self._known[name]
        for name in self._running.keys() - targets.keys():
            self._running.pop(name).cancel()
        now = time.monotonic()
        for name, target in targets.items():
            known = self._known.setdefault(name, Health(target.was_ready))
            due = not known.ready or now >= known.checked_at + self._every_s
            if due and name not in self._running:
                self._running[name] = asyncio.create_task(self._check(name, target))
        if self._running:
            await asyncio.wait(tuple(self._running.values()), timeout=self._wait_s)
        return {name: self._known.get(name, Health(target.was_ready)) for name, target in targets.items()}

    async def _check(self, name: str, target: Target) -> None:
        async with self._places:
            try:
                async with asyncio.timeout(self._timeout_s):
                    reason = await _ask(target)
            except TimeoutError:
                reason = f"it did not answer within {self._timeout_s:g} s"
            except (OSError, ValueError) as error:
                reason = f"port {target.port}: {getattr(error, 'strerror', None) or error}"
        known = self._known.get(name)
        if known is not None:
            failures = 0 if reason is None else known.failures + 1
            ready = known.ready or reason is None
            self._known[name] = Health(ready, failures, reason, time.monotonic())
        self._running.pop(name, None)

    async def close(self) -> None:
        """Give up the checks that are running."""
        running = tuple(self._running.values())
        self._running.clear()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

"""Whether the store takes what is written: what the last batches came to, and since when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Protocol

import structlog

from leasebook.batch.ports import LockedOut, NeedsRestart, OutcomeUnknown, Unavailable
from leasebook.domain.commands.command import Command
from leasebook.domain.commands.store.write_probe import ProveWriting

log = structlog.get_logger()

SLOW_S: Final = 3.0
"""A batch that takes longer waits for the store: for a lock, a disk, or a database that does not answer."""
FRESH_S: Final = 3.0
"""So long a write proves that the next will succeed. An idle server writes no more often, and only if it is asked."""
AGAIN_S: Final = 2.0
"""While writes fail one is tried so often, so that it is known when they succeed again."""


class WriteMeter(Protocol):
    """Where it is counted how often, and told since when, nothing can be written."""

    def writes_failed(self, outcome: str) -> None:
        """Count a batch that was not written: ``refused``, or ``unknown``."""

    def writes_failing(self, seconds: Callable[[], float]) -> None:
        """Have it read off, whenever somebody looks, for how long nothing could be written; 0: something can."""


class WriteHealth:
    """Knows at any moment whether batches are written; a `Concern` of /readyz.

    A batch that changed nothing proves nothing: on a full disk it succeeds.
    """

    def __init__(self) -> None:
        self._wrote_at = float("-inf")
        self._failing_since: float | None = None
        self._text = self._why = ""
        self._needs_restart = False
        self._began_at: float | None = None
        self._meter: WriteMeter | None = None
        self._on_failure: Callable[[], None] | None = None

    def count(self, meter: WriteMeter) -> None:
        """Tell a meter from now on."""
        self._meter = meter
        meter.writes_failing(self.failing_s)

    def on_failure(self, call: Callable[[], None]) -> None:
        """Call this whenever a batch could not be written."""
        self._on_failure = call

    def begins(self) -> None:
        """A batch is taken to the store."""
        self._began_at = time.monotonic()

    def ends(self) -> None:
        """It is done with, whatever came of it."""
        self._began_at = None

    def wrote(self) -> None:
        """A batch that changed something was committed."""
        self._wrote_at = time.monotonic()
        if self._failing_since is not None:
            log.warning("the store can be written again", after_s=round(self.failing_s(), 1))
            self._failing_since, self._why = None, ""

    def failed(self, error: Unavailable) -> None:
        """A batch could not be written. One line says so, and another only where the reason is another."""
        if isinstance(error, LockedOut):
            # Some rows are held. Everything else can be written.
            return
        if self._meter is not None:
            self._meter.writes_failed("unknown" if isinstance(error, OutcomeUnknown) else "refused")
        if self._failing_since is None:
            self._failing_since = time.monotonic()
        self._text = str(error)
        self._needs_restart = self._needs_restart or isinstance(error, NeedsRestart)
        if (why := _without_figures(self._text)) != self._why:
            self._why = why
            log.error("the store cannot write", error=str(error), detail=error.detail)
        if self._on_failure is not None:
            self._on_failure()

    @property
    def is_failing(self) -> bool:
        """Whether the last batch that had something to write could not be written."""
        return self._failing_since is not None

    @property
    def is_fresh(self) -> bool:
        """Whether something was written so lately that nothing needs to be tried."""
        return time.monotonic() - self._wrote_at < FRESH_S

    def failing_s(self) -> float:
        """Return for how many seconds nothing could be written; 0: something can."""
        return 0.0 if self._failing_since is None else time.monotonic() - self._failing_since

    def unready(self) -> str | None:
        """Why nothing can be written now; None where it can, as far as is known."""
        if self._failing_since is not None:
            return f"Nothing could be written for {self.failing_s():.0f} s: {self._text}."
        waits_s = 0.0 if self._began_at is None else time.monotonic() - self._began_at
        return f"The store has kept a batch waiting for {waits_s:.0f} s." if waits_s > SLOW_S else None

    def broken(self) -> str | None:
        """Why nothing will be written again before a restart."""
        return f"Nothing can be written: {self._text}." if self._needs_restart else None


def _without_figures(text: str) -> str:
    return "".join("#" if letter.isdigit() else letter for letter in text)


class Prober:
    """Finds out whether a write succeeds, as every write goes: where nothing was written lately, or writes fail."""

    def __init__(self, writing: WriteHealth, submit: Callable[[Command], Awaitable[Any]]) -> None:
        self._writing = writing
        self._submit = submit
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False
        writing.on_failure(self._soon)

    async def look(self, within_s: float) -> None:
        """Have something written unless that was done lately; waits for it so long at most."""
        if self._writing.is_fresh or self._stopped:
            return
        self._begin()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=within_s)

    async def stop(self) -> None:
        """Try no more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _soon(self) -> None:
        if self._timer is None and not self._stopped:
            self._timer = asyncio.get_running_loop().call_later(AGAIN_S, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._writing.is_failing:
            self._begin()

    def _begin(self) -> None:
        if not self._stopped and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._try(), name="proving that writes succeed")

    async def _try(self) -> None:
        # Whatever comes of it, the batch tells `Writing`.
        with suppress(Exception):
            await self._submit(ProveWriting())
        if self._writing.is_failing:
            self._soon()

"""Whether the store can be written: the result of the last batches, since when writes fail, and a batch that hangs.

A batch hangs that neither ends nor fails, because a disk does not answer or a file system is frozen. It cannot be given
up: nothing ends a write that waits in the kernel. Its callers get an answer in time, and so does each later caller,
until it has ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Protocol

import structlog

from leasebook.batch.ports import LockedOut, NeedsRestart, OutcomeUnknown, Unavailable
from leasebook.batch.waiting import Batch
from leasebook.domain.commands.command import Command
from leasebook.domain.commands.store.write_probe import ProveWriting

log = structlog.get_logger()

SLOW_S: Final = 3.0
"""A batch that takes longer is waiting for the store: for a lock, a disk, or a database that does not answer."""
FRESH_S: Final = 3.0
"""How long a write is proof that writes succeed. An idle server writes for health checks only, no more often."""
AGAIN_S: Final = 2.0
"""Pause between two test writes while writes fail, so that the server learns when they succeed again."""


class WriteMeter(Protocol):
    """Metrics of failed writes."""

    def writes_failed(self, outcome: str) -> None:
        """Count a batch that was not written: ``refused``, or ``unknown``."""

    def writes_failing(self, seconds: Callable[[], float]) -> None:
        """Register the function that returns for how many seconds writes have failed; 0: they succeed."""


class WriteHealth:
    """Whether batches are written, at any moment; a `Concern` of /readyz.

    A batch that changed nothing is no proof of success: it succeeds also on a full disk.
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
        """Report to these metrics from now on."""
        self._meter = meter
        meter.writes_failing(self.failing_s)

    def on_failure(self, call: Callable[[], None]) -> None:
        """Call this whenever a batch could not be written."""
        self._on_failure = call

    def begins(self) -> None:
        """Take note that a batch begins."""
        self._began_at = time.monotonic()

    def ends(self) -> None:
        """Take note that the batch has ended, whatever its result."""
        self._began_at = None

    def wrote(self) -> None:
        """Take note that a batch was committed that changed something."""
        self._wrote_at = time.monotonic()
        if self._failing_since is not None:
            log.warning("the store can be written again", after_s=round(self.failing_s(), 1))
            self._failing_since, self._why = None, ""

    def failed(self, error: Unavailable) -> None:
        """Take note that a batch could not be written. It is logged once for each reason."""
        if isinstance(error, LockedOut):
            # Only some rows are locked. Everything else can be written.
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
        """Whether the last write is recent enough to be proof that writes succeed."""
        return time.monotonic() - self._wrote_at < FRESH_S

    def failing_s(self) -> float:
        """Return for how many seconds writes have failed; 0: they succeed."""
        return 0.0 if self._failing_since is None else time.monotonic() - self._failing_since

    def unready(self) -> str | None:
        """Why nothing can be written now; None: writes succeed, as far as is known."""
        if self._failing_since is not None:
            return f"Nothing could be written for {self.failing_s():.0f} s: {self._text}."
        waits_s = 0.0 if self._began_at is None else time.monotonic() - self._began_at
        return f"The store has kept a batch waiting for {waits_s:.0f} s." if waits_s > SLOW_S else None

    def broken(self) -> str | None:
        """Why nothing can be written before a restart; None: no restart is needed."""
        return f"Nothing can be written: {self._text}." if self._needs_restart else None


def _without_figures(text: str) -> str:
    return "".join("#" if letter.isdigit() else letter for letter in text)


class Prober:
    """Tests whether writes succeed, with a batch like any other, if none was written lately or while writes fail."""

    def __init__(self, writing: WriteHealth, submit: Callable[[Command], Awaitable[Any]]) -> None:
        self._writing = writing
        self._submit = submit
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False
        writing.on_failure(self._soon)

    async def look(self, within_s: float) -> None:
        """Test a write unless one succeeded lately; waits for the result for at most ``within_s`` seconds."""
        if self._writing.is_fresh or self._stopped:
            return
        self._begin()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=within_s)

    async def stop(self) -> None:
        """Stop testing."""
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
        # The batch reports its result to `WriteHealth` itself.
        with suppress(Exception):
            await self._submit(ProveWriting())
        if self._writing.is_failing:
            self._soon()


LOOK_AGAIN_S: Final = 0.25
"""A batch that has run too long is looked at a second time after these seconds, before its callers are answered."""


class StallGuard:
    """Watches the running batch with one timer, so that a batch costs no timer of its own."""

    def __init__(self, limit_s: float | None, stalled: Callable[[Batch], None], ended: Callable[[], None]) -> None:
        """Call ``stalled`` when a batch has run for ``limit_s`` seconds, and ``ended`` when that batch is over.

        ``limit_s`` None: the store bounds the wait itself.
        """
        self._limit_s: Final = limit_s
        self._stalled = stalled
        self._ended = ended
        self._batch: Batch | None = None
        self._began_at = 0.0
        self._suspect: Batch | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_stalled = False

    def begins(self, batch: Batch) -> None:
        """Watch a batch from now on."""
        if self._limit_s is None:
            return
        self._batch, self._began_at = batch, time.monotonic()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._limit_s, self._look, self._limit_s)

    def ends(self) -> None:
        """Take note that the batch is over, whatever its result."""
        self._batch = self._suspect = None
        if self._is_stalled:
            self._is_stalled = False
            log.warning("the store has let a batch end", after_s=round(time.monotonic() - self._began_at, 1))
            self._ended()

    def _look(self, limit_s: float) -> None:
        self._timer = None
        if self._batch is None:
            return
        left_s = self._began_at + limit_s - time.monotonic()
        if left_s <= 0 and self._suspect is not self._batch:
            # This process may have been paused. If the batch has ended meanwhile, the loop learns of it first.
            self._suspect, left_s = self._batch, LOOK_AGAIN_S
        if left_s > 0:
            self._timer = asyncio.get_running_loop().call_later(left_s, self._look, limit_s)
            return
        self._is_stalled = True
        self._stalled(self._batch)


def not_begun(limit_s: float) -> Unavailable:
    """Return the refusal for a command that no batch has decided, and none will."""
    return Unavailable(
        f"the store has kept a batch waiting for more than {limit_s:.0f} s: its disk does not answer, or its file "
        "system is frozen; the server's operator must act"
    )


def not_confirmed(limit_s: float) -> OutcomeUnknown:
    """Return the error for a command of the batch that waits: the disk may still write it."""
    return OutcomeUnknown(
        f"the disk of the store has not confirmed a write for more than {limit_s:.0f} s, or its file system is frozen"
    )

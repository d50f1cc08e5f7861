"""The disk: its speed, which decides whether the loop waits for a commit, and the thread that waits for it.

Work is handed to the thread with one lock, because a future of the library takes twice as long.
"""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final

QUICK_S: Final = 0.001
LOOP_WAIT_S: Final = 0.005
"""Upper bound of how long the event loop itself waits for the thread, in seconds; a commit takes about one."""


class Disk:
    """A running average of the commits' duration."""

    def __init__(self) -> None:
        self._seconds = QUICK_S

    def timed(self, commit: Callable[[], None]) -> None:
        """Commit, and record the duration."""
        began = time.perf_counter()
        commit()
        self._seconds += (time.perf_counter() - began - self._seconds) / 8

    @property
    def is_quick(self) -> bool:
        """Whether a commit takes less time than handing it to a thread."""
        return self._seconds < QUICK_S


class _Job:
    """A function to run, and later its result or error."""

    __slots__ = ("done", "error", "result", "wake", "work")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = threading.Lock()
        """Locked until the function has ended."""
        self.done.acquire()
        self.wake: Callable[[], object] | None = None
        """Wakes the loop, if it does not wait itself."""

    def run(self) -> None:
        """Run the function, and let its caller go on."""
        try:
            self.result = self.work()
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            self.error = error
        self.done.release()
        if self.wake is not None:
            # The loop may be closed by now.
            with suppress(RuntimeError):
                self.wake()

    def outcome(self) -> Any:
        """Return the result, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.result


class DiskThread:
    """Runs one function after another. It ends when it is closed, or when its owner is gone."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        # A daemon, because one that waits in the kernel for a frozen disk would keep a process from ending.
        self._thread = threading.Thread(target=_run, args=(self._jobs,), name=name, daemon=True)
        self._thread.start()
        self._end = weakref.finalize(self, self._jobs.put, None)

    async def at_once(self, work: Callable[[], Any]) -> Any:
        """Run a function that takes a millisecond unless the disk does not answer; returns its result.

        The loop waits for it, which is quicker than to be woken by the thread; after ``LOOP_WAIT_S`` it goes on.
        """
        job = _Job(work)
        self._jobs.put(job)
        if not job.done.acquire(timeout=LOOP_WAIT_S):
            future = _woken(job)
            # It may have ended before it was known whom to wake.
            if not job.done.acquire(blocking=False):
                await future
        return job.outcome()

    async def off_loop(self, work: Callable[[], Any]) -> Any:
        """Run a function while the loop goes on; returns its result."""
        job = _Job(work)
        future = _woken(job)
        self._jobs.put(job)
        await future
        return job.outcome()

    def close(self) -> None:
        """Finish what was begun, and end the thread."""
        self._end()
        self._thread.join()


def _run(jobs: SimpleQueue[_Job | None]) -> None:
    while (job := jobs.get()) is not None:
        job.run()


def _woken(job: _Job) -> asyncio.Future[None]:
    """Return a future that is done when the job is."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    job.wake = lambda: loop.call_soon_threadsafe(_wake, future)
    return future


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

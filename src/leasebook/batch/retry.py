"""Handles a batch that fails: it is tried again, its commands are tried one by one, or its callers fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol

import structlog

from leasebook.batch.audit_writer import AuditQueue
from leasebook.batch.ports import Blocked, Conflict, DueDone, Duplicate, IdTaken, OutcomeUnknown, Unavailable
from leasebook.batch.replies import DeferredReplies
from leasebook.batch.waiting import Batch, WaitingCall
from leasebook.batch.write_health import StallGuard, WriteHealth, not_begun, not_confirmed
from leasebook.domain.commands.command import Decision
from leasebook.domain.commands.due_work import due_command
from leasebook.domain.record.agenda import Due

log = structlog.get_logger()

TRIES: Final = 2
"""How often a batch is tried that conflicts with other servers. A try that finds new locked rows does not count."""


class Waiting(Protocol):
    """The queue, as far as a batch that fails or does not end needs it."""

    @property
    def is_closed(self) -> bool:
        """Whether no further batch is certain to come."""
        ...

    def stall(self, error: Callable[[], Exception]) -> None:
        """Give a new ``error`` to everything that waits, and to what comes from now on, until ``resume``."""

    def resume(self) -> None:
        """Accept callers again."""


class BatchRetry:
    """Executes batches so that each of their callers gets an answer or an error, whatever happens.

    - Conflict: nothing was done. The batch is tried once more, and then its commands are tried one by one.
      A command that still conflicts alone because its new id is taken (Duplicate) fails with IdTaken.
    - Unavailable: it would fail for each command alike, so all callers get the error. This includes OutcomeUnknown,
      after which nothing must be tried again because it may have been done.
    - Any other error is a command's own. The commands are tried one by one, so that only that one fails.
    - A batch that does not end within ``stall_s`` seconds goes on, and its callers get an error without it.
    """

    def __init__(
        self,
        execute: Callable[[Batch, list[Due]], Awaitable[None]],
        *,
        queue: Waiting,
        replies: DeferredReplies,
        audit: AuditQueue,
        writing: WriteHealth,
        stall_s: float | None = None,
    ) -> None:
        """``execute`` commits a batch, adds the due work that it took to the list, and defers the replies."""
        self._execute = execute
        self._queue = queue
        self._replies = replies
        self._audit = audit
        self._writing = writing
        self._guard = StallGuard(stall_s, partial(self._stalled, stall_s or 0.0), queue.resume)

    async def run(self, batch: Batch) -> None:
        """Execute a batch. Raises nothing: its callers get what went wrong."""
        due: list[Due] = []
        self._writing.begins()
        self._guard.begins(batch)
        try:
            await self._try(batch, due)
        except Unavailable as error:
            self._keep_entries(batch, is_certain=not isinstance(error, OutcomeUnknown))
            self._failed(error)
            for waiting in batch.callers:
                waiting.fail(error)
            batch.fail_due(error)
        except Conflict as conflict:
            # Other servers are the reason, or the dice. A traceback of ours would not help to find it.
            counts = {"callers": len(batch.callers), "due": len(due)}
            if isinstance(conflict, Duplicate):
                log.warning("a new row is there already, taking commands one by one", **counts)
            else:
                log.warning("others are in the way, taking commands one by one", **counts)
            self._keep_entries(batch, is_certain=True)
            await self._one_by_one(batch, due, conflict)
        except Exception as error:
            log.exception("batch failed, taking its commands one by one", callers=len(batch.callers), due=len(due))
            self._keep_entries(batch, is_certain=True)
            await self._one_by_one(batch, due, error)
        finally:
            self._writing.ends()
            self._guard.ends()

    def _failed(self, error: Unavailable) -> None:
        """Have health checks learn of a failed write; a taken id is none, since the store works."""
        if not isinstance(error, IdTaken):
            self._writing.failed(error)

    def _stalled(self, limit_s: float, batch: Batch) -> None:
        """Answer everyone who waits for a batch that does not end, and for those that should follow it."""
        error: Unavailable = not_confirmed(limit_s) if batch.is_open else not_begun(limit_s)
        callers = batch.callers
        if not batch.is_open:
            # Their answer says that nothing was done, so nothing may be done for them when the store goes on.
            batch.callers = []
        # The reply to the batch before may wait for this one.
        self._replies.send()
        self._writing.failed(error)
        for waiting in callers:
            waiting.fail(error)
        batch.fail_due(error)
        self._queue.stall(partial(not_begun, limit_s))

    def _keep_entries(self, batch: Batch, *, is_certain: bool) -> None:
        """Keep the audit entries that the batch carried for the next one, if it ``is_certain`` that none is written."""
        lines, batch.lines = batch.lines, []
        self._audit.batch_failed(lines, may_requeue=is_certain and not self._queue.is_closed)

    async def _one_by_one(self, batch: Batch, due: list[Due], error: Exception) -> None:
        """Execute each command in a batch of its own: a bad command fails alone."""
        # Where the clock moves, order is everything: the caller that moves it gets the error, and nothing is done.
        is_moving = batch.is_moving
        # Only the work of the first moment is done now, because it may make more due before the rest.
        done = [] if is_moving else [await self._do_alone(batch, item) for item in due if item.at == due[0].at]
        if is_moving and batch.callers and isinstance(error, Duplicate):
            # The id that is taken is a caller's, since the move draws none. So it may go first, as in the whole batch.
            await self._move_alone(batch)
        elif is_moving or (not done and not batch.callers):
            batch.fail_due(error)
        elif batch.due_reply is not None and not batch.due_reply.done():
            batch.due_reply.set_result(done)
        for waiting in batch.callers:
            try:
                await self._try_alone(batch, waiting)
            except Unavailable as its_own:
                self._failed(its_own)
                waiting.fail(its_own)
            except Conflict as its_own:
                log.error("command failed", command=type(waiting.command).__name__, error=str(its_own))  # noqa: TRY400
                waiting.fail(its_own)
            except Exception as its_own:
                log.exception("command failed", command=type(waiting.command).__name__)
                waiting.fail(its_own)

    async def _move_alone(self, batch: Batch) -> None:
        """Move the clock as the batch was to, without its callers."""
        alone = Batch([], request=batch.request, due_reply=batch.due_reply)
        try:
            await self._try(alone, [])
        except Exception as error:
            if isinstance(error, Unavailable):
                self._failed(error)
            else:
                log.exception("the clock cannot be moved")
            alone.fail_due(error)

    async def _do_alone(self, batch: Batch, item: Due) -> DueDone:
        reply: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        try:
            await self._try_alone(batch, WaitingCall(due_command(item), None, reply, patient=False))
            self._replies.send()
            return DueDone(item, outcome=reply.result())
        except Exception as error:  # noqa: BLE001 - the agenda gets it with the piece of work, and logs it
            return DueDone(item, error=error)

    async def _try_alone(self, batch: Batch, waiting: WaitingCall) -> None:
        alone = Batch([waiting])
        try:
            await self._try(alone, [])
        finally:
            if alone.is_contended is not None:
                batch.is_contended = alone.is_contended

    async def _try(self, batch: Batch, due: list[Due]) -> None:
        """Execute a batch, and once more if it conflicts.

        A try after which it is known which rows are locked does not count: the next leaves out what needs these rows.
        """
        tries = 0
        while True:
            try:
                await self._execute(batch, due)
            except Conflict as conflict:
                log.info("batch is taken again", reason=str(conflict))
                tries += not (isinstance(conflict, Blocked) and conflict.learned)
                if tries < TRIES:
                    due.clear()
                    continue
                if len(batch.callers) + len(due) > 1:
                    raise
                if isinstance(conflict, Duplicate) and batch.callers:
                    raise IdTaken(str(conflict)) from None
                if isinstance(conflict, Duplicate) and not batch.is_moving:
                    # Due work draws no ids. Its own failure must not look like one of the store.
                    raise
                raise Unavailable("others are in the way", str(conflict)) from None
            return

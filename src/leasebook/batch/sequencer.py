"""The sequencer: gathers commands into batches, has one batch executed after another, and answers after the commit.

No timer starts a batch. A batch takes what arrived during the last commit, so that a single caller waits for one commit
only, and many callers share one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import structlog

from leasebook.batch import sizing
from leasebook.batch.audit_writer import AuditContext, AuditQueue, AuditWriter
from leasebook.batch.executor import BatchExecutor
from leasebook.batch.housekeeping import Pruner
from leasebook.batch.key_uses import KeyUses
from leasebook.batch.locked_rows import LockedRows
from leasebook.batch.ports import BatchLimits, BatchMetrics, DueDone, DueRequest, Store, Watcher
from leasebook.batch.queue import CommandQueue
from leasebook.batch.replies import DeferredReplies
from leasebook.batch.retry import BatchRetry
from leasebook.batch.waiting import Batch, WaitingCall
from leasebook.batch.write_health import WriteHealth
from leasebook.domain.commands.command import Command, Decision, Engine
from leasebook.domain.record.agenda import Due
from leasebook.domain.record.audit_log import Line
from leasebook.domain.values.rule_settings import Rules
from leasebook.ports.clock import Clock

log = structlog.get_logger()

CONTENDED_PAUSE_S: Final = 0.0025
"""Seconds that a batch waits while another server writes the same rows: callers that were just answered can join it."""


class Sequencer:
    """Executes one batch after another against one store."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        rules: Rules,
        *,
        engine: Engine,
        limits: BatchLimits,
        meter: BatchMetrics,
        watchers: Sequence[Watcher] = (),
        audit: AuditWriter | None = None,
        uses: KeyUses | None = None,
    ) -> None:
        """``audit`` None: no audit log is written. ``uses`` None: it is not recorded when keys are used."""
        self.writing: Final = WriteHealth()
        self._limits = limits
        self._meter = meter
        self._watchers = list(watchers)
        self._queue = CommandQueue(limits.queue_max, limits.share_max)
        self._replies = DeferredReplies()
        self._audit = AuditQueue(audit, self._queue.wake)
        self._locked_rows = LockedRows(
            store, self._queue.requeue, wait_s=limits.lock_wait_s, length_max=limits.queue_max
        )
        self._executor = BatchExecutor(
            store,
            clock,
            rules,
            engine=engine,
            limits=limits,
            backlog=self._queue,
            locked_rows=self._locked_rows,
            audit=audit,
            pruner=Pruner(rules, uses, mode=clock.mode),
            before_save=self._replies.send,
        )
        self._retry = BatchRetry(
            self._execute,
            queue=self._queue,
            replies=self._replies,
            audit=self._audit,
            writing=self.writing,
            stall_s=limits.stall_s,
        )
        self._is_contended = False
        self._task: asyncio.Task[None] | None = None

    def watch(self, watcher: Watcher) -> None:
        """Have a watcher learn of every commit from now on."""
        self._watchers.append(watcher)

    def start(self) -> None:
        """Begin to take batches."""
        self._task = asyncio.create_task(self._run(), name="sequencer")
        self._task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Finish what was accepted, refuse everything else, and stop."""
        self._queue.close()
        if self._task is not None:
            await self._task
        await self._locked_rows.close()
        self._queue.refuse_all()
        self._audit.close()

    @property
    def is_working(self) -> bool:
        """Whether batches are taken."""
        return self._task is not None and not self._task.done()

    @property
    def queue_length(self) -> int:
        """How many callers wait for a batch."""
        return self._queue.callers

    @property
    def aside_length(self) -> int:
        """How many callers wait for rows that another session has locked."""
        return len(self._locked_rows)

    async def submit(
        self, command: Command, epoch: str | None = None, note: AuditContext | None = None, *, party: str | None = None
    ) -> Any:
        """Have a command decided; returns its answer after the commit.

        ``note`` is the call behind the command: its audit entry is written in the same transaction. ``epoch`` is that
        of the caller's identity: StaleIdentity is raised where it has changed since. ``party`` is the account that
        calls; None: this service itself. Parties are served in turn, and a full queue refuses the party with most
        commands.

        Raises Refusal where the command is refused. Raises Overloaded, Closed or Unavailable where nothing was done,
        and OutcomeUnknown where it may have been done. After any other error nothing was done either.
        """
        future: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._queue.put(WaitingCall(command, epoch, future, note, party))
        return (await future).result()

    async def do_due(self, request: DueRequest) -> list[DueDone]:
        """Have a batch of due work done; returns what became of each piece after the commit.

        Raises Closed and Unavailable where nothing was done, and OutcomeUnknown where it may have been done.
        """
        return await self._queue.put_due(request)

    def note(self, line: Line) -> None:
        """Write an audit entry with the next batch, or within a second where no batch comes."""
        self._audit.note(line, is_working=self._task is None or not self._task.done())

    async def flush(self) -> None:
        """Have all waiting audit entries written; returns also if the store cannot be written now."""
        if self.is_working:
            await self._audit.flush()

    async def _run(self) -> None:
        while True:
            await self._queue.work()
            if self._is_contended and self._queue.callers:
                # Another server has the rows now. Callers that are answered meanwhile can be in the next batch.
                self._replies.send()
                await asyncio.sleep(CONTENDED_PAUSE_S)
            batch = self._gather()
            if batch:
                await self._retry.run(batch)
                if batch.is_contended is not None:
                    self._is_contended = batch.is_contended
                if not self._queue.callers:
                    self._replies.send()
                self._audit.batch_ended()
            elif self._queue.is_closed:
                return
            else:
                self._queue.sleep()

    def _gather(self) -> Batch:
        """Take the callers that the next batch is to serve, one request for due work, and audit entries."""
        waiting, unanswered = self._queue.callers, len(self._replies)
        taken = sizing.callers_to_take(waiting, unanswered, self._limits, is_contended=self._is_contended)
        batch = Batch(self._queue.take(taken))
        batch.request, batch.due_reply = self._queue.take_due()
        batch.lines = self._audit.take(has_batch=bool(batch) or self._queue.is_closed)
        return batch

    async def _execute(self, batch: Batch, due: list[Due]) -> None:
        """Commit a batch, have watchers and metrics learn of it, and give the replies to those that send them."""
        done = await self._executor.execute(batch, due)
        if done.has_changes:
            self.writing.wrote()
        for watcher in self._watchers:
            watcher.committed(done.changes)
        self._meter.batch_done(done.commands, done.seconds, done.commit_seconds)
        batch.answer_due(due, done.decisions)
        decisions = done.decisions[len(due) : len(due) + len(done.callers)]
        self._replies.defer(batch.callers, done.callers, decisions, is_next_waiting=self._queue.callers > 0)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Refuse all that waits where the loop itself has failed; health checks then have the server restarted."""
        if task.cancelled() or task.exception() is None:
            return
        log.critical("the sequencer died", exc_info=task.exception())
        self._queue.close()
        self._replies.send()
        self._locked_rows.refuse()
        self._queue.refuse_all()
        self._audit.end()

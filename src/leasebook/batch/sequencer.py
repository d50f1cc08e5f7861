"""The sequencer: gathers what is to happen, decides it together, and answers only after the commit.

There is no timer: the next batch is what arrived during the last commit. A lone caller waits for one
commit and for no window; a crowd shares one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import structlog

from leasebook.batch import sizing
from leasebook.batch.audit_writer import AuditContext, AuditWriter
from leasebook.batch.deciding import decide_in_parts
from leasebook.batch.housekeeping import Pruner
from leasebook.batch.key_uses import KeyUses
from leasebook.batch.locked_rows import Aside
from leasebook.batch.ports import (
    Blocked,
    Conflict,
    DueDone,
    DueRequest,
    Limits,
    Meter,
    OutcomeUnknown,
    Store,
    Transaction,
    Unavailable,
    Watcher,
)
from leasebook.batch.queue import CommandQueue
from leasebook.batch.replies import DeferredReplies
from leasebook.batch.waiting import Batch, WaitingCall
from leasebook.batch.write_health import WriteHealth
from leasebook.domain.book.book import Book, Changes
from leasebook.domain.commands.command import Command, Decision, Engine
from leasebook.domain.commands.instance.due import DoDue
from leasebook.domain.commands.store.clock import MoveClock
from leasebook.domain.record.agenda import Due
from leasebook.domain.record.audit_log import Line, Mark
from leasebook.domain.record.row_digest import digests_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules
from leasebook.ports.clock import Clock

log = structlog.get_logger()
TRIES: Final = 2
ANSWER_TIME_S: Final = 0.0025
"""Pause before a batch while another server competes for the rows: callers that were just answered can join it."""
NOTED_WITHIN_S = 1.0
"""So long an audit entry waits for a batch at most, until it gets one of its own."""


class Sequencer:
    """Runs one batch after another against one store."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        rules: Rules,
        *,
        engine: Engine,
        limits: Limits,
        meter: Meter,
        watchers: Sequence[Watcher] = (),
        trail: AuditWriter | None = None,
        uses: KeyUses | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._engine = engine
        self._limits = limits
        self._meter = meter
        self._watchers = list(watchers)
        self._queue = CommandQueue(limits.queue_max, limits.share_max)
        self._aside = Aside(store, self._queue.requeue, wait_s=limits.lock_wait_s, most=limits.queue_max)
        self._task: asyncio.Task[None] | None = None
        self._pruner = Pruner(rules, uses, mode=clock.mode)
        self._trail = trail
        self.writing: Final = WriteHealth()
        self._flush_at: asyncio.TimerHandle | None = None
        self._flushing = False
        self._flushed: list[asyncio.Future[None]] = []
        self._replies = DeferredReplies()
        self._is_contended = False

    def watch(self, watcher: Watcher) -> None:
        """Tell somebody about every commit from now on."""
        self._watchers.append(watcher)

    def start(self) -> None:
        """Begin to take batches."""
        self._task = asyncio.create_task(self._run(), name="sequencer")
        self._task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Finish what was accepted, refuse the rest, and stop."""
        self._queue.close()
        if self._task is not None:
            await self._task
        await self._aside.close()
        self._queue.refuse_all()
        if self._flush_at is not None:
            self._flush_at.cancel()
        if self._trail is not None:
            self._trail.spill_all()

    @property
    def is_working(self) -> bool:
        """Whether batches are taken."""
        return self._task is not None and not self._task.done()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Leave nobody waiting where the loop itself went wrong; monitors see it, and have the server restarted."""
        if task.cancelled() or task.exception() is None:
            return
        log.critical("the sequencer died", exc_info=task.exception())
        self._replies.send()
        self._aside.refuse()
        self._queue.refuse_all()
        self._answer_flushed()

    @property
    def queue_length(self) -> int:
        """How many callers wait."""
        return self._queue.callers

    @property
    def aside_length(self) -> int:
        """How many callers wait for rows that somebody else holds."""
        return len(self._aside)

    async def submit(
        self, command: Command, epoch: str | None = None, note: AuditContext | None = None, *, party: str | None = None
    ) -> Any:
        """Have a command decided; returns its answer after the commit.

        The ``note`` is the call that asks for it: its entry in the audit log is written with what it does. With the
        ``epoch`` of the identity that asks, it raises StaleIdentity where that is no longer current. The ``party`` is
        the account that asks; None: this service itself. Parties take turns, and what is too much is refused to the one
        that has most waiting.

        Raises Refusal where it is refused, Overloaded or Closed or Unavailable where nothing was done,
        OutcomeUnknown where it may have been done, and whatever went wrong otherwise; then nothing was done either.
        """
        future: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._queue.put(WaitingCall(command, epoch, future, note, party))
        return (await future).result()

    def note(self, line: Line) -> None:
        """Write an audit entry with the next batch, or within a second with one of its own."""
        if self._trail is None:
            return
        if self._task is not None and self._task.done():
            self._trail.spill([line])
            return
        self._trail.note(line)
        self._flush_soon()

    async def flush(self) -> None:
        """Have every audit entry written that waits; returns also where the store cannot be written now."""
        if self._trail is None or not self._trail.waits or not self.is_working:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._flushed.append(future)
        self._flush()
        await future

    def _flush_soon(self) -> None:
        if self._flush_at is None:
            self._flush_at = asyncio.get_running_loop().call_later(NOTED_WITHIN_S, self._flush)

    def _flush(self) -> None:
        self._flush_at = None
        self._flushing = True
        self._queue.wake()

    def _answer_flushed(self) -> None:
        for future in self._flushed:
            if not future.done():
                future.set_result(None)
        self._flushed.clear()

    async def do_due(self, request: DueRequest) -> list[DueDone]:
        """Have a batch of due work done; returns what became of it after the commit. Raises Unavailable."""
        return await self._queue.put_due(request)

    async def _run(self) -> None:
        while True:
            await self._queue.work()
            if self._is_contended and self._queue.callers:
                # Another server has the rows now. Callers that are answered meanwhile can be in the next batch.
                self._replies.send()
                await asyncio.sleep(ANSWER_TIME_S)
            batch = self._gather()
            if batch:
                await self._serve(batch)
            elif self._queue.is_closed:
                return
            else:
                self._queue.sleep()

    def _gather(self) -> Batch:
        """Take the callers that the next batch is to serve, one request for due work, and audit entries."""
        waiting, unanswered = self._queue.callers, len(self._replies)
        taken = sizing.callers_to_take(waiting, unanswered, self._limits, is_contended=self._is_contended)
        batch = Batch(self._queue.take(taken))
        batch.request, batch.wants_due = self._queue.take_due()
        if self._trail is not None and (batch or self._flushing or self._queue.is_closed):
            batch.notes = self._trail.take()
            self._flushing = self._trail.waits
        return batch

    async def _serve(self, batch: Batch) -> None:
        """Take a batch and answer everybody in it, whatever happens."""
        due: list[Due] = []
        self.writing.begins()
        try:
            await self._try(batch, due)
        except Unavailable as error:
            self._keep_notes(batch, sure=not isinstance(error, OutcomeUnknown))
            # It would fail for each of them alike, or must not be tried again; the next batch is another matter.
            self.writing.failed(error)
            for waiting in batch.callers:
                waiting.fail(error)
            if batch.wants_due is not None and not batch.wants_due.done():
                batch.wants_due.set_exception(error)
        except Conflict as conflict:
            # Who was in the way is no fault of ours that a traceback would help to find.
            log.warning("others are in the way, taking commands one by one", callers=len(batch.callers), due=len(due))
            self._keep_notes(batch, sure=True)
            await self._one_by_one(batch, due, conflict)
        except Exception as error:
            log.exception("batch failed, taking its commands one by one", callers=len(batch.callers), due=len(due))
            self._keep_notes(batch, sure=True)
            await self._one_by_one(batch, due, error)
        finally:
            self.writing.ends()
        if not self._queue.callers:
            self._replies.send()
        if self._trail is not None and not self._trail.waits:
            self._answer_flushed()

    def _keep_notes(self, batch: Batch, *, sure: bool) -> None:
        """Let entries wait on that were not written; where that is not sure, or there is no next time, log them."""
        if self._trail is None:
            return
        # Whatever was in the way, it is not the chain that keeps the next batch from being written.
        self._trail.restart()
        notes, batch.notes = batch.notes, []
        self._flushing = False
        if sure and not self._queue.is_closed:
            self._trail.put_back(notes)
            self._flush_soon()
        else:
            self._trail.spill(notes)
        self._answer_flushed()

    async def _one_by_one(self, batch: Batch, due: list[Due], error: Exception) -> None:
        """Take each command by itself: one bad command spoils only itself."""
        moving = batch.is_moving
        # Only what is due first: what it makes due anew may go before the rest.
        done = [] if moving else [await self._alone(item) for item in due if item.at == due[0].at]
        if batch.wants_due is not None and not batch.wants_due.done():
            # Where the clock moves, order is everything: whoever moves it is told, and nothing is done out of turn.
            if moving or (not done and not batch.callers):
                batch.wants_due.set_exception(error)
            else:
                batch.wants_due.set_result(done)
        for waiting in batch.callers:
            try:
                await self._try(Batch([waiting]), [])
            except Unavailable as its_own:
                self.writing.failed(its_own)
                waiting.fail(its_own)
            except Conflict as its_own:
                log.error("command failed", command=type(waiting.command).__name__, error=str(its_own))  # noqa: TRY400
                waiting.fail(its_own)
            except Exception as its_own:
                log.exception("command failed", command=type(waiting.command).__name__)
                waiting.fail(its_own)

    async def _alone(self, item: Due) -> DueDone:
        lone: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        try:
            await self._try(Batch([WaitingCall(DoDue(due=item), None, lone, patient=False)]), [])
            self._replies.send()
            return DueDone(item, outcome=lone.result())
        except Exception as error:  # noqa: BLE001 - it is handed to the one who asked
            return DueDone(item, error=error)

    async def _try(self, batch: Batch, due: list[Due]) -> None:
        """Take a batch, a second time where somebody else was in the way the first time.

        What needs rows that somebody else holds is left out, as soon as it is known which rows these are.
        """
        tries = 0
        while True:
            try:
                await self._take(batch, due)
            except Conflict as conflict:
                log.info("batch is taken again", reason=str(conflict))
                tries += not (isinstance(conflict, Blocked) and conflict.learned)
                if tries < TRIES:
                    due.clear()
                    continue
                if len(batch.callers) + len(due) > 1:
                    raise
                raise Unavailable("others are in the way", str(conflict)) from None
            return

    async def _take(self, batch: Batch, due: list[Due]) -> None:
        """Take one batch: load, decide, save, commit, answer. Puts the due work that it took into ``due``."""
        began = time.perf_counter()
        transaction = await self._store.begin(moves_clock=batch.moves_clock)
        book, commands = Book(), list[Command]()
        try:
            stands = self._clock.at(transaction.now())
            request = batch.request
            # Here, and with the reading of this very batch: it may be the first that shows a jump.
            if request is not None and self._clock.held() is None:
                due += await self._claim(transaction, request, stands)
            moving = request is not None and request.moving and bool(due)
            callers = [waiting for waiting in batch.callers if waiting.is_current(transaction.identity_epoch)]
            commands = [*(DoDue(due=item) for item in due), *(waiting.command for waiting in callers)]
            if moving:
                commands.append(MoveClock(to=max(due[0].at, stands)))
            asked_at = time.perf_counter()
            callers, commands = await self._aside.load(transaction, batch, due, callers, commands, book)
            self._is_contended = sizing.is_contended(
                has_concurrent_writers=transaction.has_concurrent_writers,
                load_s=time.perf_counter() - asked_at,
                has_due_work=bool(due),
            )
            stands = self._clock.at(transaction.now())
            now = due[0].at if moving else stands
            outcomes, parts = self._decide(transaction, book, commands, now)
            mark = None if self._trail is None else self._trail.seal_events(book, now)
            changes = book.changes()
            noted = [
                (waiting.note, waiting.note.decided(now, decided.refusal))
                for waiting, decided in zip(callers, outcomes[len(due) :], strict=False)
                if waiting.note is not None
            ]
            lines = [*batch.notes, *(line for _, line in noted)]
            await self._record(transaction, [*parts, changes], lines, mark, now)
            self._replies.send()
            if changes or parts:
                await transaction.save(changes)
            await self._pruner.prune(transaction, now, changes)
            decided_at = time.perf_counter()
            await transaction.commit(is_idle=len(commands) == 1 and self._queue.is_empty)
        except Blocked as blocked:
            await transaction.rollback()
            blocked.learned = not batch.is_moving and await self._aside.learn(commands, book)
            raise
        except BaseException:
            await transaction.rollback()
            raise
        committed_at = time.perf_counter()
        if changes or parts:
            self.writing.wrote()
        self._clock.moved(max(now, stands))
        self._written(batch, changes, noted)
        self._tell(changes.after(parts))
        self._meter.batch_done(len(commands), committed_at - began, committed_at - decided_at)
        batch.answer_due(due, outcomes)
        decisions = outcomes[len(due) : len(due) + len(callers)]
        self._replies.defer(batch.callers, callers, decisions, is_next_waiting=self._queue.callers > 0)

    def _decide(
        self, transaction: Transaction, book: Book, commands: Sequence[Command], now: Instant
    ) -> tuple[list[Decision], list[Changes]]:
        """Decide a batch; returns the outcomes, and what the store is writing already."""
        outcomes: list[Decision] = []
        parts: list[Changes] = []
        for part in decide_in_parts(book, commands, self._rules, now, self._engine, self._limits.part_size):
            outcomes += part
            if len(outcomes) < len(commands) and (changes := book.part()):
                transaction.save_part(changes)
                parts.append(changes)
        return outcomes, parts

    async def _record(
        self, transaction: Transaction, parts: list[Changes], lines: list[Line], mark: Mark | None, now: Instant
    ) -> None:
        """Put entries, how far the log of identities goes, and digests of rows on the next pages of the audit log."""
        if self._trail is not None:
            parts[-1].audit = await self._trail.record(transaction, lines, mark, now, digests_of(parts))

    def _written(self, batch: Batch, changes: Changes, noted: Sequence[tuple[AuditContext, Line]]) -> None:
        if self._trail is not None:
            self._trail.committed(changes.audit)
            batch.notes = []
            for note, (_, entry) in noted:
                note.written(entry)

    def _tell(self, changes: Changes) -> None:
        for watcher in self._watchers:
            watcher.committed(changes)

    async def _claim(self, transaction: Transaction, request: DueRequest, now: Instant) -> list[Due]:
        is_idle = sizing.is_idle(self._queue.since_last_call_s)
        most = sizing.due_to_take(self._limits, moves_clock=request.moving, is_idle=is_idle)
        until = now if request.until is None else request.until
        found = await transaction.due(until, most + len(request.resting), wait=request.moving)
        return sizing.select_due(found, request, most)

"""The sequencer: gathers what is to happen, decides it together, and answers only after the commit.

There is no timer: the next batch is what arrived during the last commit. A lone caller waits for one
commit and for no window; a crowd shares one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
import structlog

from leasehold.clock import Clock
from leasehold.commands.clock import MoveClock
from leasehold.commands.command import Command, Decided, Engine
from leasehold.commands.due import DoDue
from leasehold.domain.agenda import Due
from leasehold.domain.audit import Line
from leasehold.domain.book import REMEMBERED, Book, Changes
from leasehold.domain.calendar import Instant
from leasehold.domain.rules import Rules
from leasehold.sequencer.batch import decide_in_parts, load
from leasehold.sequencer.ports import (
    Closed,
    Conflict,
    DueDone,
    DueRequest,
    Limits,
    Meter,
    OutcomeUnknown,
    Overloaded,
    StaleIdentity,
    Store,
    Transaction,
    Unavailable,
    Watcher,
)
from leasehold.sequencer.trail import Note, Trail
from leasehold.sequencer.uses import KeyUses

log = structlog.get_logger()
ALONE_AFTER_S: Final = 0.5
"""So long after the last caller more due work is taken at once (``Limits.alone_times``)."""


class _Waiting:
    """A command, and the future of whoever waits for its outcome."""

    __slots__ = ("command", "epoch", "future", "note")

    def __init__(
        self, command: Command, epoch: str | None, future: asyncio.Future[Decided], note: Note | None = None
    ) -> None:
        self.command = command
        self.epoch = epoch
        self.future = future
        self.note = note

    def is_current(self, epoch: str | None) -> bool:
        """Whether the caller's identity is still what it was when it was looked up."""
        return self.epoch is None or self.epoch == epoch

    def answer(self, decided: Decided) -> None:
        """Hand over the outcome; whoever asked may have gone."""
        if not self.future.done():
            self.future.set_result(decided)

    def fail(self, error: BaseException) -> None:
        """Say what went wrong."""
        if not self.future.done():
            self.future.set_exception(error)


class _Batch(msgspec.Struct):
    """What is taken together: due work, as far as it is asked for, and then callers in their order."""

    callers: list[_Waiting]
    request: DueRequest | None = None
    wants_due: asyncio.Future[list[DueDone]] | None = None
    notes: list[Line] = []
    """Entries of calls that reached no batch; they go with whichever comes next."""

    def __bool__(self) -> bool:
        return bool(self.callers) or self.request is not None or bool(self.notes)

    @property
    def moves_clock(self) -> bool:
        """Whether the store's virtual clock will stand elsewhere afterwards."""
        moving = self.request is not None and self.request.moving
        return moving or any(waiting.command.moves_clock for waiting in self.callers)


def _answer(batch: _Batch, callers: Sequence[_Waiting], outcomes: Sequence[Decided]) -> None:
    """Answer everybody in a batch that is committed; those who are not among its callers any more are told so."""
    for waiting, decided in zip(callers, outcomes, strict=False):
        waiting.answer(decided)
    for waiting in batch.callers:
        waiting.fail(StaleIdentity())


HELD_S: Final = 0.005
"""So long answers wait for the next batch at most, also where that waits for rows that another server has locked."""
WAITED_S: Final = 0.002
"""Rows that take longer are somebody else's meanwhile, where somebody else wrote since the last batch."""
TURN_S: Final = 0.0025
"""So long is left to whoever was answered to ask again, while another server has the rows."""
CROWD_MIN: Final = 24
"""So many callers are taken together in any case: fewer would share what a batch costs among too few."""
CLEAR_EVERY_S = 0.5
CLEAR_MAX = 2000
"""So many deliveries are forgotten in so long a time at most: more than are ever made in it."""
PRUNE_EVERY_S = 0.25
PRUNE_MIN = 50
"""Besides these, twice as many old client tokens are forgotten as new ones came: a crowd leaves no heap."""
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
        trail: Trail | None = None,
        uses: KeyUses | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._engine = engine
        self._limits = limits
        self._meter = meter
        self._watchers = list(watchers)
        self._callers: deque[_Waiting] = deque()
        self._due: deque[tuple[DueRequest, asyncio.Future[list[DueDone]]]] = deque()
        self._work = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._pruned_at = self._cleared_at = time.monotonic()
        self._remembered = 0
        self._called_at = float("-inf")
        self._trail = trail
        self._uses = uses
        self._flush_at: asyncio.TimerHandle | None = None
        self._flushing = False
        self._flushed: list[asyncio.Future[None]] = []
        self._held: Callable[[], None] | None = None
        self._held_for = 0
        self._takes_turns = False
        self._deliver_at: asyncio.TimerHandle | None = None

    def watch(self, watcher: Watcher) -> None:
        """Tell somebody about every commit from now on."""
        self._watchers.append(watcher)

    def start(self) -> None:
        """Begin to take batches."""
        self._task = asyncio.create_task(self._run(), name="sequencer")
        self._task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Finish what was accepted, refuse the rest, and stop."""
        self._closing = True
        self._work.set()
        if self._task is not None:
            await self._task
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
        self._closing = True
        self._deliver()
        while self._callers:
            self._callers.popleft().fail(Closed())
        while self._due:
            self._due.popleft()[1].set_exception(Closed())
        self._answer_flushed()

    @property
    def queue_length(self) -> int:
        """How many callers wait."""
        return len(self._callers)

    async def submit(self, command: Command, epoch: str | None = None, note: Note | None = None) -> Any:
        """Have a command decided; returns its answer after the commit.

        The ``note`` is the call that asks for it: its entry in the audit log is written with what it does. With the
        ``epoch`` of the identity that asks, it raises StaleIdentity where that is no longer current.

        Raises Refusal where it is refused, Overloaded or Closed or Unavailable where nothing was done, and
        whatever went wrong otherwise; then nothing was done either.
        """
        if self._closing:
            raise Closed
        if len(self._callers) >= self._limits.queue_max:
            raise Overloaded
        future: asyncio.Future[Decided] = asyncio.get_running_loop().create_future()
        self._callers.append(_Waiting(command, epoch, future, note))
        self._called_at = time.monotonic()
        self._work.set()
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
        self._work.set()

    def _answer_flushed(self) -> None:
        for future in self._flushed:
            if not future.done():
                future.set_result(None)
        self._flushed.clear()

    async def do_due(self, request: DueRequest) -> list[DueDone]:
        """Have a batch of due work done; returns what became of it after the commit. Raises Unavailable."""
        if self._closing:
            raise Closed
        future: asyncio.Future[list[DueDone]] = asyncio.get_running_loop().create_future()
        self._due.append((request, future))
        self._work.set()
        return await future

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            if self._takes_turns and self._callers:
                # Another server has the rows now. Whoever is answered meanwhile can be in the next batch.
                self._deliver()
                await asyncio.sleep(TURN_S)
            batch = self._gather()
            if batch:
                await self._serve(batch)
            elif self._closing:
                return
            else:
                self._work.clear()

    def _gather(self) -> _Batch:
        """Take everybody who waits, or their share of a crowd, and so much due work that nobody waits long for it."""
        crowd = len(self._callers) + self._held_for
        share = crowd if self._takes_turns else max(CROWD_MIN, -(-crowd // self._limits.crowd_parts))
        taken = min(len(self._callers), share, self._limits.batch_max)
        batch = _Batch([self._callers.popleft() for _ in range(taken)])
        if self._due:
            batch.request, batch.wants_due = self._due.popleft()
        if self._trail is not None and (batch or self._flushing or self._closing):
            batch.notes = self._trail.take()
            self._flushing = self._trail.waits
        return batch

    async def _serve(self, batch: _Batch) -> None:
        """Take a batch and answer everybody in it, whatever happens."""
        due: list[Due] = []
        try:
            await self._try(batch, due)
        except (Unavailable, OutcomeUnknown) as error:
            self._keep_notes(batch, sure=isinstance(error, Unavailable))
            # It would fail for each of them alike, or must not be tried again; the next batch is another matter.
            log.error("the store cannot write", error=str(error))  # noqa: TRY400 - no trace says more
            for waiting in batch.callers:
                waiting.fail(error)
            if batch.wants_due is not None and not batch.wants_due.done():
                batch.wants_due.set_exception(error)
        except Exception as error:
            log.exception("batch failed, taking its commands one by one", callers=len(batch.callers), due=len(due))
            self._keep_notes(batch, sure=True)
            await self._one_by_one(batch, due, error)
        if not self._callers:
            self._deliver()
        if self._trail is not None and not self._trail.waits:
            self._answer_flushed()

    def _keep_notes(self, batch: _Batch, *, sure: bool) -> None:
        """Let entries wait on that were not written; where that is not sure, or there is no next time, log them."""
        if self._trail is None:
            return
        # Whatever was in the way, it is not the chain that keeps the next batch from being written.
        self._trail.restart()
        notes, batch.notes = batch.notes, []
        self._flushing = False
        if sure and not self._closing:
            self._trail.put_back(notes)
            self._flush_soon()
        else:
            self._trail.spill(notes)
        self._answer_flushed()

    async def _one_by_one(self, batch: _Batch, due: list[Due], error: Exception) -> None:
        """Take each command by itself: one bad command spoils only itself."""
        moving = batch.request is not None and batch.request.moving
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
                await self._try(_Batch([waiting]), [])
            except Exception as its_own:
                log.exception("command failed", command=type(waiting.command).__name__)
                waiting.fail(its_own)

    async def _alone(self, item: Due) -> DueDone:
        lone: asyncio.Future[Decided] = asyncio.get_running_loop().create_future()
        try:
            await self._try(_Batch([_Waiting(DoDue(due=item), None, lone)]), [])
            self._deliver()
        except Exception as error:  # noqa: BLE001 - it is handed to the one who asked
            return DueDone(item, error=error)
        return DueDone(item, outcome=lone.result())

    async def _try(self, batch: _Batch, due: list[Due]) -> None:
        """Take a batch, a second time where somebody else was in the way the first time."""
        try:
            await self._take(batch, due)
        except Conflict as conflict:
            log.info("batch is taken again", reason=str(conflict))
            due.clear()
            try:
                await self._take(batch, due)
            except Conflict as again:
                if len(batch.callers) + len(due) > 1:
                    raise
                raise Unavailable(f"others are in the way: {again}") from None

    async def _take(self, batch: _Batch, due: list[Due]) -> None:
        """Take one batch: load, decide, save, commit, answer. Puts the due work that it took into ``due``."""
        began = time.perf_counter()
        transaction = await self._store.begin(moves_clock=batch.moves_clock)
        try:
            stands = transaction.now() or self._clock.now()
            request = batch.request
            if request is not None:
                due += await self._claim(transaction, request, stands, alone=self._is_alone())
            moving = request is not None and request.moving and bool(due)
            callers = [waiting for waiting in batch.callers if waiting.is_current(transaction.identity_epoch)]
            commands: list[Command] = [*(DoDue(due=item) for item in due), *(waiting.command for waiting in callers)]
            if moving:
                commands.append(MoveClock(to=max(due[0].at, stands)))
            asked_at = time.perf_counter()
            book = await load(transaction, commands)
            waited = time.perf_counter() - asked_at > WAITED_S
            # To load much due work takes longer than that by itself.
            self._takes_turns = transaction.has_company and waited and not due
            stands = transaction.now() or stands
            now = due[0].at if moving else stands
            outcomes, parts = self._decide(transaction, book, commands, now)
            mark = None if self._trail is None else self._trail.seal_events(book, now)
            changes = book.changes()
            noted = [
                (waiting.note, waiting.note.decided(now, decided.refusal))
                for waiting, decided in zip(callers, outcomes[len(due) :], strict=False)
                if waiting.note is not None
            ]
            if self._trail is not None:
                lines = [*batch.notes, *(line for _, line in noted)]
                changes.audit = await self._trail.record(transaction, lines, mark, now)
            self._deliver()
            if changes or parts:
                await transaction.save(changes)
            await self._prune(transaction, now, changes)
            decided_at = time.perf_counter()
            await transaction.commit(alone=len(commands) == 1 and not self._callers and not self._due)
        except BaseException:
            await transaction.rollback()
            raise
        committed_at = time.perf_counter()
        self._clock.moved(max(now, stands))
        self._written(batch, changes, noted)
        self._tell(changes.after(parts))
        self._meter.batch_done(len(commands), committed_at - began, committed_at - decided_at)
        if batch.wants_due is not None and not batch.wants_due.done():
            batch.wants_due.set_result([DueDone(item, outcome) for item, outcome in zip(due, outcomes, strict=False)])
        self._held = partial(_answer, batch, callers, outcomes[len(due) :])
        self._held_for = len(batch.callers)
        if self._callers:
            self._deliver_at = asyncio.get_running_loop().call_later(HELD_S, self._deliver)
        else:
            self._deliver()

    def _decide(
        self, transaction: Transaction, book: Book, commands: Sequence[Command], now: Instant
    ) -> tuple[list[Decided], list[Changes]]:
        """Decide a batch; returns the outcomes, and what the store is writing already."""
        outcomes: list[Decided] = []
        parts: list[Changes] = []
        for part in decide_in_parts(book, commands, self._rules, now, self._engine, self._limits.part_size):
            outcomes += part
            if len(outcomes) < len(commands) and (changes := book.part()):
                transaction.save_part(changes)
                parts.append(changes)
        return outcomes, parts

    def _deliver(self) -> None:
        """Answer the last batch, where that was not done yet.

        Where a crowd waits it is done when the next batch is on its way to the store: what it takes to write sixty
        answers, and to read the sixty requests that follow on them, passes while the store is at work and not before.
        """
        if self._deliver_at is not None:
            self._deliver_at.cancel()
            self._deliver_at = None
        if self._held is not None:
            held, self._held, self._held_for = self._held, None, 0
            held()

    def _written(self, batch: _Batch, changes: Changes, noted: Sequence[tuple[Note, Line]]) -> None:
        if self._trail is not None:
            self._trail.committed(changes.audit)
            batch.notes = []
            for note, (_, entry) in noted:
                note.written(entry)

    def _tell(self, changes: Changes) -> None:
        for watcher in self._watchers:
            watcher.committed(changes)

    async def _prune(self, transaction: Transaction, now: Instant, changes: Changes) -> None:
        self._remembered += len(changes.inserted.get(REMEMBERED, ()))
        if time.monotonic() - self._pruned_at > PRUNE_EVERY_S:
            limit, self._remembered = PRUNE_MIN + 2 * self._remembered, 0
            self._pruned_at = time.monotonic()
            await transaction.prune_tokens(Instant(now - self._rules.token_keep_us), limit)
        if time.monotonic() - self._cleared_at > CLEAR_EVERY_S:
            self._cleared_at = time.monotonic()
            await transaction.clear_deliveries(now, CLEAR_MAX)
        if self._uses is not None:
            await self._uses.write(transaction)

    def _is_alone(self) -> bool:
        """Whether nobody has called for a while, and probably nobody will while the batch is taken."""
        return time.monotonic() - self._called_at > ALONE_AFTER_S

    async def _claim(self, transaction: Transaction, request: DueRequest, now: Instant, *, alone: bool) -> list[Due]:
        until = now if request.until is None else request.until
        times = self._limits.moving_times if request.moving else self._limits.alone_times if alone else 1
        most = self._limits.due_max * times
        found = await transaction.due(until, most + len(request.resting), wait=request.moving)
        due = [item for item in found if item not in request.resting][:most] if request.resting else found
        return [item for item in due if item.at == due[0].at] if request.moving else due

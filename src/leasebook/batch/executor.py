"""One batch from its beginning to its commit: load the rows, decide the commands, save what changed, commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from leasebook.batch import sizing
from leasebook.batch.audit_writer import AuditContext, AuditWriter
from leasebook.batch.deciding import decide_in_parts
from leasebook.batch.housekeeping import Pruner
from leasebook.batch.locked_rows import LockedRows
from leasebook.batch.ports import BatchLimits, Blocked, DueRequest, Duplicate, Store, Transaction
from leasebook.batch.waiting import Batch, WaitingCall
from leasebook.domain.book.book import Book
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.draft import KeyTaken
from leasebook.domain.commands.command import Command, Decision, Engine
from leasebook.domain.commands.due_work import due_command
from leasebook.domain.commands.store.clock import MoveClock
from leasebook.domain.record.agenda import Due
from leasebook.domain.record.audit_log import Line
from leasebook.domain.record.nonce import KnownNonces
from leasebook.domain.record.row_digest import digests_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules
from leasebook.ports.clock import Clock


class Backlog(Protocol):
    """The callers that wait for later batches."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        ...

    @property
    def since_last_call_s(self) -> float:
        """Seconds since the last caller came."""
        ...


class CommittedBatch(msgspec.Struct, frozen=True):
    """A committed batch. Its decisions are those on its due work and then those on its ``callers``, in order."""

    callers: list[WaitingCall]
    decisions: list[Decision]
    changes: Changes
    """The changes of the whole batch."""
    has_changes: bool
    commands: int
    seconds: float
    commit_seconds: float


class BatchExecutor:
    """Executes one batch at a time, and keeps no state between batches.

    Its parts keep their own state: the store, the clock, the audit log, the locked rows, and the pruning.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        rules: Rules,
        *,
        engine: Engine,
        limits: BatchLimits,
        backlog: Backlog,
        locked_rows: LockedRows,
        audit: AuditWriter | None,
        pruner: Pruner,
        before_save: Callable[[], None],
    ) -> None:
        """``before_save`` is called when a batch is decided and about to be saved."""
        self._store = store
        self._clock = clock
        self._rules = rules
        self._engine = engine
        self._limits = limits
        self._backlog = backlog
        self._locked_rows = locked_rows
        self._audit = audit
        self._pruner = pruner
        self._before_save = before_save
        self._known_nonces: Final = KnownNonces()

    async def execute(self, batch: Batch, due: list[Due]) -> CommittedBatch:
        """Execute a batch; returns after the commit. Adds the due work that the batch took to ``due``.

        Raises Conflict (Blocked where a row was locked, Duplicate where a new row has the key of another) and
        Unavailable where nothing was done, OutcomeUnknown where the commit may have been made, and what a command
        raises that is no refusal; then nothing was done either.
        """
        began = time.perf_counter()
        transaction = await self._store.begin(moves_clock=batch.moves_clock)
        batch.is_open = True
        book, commands = Book(self._known_nonces), list[Command]()
        try:
            clock_now = self._clock.at(transaction.now())
            request = batch.request
            # The clock is asked here, with the time that this very batch has read: it may be the first to show a jump.
            if request is not None and self._clock.pause_reason() is None:
                due += await self._claim(transaction, request, clock_now)
            is_moving = request is not None and request.moving and bool(due)
            callers = [waiting for waiting in batch.callers if waiting.is_current(transaction.identity_epoch)]
            commands = [*map(due_command, due), *(waiting.command for waiting in callers)]
            if is_moving:
                commands.append(MoveClock(to=max(due[0].at, clock_now)))
            load_began = time.perf_counter()
            callers, commands = await self._locked_rows.load(transaction, batch, due, callers, commands, book)
            batch.is_contended = sizing.is_contended(
                has_concurrent_writers=transaction.has_concurrent_writers,
                load_s=time.perf_counter() - load_began,
                has_due_work=bool(due),
            )
            clock_now = self._clock.at(transaction.now())
            now = due[0].at if is_moving else clock_now
            decisions, parts = self._decide(transaction, book, commands, now)
            mark = None if self._audit is None else self._audit.seal_events(book, now)
            changes = book.changes()
            entries = _entries(callers, decisions[len(due) :], now)
            if self._audit is not None:
                lines = [*batch.lines, *(line for _, line in entries)]
                digests = digests_of([*parts, changes])
                changes.audit = await self._audit.record(transaction, lines, mark, now, digests)
            self._before_save()
            is_lone = len(commands) == 1 and self._backlog.is_empty
            if is_lone and changes:
                # Its caller waits for each round trip, so the store may write in that of the commit.
                transaction.save_part(changes)
            elif changes or parts:
                await transaction.save(changes)
            await self._pruner.prune(transaction, now, changes)
            commit_began = time.perf_counter()
            await transaction.commit(is_idle=is_lone)
        except Blocked as blocked:
            await transaction.rollback()
            blocked.learned = not batch.is_moving and await self._locked_rows.learn(commands, book)
            raise
        except BaseException:
            await transaction.rollback()
            raise
        committed_at = time.perf_counter()
        self._clock.moved(max(now, clock_now))
        self._confirm(batch, changes, entries)
        seconds, commit_seconds = committed_at - began, committed_at - commit_began
        has_changes, whole = bool(changes or parts), changes.after(parts)
        return CommittedBatch(callers, decisions, whole, has_changes, len(commands), seconds, commit_seconds)

    async def _claim(self, transaction: Transaction, request: DueRequest, now: Instant) -> list[Due]:
        """Lock the due work that the batch is to do, and return it in its order."""
        is_idle = sizing.is_idle(self._backlog.since_last_call_s)
        most = sizing.due_to_take(self._limits, moves_clock=request.moving, is_idle=is_idle)
        until = now if request.until is None else request.until
        if request.moving:
            # Only the work of the first moment is done, so no more of it is read.
            first = await transaction.due(until, 1, wait=True)
            until = first[0].at if first else until
        found = await transaction.due(until, most + len(request.resting), wait=request.moving)
        return sizing.select_due(found, request, most)

    def _decide(
        self, transaction: Transaction, book: Book, commands: Sequence[Command], now: Instant
    ) -> tuple[list[Decision], list[Changes]]:
        """Decide all commands; returns the decisions, and the parts that the store is writing already.

        Raises Duplicate where a new row has the key of a row that is loaded.
        """
        decisions: list[Decision] = []
        parts: list[Changes] = []
        try:
            for part in decide_in_parts(book, commands, self._rules, now, self._engine, self._limits.part_size):
                decisions += part
                if len(decisions) < len(commands) and (changes := book.part()):
                    transaction.save_part(changes)
                    parts.append(changes)
        except KeyTaken as taken:
            raise Duplicate(str(taken)) from None
        return decisions, parts

    def _confirm(self, batch: Batch, changes: Changes, entries: Sequence[tuple[AuditContext, Line]]) -> None:
        """Move the end of the audit log to the committed entries, and tell the calls that theirs are written."""
        if self._audit is not None:
            self._audit.committed(changes.audit)
            batch.lines = []
            for context, (_, entry) in entries:
                context.written(entry)


def _entries(
    callers: Sequence[WaitingCall], decisions: Sequence[Decision], now: Instant
) -> list[tuple[AuditContext, Line]]:
    return [
        (waiting.note, waiting.note.decided(now, decision.refusal))
        for waiting, decision in zip(callers, decisions, strict=False)
        if waiting.note is not None
    ]

"""The sequencer: gathers what is to happen, decides it together, and answers only after the commit.

There is no timer: the next batch is what arrived during the last commit. A lone caller waits for one
commit and for no window; a crowd shares one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec
import structlog

from leasehold.commands.command import Command, Decided, DueCommand, Engine, decide, token_needs
from leasehold.domain.agenda import agenda_of
from leasehold.domain.book import REMEMBERED, SERVICES, UNITS, Book, Changes, Need, Shelf, Table
from leasehold.domain.calendar import Instant
from leasehold.domain.rules import Rules

log = structlog.get_logger()

FIRST: frozenset[Table[Any]] = frozenset({REMEMBERED, UNITS, SERVICES})
"""Tables whose rows tell which others are needed. They are loaded, and locked, before all others."""


class Overloaded(Exception):
    """The queue is full; nothing was done."""


class Closed(Exception):
    """The service is stopping; nothing was done."""


class Unavailable(Exception):
    """The store cannot write now; nothing was done. The message says why."""


class Transaction(Protocol):
    """One open transaction of a store that takes a batch at a time."""

    async def load(self, needs: Iterable[Need | Shelf], book: Book) -> None:
        """Put the needed rows into the book and keep everybody else from changing them."""

    async def save(self, changes: Changes) -> None:
        """Write everything that the batch changed."""

    async def prune_tokens(self, before: Instant) -> None:
        """Forget a bounded number of client tokens that are older."""

    async def commit(self) -> None:
        """Make it durable. Returns only once it is."""

    async def rollback(self) -> None:
        """Forget it."""


class Store(Protocol):
    """What the sequencer asks of a store."""

    async def begin(self) -> Transaction:
        """Open the transaction of the next batch."""


class Clock(Protocol):
    """What time it is."""

    def now(self) -> Instant:
        """Return the present moment."""


class Watcher(Protocol):
    """Somebody who is told what a committed batch changed, before its callers are answered."""

    def committed(self, changes: Changes) -> None:
        """Take note. Must not fail and must not wait."""


class Meter(Protocol):
    """Where batches are counted."""

    def batch_done(self, size: int, seconds: float, commit_seconds: float) -> None:
        """Count a batch."""


class Limits(msgspec.Struct, frozen=True):
    """How much is taken at once: commands a batch, due work in it, and callers that may wait."""

    batch_max: int = 512
    due_max: int = 256
    queue_max: int = 10_000


class _Waiting:
    """A command, and the future of whoever waits for its outcome."""

    __slots__ = ("command", "future")

    def __init__(self, command: Command, future: asyncio.Future[Decided]) -> None:
        self.command = command
        self.future = future

    def answer(self, decided: Decided) -> None:
        """Hand over the outcome; whoever asked may have gone."""
        if not self.future.done():
            self.future.set_result(decided)

    def fail(self, error: BaseException) -> None:
        """Say what went wrong."""
        if not self.future.done():
            self.future.set_exception(error)


DEFERRED = Decided(answer=None)
"""The outcome of due work that must wait its turn: something earlier fell due while the batch was decided."""

PRUNE_EVERY_S = 30.0


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
    ) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._engine = engine
        self._limits = limits
        self._meter = meter
        self._watchers = list(watchers)
        self._callers: deque[_Waiting] = deque()
        self._due: deque[_Waiting] = deque()
        self._work = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._pruned_at = time.monotonic()

    def watch(self, watcher: Watcher) -> None:
        """Tell somebody about every commit from now on."""
        self._watchers.append(watcher)

    def start(self) -> None:
        """Begin to take batches."""
        self._task = asyncio.create_task(self._run(), name="sequencer")

    async def close(self) -> None:
        """Finish what was accepted, refuse the rest, and stop."""
        self._closing = True
        self._work.set()
        if self._task is not None:
            await self._task

    @property
    def queue_length(self) -> int:
        """How many commands wait."""
        return len(self._callers) + len(self._due)

    async def submit(self, command: Command) -> Any:
        """Have a command decided; returns its answer after the commit.

        Raises Refusal where it is refused, Overloaded or Closed where nothing was done, and whatever went
        wrong otherwise; then nothing was done either, unless the store failed while it committed.
        """
        if len(self._callers) >= self._limits.queue_max:
            raise Overloaded
        return (await self._enqueue(self._callers, command)).result()

    async def submit_due(self, commands: Sequence[DueCommand]) -> list[Decided | BaseException]:
        """Have due work decided, in this order; returns the outcomes after the commit.

        DEFERRED stands for work that was not done because something earlier fell due meanwhile.
        """
        futures = [self._enqueue(self._due, command) for command in commands]
        return await asyncio.gather(*futures, return_exceptions=True)

    def _enqueue(self, queue: deque[_Waiting], command: Command) -> asyncio.Future[Decided]:
        if self._closing:
            raise Closed
        future: asyncio.Future[Decided] = asyncio.get_running_loop().create_future()
        queue.append(_Waiting(command, future))
        self._work.set()
        return future

    async def _run(self) -> None:
        while not (self._closing and not self.queue_length):
            await self._work.wait()
            batch = self._gather()
            if not batch:
                self._work.clear()
                if self._closing:
                    return
                continue
            await self._serve(batch)

    async def _serve(self, batch: list[_Waiting]) -> None:
        """Take a batch and answer its callers, each of them whatever happens."""
        try:
            outcomes = await self._take([waiting.command for waiting in batch])
        except Unavailable as error:
            # It would fail for each of them alike; reads still work, and the next batch tries again.
            log.error("the store cannot write", error=str(error))  # noqa: TRY400 - no trace says more
            for waiting in batch:
                waiting.fail(error)
        except Exception as error:
            if len(batch) == 1:
                log.exception("command failed", command=type(batch[0].command).__name__)
                batch[0].fail(error)
                return
            # One bad command spoils only itself.
            log.warning("batch failed, taking its commands one by one", size=len(batch), error=repr(error))
            for waiting in batch:
                await self._serve([waiting])
        else:
            for waiting, decided in zip(batch, outcomes, strict=True):
                waiting.answer(decided)

    def _gather(self) -> list[_Waiting]:
        """Take due work first, it is the older, but never so much that callers wait long for it."""
        due = [self._due.popleft() for _ in range(min(len(self._due), self._limits.due_max))]
        room = self._limits.batch_max - len(due)
        return due + [self._callers.popleft() for _ in range(min(len(self._callers), room))]

    async def _take(self, commands: Sequence[Command]) -> list[Decided]:
        """Take one batch: load, decide, save, commit."""
        began = time.perf_counter()
        transaction = await self._store.begin()
        try:
            book = await load(transaction, commands)
            outcomes = decide_all(book, commands, self._rules, self._clock.now(), self._engine)
            changes = book.changes()
            if changes:
                await transaction.save(changes)
            if time.monotonic() - self._pruned_at > PRUNE_EVERY_S:
                self._pruned_at = time.monotonic()
                await transaction.prune_tokens(Instant(self._clock.now() - self._rules.token_keep_us))
        except BaseException:
            await transaction.rollback()
            raise
        decided_at = time.perf_counter()
        await transaction.commit()
        committed_at = time.perf_counter()
        for watcher in self._watchers:
            watcher.committed(changes)
        self._meter.batch_done(len(commands), committed_at - began, committed_at - decided_at)
        return outcomes


async def load(transaction: Transaction, commands: Sequence[Command]) -> Book:
    """Load what the commands need, in the one order of tables in which all batches lock."""
    book = Book()
    first: set[Need | Shelf] = set()
    rest: set[Need | Shelf] = set()
    for command in commands:
        for need in (*token_needs(command), *command.needs()):
            (first if not isinstance(need, Shelf) and need[0] in FIRST else rest).add(need)
    if first:
        await transaction.load(first, book)
    for command in commands:
        rest.update(need for need in command.needs_more(book) if _missing(book, need))
    if rest:
        await transaction.load(rest, book)
    return book


def _missing(book: Book, need: Need | Shelf) -> bool:
    return isinstance(need, Shelf) or not book.has(*need)


def decide_all(book: Book, commands: Sequence[Command], rules: Rules, now: Instant, engine: Engine) -> list[Decided]:
    """Decide a batch on its book, in order.

    Due work is decided as of its own due time, never before it, and strictly in the order of those times:
    what a piece of work makes due anew goes before later work, which is put off to a batch of its own.
    """
    outcomes: list[Decided] = []
    turn: Instant | None = None
    for command in commands:
        if not isinstance(command, DueCommand):
            outcomes.append(decide(book, command, rules, now, engine))
            continue
        due = command.due
        if due.at > now or (turn is not None and due.at > turn):
            outcomes.append(DEFERRED)
            continue
        before = agenda_of(book.get(UNITS, due.unit_id))
        outcomes.append(decide(book, command, rules, due.at, engine))
        for item in agenda_of(book.get(UNITS, due.unit_id)) - before:
            if turn is None or item.at < turn:
                turn = item.at
    return outcomes

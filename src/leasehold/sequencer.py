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

from leasehold.clock import Clock
from leasehold.commands.clock import MoveClock
from leasehold.commands.command import Command, Decided, DueCommand, Engine, decide, token_needs
from leasehold.commands.release import DoDue
from leasehold.domain.agenda import Due, agenda_of
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


class Conflict(Exception):
    """Somebody else was quicker, or the connection was lost before the commit: nothing was done, try again."""


class Transaction(Protocol):
    """One open transaction of a store that takes a batch at a time."""

    def now(self) -> Instant | None:
        """Return the store's own time where it keeps one for all its servers; None: the server's clock counts."""
        ...

    async def due(self, until: Instant, limit: int, *, wait: bool) -> list[Due]:
        """Return work that is due by then, in order, and keep its instances from everybody else.

        Instances that another server works on are left out, or waited for.
        """
        ...

    async def load(self, needs: Iterable[Need | Shelf], book: Book) -> None:
        """Put the needed rows into the book and keep everybody else from changing them."""

    async def save(self, changes: Changes) -> None:
        """Write everything that the batch changed."""

    async def prune_tokens(self, before: Instant) -> None:
        """Forget a bounded number of client tokens that are older."""

    async def commit(self) -> None:
        """Make it durable. Returns only once it is; raises Conflict or Unavailable only where it is not."""

    async def rollback(self) -> None:
        """Forget it."""


class Store(Protocol):
    """What the sequencer asks of a store."""

    async def begin(self) -> Transaction:
        """Open the transaction of the next batch."""
        ...


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


class DueRequest(msgspec.Struct, frozen=True):
    """Ask for work that is due by ``until`` (None: by now) to be done, but for what rests.

    With ``moving`` the virtual clock goes to the first moment at which something is due, and what is due at
    that moment is done.
    """

    until: Instant | None = None
    moving: bool = False
    resting: frozenset[Due] = frozenset()


class DueDone(msgspec.Struct, frozen=True):
    """What became of a piece of due work: an outcome, or what went wrong. DEFERRED: it must wait its turn."""

    due: Due
    outcome: Decided | None = None
    error: Exception | None = None


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


class _Batch(msgspec.Struct):
    """What is taken together: due work, as far as it is asked for, and then callers in their order."""

    callers: list[_Waiting]
    request: DueRequest | None = None
    wants_due: asyncio.Future[list[DueDone]] | None = None

    def __bool__(self) -> bool:
        return bool(self.callers) or self.request is not None


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
        self._due: deque[tuple[DueRequest, asyncio.Future[list[DueDone]]]] = deque()
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
        """How many callers wait."""
        return len(self._callers)

    async def submit(self, command: Command) -> Any:
        """Have a command decided; returns its answer after the commit.

        Raises Refusal where it is refused, Overloaded or Closed or Unavailable where nothing was done, and
        whatever went wrong otherwise; then nothing was done either.
        """
        if self._closing:
            raise Closed
        if len(self._callers) >= self._limits.queue_max:
            raise Overloaded
        future: asyncio.Future[Decided] = asyncio.get_running_loop().create_future()
        self._callers.append(_Waiting(command, future))
        self._work.set()
        return (await future).result()

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
            batch = self._gather()
            if batch:
                await self._serve(batch)
            elif self._closing:
                return
            else:
                self._work.clear()

    def _gather(self) -> _Batch:
        """Take due work first, it is the older, but never so much that callers wait long for it."""
        room = self._limits.batch_max - (self._limits.due_max if self._due else 0)
        taken = min(len(self._callers), max(room, 1))
        batch = _Batch([self._callers.popleft() for _ in range(taken)])
        if self._due:
            batch.request, batch.wants_due = self._due.popleft()
        return batch

    async def _serve(self, batch: _Batch) -> None:
        """Take a batch and answer everybody in it, whatever happens."""
        due: list[Due] = []
        try:
            await self._try(batch, due)
        except Unavailable as error:
            # It would fail for each of them alike; reads still work, and the next batch tries again.
            log.error("the store cannot write", error=str(error))  # noqa: TRY400 - no trace says more
            for waiting in batch.callers:
                waiting.fail(error)
            if batch.wants_due is not None and not batch.wants_due.done():
                batch.wants_due.set_exception(error)
        except Exception as error:
            log.exception("batch failed, taking its commands one by one", callers=len(batch.callers), due=len(due))
            await self._one_by_one(batch, due, error)

    async def _one_by_one(self, batch: _Batch, due: list[Due], error: Exception) -> None:
        """Take each command by itself: one bad command spoils only itself."""
        done = []
        moving = batch.request is not None and batch.request.moving
        for item in () if moving else due:
            try:
                (outcome,) = await self._again([DoDue(due=item)])
                done.append(DueDone(item, outcome))
            except Exception as its_own:  # noqa: BLE001 - it is handed to the one who asked
                done.append(DueDone(item, error=its_own))
        if batch.wants_due is not None and not batch.wants_due.done():
            # Where the clock moves, order is everything: whoever moves it is told, and nothing is done out of turn.
            if moving or (not done and not batch.callers):
                batch.wants_due.set_exception(error)
            else:
                batch.wants_due.set_result(done)
        for waiting in batch.callers:
            try:
                (decided,) = await self._again([waiting.command])
            except Exception as its_own:
                log.exception("command failed", command=type(waiting.command).__name__)
                waiting.fail(its_own)
            else:
                waiting.answer(decided)

    async def _try(self, batch: _Batch, due: list[Due]) -> None:
        """Take a batch, a second time where somebody else was in the way the first time."""
        commands = [waiting.command for waiting in batch.callers]
        outcomes = await self._again(commands, batch.request, due)
        if batch.wants_due is not None and not batch.wants_due.done():
            batch.wants_due.set_result([DueDone(item, outcome) for item, outcome in zip(due, outcomes, strict=False)])
        for waiting, decided in zip(batch.callers, outcomes[len(due) :], strict=True):
            waiting.answer(decided)

    async def _again(
        self, commands: Sequence[Command], request: DueRequest | None = None, due: list[Due] | None = None
    ) -> list[Decided]:
        due = [] if due is None else due
        try:
            return await self._take(commands, request, due)
        except Conflict as conflict:
            log.info("batch is taken again", reason=str(conflict))
            due.clear()
            return await self._take(commands, request, due)

    async def _take(self, commands: Sequence[Command], request: DueRequest | None, due: list[Due]) -> list[Decided]:
        """Take one batch: load, decide, save, commit. Puts the due work that it took into ``due``."""
        began = time.perf_counter()
        transaction = await self._store.begin()
        try:
            now = transaction.now() or self._clock.now()
            if request is not None:
                due += await self._claim(transaction, request, now)
                commands = [*(DoDue(due=item) for item in due), *commands]
                if request.moving and due:
                    now = due[0].at
                    commands = [*commands, MoveClock(to=now)]
            book = await load(transaction, commands)
            outcomes = decide_all(book, commands, self._rules, now, self._engine)
            changes = book.changes()
            if changes:
                await transaction.save(changes)
            if time.monotonic() - self._pruned_at > PRUNE_EVERY_S:
                self._pruned_at = time.monotonic()
                await transaction.prune_tokens(Instant(now - self._rules.token_keep_us))
            decided_at = time.perf_counter()
            await transaction.commit()
        except BaseException:
            await transaction.rollback()
            raise
        committed_at = time.perf_counter()
        if request is not None and request.moving and due:
            outcomes.pop()
            self._clock.moved(now)
        for watcher in self._watchers:
            watcher.committed(changes)
        self._meter.batch_done(len(commands), committed_at - began, committed_at - decided_at)
        return outcomes

    async def _claim(self, transaction: Transaction, request: DueRequest, now: Instant) -> list[Due]:
        until = now if request.until is None else request.until
        limit = self._limits.due_max + len(request.resting)
        found = await transaction.due(until, limit, wait=request.moving)
        due = [item for item in found if item not in request.resting][: self._limits.due_max]
        return [item for item in due if item.at == due[0].at] if request.moving else due


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

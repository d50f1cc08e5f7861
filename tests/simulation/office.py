"""Plays commands and time on a store: the core as the sequencer and the agenda drive it, one step at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from leasebook.batch import AuditWriter, Transaction, decide_in_parts, load
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.loads import NotLoaded
from leasebook.domain.commands.command import Command, Decision, DueCommand, Engine
from leasebook.domain.commands.due_work import due_command
from leasebook.domain.commands.store.clock import MoveClock
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules
from leasebook.ports.queries.read_repository import ReadRepository

T = TypeVar("T")
Witness = Callable[[Changes, Instant, Sequence[Command]], None]
"""Called after every commit with the batch's changes, its time and its decisions."""

FETCH = 1024


class Store(Protocol):
    """The methods that a store needs here."""

    async def begin(self) -> Transaction:
        """Open the transaction of the next batch."""

    def ask(self, question: Callable[[ReadRepository], T]) -> T:
        """Answer from committed rows."""
        ...


class StoreHarness:
    """One store, one clock that the test sets, batches of at most ``batch`` commands.

    ``twice``: every piece of due work is handed in by two agendas. ``part``: the number of commands whose changes the
    store is given before the next are decided. With an audit log, events of identities are sealed, as servers do it.
    """

    def __init__(
        self,
        store: Store,
        rules: Rules,
        engine: Engine,
        *,
        batch: int = 1,
        twice: bool = False,
        part: int | None = None,
        witness: Witness | None = None,
        audit_writer: AuditWriter | None = None,
    ) -> None:
        self.store = store
        self.rules = rules
        self.engine = engine
        self.batch = batch
        self.twice = twice
        self.part = part
        self.witness = witness
        self.audit_writer = audit_writer

    async def say(self, commands: Sequence[Command], now: Instant) -> list[Decision]:
        """Have commands decided at that moment, in order."""
        outcomes: list[Decision] = []
        for part in _parts(commands, self.batch):
            outcomes += await self._serve(part, now)
        return outcomes

    async def move(self, to: Instant) -> None:
        """Let time pass: everything due until then is done on time, in order, each at its own moment."""
        while due := self.store.ask(lambda ask: ask.due(to, FETCH)):
            moment = due[0].at
            tie = [due_command(item) for item in due if item.at == moment]
            await self._work(tie, moment)
        await self._serve([MoveClock(to=to)], to)

    async def catch_up(self, now: Instant) -> None:
        """Do everything that is overdue, at once and late."""
        while due := self.store.ask(lambda ask: ask.due(now, self.batch)):
            await self._work([due_command(item) for item in due], now)
        await self._serve([MoveClock(to=now)], now)

    async def _work(self, work: Sequence[DueCommand], now: Instant) -> None:
        asked = [command for command in work for _ in range(2)] if self.twice else work
        outcomes = await self.say(asked, now)
        assert any(outcome.answer for outcome in outcomes), f"the agenda is stuck at {work[0]}"
        if self.twice:
            done_twice = [
                command
                for command, first, second in zip(work, outcomes[::2], outcomes[1::2], strict=True)
                if first.answer and second.answer
            ]
            assert not done_twice, f"done twice: {done_twice}"

    async def _serve(self, commands: Sequence[Command], now: Instant) -> list[Decision]:
        """Take a batch; one by one where a command in it needs a row that another one of them makes."""
        try:
            return await self._take(commands, now)
        except NotLoaded:
            if len(commands) == 1:
                raise
            return [(await self._take([command], now))[0] for command in commands]

    async def _take(self, commands: Sequence[Command], now: Instant) -> list[Decision]:
        transaction = await self.store.begin()
        try:
            book = await load(transaction, commands)
            outcomes: list[Decision] = []
            parts: list[Changes] = []
            for part in decide_in_parts(book, commands, self.rules, now, self.engine, self.part):
                outcomes += part
                if len(outcomes) < len(commands):
                    parts.append(book.part())
                    transaction.save_part(parts[-1])
            mark = None if self.audit_writer is None else self.audit_writer.seal_events(book, now)
            changes = book.changes()
            if self.audit_writer is not None:
                changes.audit = await self.audit_writer.record(transaction, (), mark, now)
            if changes or parts:
                await transaction.save(changes)
        except BaseException:
            await transaction.rollback()
            raise
        await transaction.commit()
        if self.audit_writer is not None:
            self.audit_writer.committed(changes.audit)
        if self.witness is not None:
            self.witness(changes.after(parts), now, commands)
        return outcomes


def _parts(commands: Sequence[Command], size: int) -> Iterator[Sequence[Command]]:
    for start in range(0, len(commands), size):
        yield commands[start : start + size]

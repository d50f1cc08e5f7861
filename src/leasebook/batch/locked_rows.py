"""Commands whose rows another session has locked. They wait outside the queue, so that no other command waits too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, Protocol

import structlog

from leasebook.batch.deciding import load, needs_of
from leasebook.batch.ports import Closed, DueDone, LockedOut, Transaction
from leasebook.batch.waiting import Batch, WaitingCall
from leasebook.domain.book.book import Book
from leasebook.domain.book.loads import Needed
from leasebook.domain.commands.command import Command
from leasebook.domain.commands.due_work import due_command
from leasebook.domain.record.agenda import Due

log = structlog.get_logger()

LOOK_EVERY_S: Final = 0.05
"""Pause between two looks whether the rows are still locked."""
OURS_WAIT_S: Final = 1.0
"""Upper bound on the wait of the service's own commands: it repeats them, and has other work to do meanwhile."""


class Locks(Protocol):
    """Knows which rows another session has locked."""

    async def locked(self, needs: Collection[Needed], *, wait: bool = False) -> frozenset[Needed]:
        """Return which of these rows are locked now; ``wait``: queue for one of them for a moment."""
        ...


class LockedRows:
    """Rows that another session has locked, and the calls that wait for them.

    A row is barred from the first batch that waited for it without success until it is seen to be free. Batches leave
    out commands that need a barred row. Their calls wait here for at most ``wait_s`` seconds, and then return to the
    front of their party's line.
    """

    def __init__(
        self,
        locks: Locks,
        requeue: Callable[[str | None, Sequence[WaitingCall]], None],
        *,
        wait_s: float,
        length_max: int,
    ) -> None:
        """``requeue`` takes the calls of a party whose rows are free; at most ``length_max`` calls wait here."""
        self._locks = locks
        self._requeue = requeue
        self._wait_s = wait_s
        self._length_max = length_max
        self._waiting: list[tuple[WaitingCall, frozenset[Needed]]] = []
        self._watch: asyncio.Task[None] | None = None
        self._since: dict[Needed, float] = {}
        """The loop's time since which each row is barred."""
        self.barred: frozenset[Needed] = frozenset()

    def __len__(self) -> int:
        return len(self._waiting)

    async def learn(self, commands: Iterable[Command], book: Book) -> bool:
        """Find out which rows of a batch another session has locked; returns whether some were not known yet."""
        needs = {need for command in commands for need in needs_of(command, book)}
        found = await self._seen(needs - self.barred)
        if not found:
            return False
        log.warning("rows are held by another session; who needs them waits aside", rows=sorted(map(repr, found))[:10])
        self.barred |= found
        self._since |= dict.fromkeys(found, asyncio.get_running_loop().time())
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._look(), name="locked rows")
        return True

    async def load(
        self,
        transaction: Transaction,
        batch: Batch,
        due: list[Due],
        callers: list[WaitingCall],
        commands: list[Command],
        book: Book,
    ) -> tuple[list[WaitingCall], list[Command]]:
        """Load the rows of a batch; returns its callers and commands without those whose rows are barred.

        Callers with barred rows leave the batch and wait here. Due work with barred rows leaves it and is reported as
        LockedOut.
        """
        batch.locked_out = []
        barred = frozenset() if batch.is_moving else self.barred
        await load(transaction, commands, book, barred)
        if not barred:
            return callers, commands
        left: list[WaitingCall] = []
        for waiting in callers:
            needs = needs_of(waiting.command, book)
            if barred.isdisjoint(needs):
                left.append(waiting)
            else:
                batch.callers.remove(waiting)
                self.put(waiting, needs)
        out = [item for item in due if not barred.isdisjoint(needs_of(due_command(item), book))]
        batch.locked_out = [DueDone(item, error=LockedOut()) for item in out]
        due[:] = [item for item in due if item not in out]
        return left, [*map(due_command, due), *(waiting.command for waiting in left)]

    def put(self, waiting: WaitingCall, needs: Collection[Needed]) -> None:
        """Let a call wait for those of its rows that are barred, or refuse it with LockedOut.

        The wait counts from when the rows were barred. Where that was long ago, they are looked at once more only:
        otherwise a backlog of calls would wait for the same rows one call after another.
        """
        now = asyncio.get_running_loop().time()
        if waiting.until is None:
            wait_s = self._wait_s if waiting.party is not None else min(self._wait_s, OURS_WAIT_S)
            since = min((self._since[need] for need in self.barred.intersection(needs)), default=now)
            waiting.until = max(since + wait_s, now + 2 * LOOK_EVERY_S)
        if not waiting.patient or waiting.until <= now or len(self._waiting) >= self._length_max:
            waiting.fail(LockedOut())
        else:
            self._waiting.append((waiting, self.barred.intersection(needs)))

    def refuse(self) -> None:
        """Refuse all calls that wait, because there are no more batches."""
        self.barred, self._since = frozenset(), {}
        for waiting, _ in self._waiting:
            waiting.fail(Closed())
        self._waiting.clear()

    async def close(self) -> None:
        """Refuse all calls that wait, and stop looking."""
        self.refuse()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})

    async def _seen(self, needs: Collection[Needed], *, wait: bool = False) -> frozenset[Needed]:
        try:
            return await self._locks.locked(needs, wait=wait)
        except Exception as error:  # noqa: BLE001 - the next batch meets the same error, and reports it
            log.warning("it cannot be seen which rows are held", error=str(error))
            return frozenset()

    async def _look(self) -> None:
        """Look again and again whether the rows are free, until all are."""
        while self.barred:
            await asyncio.sleep(LOOK_EVERY_S)
            asked = self.barred
            still = await self._seen(asked, wait=True)
            # Rows that were barred while the query was under way are part of the next query.
            self.barred = still | (self.barred - asked)
            self._since = {need: self._since[need] for need in self.barred}
            self._release()

    def _release(self) -> None:
        """Requeue the calls whose rows are free, and refuse those that have waited long enough."""
        now = asyncio.get_running_loop().time()
        stay: list[tuple[WaitingCall, frozenset[Needed]]] = []
        free: dict[str | None, list[WaitingCall]] = {}
        for waiting, needs in self._waiting:
            if self.barred.isdisjoint(needs):
                free.setdefault(waiting.party, []).append(waiting)
            elif waiting.until is not None and waiting.until <= now:
                waiting.fail(LockedOut())
            else:
                stay.append((waiting, needs))
        self._waiting = stay
        for party, found in free.items():
            self._requeue(party, found)

"""Commands whose rows somebody else holds: put aside, so that nobody waits for those rows but who needs them."""

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
from leasebook.domain.commands.instance.due import DoDue
from leasebook.domain.record.agenda import Due

log = structlog.get_logger()

LOOK_EVERY_S: Final = 0.05
OURS_WAIT_S: Final = 1.0
"""What this service does by itself waits no longer: it comes again by itself, and has others' work to do meanwhile."""


class Locks(Protocol):
    """Where it can be asked which rows somebody else holds."""

    async def locked(self, needs: Collection[Needed], *, wait: bool = False) -> frozenset[Needed]:
        """Return what of that cannot be had now; ``wait``: queue for a moment where something cannot."""
        ...


class Aside:
    """Those who wait for rows that somebody else holds, and the rows.

    A row is barred from when a batch waited for it in vain until it is seen to be free. Commands that need a barred row
    are left out of batches, wait here for at most ``wait_s``, and come back to the front of their line.
    """

    def __init__(
        self, locks: Locks, back: Callable[[str | None, Sequence[WaitingCall]], None], *, wait_s: float, most: int
    ) -> None:
        """``back`` takes those whose rows are free; no more than ``most`` wait here."""
        self._locks = locks
        self._back = back
        self._wait_s = wait_s
        self._most = most
        self._waiting: list[tuple[WaitingCall, frozenset[Needed]]] = []
        self._watch: asyncio.Task[None] | None = None
        self._since: dict[Needed, float] = {}
        """Since when each row is barred."""
        self.barred: frozenset[Needed] = frozenset()

    def __len__(self) -> int:
        return len(self._waiting)

    async def learn(self, commands: Iterable[Command], book: Book) -> bool:
        """Find out which rows of a batch are held by somebody else; returns whether some were not known yet."""
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
        """Load the rows of a batch; returns the callers and commands without those whose rows somebody else holds.

        Such callers are put aside, and such due work is out of the batch.
        """
        batch.held_up = []
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
        out = [item for item in due if not barred.isdisjoint(needs_of(DoDue(due=item), book))]
        batch.held_up = [DueDone(item, error=LockedOut()) for item in out]
        due[:] = [item for item in due if item not in out]
        return left, [*(DoDue(due=item) for item in due), *(waiting.command for waiting in left)]

    def put(self, waiting: WaitingCall, needs: Collection[Needed]) -> None:
        """Let somebody wait here, for what of their rows is barred.

        What has been for long already is looked at once more and not waited for: a crowd that takes turns would else
        wait for the same rows one after another.
        """
        now = asyncio.get_running_loop().time()
        if waiting.until is None:
            wait_s = self._wait_s if waiting.party is not None else min(self._wait_s, OURS_WAIT_S)
            since = min((self._since[need] for need in self.barred.intersection(needs)), default=now)
            waiting.until = max(since + wait_s, now + 2 * LOOK_EVERY_S)
        if not waiting.patient or waiting.until <= now or len(self._waiting) >= self._most:
            waiting.fail(LockedOut())
        else:
            self._waiting.append((waiting, self.barred.intersection(needs)))

    def refuse(self) -> None:
        """Refuse whoever waits: there are no more batches."""
        self.barred, self._since = frozenset(), {}
        for waiting, _ in self._waiting:
            waiting.fail(Closed())
        self._waiting.clear()

    async def close(self) -> None:
        """Refuse whoever waits, and stop looking."""
        self.refuse()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})

    async def _seen(self, needs: Collection[Needed], *, wait: bool = False) -> frozenset[Needed]:
        try:
            return await self._locks.locked(needs, wait=wait)
        except Exception as error:  # noqa: BLE001 - whoever comes next finds out, and is told by the batch
            log.warning("it cannot be seen which rows are held", error=str(error))
            return frozenset()

    async def _look(self) -> None:
        """Look whether the rows are free, for as long as they are not."""
        while self.barred:
            await asyncio.sleep(LOOK_EVERY_S)
            asked = self.barred
            still = await self._seen(asked, wait=True)
            # What was barred while the question was on its way is asked for the next time.
            self.barred = still | (self.barred - asked)
            self._since = {need: self._since[need] for need in self.barred}
            self._let_go()

    def _let_go(self) -> None:
        """Send back whose rows are free, and refuse whose patience has ended."""
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
            self._back(party, found)

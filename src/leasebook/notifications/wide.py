"""Operators' subscriptions over several accounts: in which accounts each of them has events to look through.

The pages of events are numbered in the order of commits only within an account, so a subscription over several has a
place in each account, and this module keeps only where to look next. A commit of this server names its accounts, in
memory. Those of other servers are found by the pages that are new, and everything once a minute by comparing every
account's last page with the place: then at the latest a page is found that was committed long after it was numbered.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from leasebook.batch import Sequencer
from leasebook.domain.book.changes import Changes
from leasebook.domain.commands.account.delivery import EnqueueAcross, LoggedEvent
from leasebook.domain.model.subscription import Subscription
from leasebook.domain.record.event import Event
from leasebook.ports.queries.read_repository import Reader, ReadRepository

SWEEP_EVERY_S: Final = 60.0
SWEPT_AT_ONCE: Final = 1000
"""Accounts that one query returns."""
LATE_S: Final = 10.0
"""Pages of the last seconds are looked for again: one may be committed after another that has a greater number."""
PAGES_AT_ONCE: Final = 16


class Meter(Protocol):
    """Where the accounts that wait are counted."""

    def accounts_behind(self, count: int) -> None:
        """Set in how many accounts operators' subscriptions have events to look through."""


class Part(NamedTuple):
    """An account whose events a subscription has to look through."""

    hook: Subscription
    of: str


class WideSubscriptions:
    """Says where to look next. ``alone``: no other server writes to the store. ``now_s`` is a running clock."""

    def __init__(
        self, reader: Reader, sequencer: Sequencer, *, alone: bool, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._now_s = now_s
        self._reader = reader
        self._sequencer = sequencer
        self._alone = alone
        self._new: set[str] = set()
        self._pending: dict[str, dict[str, None]] = {}
        self._polls: deque[tuple[float, int]] = deque()
        self._seen: dict[str, int] = {}
        self._swept_at = now_s()

    def committed(self, changes: Changes) -> bool:
        """Note the accounts of a commit; returns whether there is something to do. It is free without subscribers."""
        if not self._pending or not changes.events:
            return False
        self._new.update(page.account_id for page in changes.events)
        return True

    async def look(self, hooks: Sequence[Subscription]) -> None:
        """Find the accounts with events that these subscriptions, all that receive, have yet to look through."""
        for hook_id in self._pending.keys() - {hook.id for hook in hooks}:
            del self._pending[hook_id]
        if not hooks:
            self._new.clear()
            self._polls.clear()
            return
        now = self._now_s()
        fresh = [hook for hook in hooks if hook.id not in self._pending]
        for hook in fresh:
            self._pending[hook.id] = {}
        if now - self._swept_at >= SWEEP_EVERY_S:
            fresh, self._swept_at = list(hooks), now
        new, self._new = self._new, set()
        if not self._alone:
            new |= await self._others(now)
        for hook in hooks:
            self._add(hook, (one for one in new if hook.looks_through(one)))
        for hook in fresh:
            await self._sweep(hook)

    async def _others(self, now: float) -> set[str]:
        """Return the accounts with new pages of any server."""
        if not self._polls:
            # The sweep that every subscription begins with finds all that came before.
            self._polls.append((now, await self._reader.read(lambda ask: ask.last_page())))
        while len(self._polls) > 1 and self._polls[1][0] <= now - LATE_S:
            self._polls.popleft()
        since = self._polls[0][1]
        found = await self._reader.read(lambda ask: ask.accounts_since(since))
        if found:
            self._polls.append((now, max(found.values())))
        new = {account_id for account_id, last in found.items() if last > self._seen.get(account_id, 0)}
        self._seen = found
        return new

    async def _sweep(self, hook: Subscription) -> None:
        after = ""
        while True:

            def behind(ask: ReadRepository, after: str = after) -> list[str]:
                return ask.accounts_behind(hook, after=after, limit=SWEPT_AT_ONCE)

            found = await self._reader.read(behind, long=True)
            self._add(hook, found)
            if len(found) < SWEPT_AT_ONCE:
                return
            after = found[-1]

    def _add(self, hook: Subscription, account_ids: Iterable[str]) -> None:
        self._pending[hook.id].update(dict.fromkeys(account_ids))

    def parts(self, hooks: Iterable[Subscription], limit: int) -> list[Part]:
        """Return the next accounts of each subscription, at most ``limit`` of each: one that was served waits."""
        return [
            Part(hook, of)
            for hook in hooks
            for of, _ in zip(self._pending.get(hook.id, ()), range(limit), strict=False)
        ]

    @property
    def waiting(self) -> int:
        """In how many accounts there is something to look through, counted for each subscription."""
        return sum(map(len, self._pending.values()))

    async def enqueue(self, part: Part) -> bool:
        """Turn the next pages of an account into deliveries; returns whether there may be more."""
        hook, of = part
        pending = self._pending.get(hook.id, {})
        # Before the read: an account that commits after it comes in again.
        pending.pop(of, None)
        try:
            after, pages = await self._reader.read(lambda ask: _next_pages(ask, hook, of))
            if not pages:
                return False
            found = tuple(
                LoggedEvent(page, line, event)
                for page, events in pages
                for line, event in enumerate(events)
                if hook.wants(event, of)
            )
            command = EnqueueAcross(
                hook_id=hook.id, owner=hook.created_by, of=of, after=after, page=pages[-1][0], found=found
            )
            is_done = await self._sequencer.submit(command)
        except BaseException:
            pending[of] = None
            raise
        if is_done and len(pages) < PAGES_AT_ONCE:
            return False
        pending[of] = None
        return True


def _next_pages(ask: ReadRepository, hook: Subscription, of: str) -> tuple[int, list[tuple[int, tuple[Event, ...]]]]:
    after = max(hook.page, ask.account_place(hook.id, of))
    return after, ask.event_pages(of, after=after, limit=PAGES_AT_ONCE)

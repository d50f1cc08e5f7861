"""The enqueuer: turns pages of the event log into deliveries, for each subscription that wants their events."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Final

from leasebook.batch import Sequencer
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import SUBSCRIPTIONS
from leasebook.domain.commands.account.delivery import EnqueueDeliveries, LoggedEvent
from leasebook.domain.model.subscription import Subscription
from leasebook.notifications.fair_queue import Rota
from leasebook.notifications.wide import Part, WideSubscriptions
from leasebook.ports.queries.deliveries import Working
from leasebook.ports.queries.read_repository import Reader, ReadRepository
from leasebook.ports.whereabouts import whereabouts_of

PAGES_AT_ONCE: Final = 16
SUBSCRIPTIONS_AT_ONCE: Final = 32
"""Subscriptions whose events are looked through in one turn, in turns among accounts; the next turn takes others."""


def _account_of(one: Subscription | Part) -> str:
    return one.hook.account_id if isinstance(one, Part) else one.account_id


class Enqueuer:
    """Looks through the events of subscriptions that are behind the log. ``alone``: no other server writes to it."""

    def __init__(self, reader: Reader, sequencer: Sequencer, *, alone: bool) -> None:
        self._reader = reader
        self._sequencer = sequencer
        self._rota: Rota[Subscription | Part] = Rota(_account_of)
        self._wide = WideSubscriptions(reader, sequencer, alone=alone)
        self._accounts: set[str] = set()

    def committed(self, changes: Changes) -> bool:
        """Take note of a commit; returns whether there may be events to look through."""
        # Events of accounts without subscriptions are no matter.
        return (
            self._wide.committed(changes)
            or SUBSCRIPTIONS in changes
            or any(page.account_id in self._accounts for page in changes.events)
        )

    @property
    def waiting(self) -> int:
        """In how many accounts operators' subscriptions have events to look through."""
        return self._wide.waiting

    async def turn(self, working: Sequence[Working], receiving: Sequence[Working]) -> bool:
        """Look through some pages of those that receive; returns whether there are more."""
        self._accounts = {one.hook.account_id for one in working}
        self._rota.keep(self._accounts)
        wide = [one.hook for one in receiving if one.hook.is_wide]
        await self._wide.look(wide)
        behind: list[Subscription | Part] = [one.hook for one in receiving if one.behind and not one.hook.is_wide]
        behind += self._wide.parts(wide, SUBSCRIPTIONS_AT_ONCE)
        chosen = self._rota.take(behind, lambda _one: True, SUBSCRIPTIONS_AT_ONCE)
        # Together, so that they share a batch.
        more = await asyncio.gather(*(self._enqueue(one) for one in chosen), return_exceptions=True)
        for one in more:
            if isinstance(one, BaseException):
                raise one
        return len(chosen) < len(behind) or any(more)

    async def _enqueue(self, one: Subscription | Part) -> bool:
        """Turn the next pages of the log into deliveries; returns whether there may be more."""
        if isinstance(one, Part):
            return await self._wide.enqueue(one)
        pages, found = await self._reader.read(lambda ask: _looked_through(ask, one))
        if not pages:
            return False
        owner = one.created_by if one.goes_by_owner else None
        await self._sequencer.submit(
            EnqueueDeliveries(hook_id=one.id, after=one.page, page=pages[-1], found=found, owner=owner)
        )
        return len(pages) == PAGES_AT_ONCE


def _looked_through(ask: ReadRepository, hook: Subscription) -> tuple[list[int], tuple[LoggedEvent, ...]]:
    """Return the next pages of a subscription's account, and the events on them that it wants and may have."""
    # A thing that moves between the queries would be in the other project also before its move.
    with ask.at_one_instant() if hook.projects else nullcontext():
        pages = ask.event_pages(hook.account_id, after=hook.page, limit=PAGES_AT_ONCE)
        wanted = [
            LoggedEvent(page, line, event)
            for page, events in pages
            for line, event in enumerate(events)
            if hook.wants(event)
        ]
        if hook.projects and wanted:
            places = whereabouts_of(ask, hook.account_id)
            wanted = [one for one in wanted if hook.sees(one.event, (one.page, one.line), places) is not None]
    return [page for page, _ in pages], tuple(wanted)

"""Answers of the store of dictionaries about subscriptions and deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leasebook.domain.book.tables import (
    ACCOUNT_PLACES,
    DELIVERIES,
    DELIVERY_QUEUES,
    NOTICE_RATES,
    SUBSCRIPTIONS,
    USED_LINKS,
    Key,
    Table,
)
from leasebook.domain.model.subscription import Delivery, Subscription
from leasebook.domain.record.event import MOVED, Event, EventPage
from leasebook.domain.record.notice import UsedLink
from leasebook.domain.values.calendar import DAY_US, Instant
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.deliveries import DeliveryFilter, DeliveryPlace, Head, Working
from leasebook.ports.queries.read_repository import EventPlace


def clear(rows: dict[Table[Any], dict[Key, Any]], now: Instant, limit: int) -> None:
    """Forget deliveries that may be forgotten, and lanes in which nothing waits."""
    old = sorted((row.clear_at, key) for key, row in rows[DELIVERIES].items() if (row.clear_at or now + 1) <= now)
    for _, key in old[:limit]:
        del rows[DELIVERIES][key]
    for key in sorted(key for key, row in rows[DELIVERY_QUEUES].items() if row.next_at is None)[:limit]:
        del rows[DELIVERY_QUEUES][key]
    ended = {row.id for row in rows.get(SUBSCRIPTIONS, {}).values() if row.is_wide and row.status == "Deleted"}
    for key in [key for key in rows[ACCOUNT_PLACES] if key[0] in ended][:limit]:
        del rows[ACCOUNT_PLACES][key]
    past = sorted((row.deadline, key) for key, row in rows[USED_LINKS].items() if row.deadline < now - DAY_US)
    for _, key in past[:limit]:
        del rows[USED_LINKS][key]
    free = sorted((row.free_at, key) for key, row in rows[NOTICE_RATES].items() if row.free_at <= now)
    for _, key in free[:limit]:
        del rows[NOTICE_RATES][key]


class OutboxOfMemory:
    """Questions asked of the dictionaries."""

    def _rows(self, table: Table[Any]) -> dict[Key, Any]:
        raise NotImplementedError

    def _pages(self) -> list[EventPage]:
        raise NotImplementedError

    def hooks(self, account_id: str) -> list[Subscription]:
        """Return an account's subscriptions."""
        rows = [row for row in self._rows(SUBSCRIPTIONS).values() if row.account_id == account_id]
        return sorted(
            (row for row in rows if row.status in ("Active", "Paused", "Pending")),
            key=lambda row: (row.created_at, row.id),
        )

    def hook(self, hook_id: str) -> Subscription | None:
        """Return a subscription by id."""
        return self._rows(SUBSCRIPTIONS).get((hook_id,))

    def used_link(self, unit_id: str, deadline: Instant) -> UsedLink | None:
        """Return which link of a deadline was used."""
        return self._rows(USED_LINKS).get((unit_id, deadline))

    def working_hooks(self) -> list[Working]:
        """Return the hooks that are active or being deleted."""
        return [
            Working(row, bool(self.event_pages(row.account_id, after=row.page, limit=1)))
            for _, row in sorted(self._rows(SUBSCRIPTIONS).items())
            if row.status in ("Active", "Pending", "Deleting")
        ]

    def event_pages(self, account_id: str, *, after: int, limit: int) -> list[tuple[int, tuple[Event, ...]]]:
        """Return the pages of an account's events after one."""
        return [
            (number, page.events)
            for number, page in enumerate(self._pages(), start=1)
            if page.account_id == account_id and number > after
        ][:limit]

    def moves(self, account_id: str) -> list[tuple[EventPlace, Event]]:
        """Return the events of moves from project to project in an account, oldest first."""
        return [
            (EventPlace(number, line), event)
            for number, events in self.event_pages(account_id, after=0, limit=2**62)
            for line, event in enumerate(events)
            if event.type == MOVED
        ]

    def event_at(self, account_id: str, place: EventPlace) -> Event | None:
        """Return an account's event by its place."""
        events = dict(self.event_pages(account_id, after=0, limit=2**62)).get(place.page, ())
        return events[place.line] if place.line < len(events) else None

    def due_lanes(
        self, hook_ids: Sequence[str], until: Instant, leased_until: Instant | None, limit: int
    ) -> list[tuple[str, str]]:
        """Return lanes in which something may be tried by then."""
        found = []
        for hook_id in hook_ids:
            found += sorted(
                (row.next_at, row.hook_id, row.name)
                for row in self._rows(DELIVERY_QUEUES).values()
                if row.hook_id == hook_id
                and row.next_at is not None
                and row.next_at <= until
                and (leased_until is None or row.is_free(leased_until))
            )[:limit]
        return [(hook_id, name) for _, hook_id, name in sorted(found)]

    def heads(self, lanes: Sequence[tuple[str, str]]) -> list[Head]:
        """Return the first delivery of each of some queues."""
        waiting: dict[tuple[str, str], Delivery] = {}
        for _, row in sorted(self._rows(DELIVERIES).items()):
            if row.state == "Waiting":
                waiting.setdefault((row.hook_id, row.lane), row)
        heads = [waiting[lane] for lane in lanes if lane in waiting]
        pages = self._pages()
        return [Head(row, pages[row.page - 1].events[row.line], pages[row.page - 1].account_id) for row in heads]

    def hooks_across(self, across: Across) -> list[Subscription]:
        """Return the subscriptions of several accounts."""
        accounts = {row.account_id for row in self._rows(SUBSCRIPTIONS).values()}
        found = [row for one in accounts if across.ids is None or one in across.ids for row in self.hooks(one)]
        return sorted(found, key=lambda row: (row.created_at, row.id))

    def event_anywhere(self, place: EventPlace) -> tuple[str, Event] | None:
        """Return the event at a place, and its account."""
        pages = self._pages()
        if not 0 < place.page <= len(pages) or place.line >= len(pages[place.page - 1].events):
            return None
        return pages[place.page - 1].account_id, pages[place.page - 1].events[place.line]

    def last_page(self) -> int:
        """Return the number of the last page."""
        return len(self._pages())

    def account_place(self, hook_id: str, account_id: str) -> int:
        """Return the page that a subscription came to in an account."""
        place = self._rows(ACCOUNT_PLACES).get((hook_id, account_id))
        return 0 if place is None else int(place.page)

    def accounts_behind(self, hook: Subscription, *, after: str, limit: int) -> list[str]:
        """Return the accounts whose events a subscription has yet to look through."""
        return [
            one
            for one, last in sorted(self.accounts_since(hook.page).items())
            if one > after and hook.looks_through(one) and last > self.account_place(hook.id, one)
        ][:limit]

    def accounts_since(self, page: int) -> dict[str, int]:
        """Return the accounts that have pages after one, each with its last page."""
        return {one.account_id: number for number, one in enumerate(self._pages(), start=1) if number > page}

    def deliveries(self, wanted: DeliveryFilter, *, after: DeliveryPlace | None, limit: int) -> list[Delivery]:
        """Return an account's deliveries, those of the newest events first."""
        rows = sorted(
            (
                row
                for row in self._rows(DELIVERIES).values()
                if (
                    row.account_id == wanted.account_id
                    if wanted.across is None
                    else wanted.across.ids is None or row.account_id in wanted.across.ids
                )
                and row.type not in wanted.hidden
            ),
            key=_place,
            reverse=True,
        )
        return [
            row
            for row in rows
            if wanted.hook_id in (None, row.hook_id)
            and wanted.unit_id in (None, row.unit_id)
            and wanted.state in (None, row.state)
            and wanted.wide in (None, self._is_wide(row.hook_id))
            and (after is None or _place(row) < after)
        ][:limit]

    def _is_wide(self, hook_id: str) -> bool:
        hook = self.hook(hook_id)
        return hook is not None and hook.is_wide

    def given_up(self, account_id: str, hook_id: str, *, since: Instant, limit: int) -> list[Delivery]:
        """Return what was given up for a hook of an account since a time, those of the oldest events first."""
        return [
            row
            for row in sorted(self._rows(DELIVERIES).values(), key=_place)
            if (row.account_id, row.hook_id, row.state) == (account_id, hook_id, "GivenUp")
            and row.done_at is not None
            and row.done_at >= since
        ][:limit]

    def waiting_deliveries(self) -> tuple[int, Instant | None]:
        """Count what waits, and return since when the oldest of it does."""
        since = [row.since for row in self._rows(DELIVERIES).values() if row.state == "Waiting"]
        return sum(row.waiting for row in self._rows(DELIVERY_QUEUES).values()), min(since, default=None)


def _place(row: Delivery) -> DeliveryPlace:
    return DeliveryPlace(row.page, row.line, row.hook_id)

"""Queries about events."""

from __future__ import annotations

from typing import Any, Final

from leasebook.domain.record.event import MOVED, Event, types_mask
from leasebook.ports.queries.costs import PostingEdge
from leasebook.ports.queries.read_repository import EventFilter, EventPlace
from leasebook.store.queries.audit_log import Fetch
from leasebook.store.rows.codec import EVENTS
from leasebook.store.rows.conditions import WITH_MOVES

PAGES_AT_ONCE: Final = 16
"""Pages of events in memory at once; each has an account's events of one batch."""


class EventQueries:
    """Queries about events, on one connection."""

    _fetch: Fetch

    def events(
        self, wanted: EventFilter, *, after: EventPlace | None, limit: int, oldest_first: bool
    ) -> list[tuple[EventPlace, Event]]:
        """Return an account's events, newest first or oldest first."""
        found = self.events_across(wanted, after=after, limit=limit, oldest_first=oldest_first)
        return [(place, event) for place, _, event in found]

    def events_across(
        self, wanted: EventFilter, *, after: EventPlace | None, limit: int, oldest_first: bool
    ) -> list[tuple[EventPlace, str, Event]]:
        """Return events of several accounts, each with its account, newest first or oldest first."""
        found: list[tuple[EventPlace, str, Event]] = []
        page = after.page if after is not None else None
        while len(found) < limit:
            rows = self._event_pages(wanted, page, oldest_first=oldest_first)
            for seq, *row in rows:
                numbered = [
                    (EventPlace(seq, index), row[0], event)
                    for index, event in enumerate(EVENTS.read(tuple(row)).events)
                ]
                found += [
                    (place, account_id, event)
                    for place, account_id, event in (numbered if oldest_first else numbered[::-1])
                    if wanted.has(event) and (after is None or (place > after if oldest_first else place < after))
                ]
            if len(rows) < PAGES_AT_ONCE:
                break
            page = rows[-1][0] + (1 if oldest_first else -1)
        return found[:limit]

    def moves(self, account_id: str) -> list[tuple[EventPlace, Event]]:
        """Return the events of moves from project to project in an account, oldest first."""
        rows = self._fetch(
            "SELECT seq, account_id, first_at, last_at, types, events FROM event_pages "
            f"WHERE account_id = ? AND {WITH_MOVES} ORDER BY seq",
            (account_id,),
        )
        return [
            (EventPlace(seq, line), event)
            for seq, *row in rows
            for line, event in enumerate(EVENTS.read(tuple(row)).events)
            if event.type == MOVED
        ]

    def event_edge(self) -> PostingEdge:
        """Return where the pages of events end now. On the embedded store one transaction is under way at a time."""
        ((last,),) = self._fetch("SELECT coalesce(max(seq), 0) FROM event_pages", ())
        return PostingEdge(int(last), 0, 0)

    def _event_pages(self, wanted: EventFilter, page: int | None, *, oldest_first: bool) -> list[tuple[Any, ...]]:
        """Return pages that may have matching events, from that page on."""
        where: list[str] = []
        params: list[Any] = []
        if wanted.across is None:
            where.append("account_id = ?")
            params.append(wanted.account_id)
        elif wanted.across.ids is not None:
            where.append(f"account_id IN ({', '.join('?' for _ in wanted.across.ids)})")
            params += wanted.across.ids
        for text, value in (
            ("seq IN (SELECT page FROM event_units WHERE unit_id = ?)", wanted.unit_id),
            ("last_at >= ?", wanted.since),
            ("first_at < ?", wanted.until),
            ("types & ? <> 0", None if wanted.types is None else types_mask(wanted.types)),
            ("seq >= ?" if oldest_first else "seq <= ?", page),
        ):
            if value is not None:
                where.append(text)
                params.append(value)
        order = "seq" if oldest_first else "seq DESC"
        return self._fetch(
            "SELECT seq, account_id, first_at, last_at, types, events FROM event_pages "
            f"WHERE {' AND '.join(where) or '1 = 1'} ORDER BY {order} LIMIT ?",
            (*params, PAGES_AT_ONCE),
        )

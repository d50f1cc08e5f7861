"""Queries about the places of operators' subscriptions in the events of accounts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from leasebook.domain.model.subscription import EVERY_ACCOUNT, Subscription
from leasebook.domain.record.event import Event
from leasebook.ports.queries.read_repository import EventPlace
from leasebook.store.rows.codec import EVENTS

CLEAR_PLACES: Final = (
    "DELETE FROM hook_places WHERE (hook_id, account_id) IN (SELECT hook_id, account_id FROM hook_places "
    "WHERE hook_id IN (SELECT id FROM hooks WHERE accounts <> '[]' AND status = 'Deleted') LIMIT ?"
)
# The greatest number is read from the index, so an account costs two look-ups, whatever the number of its pages.
_BEHIND: Final = (
    "SELECT a.id FROM accounts a LEFT JOIN hook_places p ON p.hook_id = ? AND p.account_id = a.id "
    "WHERE a.id > ? {among}AND (SELECT max(e.seq) FROM event_pages e WHERE e.account_id = a.id) "
    "> CASE WHEN p.page > ? THEN p.page ELSE ? END ORDER BY a.id LIMIT ?"
)


class PlaceQueries:
    """Queries on one connection; see ``AcrossQuestions``."""

    _fetch: Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

    def event_anywhere(self, place: EventPlace) -> tuple[str, Event] | None:
        """Return the event at a position, and its account."""
        rows = self._fetch("SELECT account_id, events FROM event_pages WHERE seq = ?", (place.page,))
        if not rows:
            return None
        account_id, stored = rows[0]
        events = EVENTS.read((account_id, 0, 0, 0, stored)).events
        return (account_id, events[place.line]) if place.line < len(events) else None

    def last_page(self) -> int:
        """Return the number of the last page of events of all accounts; 0 if there is none."""
        ((last,),) = self._fetch("SELECT coalesce(max(seq), 0) FROM event_pages", ())
        return int(last)

    def account_place(self, hook_id: str, account_id: str) -> int:
        """Return the page that a subscription came to in an account; 0: it has no place yet."""
        rows = self._fetch("SELECT page FROM hook_places WHERE hook_id = ? AND account_id = ?", (hook_id, account_id))
        return int(rows[0][0]) if rows else 0

    def accounts_behind(self, hook: Subscription, *, after: str, limit: int) -> list[str]:
        """Return the accounts whose events a subscription has yet to look through, by id."""
        ids: tuple[str, ...] = ()
        if EVERY_ACCOUNT not in hook.accounts:
            # Tests of a subscription are events of its own account.
            ids = tuple(dict.fromkeys((*hook.accounts, hook.account_id)))
        among = f"AND a.id IN ({', '.join('?' for _ in ids)}) " if ids else ""
        rows = self._fetch(_BEHIND.format(among=among), (hook.id, after, *ids, hook.page, hook.page, limit))
        return [account_id for (account_id,) in rows]

    def accounts_since(self, page: int) -> dict[str, int]:
        """Return the accounts that have pages of events after one, each with its last page."""
        # A sum of texts cannot be read in the order of the index of accounts, which would be read from end to end.
        rows = self._fetch(
            "SELECT account_id || '', max(seq) FROM event_pages WHERE seq > ? GROUP BY account_id || ''", (page,)
        )
        return {account_id: int(last) for account_id, last in rows}

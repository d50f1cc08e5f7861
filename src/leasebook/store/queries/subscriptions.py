"""Queries about subscriptions and deliveries, in SQL for both stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from leasebook.domain.book.tables import DELIVERIES, SUBSCRIPTIONS, USED_LINKS, Table
from leasebook.domain.model.subscription import Delivery, Subscription
from leasebook.domain.record.event import Event
from leasebook.domain.record.notice import UsedLink
from leasebook.domain.values.calendar import DAY_US, Instant
from leasebook.ports.queries.deliveries import DeliveryFilter, DeliveryPlace, Head, Working
from leasebook.ports.queries.read_repository import EventPlace
from leasebook.store.queries.account.across import deliveries_across, delivery_conditions
from leasebook.store.queries.account.hook_places import CLEAR_PLACES, PlaceQueries
from leasebook.store.rows.codec import CODECS, EVENTS

WALKS_MAX: Final = 100
"""Index scans that one statement merges: SQLite takes 500 parts."""
LANES_AT_ONCE: Final = 100


def _columns(table: Table[Any], prefix: str = "") -> str:
    return ", ".join(f'{prefix}"{column}"' for column in CODECS[table].columns)


_DELIVERY: Final = _columns(DELIVERIES, "d.")

_CLEAR_DELIVERIES: Final = (
    "DELETE FROM deliveries WHERE (hook_id, page, line) IN (SELECT hook_id, page, line FROM deliveries "
    "WHERE clear_at IS NOT NULL AND clear_at <= ? ORDER BY clear_at LIMIT ?"
)
_CLEAR_LANES: Final = (
    "DELETE FROM lanes WHERE (hook_id, name) IN "
    "(SELECT hook_id, name FROM lanes WHERE next_at IS NULL ORDER BY hook_id, name LIMIT ?"
)

_CLEAR_LINKS: Final = (
    "DELETE FROM used_links WHERE (unit_id, deadline) IN "
    "(SELECT unit_id, deadline FROM used_links WHERE deadline < ? ORDER BY deadline LIMIT ?"
)
_CLEAR_RATES: Final = (
    "DELETE FROM notice_rates WHERE name IN (SELECT name FROM notice_rates WHERE free_at <= ? ORDER BY free_at LIMIT ?"
)


def clearing(now: Instant, limit: int, lock: str = "") -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the statements that delete expired deliveries, empty queues, and expired rows of ``notice``."""
    yield f"{_CLEAR_DELIVERIES}{lock})", (now, limit)
    yield f"{_CLEAR_LANES}{lock})", (limit,)
    yield f"{CLEAR_PLACES}{lock})", (limit,)
    # A day later, because the machine's clock may be set back a little.
    yield f"{_CLEAR_LINKS}{lock})", (now - DAY_US, limit)
    yield f"{_CLEAR_RATES}{lock})", (now, limit)


class OutboxQueries(PlaceQueries):
    """Queries on one connection; see ``ReadRepository``."""

    _fetch: Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

    def hooks(self, account_id: str) -> list[Subscription]:
        """Return an account's subscriptions, oldest first, without deleted ones."""
        rows = self._fetch(
            f"SELECT {_columns(SUBSCRIPTIONS)} FROM hooks WHERE account_id = ? "
            "AND status IN ('Active', 'Paused', 'Pending') ORDER BY created_at, id",
            (account_id,),
        )
        return [CODECS[SUBSCRIPTIONS].read(row) for row in rows]

    def hook(self, hook_id: str) -> Subscription | None:
        """Return a subscription by id."""
        rows = self._fetch(f"SELECT {_columns(SUBSCRIPTIONS)} FROM hooks WHERE id = ?", (hook_id,))
        return CODECS[SUBSCRIPTIONS].read(rows[0]) if rows else None

    def used_link(self, unit_id: str, deadline: Instant) -> UsedLink | None:
        """Return which link of a deadline was used."""
        rows = self._fetch(
            f"SELECT {_columns(USED_LINKS)} FROM used_links WHERE unit_id = ? AND deadline = ?", (unit_id, deadline)
        )
        return CODECS[USED_LINKS].read(rows[0]) if rows else None

    def working_hooks(self) -> list[Working]:
        """Return the subscriptions of all accounts that are active, pending, or being deleted."""
        rows = self._fetch(
            f"SELECT {_columns(SUBSCRIPTIONS, 'h.')}, EXISTS (SELECT 1 FROM event_pages p "
            "WHERE p.account_id = h.account_id AND p.seq > h.page) "
            "FROM hooks h WHERE h.status IN ('Active', 'Pending', 'Deleting') ORDER BY h.id",
            (),
        )
        return [Working(CODECS[SUBSCRIPTIONS].read(row[:-1]), bool(row[-1])) for row in rows]

    def event_pages(self, account_id: str, *, after: int, limit: int) -> list[tuple[int, tuple[Event, ...]]]:
        """Return the pages of an account's events after one, oldest first, each with its number."""
        rows = self._fetch(
            "SELECT seq, events FROM event_pages WHERE account_id = ? AND seq > ? ORDER BY seq LIMIT ?",
            (account_id, after, limit),
        )
        return [(seq, EVENTS.read((account_id, 0, 0, 0, events)).events) for seq, events in rows]

    def event_at(self, account_id: str, place: EventPlace) -> Event | None:
        """Return an account's event at a position."""
        found = self.event_pages(account_id, after=place.page - 1, limit=1)
        if not found or found[0][0] != place.page or place.line >= len(found[0][1]):
            return None
        return found[0][1][place.line]

    def due_lanes(
        self, hook_ids: Sequence[str], until: Instant, leased_until: Instant | None, limit: int
    ) -> list[tuple[str, str]]:
        """Return queues with a delivery due by ``until``: an index scan for each subscription."""
        free = "" if leased_until is None else "AND (leased_until IS NULL OR leased_until <= ?) "
        lease = () if leased_until is None else (leased_until,)
        walk = (
            "SELECT * FROM (SELECT hook_id, name, next_at FROM lanes WHERE hook_id = ? AND next_at IS NOT NULL "
            f"AND next_at <= ? {free}ORDER BY next_at LIMIT ?) AS walk"
        )
        found: list[tuple[int, str, str]] = []
        for begin in range(0, len(hook_ids), WALKS_MAX):
            some = hook_ids[begin : begin + WALKS_MAX]
            params = [value for hook_id in some for value in (hook_id, until, *lease, limit)]
            rows = self._fetch(" UNION ALL ".join([walk] * len(some)), params)
            found += [(next_at, hook_id, name) for hook_id, name, next_at in rows]
        return [(hook_id, name) for _, hook_id, name in sorted(found)]

    def heads(self, lanes: Sequence[tuple[str, str]]) -> list[Head]:
        """Return the first waiting delivery of each queue."""
        walk = (
            f"SELECT * FROM (SELECT {_DELIVERY}, p.account_id AS event_of, p.events AS events FROM deliveries d "
            "JOIN event_pages p ON p.seq = d.page WHERE d.hook_id = ? AND d.lane = ? AND d.state = 'Waiting' "
            "ORDER BY d.page, d.line LIMIT 1) AS walk"
        )
        found: list[Head] = []
        for begin in range(0, len(lanes), LANES_AT_ONCE):
            some = lanes[begin : begin + LANES_AT_ONCE]
            rows = self._fetch(" UNION ALL ".join([walk] * len(some)), [value for lane in some for value in lane])
            for *columns, account_id, events in rows:
                delivery: Delivery = CODECS[DELIVERIES].read(columns)
                page = EVENTS.read((account_id, 0, 0, 0, events))
                found.append(Head(delivery, page.events[delivery.line], account_id))
        return found

    def deliveries(self, wanted: DeliveryFilter, *, after: DeliveryPlace | None, limit: int) -> list[Delivery]:
        """Return an account's deliveries, those of the newest events first."""
        if wanted.across is not None:
            return deliveries_across(self._fetch, wanted, wanted.across, after, limit)
        where, params = delivery_conditions(wanted, wanted.account_id)
        if after is not None:
            where.append("(page, line, hook_id) < (?, ?, ?)")
            params += after
        rows = self._fetch(
            f"SELECT {_columns(DELIVERIES)} FROM deliveries WHERE {' AND '.join(where)} "
            "ORDER BY page DESC, line DESC, hook_id DESC LIMIT ?",
            (*params, limit),
        )
        return [CODECS[DELIVERIES].read(row) for row in rows]

    def given_up(self, account_id: str, hook_id: str, *, since: Instant, limit: int) -> list[Delivery]:
        """Return the deliveries to a subscription that were given up since an instant, oldest events first.

        This scans the subscription's deliveries in the order of their key; delivered ones stay among them for some
        days.
        """
        rows = self._fetch(
            f"SELECT {_columns(DELIVERIES)} FROM deliveries WHERE hook_id = ? AND account_id = ? AND state = 'GivenUp' "
            "AND done_at >= ? ORDER BY page, line LIMIT ?",
            (hook_id, account_id, since, limit),
        )
        return [CODECS[DELIVERIES].read(row) for row in rows]

    def waiting_deliveries(self) -> tuple[int, Instant | None]:
        """Return the number of waiting deliveries, and since when the oldest of them waits."""
        ((count, since),) = self._fetch(
            "SELECT coalesce(sum(waiting), 0), (SELECT min(since) FROM deliveries WHERE state = 'Waiting') "
            "FROM lanes WHERE next_at IS NOT NULL",
            (),
        )
        return int(count), None if since is None else Instant(since)

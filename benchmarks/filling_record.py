"""The record of a filled store: events, identity events, and the digests of rows in the audit log."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from benchmarks.sinks import Sink
from leasebook.domain.book.book import Book
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNTS, INSTANCES, METADATA, PRICES, RESOURCE_TAGS, USERS
from leasebook.domain.model.account import Account, User
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.model.offering import PriceList
from leasebook.domain.record.audit_log import NOTHING, Head, Mark, Sealed, head_message, pages_of
from leasebook.domain.record.event import Event, EventPage, page_of, tag_events, unit_events
from leasebook.domain.record.identity_log import LOG_END, MASTER_KEY, seal_events
from leasebook.domain.record.ledger import Order, Posting
from leasebook.domain.record.row_digest import digests_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.resource_tags import ResourceTags
from leasebook.store.queries.audit_log import HEADS_TEXT, heads_of
from leasebook.store.queries.read_repository import columns
from leasebook.store.rows.codec import AUDIT_CHAINS, AUDIT_PAGES, CODECS, EVENTS, Codec


class Record:
    """Writes the record of a store that is being filled, as a server would with the same rows."""

    def __init__(self, out: Sink, now: Instant) -> None:
        self._out = out
        self._now = now
        self._end = Head(secrets.token_hex(16), 0, NOTHING)

    def open_accounts(self, owners: Sequence[tuple[Account, User]]) -> None:
        """Write accounts, each with its user, their events, and how far the log of identities goes after them."""
        if not owners:
            return
        book = Book()
        for name in (LOG_END, MASTER_KEY):
            found = self._out.run("SELECT value FROM facts WHERE name = ?", (name,))
            book.load(METADATA, (name,), StoreMetadata(name, found[0][0]) if found else None)
        draft = Draft(book)
        for account, user in owners:
            book.load(ACCOUNTS, (account.id,), None)
            book.load(USERS, (user.id,), None)
            draft.put(ACCOUNTS, account)
            draft.put(USERS, user)
        book.take(draft, self._now, None)
        mark = seal_events(book, self._out.keys.seal_under, self._now)
        changes = book.changes()
        for table in (ACCOUNTS, USERS, METADATA):
            self._insert(CODECS[table], changes.inserted.get(table, ()))
        self._out.insert("account_numbers", "account_id", [(account.id,) for account, _ in owners])
        for fact in changes.updated.get(METADATA, ()):
            self._out.run("UPDATE facts SET value = ? WHERE name = ?", (fact.value, fact.name))
        self._pages(changes.events)
        self.note(changes, mark)

    def sold(self, units: Sequence[Instance], orders: list[Order], postings: list[Posting]) -> None:
        """Write the events of each new instance on a page of its own, and the digests of all new rows."""
        numbers = self._pages([page_of(unit.account_id, [*_events(unit)]) for unit in units])
        listed = [(unit.id, number) for unit, number in zip(units, numbers, strict=True)]
        self._out.insert("event_units", "unit_id, page", listed)
        changes = Changes(orders, postings)
        changes.inserted[INSTANCES] = list(units)
        self.note(changes)

    def tagged(self, rows: Sequence[ResourceTags]) -> None:
        """Write the events of new tags, an account's on one page, and the digests of their rows."""
        owners: dict[str, list[ResourceTags]] = {}
        for row in rows:
            owners.setdefault(row.account_id, []).append(row)
        events = [
            page_of(
                account_id,
                [Event(self._now, kind, row.id, None, data) for row in own for kind, data in tag_events(None, row)],
            )
            for account_id, own in owners.items()
        ]
        numbers = self._pages(events)
        listed = [(row.id, number) for number, own in zip(numbers, owners.values(), strict=True) for row in own]
        self._out.insert("event_units", "unit_id, page", listed)
        changes = Changes([], [])
        changes.inserted[RESOURCE_TAGS] = list(rows)
        self.note(changes)

    def priced(self, prices: Sequence[PriceList]) -> None:
        """Write the digests of changed lists of prices."""
        changes = Changes([], [])
        changes.inserted[PRICES] = list(prices)
        self.note(changes)

    def posted(self, postings: list[Posting]) -> None:
        """Write the digests of postings."""
        self.note(Changes([], postings))

    def note(self, changes: Changes, mark: Mark | None = None) -> None:
        """Put the digests of what was written on the next page of this filling's chain, and seal its new end."""
        digests = digests_of([changes])
        if not digests and mark is None:
            return
        heads = heads_of(self._out.run(HEADS_TEXT)) if self._end.number == 0 else ()
        for page in pages_of(self._end, (), heads, mark, self._now, digests):
            self._insert(AUDIT_PAGES, [page])
            self._end = Head(page.chain, page.number, page.hash)
        chain, number, page_hash = self._end.chain, self._end.number, self._end.hash
        seal = self._out.keys.seal(head_message(chain, number, page_hash))
        self._out.run("DELETE FROM audit_chains WHERE chain = ?", (chain,))
        self._insert(AUDIT_CHAINS, [Sealed(chain, number, page_hash, self._now, seal)])

    def _pages(self, pages: Sequence[EventPage]) -> list[int]:
        """Write pages of events; returns their numbers."""
        self._insert(EVENTS, pages)
        found = self._out.run("SELECT seq FROM event_pages ORDER BY seq DESC LIMIT ?", (len(pages),))
        return [number for (number,) in reversed(found)]

    def _insert(self, codec: Codec[Any], rows: Sequence[Any]) -> None:
        if rows:
            self._out.insert(codec.name, columns(codec), [*map(codec.values, rows)])


def _events(unit: Instance) -> Iterator[Event]:
    """Return the events of an instance, from its purchase to its present row."""
    before = None
    for at, user_id, row in _life(unit):
        for kind, data in unit_events(before, row):
            yield Event(at, kind, unit.id, user_id, data)
        before = row


def _life(unit: Instance) -> Iterator[tuple[Instant, str | None, Instance]]:
    """Return the versions of its row: since when, who asked for it, and the row."""
    bought = msgspec.structs.replace(unit, status="Creating", expires_at=None)
    yield unit.created_at, unit.created_by, bought
    running = msgspec.structs.replace(unit, status="Running")
    yield unit.started_at or unit.created_at, None, running
    if unit.status == "Stopped":
        yield unit.expires_at or unit.created_at, None, unit
    elif unit.status == "Released":
        ended = unit.ended_at or unit.created_at
        yield ended, None, msgspec.structs.replace(unit, status="Releasing")
        yield unit.released_at or ended, None, unit

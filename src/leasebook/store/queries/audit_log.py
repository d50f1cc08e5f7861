"""The audit log in SQL: writing its pages, and searching them for entries."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Final

from leasebook.domain.record.audit_log import NOTHING, Audit, AuditPage, Head, Mark, Sealed, read_body
from leasebook.domain.record.identity_log import LOG_END, read_mark
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.read_repository import AuditFilter, AuditFound, AuditLine, EventPlace, Numbered
from leasebook.store.rows.codec import AUDIT_CHAINS, AUDIT_CLOSURES, AUDIT_PAGES, Codec

Fetch = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
"""Run a query, its parameters marked ``?``, and return its rows."""

PAGES_AT_ONCE: Final = 50
"""Pages in memory at once; each has an account's calls of one batch."""
LOOKED_AT_MAX: Final = 1000
"""Upper bound of the pages that one query searches: a filter without matches costs a second at most."""


@cache
def columns(codec: Codec[Any], prefix: str = "") -> str:
    """List a table's columns for a SELECT."""
    return ", ".join(f'{prefix}"{column}"' for column in codec.columns)


def _marks(codec: Codec[Any]) -> str:
    return ", ".join("?" for _ in codec.columns)


HEADS_TEXT: Final = "SELECT chain, number, hash FROM audit_chains ORDER BY chain"
MARK_TEXT: Final = "SELECT value FROM facts WHERE name = ?"
OLDEST_TEXT: Final = f"SELECT seq, {columns(AUDIT_PAGES)} FROM audit_pages ORDER BY seq LIMIT ?"
FOLLOWS_TEXT: Final = "SELECT hash_after FROM audit_closures WHERE chain = ? ORDER BY last_number DESC LIMIT 1"
_INSERT: Final = f"INSERT INTO audit_pages ({columns(AUDIT_PAGES)}) VALUES ({_marks(AUDIT_PAGES)})"
_NAMED: Final = "INSERT INTO audit_units (unit_id, page) SELECT id, ? FROM units WHERE id = ? AND account_id = ?"
_HEAD: Final = (
    f"INSERT INTO audit_chains ({columns(AUDIT_CHAINS)}) VALUES ({_marks(AUDIT_CHAINS)}) ON CONFLICT (chain) "
    "DO UPDATE SET number = excluded.number, hash = excluded.hash, last_at = excluded.last_at, seal = excluded.seal"
)
_CLOSE: Final = f"INSERT INTO audit_closures ({columns(AUDIT_CLOSURES)}) VALUES ({_marks(AUDIT_CLOSURES)})"


def heads_of(rows: Iterable[Sequence[Any]]) -> list[Head]:
    """Return the ends of chains from rows."""
    return [Head(chain, number, bytes(found)) for chain, number, found in rows]


def pages_of(rows: Iterable[Sequence[Any]]) -> list[tuple[int, AuditPage]]:
    """Return pages from rows, each with its ``seq``."""
    return [(row[0], AUDIT_PAGES.read(row[1:])) for row in rows]


def write(connection: sqlite3.Connection, audit: Audit) -> int | None:
    """Write pages, the end of their chain, and a receipt with the removed pages; returns the last page's ``seq``."""
    numbers: dict[str, int | None] = {}
    for page in audit.pages:
        numbers[page.account_id] = connection.execute(_INSERT, AUDIT_PAGES.values(page)).lastrowid
    if audit.named:
        connection.executemany(_NAMED, [(numbers[account], name, account) for account, name in audit.named])
    if audit.head is not None:
        connection.execute(_HEAD, AUDIT_CHAINS.values(audit.head))
    if audit.closing is not None:
        connection.execute(_CLOSE, AUDIT_CLOSURES.values(audit.closing.closure))
        connection.executemany("DELETE FROM audit_pages WHERE seq = ?", [(seq,) for seq in audit.closing.pages])
        connection.executemany("DELETE FROM audit_units WHERE unit_id = ? AND page = ?", audit.closing.index)
    return max((number for number in numbers.values() if number is not None), default=None)


class AuditReads:
    """An SQLite batch's reads of the audit log."""

    _connection: sqlite3.Connection

    def _ask(self) -> AuditQueries:
        return _Asked(lambda text, params: self._connection.execute(text, params).fetchall())

    async def audit_heads(self) -> list[Head]:
        """Return the ends of all chains of the audit log."""
        return self._ask().audit_heads()

    async def audit_mark(self) -> Mark:
        """Return the end of the identity log."""
        return self._ask().audit_mark()

    async def audit_oldest(self, limit: int) -> tuple[list[tuple[int, AuditPage]], bytes]:
        """Return the oldest pages of the audit log, and the hash before the first of them."""
        return self._ask().audit_oldest(limit)


class AuditQueries:
    """Queries about the audit log."""

    _fetch: Fetch

    def audit_heads(self) -> list[Head]:
        """Return the ends of all chains."""
        return heads_of(self._fetch(HEADS_TEXT, ()))

    def audit_mark(self) -> Mark:
        """Return the end of the identity log."""
        found = self._fetch(MARK_TEXT, (LOG_END,))
        return read_mark(found[0][0] if found else None)

    def audit_oldest(self, limit: int) -> tuple[list[tuple[int, AuditPage]], bytes]:
        """Return the oldest pages, and the hash before the first of them."""
        pages = pages_of(self._fetch(OLDEST_TEXT, (limit,)))
        follows = pages and self._fetch(FOLLOWS_TEXT, (pages[0][1].chain,))
        return pages, bytes(follows[0][0]) if follows else NOTHING

    def audit(self, wanted: AuditFilter, *, after: EventPlace | None, limit: int) -> AuditFound:
        """Return an account's entries, newest first; the search reads a bounded number of pages."""
        lines: list[AuditLine] = []
        page = None if after is None else after.page
        for _ in range(LOOKED_AT_MAX // PAGES_AT_ONCE):
            found = self._audit_pages(wanted, page)
            for seq, one in found:
                places = [(EventPlace(seq, index), entry) for index, entry in enumerate(read_body(one.body).entries)]
                lines += [
                    AuditLine(place, one.chain, one.number, entry, one.account_id)
                    for place, entry in reversed(places)
                    if (after is None or place < after) and wanted.has(entry)
                ]
                if len(lines) > limit:
                    return AuditFound(lines[:limit], lines[limit - 1].place)
            if len(found) < PAGES_AT_ONCE:
                return AuditFound(lines, None)
            page = found[-1][0] - 1
        return AuditFound(lines, EventPlace(page + 1 if page is not None else 0, 0))

    def _audit_pages(self, wanted: AuditFilter, page: int | None) -> list[tuple[int, AuditPage]]:
        """Return pages that may have matching entries, from that page backwards."""
        where, params = ["account_id = ?"], [wanted.account_id]
        if wanted.across is not None and wanted.across.ids is None:
            # Not those of calls that no account is known for.
            where, params = ["account_id <> ?"], [""]
        elif wanted.across is not None:
            ids = wanted.across.ids or ()
            where, params = [f"account_id IN ({', '.join('?' for _ in ids)})"], [*ids]
        for text, value in (
            ("seq IN (SELECT page FROM audit_units WHERE unit_id = ?)", wanted.unit_id),
            ("last_at >= ?", wanted.since),
            ("first_at < ?", wanted.until),
            ("seq <= ?", page),
        ):
            if value is not None:
                where.append(text)
                params.append(value)  # type: ignore[arg-type]
        text = f"SELECT seq, {columns(AUDIT_PAGES)} FROM audit_pages WHERE {' AND '.join(where)}"
        return pages_of(self._fetch(f"{text} ORDER BY seq DESC LIMIT ?", (*params, PAGES_AT_ONCE)))

    def audit_export(self, account_id: str | None, since: Instant | None, until: Instant | None) -> Iterator[AuditPage]:
        """Yield the pages with entries in a period, in the order of writing; a few are read at a time."""
        last = 0
        while True:
            where, params = ["seq > ?"], [last]
            for text, value in (("account_id = ?", account_id), ("last_at >= ?", since), ("first_at < ?", until)):
                if value is not None:
                    where.append(text)
                    params.append(value)  # type: ignore[arg-type]
            text = f"SELECT seq, {columns(AUDIT_PAGES)} FROM audit_pages WHERE {' AND '.join(where)}"
            found = pages_of(self._fetch(f"{text} ORDER BY seq LIMIT ?", (*params, PAGES_AT_ONCE)))
            yield from (page for _, page in found)
            if len(found) < PAGES_AT_ONCE:
                return
            last = found[-1][0]

    def audit_chains(self, limit: int) -> list[Sealed]:
        """Return the ends of the chains, last written first."""
        text = f"SELECT {columns(AUDIT_CHAINS)} FROM audit_chains ORDER BY last_at DESC, chain DESC LIMIT ?"
        return [AUDIT_CHAINS.read(row) for row in self._fetch(text, (limit,))]

    def audit_closures(self, *, after: int | None, limit: int) -> list[Numbered]:
        """Return the receipts of removed pages, newest first."""
        text = f"SELECT seq, {columns(AUDIT_CLOSURES)} FROM audit_closures"
        rows = (
            self._fetch(f"{text} ORDER BY seq DESC LIMIT ?", (limit,))
            if after is None
            else self._fetch(f"{text} WHERE seq < ? ORDER BY seq DESC LIMIT ?", (after, limit))
        )
        return [Numbered(row[0], AUDIT_CLOSURES.read(row[1:])) for row in rows]


class _Asked(AuditQueries):
    """The queries on a connection."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

"""Queries that read every live instance of an account, because no index is in the order that they look for.

They cost about a tenth of a second for 100,000 instances, and where the entries of an index suffice, a fifth of that.
Their answers are bounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.model.offering import EVERYWHERE, QUOTA
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.read_repository import Numbered, UnitFilter
from leasebook.store.queries.account.projects import in_project
from leasebook.store.queries.audit_log import Fetch, columns
from leasebook.store.rows.codec import CODECS
from leasebook.store.rows.postings import OF_ACCOUNT
from leasebook.store.tags import having

ENDS: Final = "CASE WHEN payment_timing = 'Prepaid' THEN expires_at ELSE release_at END"
"""When an instance ends by itself; NULL: never."""
NEAR: Final = 20_000
"""Rows of the table that are read before all instances of the account, in about ten milliseconds."""
_ENDED: Final = "status NOT IN ('CreateFailed', 'Releasing', 'Released', 'BillingChanging')"
"""The condition for instances that end: in the other statuses nothing does, or a term ends and the instance goes on."""
ENTRIES_MAX: Final = 4_000
"""Index entries whose rows are looked up at once: SQLite takes 32,766 parameters."""
MORE_ENTRIES: Final = 16
"""Entries read beyond a page at first, for those whose rows turn out not to fit."""
BEYOND: Final = 2**62
"""A number that no row reaches."""


class ScanQueries:
    """Queries that read an account's live instances, on one connection."""

    _fetch: Fetch

    def units_of_buyer(self, wanted: UnitFilter, after: int, limit: int | None) -> list[int]:
        """Return the numbers of an account's instances that a user bought, in the order in which they were bought."""
        where, params = _conditions(wanted)
        if limit is not None:
            # Who bought much is found at once, among the next rows of the table. The indexes of lists have no ids of
            # accounts, but their numbers.
            near = ["account_id = ?", *where[1:], "seq > ?", "seq <= ?"]
            text = f"SELECT seq FROM units WHERE {' AND '.join(near)} ORDER BY seq LIMIT ?"
            found = [row[0] for row in self._fetch(text, [*params, after, after + NEAR, limit])]
            if len(found) == limit:
                return found
        text = f"SELECT seq FROM units WHERE {' AND '.join(where)} AND seq + 0 > ? ORDER BY seq + 0"
        params.append(after)
        if limit is not None:
            text, params = f"{text} LIMIT ?", [*params, limit]
        return [row[0] for row in self._fetch(text, params)]

    def coming_ends(self, wanted: UnitFilter, since: Instant, limit: int) -> list[Numbered]:
        """Return an account's instances that end by themselves after ``since``, the first to end first."""
        if wanted.status in (None, "Running") and _is_of_entries(wanted):
            return self._first_ends(wanted, since, limit)
        where, params = _conditions(wanted)
        where += [_ENDED, f"{ENDS} > ?"]
        text = f"SELECT seq FROM units WHERE {' AND '.join(where)} ORDER BY {ENDS}, seq LIMIT ?"
        return self._with_ends([row[0] for row in self._fetch(text, [*params, since, limit])], None, since)

    def _first_ends(self, wanted: UnitFilter, since: Instant, limit: int) -> list[Numbered]:
        """Find the first ends among the entries of the index of live instances, and look at these instances' rows.

        Few of the entries are of instances that do not end after all, so a page takes one look, or two.
        """
        # The entries lack the kind, but quota is in a region of its own, where nothing else is.
        is_quota = "=" if wanted.kind == QUOTA else "<>"
        where = [OF_ACCOUNT, "status <> 'Released'", f"region {is_quota} '{EVERYWHERE}'"]
        params = [wanted.account_id]
        for name in ("region", "type", "payment_timing"):
            if (value := getattr(wanted, name)) is not None:
                where.append(f"{name} = ?")
                params.append(value)
        text = (
            f"SELECT {ENDS} AS ends_at, seq FROM units WHERE {' AND '.join(where)} AND ({ENDS}, seq) > (?, ?) "
            "ORDER BY ends_at, seq LIMIT ?"
        )
        found: dict[int, Numbered] = {}
        after, size = (int(since), BEYOND), min(limit + MORE_ENTRIES, ENTRIES_MAX)
        while len(found) < limit:
            rows = self._fetch(text, [*params, *after, size])
            found |= {one.seq: one for one in self._with_ends([row[1] for row in rows], wanted.status, since)}
            if len(rows) < size:
                break
            after, size = (rows[-1][0], rows[-1][1]), min(4 * size, ENTRIES_MAX)
        return _in_order(found.values())[:limit]

    def _with_ends(self, numbers: list[int], status: str | None, since: Instant) -> list[Numbered]:
        """Return those of some instances that end by themselves after ``since``, the first to end first."""
        if not numbers:
            return []
        codec, where, params = CODECS[INSTANCES], [_ENDED, f"{ENDS} > ?"], [*numbers, since]
        if status is not None:
            where, params = [*where, "status = ?"], [*params, status]  # type: ignore[list-item]
        of_these = f"seq IN ({', '.join('?' for _ in numbers)})"
        text = f"SELECT seq, {columns(codec)} FROM units WHERE {of_these} AND {' AND '.join(where)}"
        return _in_order(Numbered(row[0], codec.read(row[1:])) for row in self._fetch(text, params))


def _is_of_entries(wanted: UnitFilter) -> bool:
    """Whether the index of live instances has all that a filter looks at, but for the status."""
    return wanted.created_by is None and wanted.project_id is None and not wanted.tags


def _in_order(found: Iterable[Numbered]) -> list[Numbered]:
    return sorted(found, key=lambda one: (one.row.end_at, one.seq))


def _conditions(wanted: UnitFilter) -> tuple[list[str], list[Any]]:
    """Return a filter's conditions and parameters; the first ones match the indexes of an account's instances."""
    where = [OF_ACCOUNT, "status = 'Released'" if wanted.status == "Released" else "status <> 'Released'"]
    params: list[Any] = [wanted.account_id]
    for name in ("kind", "region", "type", "payment_timing", "status", "created_by"):
        if (value := getattr(wanted, name)) is not None:
            where.append(f"{name} = ?")
            params.append(value)
    conditions, values = in_project(wanted.project_id)
    for text, given in (having(wanted.account_id, "unit", entry, "units.seq") for entry in wanted.tags.entries):
        conditions.append(text)
        values += given
    return [*where, *conditions], [*params, *values]

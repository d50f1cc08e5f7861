"""Queries that read every live instance of an account, because no index has what they look for.

They cost about a tenth of a second for 100,000 instances. Their answers are bounded.
"""

from __future__ import annotations

from typing import Any, Final

from leasebook.domain.book.tables import INSTANCES
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
ENDED: Final = ("CreateFailed", "Releasing", "BillingChanging")
"""Statuses in which nothing ends any more, or the term ends and the instance goes on."""


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
        codec, (where, params) = CODECS[INSTANCES], _conditions(wanted)
        where += [f"status NOT IN ({', '.join(repr(status) for status in ENDED)})", f"{ENDS} > ?"]
        text = f"SELECT seq, {columns(codec)} FROM units WHERE {' AND '.join(where)} ORDER BY {ENDS}, seq LIMIT ?"
        return [Numbered(row[0], codec.read(row[1:])) for row in self._fetch(text, [*params, since, limit])]


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

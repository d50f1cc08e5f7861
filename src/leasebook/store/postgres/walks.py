"""PostgreSQL's way to merge scans of one index: one lateral join, which is planned once for all scans.

A union of the scans is planned part by part, which takes longer than the scans, and its parts may be read to their
ends.
"""

from __future__ import annotations

from typing import Any

from leasebook.ports.queries.costs import PostingEdge
from leasebook.ports.queries.read_repository import UnitFilter
from leasebook.store.queries.read_repository import TIMINGS, Queries, state_of
from leasebook.store.rows.postings import OF_ACCOUNT


class PostgresQueries(Queries):
    """Queries on one connection to PostgreSQL."""

    def _begin_text(self) -> str:
        return "BEGIN ISOLATION LEVEL REPEATABLE READ"

    def posting_edge(self) -> PostingEdge:
        """Return where the postings end now; see ``Queries``.

        The statement takes a transaction's number for itself: a transaction that has not ended when the postings are
        read has a lower one, because a batch gets its number with its first lock, before it writes.
        """
        return self._edge("posting_rows")

    def event_edge(self) -> PostingEdge:
        """Return where the pages of events end now; as ``posting_edge``."""
        return self._edge("event_pages")

    def _edge(self, table: str) -> PostingEdge:
        ((last, begun, over),) = self._fetch(
            "SELECT coalesce(max(seq), 0), pg_current_xact_id()::text::bigint, "
            f"pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM {table}",
            (),
        )
        return PostingEdge(int(last), int(begun), int(over))

    def walked(self, wanted: UnitFilter, after: int, limit: int) -> list[int]:
        """Return the numbers of the first instances of a list after a number, in order; see ``Queries``."""
        places, params = "o.kind = ?", [str(wanted.kind)]
        for name, value in (("region", wanted.region), ("type", wanted.type)):
            if value is not None:
                places += f" AND o.{name} = ?"
                params.append(value)
        timings = [timing for timing in TIMINGS if wanted.payment_timing in (None, timing)]
        values: list[Any] = [*timings, wanted.account_id, after, limit, *params, limit]
        rows = self._fetch(
            f"SELECT walk.seq FROM offerings o CROSS JOIN (VALUES {', '.join(['(?)'] * len(timings))}) AS t (timing) "
            f"CROSS JOIN LATERAL (SELECT seq FROM units WHERE {OF_ACCOUNT} AND region = o.region AND type = o.type "
            f"AND payment_timing = t.timing AND {state_of(wanted)} AND seq > ? ORDER BY seq LIMIT ?) AS walk "
            f"WHERE {places} ORDER BY walk.seq LIMIT ?",
            values,
        )
        return [row[0] for row in rows]

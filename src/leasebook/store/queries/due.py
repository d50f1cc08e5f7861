"""Due work, in the order in which it is done; and instances whose renewal waits for money."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from heapq import merge
from operator import attrgetter
from typing import Any, Final

from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.model.instance import FIRST_TRY_US, Instance
from leasebook.domain.record.agenda import Due, DueKind, due_until
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.due_work import DueCount
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.store.queries.audit_log import columns
from leasebook.store.rows.codec import CODECS

HEADS_TEXT: Final = (
    f"SELECT due_at, due_kind, seq, {columns(CODECS[INSTANCES])} FROM units WHERE due_at <= ? "
    "ORDER BY due_at, due_kind, seq LIMIT ?"
)
"""The instances with work due by an instant, in the order of the first work of each."""
APPROVALS_DUE_TEXT: Final = "SELECT due_at, id FROM approvals WHERE due_at <= ? ORDER BY due_at, id LIMIT ?"
"""The requests for approvals with work due by an instant, in its order."""
FIRST_RELEASE_TEXT: Final = (
    f"SELECT due_at FROM units WHERE due_at <= ? AND due_kind = {DueKind.RELEASE:d} ORDER BY due_at, due_kind LIMIT 1"
)
"""The oldest release among the first work of each instance."""
_BEHIND: Final = "SELECT min(release_at) FROM units WHERE due_at {sign} ? AND release_at {sign} ?"
RELEASE_BY_TEXT: Final = _BEHIND.format(sign="<=")
"""The oldest release due by an instant, of instances with any work that is due by then."""
RELEASE_BEFORE_TEXT: Final = _BEHIND.format(sign="<")
"""The oldest release due before an instant, of instances on which other work is due even before it."""
_COUNTED: Final = "sum(CASE WHEN due_at <= ? THEN 1 ELSE 0 END), count(*), min(due_at)"
COUNTS_TEXT: Final = (
    f"SELECT due_kind, {_COUNTED} FROM units WHERE due_at <= ? AND due_kind <> {DueKind.RELEASE:d} GROUP BY due_kind"
)
"""By kind of the first work of each instance: how many are due by an instant, how many by a later one, since when."""
RELEASE_COUNTS_TEXT: Final = (
    "SELECT sum(CASE WHEN release_at <= ? THEN 1 ELSE 0 END), count(*), min(release_at) FROM units "
    "WHERE due_at <= ? AND release_at <= ?"
)
"""The same of all releases, also of instances that are charged before."""
APPROVAL_COUNTS_TEXT: Final = f"SELECT {_COUNTED} FROM approvals WHERE due_at <= ?"
"""The same of requests for approvals."""
UNRENEWED_TEXT: Final = (
    f"SELECT {columns(CODECS[INSTANCES])} FROM units WHERE account_id = ? AND auto_renew AND status <> 'Released' "
    "AND payment_timing = 'Prepaid' AND (status = 'Stopped' OR (status IN ('Running', 'Reconfiguring', "
    f"'ReconfigureFailed', 'BillingChanging') AND expires_at - renew_at < {FIRST_TRY_US})) "
    "ORDER BY seq LIMIT ?"
)
"""Instances whose renewal waits for money (``Instance.awaits_renewal``), in the order of purchases."""


Head = tuple[int, int, int, Instance]
"""The time and kind of the first work of an instance, its place in the order of purchases, and the instance."""


def heads_of(rows: Sequence[Sequence[Any]]) -> list[Head]:
    """Return the instances in the rows of ``HEADS_TEXT``."""
    read = CODECS[INSTANCES].read
    return [(row[0], row[1], row[2], read(row[3:])) for row in rows]


def in_order(heads: Sequence[Head], until: Instant, limit: int) -> list[Due]:
    """Return at most ``limit`` pieces of due work in the order in which they are done.

    ``heads`` are the result of ``HEADS_TEXT`` for the same arguments. If the limit has cut them, no other instance has
    work before the last of them. The later work of an instance is derived here, and is part of the result only as far
    as it is certain to come next.
    """
    last = Instant(heads[-1][0]) if len(heads) >= limit and heads else until
    found: list[tuple[int, int, int, str]] = []
    for at, kind, place, unit in heads:
        found.append((at, kind, place, unit.id))
        work = due_until(unit, last)
        # Mostly none but the first is due, and a storm has many thousand of them.
        if len(work) != 1 or (work[0].at, work[0].kind) != (at, kind):
            found += [(due.at, due.kind, place, unit.id) for due in work if (due.at, due.kind) != (at, kind)]
    found.sort()
    return [Due(Instant(at), DueKind(kind), unit_id) for at, kind, _, unit_id in found[:limit]]


def due_of(heads: Sequence[Head], requests: Sequence[Sequence[Any]], until: Instant, limit: int) -> list[Due]:
    """Return at most ``limit`` pieces of due work of instances and of requests for approvals, in their order.

    ``requests`` are the rows of ``APPROVALS_DUE_TEXT``, and ``heads`` those of ``HEADS_TEXT``, for the same arguments.
    """
    due = in_order(heads, until, limit)
    if not requests:
        return due
    others = [Due(Instant(at), DueKind.APPROVAL, request_id) for at, request_id in requests]
    return list(merge(due, others, key=attrgetter("at", "kind")))[:limit]


class DueQueries(ReadRepository):
    """Queries about how much work is due."""

    _fetch: Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

    def due(self, until: Instant, limit: int) -> list[Due]:
        """Return the work due by an instant, in the order in which it is done."""
        heads = heads_of(self._fetch(HEADS_TEXT, (until, limit)))
        return due_of(heads, self._fetch(APPROVALS_DUE_TEXT, (until, limit)), until, limit)

    def oldest_release_due(self, until: Instant) -> Instant | None:
        """Return the due time of the oldest release that is overdue; None: no release is."""
        found = self._fetch(FIRST_RELEASE_TEXT, (until,))
        if not found:
            ((at,),) = self._fetch(RELEASE_BY_TEXT, (until, until))
            return None if at is None else Instant(at)
        (first,) = found[0]
        ((at,),) = self._fetch(RELEASE_BEFORE_TEXT, (first, first))
        return Instant(first if at is None else at)

    def due_counts(self, now: Instant, until: Instant) -> Mapping[DueKind, DueCount]:
        """Count releases due by ``until``, and by the kind of their first work what else has work due by then."""
        rows = self._fetch(COUNTS_TEXT, (now, until))
        rows += [(DueKind.RELEASE, *row) for row in self._fetch(RELEASE_COUNTS_TEXT, (now, until, until)) if row[1]]
        rows += [(DueKind.APPROVAL, *row) for row in self._fetch(APPROVAL_COUNTS_TEXT, (now, until)) if row[1]]
        return {
            DueKind(kind): DueCount(int(overdue), int(soon), Instant(oldest) if overdue else None)
            for kind, overdue, soon, oldest in rows
        }

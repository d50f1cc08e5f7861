"""Answers of a store of dictionaries about due work."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from leasebook.domain.book.tables import INSTANCES, Key, Table
from leasebook.domain.record.agenda import Due, DueKind
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.due_work import DueCount
from leasebook.ports.queries.read_repository import ReadRepository


class DueOfMemory(ReadRepository):
    """Questions about due work, asked of the dictionaries."""

    def _rows(self, table: Table[Any]) -> dict[Key, Any]:
        """Return the rows of a table by key."""
        raise NotImplementedError

    def _agenda(self) -> list[Due]:
        """Return all due work, in order."""
        raise NotImplementedError

    def due(self, until: Instant, limit: int) -> list[Due]:
        """Return the work that is due by then, in the order in which it is to be done."""
        agenda, units = self._agenda(), list(self._rows(INSTANCES))
        due = agenda[: bisect_right(agenda, until, key=lambda due: due.at)]
        places = {key: place for place, key in enumerate(units)}
        due.sort(key=lambda one: (one.at, one.kind, places.get((one.unit_id,), 0), one.unit_id))
        return due[:limit]

    def oldest_release_due(self, until: Instant) -> Instant | None:
        """Return since when the oldest release that should have been done by then is due."""
        releases = [due.at for due in self._agenda() if due.kind is DueKind.RELEASE and due.at <= until]
        return min(releases, default=None)

    def due_counts(self, now: Instant, until: Instant) -> Mapping[DueKind, DueCount]:
        """Count releases due by ``until``, and by the kind of their first work what else has work due by then."""
        firsts: dict[str, Due] = {}
        for due in sorted(self._agenda(), key=lambda one: (one.at, one.kind)):
            firsts.setdefault(due.unit_id, due)
        counted = {due for due in self._agenda() if due.kind is DueKind.RELEASE or due == firsts[due.unit_id]}
        found: dict[DueKind, DueCount] = {}
        for kind in DueKind:
            times = [due.at for due in counted if due.kind is kind and due.at <= until]
            late = [at for at in times if at <= now]
            if times:
                found[kind] = DueCount(len(late), len(times), min(late, default=None))
        return found

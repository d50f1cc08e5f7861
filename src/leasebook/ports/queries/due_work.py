"""Queries about how much work is due."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from leasebook.domain.record.agenda import DueKind
from leasebook.domain.values.calendar import Instant


class DueCount(NamedTuple):
    """How many have work of a kind due by now and by a later time, and since when the oldest is due; None: none is."""

    overdue: int
    soon: int
    oldest: Instant | None


class DueQuestions(Protocol):
    """Queries about due work, answered from committed rows."""

    def due_counts(self, now: Instant, until: Instant) -> Mapping[DueKind, DueCount]:
        """Count the releases due by ``until``, and the instances and requests with other first work due by then.

        An instance that is charged before its release counts with both kinds. Kinds without work are left out. It reads
        entries of an index for each, so it is a long query.
        """
        ...

"""Commits that a call has caused, and the tables that change without any call."""

from __future__ import annotations

from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import (
    ACCOUNT_PLACES,
    COST_GROUPS,
    COST_PERIODS,
    DELIVERIES,
    DELIVERY_QUEUES,
    ENGINE_CAPACITIES,
    LEASES,
    METADATA,
    NONCE_PAGES,
    REFUSED_CALLS,
    SUBSCRIPTIONS,
    WORKERS,
)
from leasebook.domain.costs.rows import COSTS_SUMMED

UNASKED = (
    *("tokens", "nonce_pages", "refused_calls", "hooks", "lanes", "deliveries", "workers", "leases", "supplies"),
    *("costs", "cost_groups", "hook_places"),
)
"""Tables that change without anybody asking for it, or with every call."""


UNASKED_ROWS = {
    ACCOUNT_PLACES,
    DELIVERY_QUEUES,
    DELIVERIES,
    WORKERS,
    LEASES,
    ENGINE_CAPACITIES,
    NONCE_PAGES,
    REFUSED_CALLS,
    COST_GROUPS,
    COST_PERIODS,
}


class CommitCounter:
    """Counts commits that wrote something besides the audit log."""

    def __init__(self) -> None:
        self.number = 0

    def committed(self, changes: Changes) -> None:
        """Count it."""
        tables = {*changes.inserted, *changes.updated} - UNASKED_ROWS
        if SUBSCRIPTIONS in tables and SUBSCRIPTIONS not in changes.inserted and not changes.events:
            # So far the log was read, and nothing was asked of anybody.
            tables.remove(SUBSCRIPTIONS)
        facts = (*changes.inserted.get(METADATA, ()), *changes.updated.get(METADATA, ()))
        if {row.name for row in facts} <= {COSTS_SUMMED}:
            # At most, postings of before were added to sums.
            tables.discard(METADATA)
        self.number += bool(changes.orders or changes.postings or changes.events or tables)

"""An account's usage for its limits: the units that it reserves and its charges of a month, by user and project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leasebook.domain.book.loads import Usage
from leasebook.store.rows.sums import parts_of, total

HELD_TEXT = (
    "SELECT created_by, type, project_id, sum(CASE WHEN target_count > count THEN target_count ELSE count END) "
    "FROM units WHERE account_id = ? AND status <> 'Released' AND status <> 'CreateFailed' "
    "GROUP BY created_by, type, project_id"
)
_CHARGED = "CASE WHEN p.debit = 'wallet:' || p.account_id THEN p.amount ELSE -p.amount END"
SPENT_TEXT = (
    f"SELECT u.created_by, p.project_id, {parts_of(_CHARGED)} FROM postings p JOIN units u ON u.id = p.unit_id "
    "WHERE p.account_id = ? AND p.at >= ? GROUP BY u.created_by, p.project_id"
)


def usage_totals_of(units: Sequence[tuple[Any, ...]], spent: Sequence[tuple[Any, ...]]) -> Usage:
    """Return an account's reserved units and charges by user and by project."""
    usage = Usage()
    for user_id, unit_type, project_id, count in units:
        usage.add_units("units", user_id, unit_type, int(count))
        if project_id is not None:
            usage.add_units("project_units", project_id, unit_type, int(count))
    for user_id, project_id, *sums in spent:
        usage.add_spent(user_id, project_id, total(*sums))
    return usage

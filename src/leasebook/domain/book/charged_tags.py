"""The tags that a charge counts for: those that the instance had at the time of the charge.

A charge at the moment in which the tags change has the tags of before, as the sums of costs have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from leasebook.domain.book.loads import ChargedTags
from leasebook.domain.book.tables import ACCOUNT_LIMITS, FORMER_TAGS, INSTANCES, RESOURCE_TAGS
from leasebook.domain.model.instance import GONE, Instance
from leasebook.domain.model.resource.tag_budget import NO_TAGS
from leasebook.domain.record.agenda import first_due
from leasebook.domain.values.calendar import Instant

if TYPE_CHECKING:
    from leasebook.domain.book.book import Book
    from leasebook.domain.book.draft import Draft

LATEST = Instant(2**62)


def tags_at(draft: Draft, unit_id: str, at: Instant) -> Mapping[str, str]:
    """Return the tags that an instance had at a moment; raises NotLoaded if the batch did not load them."""
    row = draft.changed.get((RESOURCE_TAGS, (unit_id,)))
    if row is None and draft.book.rows[INSTANCES].get((unit_id,)) is not None:
        row = draft.book.get(RESOURCE_TAGS, unit_id)
    if row is None:
        return NO_TAGS
    if row.changed_at is None or row.changed_at < at:
        found: Mapping[str, str] = row.tags
        return found
    written = {key: one for (table, key), one in draft.changed.items() if table is FORMER_TAGS}
    rows = {**draft.book.rows[FORMER_TAGS], **written}
    former = [one for one in rows.values() if one is not None and one.id == unit_id and one.until >= at]
    if former:
        row = min(former, key=_until)
    kept: Mapping[str, str] = row.tags
    return kept


def _until(row: object) -> Instant:
    until: Instant = row.until  # type: ignore[attr-defined]
    return until


def budgeted_tags(draft: Draft, unit: Instance, at: Instant) -> Mapping[str, str]:
    """Return the tags of an instance for the budgets of its account; none if the account has no budget by tag."""
    guard = draft.get(ACCOUNT_LIMITS, unit.account_id)
    return NO_TAGS if guard is None or not guard.rules.tag_budgets else tags_at(draft, unit.id, at)


def charged_tags(book: Book) -> ChargedTags | None:
    """Return the need for the tags of those loaded instances whose charges are counted by tag; None: there is none.

    No command names it, so none can forget it: the charges of all commands are counted.
    """
    accounts = book.tag_counters
    if not accounts:
        return None
    units = [
        row
        for row in book.rows[INSTANCES].values()
        if row is not None and row.account_id in accounts and row.status not in GONE
    ]
    if not units:
        return None
    # Due work is charged as of its due time, and may be late.
    since = min(first_due(unit)[0] or LATEST for unit in units)
    return ChargedTags(tuple(sorted(unit.id for unit in units)), since)

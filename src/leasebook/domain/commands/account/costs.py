"""Adding postings to the sums of costs."""

from __future__ import annotations

from typing import ClassVar

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import COST_GROUPS, COST_PERIODS, METADATA
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.costs.folding import Part
from leasebook.domain.costs.rows import COSTS_SUMMED, CostGroup, CostPeriod, Level, Sums
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules


class FoldCosts(Command, frozen=True, kw_only=True):
    """Add the postings after one number, up to and including another, to the sums. Returns whether it was done.

    It is done exactly once: only while the sums have the postings up to ``after``, and no others.
    """

    answer: ClassVar[type] = bool

    after: int
    until: int
    groups: tuple[CostGroup, ...] = ()
    parts: tuple[Part, ...] = ()

    def needs(self) -> Needs:
        """The mark of the sums, and the rows that change."""
        yield METADATA, (COSTS_SUMMED,)
        for group in self.groups:
            yield COST_GROUPS, (group.account_id, group.id)
        for key in dict.fromkeys(part[:3] for part in self.parts):
            yield COST_PERIODS, key

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Another server may have added the same postings meanwhile; then nothing changes."""
        mark = draft.get(METADATA, COSTS_SUMMED)
        if (0 if mark is None else int(mark.value)) != self.after:
            return False
        for group in self.groups:
            if draft.get(COST_GROUPS, group.account_id, group.id) is None:
                draft.put(COST_GROUPS, group)
        changed: dict[tuple[str, Level, Instant], dict[str, Sums]] = {}
        for part in self.parts:
            key = (part.account_id, part.level, part.since)
            if key not in changed:
                row = draft.get(COST_PERIODS, *key)
                changed[key] = {} if row is None else dict(row.sums)
            sums = changed[key]
            sums[part.group_id] = sums.get(part.group_id, Sums()).plus(part.sums)
        for key, sums in changed.items():
            draft.put(COST_PERIODS, CostPeriod(*key, sums))
        draft.put(METADATA, StoreMetadata(COSTS_SUMMED, str(self.until)))
        return True

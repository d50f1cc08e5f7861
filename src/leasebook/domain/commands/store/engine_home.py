"""The location of an engine's replicas: one for each name that the store has for an engine."""

from __future__ import annotations

from typing import ClassVar

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import METADATA
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules


class ClaimHome(Command, frozen=True, kw_only=True):
    """Record where an engine keeps its replicas. Returns False if the location is no longer ``before``."""

    answer: ClassVar[type] = bool

    name: str
    before: str | None
    after: str

    def needs(self) -> Needs:
        """The location's row."""
        yield METADATA, (self.name,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Write it, unless another server has meanwhile."""
        fact = draft.get(METADATA, self.name)
        if (None if fact is None else fact.value) != self.before:
            return False
        draft.put(METADATA, StoreMetadata(self.name, self.after))
        return True

"""Where an engine keeps what it runs: one place for each name that the store knows it by."""

from __future__ import annotations

from typing import ClassVar

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import METADATA
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules


class ClaimHome(Command, frozen=True, kw_only=True):
    """Write down where an engine keeps its replicas. Answers False where it is not ``before`` any more."""

    answer: ClassVar[type] = bool

    name: str
    before: str | None
    after: str

    def needs(self) -> Needs:
        """What is written down."""
        yield METADATA, (self.name,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Write it, where nobody else did meanwhile."""
        fact = draft.get(METADATA, self.name)
        if (None if fact is None else fact.value) != self.before:
            return False
        draft.put(METADATA, StoreMetadata(self.name, self.after))
        return True

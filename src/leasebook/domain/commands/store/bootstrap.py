"""The creation of a store: its metadata, the first account and the default catalogue, in one batch."""

from __future__ import annotations

from typing import ClassVar, Final

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import METADATA
from leasebook.domain.commands.account.identity import CreateAccount
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.commands.store.demo import StockCatalogue
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.record.identity_log import MASTER_KEY
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules

__all__ = ["CLOCK_MODE", "FOUNDED", "MASTER_KEY", "ROOT_USER", "BootstrapStore"]

CLOCK_MODE: Final = "clock_mode"
ROOT_USER: Final = "root_user"
FOUNDED: Final = "founded_at"


class BootstrapStore(Command, frozen=True, kw_only=True):
    """Create the store's content. Returns False, and changes nothing, if the store has content already."""

    answer: ClassVar[type] = bool
    moves_clock: ClassVar[bool] = True

    facts: dict[str, str]
    root: CreateAccount

    def needs(self) -> Needs:
        """All rows that it writes."""
        yield METADATA, (FOUNDED,)
        yield METADATA, (ROOT_USER,)
        for name in self.facts:
            yield METADATA, (name,)
        yield from self.root.needs()
        yield from StockCatalogue().needs()

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Write all of it, or none."""
        if draft.get(METADATA, FOUNDED) is not None:
            return False
        for name, value in self.facts.items():
            draft.put(METADATA, StoreMetadata(name, value))
        draft.put(METADATA, StoreMetadata(FOUNDED, str(now)))
        draft.put(METADATA, StoreMetadata(ROOT_USER, self.root.user_id))
        self.root.decide(draft, rules, now)
        StockCatalogue().decide(draft, rules, now)
        return True

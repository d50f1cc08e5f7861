"""A probe of whether the store accepts writes."""

from __future__ import annotations

from typing import ClassVar, Final

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import METADATA
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules

WRITTEN: Final = "writes_proved"
"""The metadata row that the probe writes: the number of probes."""


class ProveWriting(Command, frozen=True, kw_only=True):
    """Write a row that is never read, the way all rows are written."""

    answer: ClassVar[type] = bool

    def needs(self) -> Needs:
        """Its own row."""
        yield METADATA, (WRITTEN,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Increase the number: an unchanged row would not be written."""
        before = draft.get(METADATA, WRITTEN)
        draft.put(METADATA, StoreMetadata(WRITTEN, str(1 if before is None else int(before.value) + 1)))
        return True

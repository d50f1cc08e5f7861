"""Queries about several accounts at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from leasebook.domain.model.account import Account

if TYPE_CHECKING:
    from leasebook.domain.record.event import Event
    from leasebook.ports.queries.read_repository import EventFilter, EventPlace


class Across(msgspec.Struct, frozen=True):
    """Several accounts, or all of them (None), in a filter in the place of one account."""

    ids: tuple[str, ...] | None


class AcrossQuestions(Protocol):
    """Queries about several accounts, answered from committed rows."""

    def accounts_by_id(self, account_ids: Sequence[str]) -> dict[str, Account]:
        """Return accounts by id; those that do not exist are left out."""
        ...

    def events_across(
        self, wanted: EventFilter, *, after: EventPlace | None, limit: int, oldest_first: bool
    ) -> list[tuple[EventPlace, str, Event]]:
        """Return events of several accounts, each with its account, newest first or oldest first."""
        ...

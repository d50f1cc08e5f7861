"""Queries about several accounts at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from leasebook.domain.model.account import Account

if TYPE_CHECKING:
    from leasebook.domain.model.subscription import Subscription
    from leasebook.domain.record.event import Event
    from leasebook.ports.queries.costs import PostingEdge
    from leasebook.ports.queries.read_repository import EventFilter, EventPlace


class Across(msgspec.Struct, frozen=True):
    """Several accounts, or all of them (None), in a filter in the place of one account."""

    ids: tuple[str, ...] | None


def is_of(account_id: str, meant: str | Across) -> bool:
    """Whether a row of an account is one of those that are meant: of one account, or of several."""
    if isinstance(meant, str):
        return account_id == meant
    return meant.ids is None or account_id in meant.ids


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

    def moves(self, account_id: str) -> list[tuple[EventPlace, Event]]:
        """Return the events of moves from project to project in an account, oldest first."""
        ...

    def event_edge(self) -> PostingEdge:
        """Return where the pages of events end now."""
        ...

    def event_anywhere(self, place: EventPlace) -> tuple[str, Event] | None:
        """Return the event at a position, and its account: the numbers of pages are those of the whole store."""
        ...

    def last_page(self) -> int:
        """Return the number of the last page of events of all accounts; 0 if there is none."""
        ...

    def account_place(self, hook_id: str, account_id: str) -> int:
        """Return the page that a subscription over several accounts came to in one of them; 0: it has no place yet."""
        ...

    def accounts_behind(self, hook: Subscription, *, after: str, limit: int) -> list[str]:
        """Return the accounts whose events a subscription over several has yet to look through, by id."""
        ...

    def hooks_across(self, across: Across) -> list[Subscription]:
        """Return the subscriptions of several accounts, oldest first, without deleted ones."""
        ...

    def accounts_since(self, page: int) -> dict[str, int]:
        """Return the accounts that have pages of events after one, each with its last page."""
        ...

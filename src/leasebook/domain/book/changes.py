"""The change set that a batch writes: new and changed rows, orders, postings and events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leasebook.domain.book.tables import Table
from leasebook.domain.model.instance import Instance
from leasebook.domain.record.agenda import Due
from leasebook.domain.record.audit_log import Audit
from leasebook.domain.record.event import EventPage
from leasebook.domain.record.ledger import Order, Posting
from leasebook.domain.values.resource_tags import LISTED, ResourceTags


class Changes:
    """The change set of a batch, by table; ``before`` has the rows of ``updated`` as they were, in the same order.

    ``due_new`` has for each changed instance the first work that it made due (``soonest_new``), for those who wait for
    the next due time.
    """

    def __init__(self, orders: list[Order], postings: list[Posting]) -> None:
        self.orders = orders
        self.postings = postings
        self.events: list[EventPage] = []
        self.audit: Audit | None = None
        self.inserted: dict[Table[Any], list[Any]] = {}
        self.updated: dict[Table[Any], list[Any]] = {}
        self.before: dict[Table[Any], list[Any]] = {}
        self.due_new: list[Due] = []
        self.placed_gone: list[tuple[str, str]] = []
        self.placed_new: list[tuple[str, str]] = []
        self.tagged: list[tuple[ResourceTags | None, ResourceTags]] = []

    def place(self, before: Instance | None, after: Instance) -> None:
        """Note services that came to an instance or left it; the store finds a service's instances by these pairs."""
        if after.placements or (before is not None and before.placements):
            old = set() if before is None else {(placed.service_id, before.id) for placed in before.placements}
            new = {(placed.service_id, after.id) for placed in after.placements}
            self.placed_gone += sorted(old - new)
            self.placed_new += sorted(new - old)

    def tagged_gone(self) -> list[tuple[str, str, str, str, str]]:
        """Return the entries that leave the lists of tags: account, kind, key, value and id of the thing."""
        return [
            (before.account_id, before.kind, key, value, before.id)
            for before, after in self.tagged
            if before is not None and before.kind in LISTED
            for key, value in before.entries.items()
            if after.entries.get(key) != value
        ]

    def tagged_new(self) -> dict[tuple[str, str, str, str], list[str]]:
        """Return the ids of things that come into each list of tags: by account, kind, key and value."""
        found: dict[tuple[str, str, str, str], list[str]] = {}
        for before, after in self.tagged:
            if after.kind in LISTED:
                known = {} if before is None else before.entries
                for key, value in after.entries.items():
                    if known.get(key) != value:
                        found.setdefault((after.account_id, after.kind, key, value), []).append(after.id)
        return found

    def after(self, parts: Sequence[Changes]) -> Changes:
        """Return these changes after those of ``parts``; a row that changed in several is listed several times."""
        if not parts:
            return self
        all_of_them = (*parts, self)
        whole = Changes(
            [order for part in all_of_them for order in part.orders],
            [posting for part in all_of_them for posting in part.postings],
        )
        whole.events, whole.audit = self.events, self.audit
        for part in all_of_them:
            for mine, other in (
                (whole.inserted, part.inserted),
                (whole.updated, part.updated),
                (whole.before, part.before),
            ):
                for table, rows in other.items():
                    mine.setdefault(table, []).extend(rows)
            whole.due_new += part.due_new
            whole.placed_gone += part.placed_gone
            whole.placed_new += part.placed_new
            whole.tagged += part.tagged
        return whole

    def __bool__(self) -> bool:
        return bool(self.orders or self.postings or self.events or self.inserted or self.updated or self.audit)

    def __contains__(self, table: Table[Any]) -> bool:
        """Whether rows of that table are new or different now."""
        return table in self.inserted or table in self.updated

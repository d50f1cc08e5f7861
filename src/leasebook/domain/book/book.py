"""The rows that a batch works on: as the store had them, and as the commands of the batch left them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from leasebook.domain.book.changes import Changes
from leasebook.domain.book.loads import NotLoaded, UsageTotals
from leasebook.domain.book.store_queries import Answers
from leasebook.domain.book.tables import (
    ACCESS_KEYS,
    ACCOUNT_LIMITS,
    ACCOUNTS,
    DELIVERIES,
    ENGINE_CAPACITIES,
    INSTANCES,
    MODELS,
    OFFERINGS,
    REPLICAS,
    SERVICE_KEYS,
    SUBSCRIPTIONS,
    TABLES,
    USERS,
    Key,
    R,
    Table,
)
from leasebook.domain.model.account import AccessKey
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.limits import month_name
from leasebook.domain.model.offering import Offering
from leasebook.domain.model.subscription import delivery_events, hook_events
from leasebook.domain.record.agenda import agenda_of
from leasebook.domain.record.event import (
    Event,
    account_events,
    guard_events,
    model_events,
    page_of,
    replica_events,
    supply_events,
    unit_events,
    whose,
)
from leasebook.domain.record.identity_event import identity_events
from leasebook.domain.record.ledger import Order, Posting, wallet
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro

if TYPE_CHECKING:
    from leasebook.domain.book.draft import Draft

TOLD: Final[dict[Table[Any], Callable[[Any, Any], Iterable[tuple[str, dict[str, Any]]]]]] = {
    INSTANCES: unit_events,
    ACCOUNTS: lambda before, after: (*identity_events(before, after), *account_events(before, after)),
    USERS: identity_events,
    ACCESS_KEYS: identity_events,
    SERVICE_KEYS: identity_events,
    ACCOUNT_LIMITS: guard_events,
    SUBSCRIPTIONS: hook_events,
    DELIVERIES: delivery_events,
    REPLICAS: replica_events,
    ENGINE_CAPACITIES: supply_events,
    MODELS: model_events,
}
"""Tables whose changes are events, with what tells of two rows what happened between them."""


class Book:
    """Rows in memory, as they were loaded and as the commands of the batch left them."""

    def __init__(self) -> None:
        self.rows: dict[Table[Any], dict[Key, Any]] = {table: {} for table in TABLES}
        self._shelves: dict[str, list[Key]] = {}
        self._halted: dict[str, dict[str, None]] = {}
        self._keyed: dict[str, dict[str, None]] = {}
        self._held: dict[str, tuple[dict[str, dict[str, int]], dict[str, Micro], Instant]] = {}
        self._first: dict[tuple[Table[Any], Key], Any] = {}
        self.orders: list[Order] = []
        self.postings: list[Posting] = []
        self.events: dict[str, list[Event]] = {}
        self.answers = Answers()

    def load(self, table: Table[R], key: Key, row: R | None) -> None:
        """Put down a row as the store has it; None: the store has none."""
        self.rows[table][key] = row

    def load_shelf(self, unit_type: str, offerings: Iterable[Offering]) -> None:
        """Put down every offering of one type."""
        keys: list[Key] = []
        for offering in sorted(offerings, key=lambda offering: (offering.position, offering.region)):
            key = (offering.region, offering.type)
            self.rows[OFFERINGS].setdefault(key, offering)
            keys.append(key)
        self._shelves[unit_type] = keys

    def load_halted(self, account_id: str, units: Iterable[Instance]) -> None:
        """Put down instances of an account that stand still, and those whose renewal waits, the oldest first."""
        found = self._halted.setdefault(account_id, {})
        for unit in units:
            self.rows[INSTANCES].setdefault((unit.id,), unit)
            found[unit.id] = None

    def load_held(self, need: UsageTotals, held: dict[str, dict[str, int]], spent: dict[str, Micro]) -> None:
        """Put down what an account's users hold, by type, and what they were charged."""
        self._held[need.account_id] = held, spent, need.since

    def load_keys(self, user_id: str, keys: Iterable[AccessKey]) -> None:
        """Put down every access key of a user."""
        found = self._keyed.setdefault(user_id, {})
        for key in keys:
            self.rows[ACCESS_KEYS].setdefault((key.id,), key)
            found[key.id] = None

    def key_ids(self, user_id: str) -> list[str]:
        """Return the access keys of a user, those of the batch included; in order of their ids."""
        try:
            return sorted(self._keyed[user_id])
        except KeyError:
            raise NotLoaded(f"access keys of {user_id}") from None

    def held(self, account_id: str) -> tuple[dict[str, dict[str, int]], dict[str, Micro]]:
        """Return what an account's users hold, by type, and what they were charged, in the store and in the batch."""
        try:
            return self._held[account_id][:2]
        except KeyError:
            raise NotLoaded(f"what {account_id} holds") from None

    def waiting_ids(self, account_id: str) -> list[str]:
        """Return the instances that stood still or waited when the batch began, or do since; as they were loaded."""
        try:
            return list(self._halted[account_id])
        except KeyError:
            raise NotLoaded(f"halted instances of {account_id}") from None

    def halted_ids(self, account_id: str) -> list[str]:
        """Return the same in order of their ids."""
        return sorted(self.waiting_ids(account_id))

    def _shelve(self, offering: Offering) -> None:
        """Let an offering that is new stand where later commands of the batch look for it."""
        keys = self._shelves.get(offering.type)
        key = (offering.region, offering.type)
        if keys is not None and key not in keys:
            keys.append(key)
            keys.sort(key=lambda key: (self.rows[OFFERINGS][key].position, key))

    def has(self, table: Table[Any], key: Key) -> bool:
        """Whether that row was loaded, if only to find that it does not exist."""
        return key in self.rows[table]

    def get(self, table: Table[R], *key: Any) -> R | None:
        """Return the row, or None where there is none; raises NotLoaded where nobody asked for it."""
        try:
            row: R | None = self.rows[table][key]
        except KeyError:
            raise NotLoaded(f"{table.name} {key}") from None
        return row

    def shelf_keys(self, unit_type: str) -> list[Key]:
        """Return the keys of every offering of a type, in catalogue order."""
        try:
            return self._shelves[unit_type]
        except KeyError:
            raise NotLoaded(f"offerings of type {unit_type}") from None

    def accept(self, draft: Draft, now: Instant, user_id: str | None) -> None:
        """Make a command's changes part of the book, count them against limits, and tell what happened."""
        self._count(draft)
        self.take(draft, now, user_id)

    def take(self, draft: Draft, now: Instant, user_id: str | None) -> None:
        """Make changes part of the book as they are, and write down what happened by whose wish."""
        for place, row in draft.changed.items():
            table, key = place
            rows = self.rows[table]
            before = rows.get(key)
            self._first.setdefault(place, before)
            rows[key] = row
            self.answers.changed(before, row)
            if table in TOLD:
                self._tell(TOLD[table](before, row), row, now, user_id)
            if table is OFFERINGS:
                self._shelve(row)
            elif table is ACCESS_KEYS and row.user_id in self._keyed:
                self._keyed[row.user_id][row.id] = None
            elif self._halted and table is INSTANCES and row.waits_for_money and row.account_id in self._halted:
                self._halted[row.account_id][row.id] = None
        self.orders += draft.orders
        self.postings += draft.postings

    def _tell(self, told: Iterable[tuple[str, dict[str, Any]]], row: Any, now: Instant, user_id: str | None) -> None:
        for kind, data in told:
            account_id, unit_id = whose(row)
            if account_id is not None:
                self.events.setdefault(account_id, []).append(Event(now, kind, unit_id, user_id, data))

    def _count(self, draft: Draft) -> None:
        """Count what a command took or gave back, and charged, against the limits of whom it concerns."""
        for after in [row for row in draft.changed.values() if type(row) is Instance]:
            before = self.rows[INSTANCES].get((after.id,))
            added = after.held - (0 if before is None else before.held)
            if added:
                self._count_units(draft, after, added)
        for posting in draft.postings:
            if posting.unit_id is not None:
                self._count_spent(draft, posting, draft.require(INSTANCES, posting.unit_id).created_by)

    def _count_units(self, draft: Draft, unit: Instance, added: int) -> None:
        guard = draft.get(ACCOUNT_LIMITS, unit.account_id)
        if guard is not None:
            draft.put(ACCOUNT_LIMITS, guard.plus_units(unit.created_by, unit.type, added))
        elif unit.account_id in self._held:
            # The account gets its first limits in this very batch: they begin with this, too.
            self._held_more(self._held[unit.account_id][0], unit, added)

    @staticmethod
    def _held_more(held: dict[str, dict[str, int]], unit: Instance, added: int) -> None:
        """Add to what a user holds; of what is held no more nothing stays (``AccountLimits.plus_units``)."""
        types = held.pop(unit.created_by, {})
        count = types.pop(unit.type, 0) + added
        if count:
            types[unit.type] = count
        if types:
            held[unit.created_by] = types

    def _count_spent(self, draft: Draft, posting: Posting, user_id: str) -> None:
        guard, amount = draft.get(ACCOUNT_LIMITS, posting.account_id), -posting.effect_on(wallet(posting.account_id))
        if guard is not None:
            month = month_name(posting.at, draft.require(ACCOUNTS, posting.account_id).time_zone)
            draft.put(ACCOUNT_LIMITS, guard.plus_spent(user_id, month, amount))
        elif posting.account_id in self._held and posting.at >= self._held[posting.account_id][2]:
            # Late work may charge for the month before.
            spent = self._held[posting.account_id][1]
            spent[user_id] = Micro(spent.get(user_id, 0) + amount)

    def part(self) -> Changes:
        """Return what changed since it was last asked and can be written while more is decided.

        These are instances, with their orders and postings: each belongs to one command, most often, and is most of
        what is written. All else is for the end: rows that every command changes, client tokens, for which batches of
        other servers wait in one order, and events, which are put in pages.
        """
        return self._collected([place for place in self._first if place[0] is INSTANCES])

    def changes(self) -> Changes:
        """Return everything that the batch changed, or what of it was in no part, for the store to write."""
        changes = self._collected(list(self._first))
        changes.events = [page_of(account_id, events) for account_id, events in sorted(self.events.items())]
        self.events = {}
        return changes

    def _collected(self, places: Iterable[tuple[Table[Any], Key]]) -> Changes:
        """Return what became of some rows, and count from there: if they change again, that is another change."""
        changes = Changes(self.orders, self.postings)
        self.orders, self.postings = [], []
        for place in places:
            table, key = place
            before, after = self._first.pop(place), self.rows[table][key]
            if after == before:
                continue
            if before is None:
                changes.inserted.setdefault(table, []).append(after)
            else:
                changes.updated.setdefault(table, []).append(after)
                changes.before.setdefault(table, []).append(before)
            if table is INSTANCES:
                old, new = agenda_of(before), agenda_of(after)
                if old != new:
                    changes.due_gone += old - new
                    changes.due_new += new - old
                changes.place(before, after)
        return changes

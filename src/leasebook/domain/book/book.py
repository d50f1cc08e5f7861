"""The page of the book that a batch works on: the rows it loaded, and what its commands make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

import msgspec

from leasebook.domain.book.loads import KeysOfUser, OfferingsOfType, SuspendedInstances, UsageTotals
from leasebook.domain.book.store_queries import Answers, Asked
from leasebook.domain.model.account import AccessKey, Account, User
from leasebook.domain.model.engine_capacity import EngineCapacity
from leasebook.domain.model.idempotency import IdempotencyRecord
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.lease import Lease, Worker
from leasebook.domain.model.limits import AccountLimits, month_name
from leasebook.domain.model.model import Model, ModelSet
from leasebook.domain.model.offering import Offering, PriceList
from leasebook.domain.model.quote import Quote
from leasebook.domain.model.replica import Replica
from leasebook.domain.model.service import Service
from leasebook.domain.model.service_key import ServiceKey
from leasebook.domain.model.subscription import Delivery, DeliveryQueue, Subscription, delivery_events, hook_events
from leasebook.domain.model.usage import ServiceUsage, TokenPackage
from leasebook.domain.record.agenda import Due, agenda_of
from leasebook.domain.record.audit_log import Audit
from leasebook.domain.record.event import (
    Event,
    EventPage,
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
from leasebook.domain.record.notice import NoticeRate, UsedLink
from leasebook.domain.record.signature import Nonce, RefusedCalls
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro, checked

R = TypeVar("R", bound=msgspec.Struct)
Key = tuple[Any, ...]


def _key_of(names: tuple[str, ...]) -> Callable[[Any], Key]:
    if len(names) > 1:
        return attrgetter(*names)
    value = attrgetter(names[0])
    return lambda row: (value(row),)


class Table(Generic[R]):
    """A kind of row, and which of its fields are its key.

    ``TABLES`` lists them in the one order in which every batch locks rows, so that two batches on one
    store can wait for each other but never in a circle.
    """

    def __init__(self, name: str, row: type[R], *key: str) -> None:
        self.name = name
        self.row = row
        self.key = key
        self.key_of: Callable[[R], Key] = _key_of(key)
        """Returns a row's key. Every row of a batch is asked for it several times."""

    def __repr__(self) -> str:
        return f"Table({self.name})"


class StoreMetadata(msgspec.Struct, frozen=True):
    """A value that the store itself must remember, such as where its virtual clock stands."""

    name: str
    value: str


IDEMPOTENCY_RECORDS = Table("tokens", IdempotencyRecord, "account_id", "value")
NONCES = Table("nonces", Nonce, "access_key_id", "value")
INSTANCES = Table("units", Instance, "id")
SERVICES = Table("services", Service, "id")
MODEL_SETS = Table("model_sets", ModelSet, "id")
MODELS = Table("models", Model, "id")
QUOTES = Table("quotes", Quote, "id")
SERVICE_USAGE = Table("calls", ServiceUsage, "service_id", "app_id", "hour")
TOKEN_PACKAGES = Table("packages", TokenPackage, "id")
ENGINE_CAPACITIES = Table("supplies", EngineCapacity, "engine")
OFFERINGS = Table("offerings", Offering, "region", "type")
PRICES = Table("prices", PriceList, "region", "type")
ACCOUNTS = Table("accounts", Account, "id")
USERS = Table("users", User, "id")
ACCESS_KEYS = Table("access_keys", AccessKey, "id")
ACCOUNT_LIMITS = Table("guards", AccountLimits, "account_id")
SERVICE_KEYS = Table("service_keys", ServiceKey, "id")
METADATA = Table("facts", StoreMetadata, "name")
SUBSCRIPTIONS = Table("hooks", Subscription, "id")
DELIVERY_QUEUES = Table("lanes", DeliveryQueue, "hook_id", "name")
DELIVERIES = Table("deliveries", Delivery, "hook_id", "page", "line")
USED_LINKS = Table("used_links", UsedLink, "unit_id", "deadline")
NOTICE_RATES = Table("notice_rates", NoticeRate, "name")
WORKERS = Table("workers", Worker, "id")
LEASES = Table("leases", Lease, "unit_id")
REPLICAS = Table("replicas", Replica, "unit_id", "service_id", "number")
REFUSED_CALLS = Table("refused_calls", RefusedCalls, "id")

TABLES: tuple[Table[Any], ...] = (
    # First, because under a virtual clock every batch begins with the lock on where that stands.
    METADATA,
    IDEMPOTENCY_RECORDS,
    NONCES,
    INSTANCES,
    SERVICES,
    MODEL_SETS,
    MODELS,
    QUOTES,
    SERVICE_USAGE,
    TOKEN_PACKAGES,
    ENGINE_CAPACITIES,
    OFFERINGS,
    PRICES,
    ACCOUNTS,
    # After the account: whoever sets an account's first limits and whoever buys take turns on that row.
    ACCOUNT_LIMITS,
    USERS,
    ACCESS_KEYS,
    # Whatever makes or settles deliveries has their hook first.
    SUBSCRIPTIONS,
    DELIVERY_QUEUES,
    DELIVERIES,
    USED_LINKS,
    NOTICE_RATES,
    SERVICE_KEYS,
    WORKERS,
    LEASES,
    REPLICAS,
    REFUSED_CALLS,
)

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

Need = tuple[Table[Any], Key]
"""A row that a command reads or writes. It need not exist."""


Needed = Need | OfferingsOfType | SuspendedInstances | UsageTotals | KeysOfUser | Asked


class NotLoaded(LookupError):
    """A command touched a row that it did not name as needed: a mistake in the command."""


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


class Changes:
    """What a batch writes, table by table. ``before`` are the rows of ``updated`` as they were, in the same order."""

    def __init__(self, orders: list[Order], postings: list[Posting]) -> None:
        self.orders = orders
        self.postings = postings
        self.events: list[EventPage] = []
        self.audit: Audit | None = None
        self.inserted: dict[Table[Any], list[Any]] = {}
        self.updated: dict[Table[Any], list[Any]] = {}
        self.before: dict[Table[Any], list[Any]] = {}
        self.due_gone: list[Due] = []
        self.due_new: list[Due] = []
        self.placed_gone: list[tuple[str, str]] = []
        self.placed_new: list[tuple[str, str]] = []

    def place(self, before: Instance | None, after: Instance) -> None:
        """Take note which services came to an instance, or left it: what a service's instances are found by."""
        if after.placements or (before is not None and before.placements):
            old = set() if before is None else {(placed.service_id, before.id) for placed in before.placements}
            new = {(placed.service_id, after.id) for placed in after.placements}
            self.placed_gone += sorted(old - new)
            self.placed_new += sorted(new - old)

    def after(self, parts: Sequence[Changes]) -> Changes:
        """Return these changes with the parts before them; what changed in several stands there several times."""
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
            whole.due_gone += part.due_gone
            whole.due_new += part.due_new
            whole.placed_gone += part.placed_gone
            whole.placed_new += part.placed_new
        return whole

    def __bool__(self) -> bool:
        return bool(self.orders or self.postings or self.events or self.inserted or self.updated or self.audit)

    def __contains__(self, table: Table[Any]) -> bool:
        """Whether rows of that table are new or different now."""
        return table in self.inserted or table in self.updated


class Draft:
    """One command's view of the book: what it changes is kept aside, and dropped if it is refused."""

    __slots__ = ("as_of", "book", "changed", "orders", "postings")

    def __init__(self, book: Book, as_of: Instant | None = None) -> None:
        self.book = book
        self.as_of = as_of
        """The moment as of which the command is decided. What depends on it in every command alike reads it here."""
        self.changed: dict[tuple[Table[Any], Key], Any] = {}
        self.orders: list[Order] = []
        self.postings: list[Posting] = []

    def get(self, table: Table[R], *key: Any) -> R | None:
        """Return a row as this command left it; None where there is none."""
        row = self.changed.get((table, key))
        return row if row is not None else self.book.get(table, *key)

    def require(self, table: Table[R], *key: Any) -> R:
        """Return a row that must exist: one that another row refers to."""
        # Not by way of get(): a charge asks for its account four times.
        row: R | None = self.changed.get((table, key)) or self.book.rows[table].get(key)
        if row is None:
            self.book.get(table, *key)
            raise LookupError(f"{table.name} {key} does not exist, and another row says it does")
        return row

    def shelf(self, unit_type: str) -> list[Offering]:
        """Return every offering of a type, in catalogue order."""
        return [self.require(OFFERINGS, *key) for key in self.book.shelf_keys(unit_type)]

    def halted(self, account_id: str) -> list[Instance]:
        """Return the account's instances that stand still, as far as they were loaded."""
        units = [self.require(INSTANCES, unit_id) for unit_id in self.book.halted_ids(account_id)]
        return [unit for unit in units if unit.is_halted]

    def unrenewed(self, account_id: str) -> list[Instance]:
        """Return the account's instances whose renewal waits for money, as far as they were loaded; oldest first."""
        units = [self.require(INSTANCES, unit_id) for unit_id in self.book.waiting_ids(account_id)]
        return sorted((unit for unit in units if unit.awaits_renewal), key=attrgetter("created_at"))

    def keys_of(self, user_id: str) -> list[AccessKey]:
        """Return every access key of a user."""
        return [self.require(ACCESS_KEYS, key_id) for key_id in self.book.key_ids(user_id)]

    def put(self, table: Table[R], row: R) -> None:
        """Write a row, new or changed."""
        self.changed[table, table.key_of(row)] = row

    def order(self, order: Order) -> None:
        """Write an order."""
        self.orders.append(order)

    def post(self, posting: Posting) -> None:
        """Write a posting, and move the balance of the account with it."""
        account = self.require(ACCOUNTS, posting.account_id)
        balance = checked(account.balance + posting.effect_on(wallet(account.id)))
        since = None if balance >= 0 else posting.at if account.arrears_since is None else account.arrears_since
        self.put(ACCOUNTS, msgspec.structs.replace(account, balance=balance, arrears_since=since))
        self.postings.append(posting)

"""The page of the book that a batch works on: the rows it loaded, and what its commands make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Generic, TypeVar, cast

import msgspec

from leasehold.domain.account import AccessKey, Account, User
from leasehold.domain.agenda import Due, agenda_of
from leasehold.domain.catalogue import Offering, PriceList
from leasehold.domain.ledger import Order, Posting, wallet
from leasehold.domain.money import checked
from leasehold.domain.service import Service
from leasehold.domain.token import Remembered
from leasehold.domain.unit import Unit

R = TypeVar("R", bound=msgspec.Struct)
Key = tuple[str, ...]


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


class Fact(msgspec.Struct, frozen=True):
    """A value that the store itself must remember, such as where its virtual clock stands."""

    name: str
    value: str


REMEMBERED = Table("tokens", Remembered, "account_id", "value")
UNITS = Table("units", Unit, "id")
SERVICES = Table("services", Service, "id")
OFFERINGS = Table("offerings", Offering, "region", "type")
PRICES = Table("prices", PriceList, "region", "type")
ACCOUNTS = Table("accounts", Account, "id")
USERS = Table("users", User, "id")
KEYS = Table("access_keys", AccessKey, "id")
FACTS = Table("facts", Fact, "name")

TABLES: tuple[Table[Any], ...] = (
    # First, because under a virtual clock every batch begins with the lock on where that stands.
    FACTS,
    REMEMBERED,
    UNITS,
    SERVICES,
    OFFERINGS,
    PRICES,
    ACCOUNTS,
    USERS,
    KEYS,
)

Need = tuple[Table[Any], Key]
"""A row that a command reads or writes. It need not exist."""


class Shelf(msgspec.Struct, frozen=True):
    """Need every offering of one type, whatever the region."""

    type: str


class NotLoaded(LookupError):
    """A command touched a row that it did not name as needed: a mistake in the command."""


class Book:
    """Rows in memory, as they were loaded and as the commands of the batch left them."""

    def __init__(self) -> None:
        self._rows: dict[Table[Any], dict[Key, Any]] = {table: {} for table in TABLES}
        self._shelves: dict[str, list[Key]] = {}
        self._first: dict[tuple[Table[Any], Key], Any] = {}
        self.orders: list[Order] = []
        self.postings: list[Posting] = []

    def load(self, table: Table[R], key: Key, row: R | None) -> None:
        """Put down a row as the store has it; None: the store has none."""
        self._rows[table][key] = row

    def load_shelf(self, unit_type: str, offerings: Iterable[Offering]) -> None:
        """Put down every offering of one type."""
        keys: list[Key] = []
        for offering in sorted(offerings, key=lambda offering: (offering.position, offering.region)):
            key = (offering.region, offering.type)
            self._rows[OFFERINGS].setdefault(key, offering)
            keys.append(key)
        self._shelves[unit_type] = keys

    def _shelve(self, offering: Offering) -> None:
        """Let an offering that is new stand where later commands of the batch look for it."""
        keys = self._shelves.get(offering.type)
        key = (offering.region, offering.type)
        if keys is not None and key not in keys:
            keys.append(key)
            keys.sort(key=lambda key: (self._rows[OFFERINGS][key].position, key))

    def has(self, table: Table[Any], key: Key) -> bool:
        """Whether that row was loaded, if only to find that it does not exist."""
        return key in self._rows[table]

    def get(self, table: Table[R], *key: str) -> R | None:
        """Return the row, or None where there is none; raises NotLoaded where nobody asked for it."""
        try:
            return cast("R | None", self._rows[table][key])
        except KeyError:
            raise NotLoaded(f"{table.name} {key}") from None

    def shelf_keys(self, unit_type: str) -> list[Key]:
        """Return the keys of every offering of a type, in catalogue order."""
        try:
            return self._shelves[unit_type]
        except KeyError:
            raise NotLoaded(f"offerings of type {unit_type}") from None

    def accept(self, draft: Draft) -> None:
        """Make a command's changes part of the book."""
        for (table, key), row in draft.changed.items():
            self._first.setdefault((table, key), self._rows[table].get(key))
            self._rows[table][key] = row
            if table is OFFERINGS:
                self._shelve(row)
        self.orders += draft.orders
        self.postings += draft.postings

    def changes(self) -> Changes:
        """Return everything that the batch changed, for the store to write."""
        changes = Changes(self.orders, self.postings)
        for (table, key), before in self._first.items():
            after = self._rows[table][key]
            if after == before:
                continue
            target = changes.inserted if before is None else changes.updated
            target.setdefault(table, []).append(after)
            if table is UNITS:
                old, new = agenda_of(before), agenda_of(after)
                changes.due_gone += old - new
                changes.due_new += new - old
        return changes


class Changes:
    """What a batch writes, table by table."""

    def __init__(self, orders: list[Order], postings: list[Posting]) -> None:
        self.orders = orders
        self.postings = postings
        self.inserted: dict[Table[Any], list[Any]] = {}
        self.updated: dict[Table[Any], list[Any]] = {}
        self.due_gone: list[Due] = []
        self.due_new: list[Due] = []

    def __bool__(self) -> bool:
        return bool(self.orders or self.postings or self.inserted or self.updated)

    def __contains__(self, table: Table[Any]) -> bool:
        """Whether rows of that table are new or different now."""
        return table in self.inserted or table in self.updated


class Draft:
    """One command's view of the book: what it changes is kept aside, and dropped if it is refused."""

    __slots__ = ("book", "changed", "orders", "postings")

    def __init__(self, book: Book) -> None:
        self.book = book
        self.changed: dict[tuple[Table[Any], Key], Any] = {}
        self.orders: list[Order] = []
        self.postings: list[Posting] = []

    def get(self, table: Table[R], *key: str) -> R | None:
        """Return a row as this command left it; None where there is none."""
        row = self.changed.get((table, key))
        return row if row is not None else self.book.get(table, *key)

    def require(self, table: Table[R], *key: str) -> R:
        """Return a row that must exist: one that another row refers to."""
        row = self.get(table, *key)
        if row is None:
            raise LookupError(f"{table.name} {key} does not exist, and another row says it does")
        return row

    def shelf(self, unit_type: str) -> list[Offering]:
        """Return every offering of a type, in catalogue order."""
        return [self.require(OFFERINGS, *key) for key in self.book.shelf_keys(unit_type)]

    def put(self, table: Table[R], row: R) -> None:
        """Write a row, new or changed."""
        self.changed[table, table.key_of(row)] = row

    def order(self, order: Order) -> None:
        """Write an order."""
        self.orders.append(order)

    def post(self, posting: Posting) -> None:
        """Write a posting, and move the balance of the account with it."""
        account = self.require(ACCOUNTS, posting.account_id)
        effect = posting.effect_on(wallet(account.id))
        self.put(ACCOUNTS, msgspec.structs.replace(account, balance=checked(account.balance + effect)))
        self.postings.append(posting)

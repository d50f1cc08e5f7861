"""One command's overlay on the book that its batch shares."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.project_scope import Projects, is_seen
from leasebook.domain.book.tables import ACCESS_KEYS, ACCOUNTS, INSTANCES, OFFERINGS, SERVICES, Key, R, Table
from leasebook.domain.model.account import AccessKey
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.offering import Offering
from leasebook.domain.record.ledger import Order, Posting, wallet
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import checked


class KeyTaken(Exception):
    """A new row has the key of a row that exists: an id was drawn that belongs to another. Another id will do."""


class Draft:
    """One command's overlay on the book: its changes are kept aside, and dropped if the command is refused."""

    __slots__ = ("as_of", "asked_by", "book", "changed", "orders", "postings", "within")

    def __init__(self, book: Book, as_of: Instant | None = None, within: Projects | None = None) -> None:
        self.book = book
        self.within = within
        """The projects that the caller's policy is for; None: the whole account. Rows of others are not found."""
        self.as_of = as_of
        """The instant for which the command is decided. Rules that all commands share read it here."""
        self.asked_by: str | None = None
        """The user for whom an approver has the command done; None: the command is its caller's own."""
        self.changed: dict[tuple[Table[Any], Key], Any] = {}
        self.orders: list[Order] = []
        self.postings: list[Posting] = []

    def get(self, table: Table[R], *key: Any) -> R | None:
        """Return a row as this command left it; None where there is none."""
        row: R | None = self.changed.get((table, key))
        if row is None:
            row = self.book.get(table, *key)
        if self.within is None or row is None:
            return row
        return row if is_seen(table, row, self.within, self.book.rows[SERVICES]) else None

    def require(self, table: Table[R], *key: Any) -> R:
        """Return a row that must exist: one that another row refers to."""
        # Not by way of get(): a charge asks for its account four times.
        row: R | None = self.changed.get((table, key)) or self.book.rows[table].get(key)
        if row is None:
            self.book.get(table, *key)
            raise LookupError(f"{table.name} {key} does not exist, and another row says it does")
        return row

    def offerings_of(self, unit_type: str) -> list[Offering]:
        """Return every offering of a type that the catalogue has, in its order; removed ones are left out."""
        rows = (self.require(OFFERINGS, *key) for key in self.book.offering_keys(unit_type))
        return [row for row in rows if row.removed_at is None]

    def suspended(self, account_id: str) -> list[Instance]:
        """Return the account's suspended instances, as far as they were loaded."""
        units = [self.require(INSTANCES, unit_id) for unit_id in self.book.suspended_ids(account_id)]
        return [unit for unit in units if unit.is_halted]

    def unrenewed(self, account_id: str) -> list[Instance]:
        """Return the account's instances whose renewal waits for money, as far as they were loaded; oldest first."""
        units = [self.require(INSTANCES, unit_id) for unit_id in self.book.waiting_ids(account_id)]
        return sorted((unit for unit in units if unit.awaits_renewal), key=attrgetter("created_at"))

    def keys_of(self, user_id: str) -> list[AccessKey]:
        """Return every access key of a user."""
        return [self.require(ACCESS_KEYS, key_id) for key_id in self.book.key_ids(user_id)]

    def rows_of(self, table: Table[R], account_id: str) -> list[R]:
        """Return an account's rows of a table that the batch loaded or wrote, by key (``loads.WholeAccount``)."""
        found: dict[Key, Any] = self.book.rows[table]
        rows = [self.changed.get((table, key)) or found[key] for key in sorted(found)]
        return [row for row in rows if row is not None and row.account_id == account_id]

    def put(self, table: Table[R], row: R) -> None:
        """Write a row, new or changed."""
        self.changed[table, table.key_of(row)] = row

    def add(self, table: Table[R], row: R) -> None:
        """Write a new row under an id that was drawn for it; raises KeyTaken where the book has a row with that id.

        A row that no command of the batch loaded is found by the store, when it inserts this one.
        """
        key = table.key_of(row)
        if (table, key) in self.changed or self.book.rows[table].get(key) is not None:
            raise KeyTaken(f"{table.name} {key}")
        self.put(table, row)

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

"""Writing to a store and reading from it, as the tests of the contract do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from leasebook.batch import Transaction
from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import Needed
from leasebook.domain.book.tables import ACCOUNTS, INSTANCES, TABLES, Table
from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import Instance
from leasebook.domain.record.ledger import Order, Posting, wallet
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.ports.queries.read_repository import Numbered
from leasebook.store.opening import OpenStore
from leasebook.store.postgres.transaction import PostgresTransaction
from leasebook.store.sqlite.store import SqliteTransaction

OnStore = Callable[[], AbstractAsyncContextManager[OpenStore]]
"""Opens the store of a test, and later opens the same one again."""

TABLE_OF = {table.row: table for table in TABLES}


def gone(unit_id: str, account_id: str) -> Instance:
    """An instance that is in no list of live ones and has nothing due."""
    return Instance(
        id=unit_id,
        account_id=account_id,
        created_by="user-1",
        order_id=f"order-of-{unit_id}",
        service_id=None,
        region="bj",
        type="gpu-1",
        count=1,
        payment_timing="Postpaid",
        status="Released",
        created_at=Instant(1),
    )


async def number(transaction: Transaction, accounts: Sequence[str]) -> None:
    """Give accounts numbers, which the rows of instances have, without the rows of the accounts."""
    for name in accounts:
        text = "INSERT INTO account_numbers (account_id) VALUES ({}) ON CONFLICT (account_id) DO NOTHING"
        if isinstance(transaction, SqliteTransaction):
            transaction._connection.execute(text.format("?"), (name,))
        elif isinstance(transaction, PostgresTransaction):
            await transaction._rows(text.format("%s"), (name,))


@dataclass
class Batch:
    """The changes that a batch writes."""

    rows: Sequence[Any] = ()
    orders: Sequence[Order] = ()
    postings: Sequence[Posting] = ()

    async def save(self, transaction: Transaction) -> None:
        """Save it, but do not commit."""
        needs: list[Needed] = [(TABLE_OF[type(row)], TABLE_OF[type(row)].key_of(row)) for row in self.rows]
        # An order and a posting have an account, and most have an instance. A store names both by their rows' numbers.
        records: list[Order | Posting] = [*self.orders, *self.postings]
        accounts = {row.account_id for row in records}
        units = {row.unit_id: row.account_id for row in records if row.unit_id is not None}
        needs += [(ACCOUNTS, (name,)) for name in accounts] + [(INSTANCES, (name,)) for name in units]
        await number(transaction, sorted({row.account_id for row in self.rows if isinstance(row, Instance)}))
        book = Book()
        await transaction.load([*dict.fromkeys(needs)], book)
        draft = Draft(book)
        for name in sorted(accounts):
            if draft.get(ACCOUNTS, name) is None:
                balance = sum(row.effect_on(wallet(name)) for row in self.postings)
                draft.put(ACCOUNTS, Account(name, name, "UTC", Micro(balance), Instant(0)))
        for name, account in sorted(units.items()):
            if draft.get(INSTANCES, name) is None:
                draft.put(INSTANCES, gone(name, account))
        for row in self.rows:
            draft.put(TABLE_OF[type(row)], row)
        draft.orders += self.orders
        draft.postings += self.postings
        book.take(draft, Instant(0), None)
        await transaction.save(book.changes())

    async def commit_to(self, store: OpenStore) -> None:
        """Save and commit it."""
        transaction = await store.begin()
        await self.save(transaction)
        await transaction.commit()


async def write(store: OpenStore, *rows: Any) -> None:
    await Batch(rows).commit_to(store)


async def load(store: OpenStore, *needs: Needed) -> Book:
    transaction = await store.begin()
    book = Book()
    await transaction.load(needs, book)
    await transaction.rollback()
    return book


async def get(store: OpenStore, table: Table[Any], *key: str | int) -> Any:
    return (await load(store, (table, key))).get(table, *key)


def rows_of(numbered: Iterable[Numbered]) -> list[Any]:
    return [row.row for row in numbered]


def ids(numbered: Iterable[Numbered]) -> list[str]:
    return [row.row.id for row in numbered]

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
from leasebook.domain.book.tables import TABLES, Table
from leasebook.domain.record.ledger import Order, Posting
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.read_repository import Numbered
from leasebook.store.opening import OpenStore

OnStore = Callable[[], AbstractAsyncContextManager[OpenStore]]
"""Opens the store of a test, and later opens the same one again."""

TABLE_OF = {table.row: table for table in TABLES}


@dataclass
class Batch:
    """The changes that a batch writes."""

    rows: Sequence[Any] = ()
    orders: Sequence[Order] = ()
    postings: Sequence[Posting] = ()

    async def save(self, transaction: Transaction) -> None:
        """Save it, but do not commit."""
        needs: list[Needed] = [(TABLE_OF[type(row)], TABLE_OF[type(row)].key_of(row)) for row in self.rows]
        book = Book()
        await transaction.load(needs, book)
        draft = Draft(book)
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

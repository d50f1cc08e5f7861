"""Tests that every kind of store has to pass."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import OfferingsOfType
from leasebook.domain.book.tables import (
    ACCESS_KEYS,
    INSTANCES,
    METADATA,
    OFFERINGS,
    PRICES,
    SERVICE_KEYS,
    TABLES,
    USERS,
)
from leasebook.domain.commands.store.clock import VIRTUAL_NOW
from leasebook.domain.model.account import Account, User
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.model.offering import Offering, PriceList
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import MICRO_MAX, Micro
from leasebook.ports.queries.read_repository import HistoryFilter, ReadRepository, UnitFilter
from leasebook.store.opening import OpenStore
from leasebook.store.rows.codec import CODECS
from tests.contract.batches import TABLE_OF, Batch, OnStore, get, load, rows_of, write
from tests.contract.rows import CHANGED, HIGH, LOW, ROWS, TEXT, offering, order, posting, unit

OURS = HistoryFilter(account_id="acc-1")

# Rows


def test_the_rows_of_this_suite_change_every_field_that_can_change() -> None:
    assert {table: set(changed) for table, changed in CHANGED.items()} == {
        table: set(codec.mutable).intersection(codec.columns) for table, codec in CODECS.items()
    }
    assert set(ROWS) == set(TABLES)


async def test_a_row_that_does_not_exist_is_loaded_as_none(on_store: OnStore) -> None:
    async with on_store() as store:
        for table, (row, _) in ROWS.items():
            key = table.key_of(row)
            book = await load(store, (table, key))
            assert book.has(table, key), table
            assert book.get(table, *key) is None, table


async def test_a_row_comes_back_as_it_was_written_and_as_it_was_changed(on_store: OnStore) -> None:
    def kinds(row: Any) -> list[type]:
        return [type(value) for value in msgspec.structs.astuple(row)]

    async with on_store() as store:
        for table, (row, changed) in ROWS.items():
            await write(store, row)
            assert await get(store, table, *table.key_of(row)) == row
            await write(store, changed)
            assert await get(store, table, *table.key_of(row)) == changed
    # Opened again.
    async with on_store() as store:
        for table, (_, changed) in ROWS.items():
            found = await get(store, table, *table.key_of(changed))
            assert found == changed
            assert kinds(found) == kinds(changed)


def look_alikes(value: str | int) -> list[str] | list[int]:
    if isinstance(value, int):
        return [value - 1, value - 2, -1, 0, 1]
    return [f"{value}{more}" for more in ("x", "'", " ", "%", "_")]


async def test_a_change_touches_its_own_row_only(on_store: OnStore) -> None:
    async with on_store() as store:
        for table, (row, changed) in ROWS.items():
            key = table.key_of(row)
            # Keys that share a part, and keys that look alike.
            others = [
                msgspec.structs.replace(row, **{field: alike})
                for field in table.key
                for alike in look_alikes(getattr(row, field))
            ]
            await write(store, row, *others)
            await write(store, changed)
            absent = (*key[:-1], -3 if isinstance(key[-1], int) else "absent")
            book = await load(store, *[(table, table.key_of(other)) for other in others], (table, key), (table, absent))
            assert [book.get(table, *table.key_of(other)) for other in others] == others
            assert book.get(table, *key) == changed
            assert book.get(table, *absent) is None


async def test_rows_of_every_table_are_written_and_loaded_in_one_batch(on_store: OnStore) -> None:
    async with on_store() as store:
        rows = [row for row, _ in ROWS.values()]
        await write(store, *rows)
        book = await load(store, *[(table, table.key_of(row)) for table, (row, _) in ROWS.items()])
        assert [book.get(table, *table.key_of(row)) for table, (row, _) in ROWS.items()] == rows
        # One of them is new, the others change.
        await write(store, *[changed for _, changed in ROWS.values()], StoreMetadata("another", "fact"))
        book = await load(store, *[(table, table.key_of(row)) for table, (row, _) in ROWS.items()])
        assert [book.get(table, *table.key_of(row)) for table, (row, _) in ROWS.items()] == [
            changed for _, changed in ROWS.values()
        ]


TEXTS = (
    "",
    " ",
    " padded ",
    "NULL",
    "null",
    "{}",
    '{"a",b}',
    "a,b",
    "(a)",
    "\\",
    "\\\\",
    "\\N",
    '"',
    '\\"',
    "'",
    "''",
    "; DROP TABLE units --",
    "%s",
    "%(name)s",
    "?",
    ":name",
    "$1",
    "%",
    "_",
    "!",
    "\n",
    "\r\n",
    "\t",
    "\x01\x1f\x7f",
    "🦊👩🏽‍🚀",
    "e\u0301",
    "\u00e9",
    "\u202e",
    "\ufeff",
    "\ufffd",
    "\U0010ffff",
    "单位",
    "x" * 10_000,
)


async def test_every_text_comes_back_as_it_was_written_also_in_a_key(on_store: OnStore) -> None:
    async with on_store() as store:
        facts = [StoreMetadata(text, text[::-1]) for text in TEXTS]
        users = [User(text, text, text, False, (text, TEXT), Instant(0)) for text in TEXTS]
        await write(store, *facts, *users)
        book = await load(store, *[(METADATA, (text,)) for text in TEXTS], *[(USERS, (text,)) for text in TEXTS])
        assert [book.get(METADATA, text) for text in TEXTS] == facts
        assert [book.get(USERS, text) for text in TEXTS] == users
        for text in TEXTS:
            assert await get(store, METADATA, text) == StoreMetadata(text, text[::-1])
            assert store.ask(lambda ask, text=text: ask.fact(text)) == text[::-1]  # type: ignore[misc]
        # And once more where it is an update.
        changed = [StoreMetadata(text, f"{text}{text}") for text in TEXTS]
        await write(store, *changed)
        book = await load(store, *[(METADATA, (text,)) for text in TEXTS])
        assert [book.get(METADATA, text) for text in TEXTS] == changed


async def test_numbers_of_64_bits_come_back_exactly(on_store: OnStore) -> None:
    async with on_store() as store:
        for number in (LOW, LOW + 1, -1, 0, 1, 2**31, 2**53 + 1, HIGH - 1, HIGH):
            rows = [
                Account("acc-1", "one", "UTC", Micro(number), Instant(0)),
                Offering("bj", "gpu-1", 1, Micro(number), Micro(number), number, number),
                unit("unit-1", started_at=number, ended_at=number, charged=number, metered_minutes=number),
            ]
            await write(store, *rows)
            for row in rows:
                table = TABLE_OF[type(row)]
                assert await get(store, table, *table.key_of(row)) == row
            assert store.ask(lambda ask: ask.unit("unit-1")) == rows[2]
            assert store.ask(lambda ask: ask.account("acc-1")) == rows[0]


async def test_the_greatest_amounts_come_back_exactly_from_orders_and_postings(on_store: OnStore) -> None:
    greatest = Micro(MICRO_MAX - 1)
    orders = [order("order-1", amount=greatest, count=HIGH, months=2**31 - 1, created_at=Instant(LOW))]
    postings = [
        posting(1, at=Instant(LOW)),
        posting(
            greatest,
            at=Instant(HIGH),
            order_id=TEXT,
            unit_id=TEXT,
            minutes=2**31 - 1,
            count=HIGH,
            price=Micro(HIGH),
            since=Instant(LOW),
            until=Instant(HIGH),
        ),
    ]

    async with on_store() as store:
        await Batch(orders=orders, postings=postings).commit_to(store)
        assert rows_of(store.ask(lambda ask: ask.orders(OURS, after=None, limit=10))) == orders
        assert rows_of(store.ask(lambda ask: ask.postings(OURS, after=None, limit=10))) == postings[::-1]


# Shelves


async def test_a_shelf_holds_every_offering_of_its_type_in_catalogue_order(on_store: OnStore) -> None:
    async with on_store() as store:
        rows = [
            offering("bj", "gpu-1", 3),
            offering("bd", "gpu-1", 1),
            offering("gz", "gpu-1", 2),
            offering("bj", "gpu-2", 0),
            offering("bj", "gpu-10", 9),
        ]
        await write(store, *rows)
        # One of the shelf is needed by itself too, and one that is on no shelf.
        book = await load(
            store,
            OfferingsOfType("gpu-1"),
            (OFFERINGS, ("bd", "gpu-1")),
            (OFFERINGS, ("bj", "gpu-10")),
            (OFFERINGS, ("bj", "none")),
            OfferingsOfType("tpu"),
        )
        assert book.offering_keys("gpu-1") == [("bd", "gpu-1"), ("gz", "gpu-1"), ("bj", "gpu-1")]
        assert Draft(book).offerings_of("gpu-1") == [rows[1], rows[2], rows[0]]
        assert book.offering_keys("tpu") == []
        assert book.get(OFFERINGS, "bj", "gpu-10") == rows[4]
        assert book.get(OFFERINGS, "bj", "none") is None
        assert not book.has(OFFERINGS, ("bj", "gpu-2"))


async def test_two_shelves_are_loaded_together(on_store: OnStore) -> None:
    async with on_store() as store:
        rows = [offering("bj", "gpu-1", 1), offering("bd", "gpu-2", 2), offering("bd", "gpu-1", 3)]
        await write(store, *rows)
        book = await load(store, OfferingsOfType("gpu-1"), OfferingsOfType("gpu-2"))
        assert Draft(book).offerings_of("gpu-1") == [rows[0], rows[2]]
        assert Draft(book).offerings_of("gpu-2") == [rows[1]]


async def test_the_catalogue_is_in_its_order(on_store: OnStore) -> None:
    async with on_store() as store:
        rows = [offering("bj", "b", 2), offering("bj", "a", 2), offering("bd", "z", 2), offering("zz", "z", 1)]
        await write(store, *rows)
        assert store.ask(lambda ask: ask.offerings()) == [rows[3], rows[2], rows[1], rows[0]]


async def test_a_price_list_is_found_by_region_and_type(on_store: OnStore) -> None:
    async with on_store() as store:
        prices = PriceList("bj", "gpu-1", ()).with_change(Instant(LOW), Micro(3)).with_change(Instant(7), None)
        await write(store, prices, PriceList("bj", "gpu-2", ()))
        assert store.ask(lambda ask: ask.price_list("bj", "gpu-1")) == prices
        assert store.ask(lambda ask: ask.price_list("bd", "gpu-1")) is None
        assert await get(store, PRICES, "bj", "gpu-1") == prices


# Batches: all or nothing, and visible when they are committed


def whole_batch() -> Batch:
    rows = [row for row, _ in ROWS.values()]
    rows.append(unit("unit-2", release_at=Instant(50)))
    return Batch(rows, [order("order-1")], [posting(1)])


def next_due(ask: ReadRepository) -> Instant | None:
    return next((due.at for due in ask.due(Instant(HIGH), 1)), None)


def nothing_is_there(store: OpenStore) -> bool:
    return store.ask(
        lambda ask: (
            ask.fact("a fact") is None
            and ask.unit("unit-1") is None
            and ask.service("svco-1") is None
            and ask.account("acc-1") is None
            and ask.user("user-1") is None
            and ask.identity("key-1") is None
            and ask.units(UnitFilter(account_id="acc-1", service_id="svco-2")) == []
            and ask.package("pkg-1") is None
            and ask.calls("acc-1", Instant(LOW), Instant(HIGH), services=None, apps=None) == []
            and ask.accounts() == []
            and ask.offerings() == []
            and ask.price_list("bj", "gpu-1") is None
            and ask.orders(OURS, after=None, limit=9) == []
            and ask.postings(OURS, after=None, limit=9) == []
            and ask.due(Instant(HIGH), 9) == []
        )
    )


async def test_a_batch_that_is_rolled_back_leaves_nothing(on_store: OnStore) -> None:
    for _again in range(2):
        async with on_store() as store:
            transaction = await store.begin()
            await whole_batch().save(transaction)
            await transaction.rollback()
            assert nothing_is_there(store)
            for table, (row, _) in ROWS.items():
                assert await get(store, table, *table.key_of(row)) is None


async def test_a_batch_is_seen_once_it_is_committed_and_not_before(on_store: OnStore) -> None:
    async with on_store() as store:
        transaction = await store.begin()
        await whole_batch().save(transaction)
        assert nothing_is_there(store)
        assert await store.read(lambda ask: ask.fact("a fact")) is None
        await transaction.commit()
        assert store.ask(lambda ask: ask.fact("a fact")) == ""
        assert await store.read(next_due) == Instant(50)
        assert len(store.ask(lambda ask: ask.orders(OURS, after=None, limit=9))) == 1
        assert len(store.ask(lambda ask: ask.postings(OURS, after=None, limit=9))) == 1
    async with on_store() as store:
        assert store.ask(lambda ask: ask.unit("unit-2")) == unit("unit-2", release_at=Instant(50))


async def test_an_old_value_is_seen_until_the_new_one_is_committed(on_store: OnStore) -> None:
    async with on_store() as store:
        await write(store, StoreMetadata("a", "old"), unit("unit-1", release_at=Instant(50)))
        transaction = await store.begin()
        await Batch([StoreMetadata("a", "new"), unit("unit-1", release_at=Instant(40))]).save(transaction)
        assert store.ask(lambda ask: (ask.fact("a"), next_due(ask))) == ("old", 50)
        await transaction.commit()
        assert store.ask(lambda ask: (ask.fact("a"), next_due(ask))) == ("new", 40)


async def test_a_batch_that_fails_leaves_nothing_and_the_next_one_succeeds(on_store: OnStore) -> None:
    async with on_store() as store:
        await write(store, unit("unit-1"))
        transaction = await store.begin()
        # A mistake: it was never looked whether the row exists.
        book = Book()
        book.load(INSTANCES, ("unit-1",), None)
        book.load(METADATA, ("a fact",), None)
        draft = Draft(book)
        draft.put(METADATA, StoreMetadata("a fact", "of the batch"))
        draft.put(INSTANCES, unit("unit-1", count=9))
        book.take(draft, Instant(0), None)
        with pytest.raises((Exception,), match=r"(?s)."):
            await transaction.save(book.changes())
        await transaction.rollback()
        assert store.ask(lambda ask: ask.fact("a fact")) is None
        await write(store, StoreMetadata("a fact", "of the next one"))
        assert store.ask(lambda ask: ask.fact("a fact")) == "of the next one"
        assert await get(store, INSTANCES, "unit-1") == unit("unit-1")


async def test_batches_follow_each_other_and_see_what_was_written(on_store: OnStore) -> None:
    async with on_store() as store:
        for value in range(20):
            before = await get(store, METADATA, "counter")
            assert before == (None if value == 0 else StoreMetadata("counter", str(value - 1)))
            await write(store, StoreMetadata("counter", str(value)))
        answers = await asyncio.gather(*(store.read(lambda ask: ask.fact("counter")) for _ in range(10)))
        assert answers == ["19"] * 10


async def test_the_time_of_a_store_is_where_its_virtual_clock_stands(on_store: OnStore) -> None:
    async with on_store() as store:
        await write(store, StoreMetadata(VIRTUAL_NOW, "1893456000000001"))
        transaction = await store.begin()
        # A store for one server keeps no time of its own.
        assert transaction.now() in (None, 1_893_456_000_000_001)
        await transaction.rollback()


async def test_the_identity_epoch_changes_with_every_key_and_user_and_with_nothing_else(on_store: OnStore) -> None:
    async def epoch(store: OpenStore) -> str | None:
        transaction = await store.begin()
        await transaction.rollback()
        return transaction.identity_epoch

    async with on_store() as store:
        seen = [await epoch(store)]
        for row in (*ROWS[USERS], *ROWS[ACCESS_KEYS], *ROWS[SERVICE_KEYS]):
            await write(store, row)
            seen.append(await epoch(store))
        # A store for one server needs none.
        assert len(set(seen)) in (1, 7)
        assert len(set(seen)) == 7 or seen[0] is None
        await write(store, unit("unit-1"), StoreMetadata("a", "b"))
        assert await epoch(store) == seen[-1]

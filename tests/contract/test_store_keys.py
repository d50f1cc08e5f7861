"""Access keys in every store: all of a user's, and when each was last used."""

from __future__ import annotations

import asyncio

import pytest

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import KeysOfUser, NotLoaded
from leasebook.domain.book.tables import ACCESS_KEYS, USERS
from leasebook.domain.model.account import AccessKey, Account, User
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import ZERO
from leasebook.store.opening import OpenStore
from tests.contract.batches import OnStore, write
from tests.contract.stores import KINDS, Opener

NOW = Instant(1_893_456_000_000_000)


def key(number: int, user: str = "user-1") -> AccessKey:
    return AccessKey(f"key-{number}", user, "acc-1", b"\x00", "Active", NOW)


async def founded(store: OpenStore) -> None:
    users = [User(name, "acc-1", name, False, (), NOW) for name in ("user-1", "user-2")]
    await write(store, Account("acc-1", "one", "UTC", ZERO, NOW), *users, key(1), key(2), key(3, "user-2"))


async def test_the_keys_of_a_user_are_loaded_and_those_of_others_are_not(on_store: OnStore) -> None:
    async with on_store() as store:
        await founded(store)
        transaction = await store.begin()
        book = Book()
        await transaction.load([(USERS, ("user-1",)), KeysOfUser("user-1"), KeysOfUser("nobody")], book)
        await transaction.rollback()
        assert book.key_ids("user-1") == ["key-1", "key-2"]
        assert book.key_ids("nobody") == []
        assert Draft(book).keys_of("user-1") == [key(1), key(2)]
        with pytest.raises(NotLoaded):
            book.key_ids("user-2")


def test_a_key_that_the_batch_makes_is_among_those_of_its_user() -> None:
    book = Book()
    book.load_keys("user-1", [key(1)])
    draft = Draft(book)
    draft.put(ACCESS_KEYS, key(2))
    draft.put(ACCESS_KEYS, key(3, "user-2"))
    book.take(draft, NOW, None)
    assert book.key_ids("user-1") == ["key-1", "key-2"]


async def test_when_a_key_was_last_used_only_grows_and_is_no_part_of_the_row(on_store: OnStore) -> None:
    async with on_store() as store:
        await founded(store)
        for uses in ([("key-1", 5), ("key-2", 7)], [("key-1", 4), ("key-2", 9), ("no-key", 1)]):
            transaction = await store.begin()
            await transaction.note_uses([(name, Instant(at)) for name, at in uses])
            await transaction.commit()
        assert await store.read(lambda ask: ask.key_uses("acc-1")) == {"key-1": 5, "key-2": 9}
        assert await store.read(lambda ask: ask.key_uses("acc-2")) == {}
        found = await store.read(lambda ask: ask.identity("key-1"))
        assert found is not None
        assert found[0] == key(1)
        # A use that is rolled back is not written.
        transaction = await store.begin()
        await transaction.note_uses([("key-3", Instant(1))])
        await transaction.rollback()
        assert "key-3" not in await store.read(lambda ask: ask.key_uses("acc-1"))


async def test_nobody_waits_to_write_when_a_key_was_last_used() -> None:
    async def scene(ours: OpenStore, others: OpenStore) -> None:
        await founded(ours)
        holding, noting = await others.begin(), await ours.begin()
        await holding.load([(ACCESS_KEYS, ("key-1",))], Book())
        async with asyncio.timeout(5):
            await noting.note_uses([("key-1", Instant(1)), ("key-2", Instant(2))])
            await noting.commit()
        await holding.rollback()
        assert await ours.read(lambda ask: ask.key_uses("acc-1")) == {"key-2": 2}

    async def whole(opener: Opener) -> None:
        ours, others = opener(), opener()
        try:
            await scene(ours, others)
        finally:
            await ours.close()
            await others.close()

    with KINDS["postgres"]() as opener:
        await whole(opener)

"""A batch is decided as of a moment at which it has its rows, wherever several servers share a store."""

from __future__ import annotations

from leasebook.domain.book.book import Book
from leasebook.domain.book.tables import INSTANCES, OFFERINGS
from leasebook.domain.commands.store.clock import VIRTUAL_NOW
from leasebook.domain.model.metadata import StoreMetadata
from tests.contract.batches import OnStore, write


async def test_the_time_of_a_batch_is_that_at_which_it_has_its_rows(on_store: OnStore) -> None:
    async with on_store() as store:
        transaction = await store.begin()
        times = [transaction.now()]
        for need in ((INSTANCES, ("unit-1",)), (OFFERINGS, ("bj", "gpu-1"))):
            await transaction.load([need], Book())
            times.append(transaction.now())
        await transaction.rollback()
        # Where one server is alone its own clock counts, and it waits for no other.
        assert times == [None] * 3 or (None not in times and times == sorted(set(times)))  # type: ignore[type-var]


async def test_under_a_virtual_clock_it_stands_still(on_store: OnStore) -> None:
    async with on_store() as store:
        await write(store, StoreMetadata(VIRTUAL_NOW, "1900000000000000"))
        transaction = await store.begin()
        before = transaction.now()
        await transaction.load([(INSTANCES, ("unit-1",))], Book())
        assert transaction.now() == before
        assert before in (None, 1900000000000000)
        await transaction.rollback()

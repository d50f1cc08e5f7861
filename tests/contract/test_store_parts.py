"""A batch that is written in parts is one batch: all of it is there, or nothing."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec
import pytest

from leasebook.batch import BatchLimits, Duplicate, Sequencer, Transaction
from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNTS, INSTANCES, METADATA, Table
from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.commands.command import Command
from leasebook.domain.model.account import Account
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.record.ledger import Order
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from leasebook.ports.clock import VirtualClock
from leasebook.ports.queries.read_repository import HistoryFilter, UnitFilter
from leasebook.store.opening import OpenStore
from tests.contract.batches import OnStore, get, rows_of, write
from tests.contract.rows import order, unit
from tests.life.lives import ACCOUNT, opening
from tests.life.test_moving import START, ZONE
from tests.simulation.office import StoreHarness
from tests.simulation.test_histories import NoMetrics

EVERYTHING = UnitFilter(account_id="acc-1")
OWNER = Account("acc-1", "Ours", "UTC", Micro(0), Instant(0))


async def saved(transaction: Transaction, book: Book) -> None:
    """Save a part, and the rest."""
    transaction.save_part(book.part())
    await transaction.save(book.changes())


def changed(book: Book, *rows: tuple[Table[Any], Any], orders: tuple[Order, ...] = ()) -> None:
    """Have a command leave these rows."""
    draft = Draft(book)
    for table, row in rows:
        draft.put(table, row)
    draft.orders += orders
    book.take(draft, Instant(0), None)


async def opened(transaction: Transaction) -> Book:
    book = Book()
    await transaction.load([(INSTANCES, ("unit-1",)), (INSTANCES, ("unit-2",)), (METADATA, ("a",))], book)
    return book


Seen = tuple[list[Any], list[Instant], list[str], str | None]


def seen(store: OpenStore) -> Seen:
    """The committed rows: instances, times of due work, orders (the last first), and a fact."""
    return store.ask(
        lambda ask: (
            rows_of(ask.units(EVERYTHING)),
            [due.at for due in ask.due(Instant(1000), 10)],
            [found.row.id for found in ask.orders(HistoryFilter(account_id="acc-1"), after=None, limit=10)],
            ask.fact("a"),
        )
    )


NOTHING: Seen = ([], [], [], None)


async def test_parts_and_the_rest_are_there_together_and_each_row_as_it_was_left_last(on_store: OnStore) -> None:
    async with on_store() as store:
        await write(store, OWNER)
        transaction = await store.begin()
        book = await opened(transaction)
        changed(book, (INSTANCES, unit("unit-1", release_at=Instant(50))), orders=(order("order-1"),))
        transaction.save_part(book.part())
        changed(book, (METADATA, StoreMetadata("a", "first")), (INSTANCES, unit("unit-1", release_at=Instant(40))))
        changed(book, (INSTANCES, unit("unit-2", release_at=Instant(60))), orders=(order("order-2"),))
        transaction.save_part(book.part())
        transaction.save_part(book.part())
        last = unit("unit-1", release_at=Instant(30), count=7)
        changed(book, (METADATA, StoreMetadata("a", "last")), (INSTANCES, last), orders=(order("order-3"),))
        rest = book.changes()
        assert rest.updated == {INSTANCES: [last]}
        assert rest.inserted == {METADATA: [StoreMetadata("a", "last")]}
        await transaction.save(rest)
        assert seen(store) == NOTHING
        await transaction.commit()
        units = [last, unit("unit-2", release_at=Instant(60))]
        assert seen(store) == (units, [30, 60], ["order-3", "order-2", "order-1"], "last")


async def test_a_new_account_is_in_the_part_that_has_its_orders(on_store: OnStore) -> None:
    async with on_store() as store:
        transaction = await store.begin()
        book = await opened(transaction)
        await transaction.load([(ACCOUNTS, ("acc-1",))], book)
        changed(book, (ACCOUNTS, OWNER), (INSTANCES, unit("unit-1")), orders=(order("order-1"),))
        transaction.save_part(book.part())
        later = msgspec.structs.replace(OWNER, balance=Micro(5))
        changed(book, (ACCOUNTS, later))
        await transaction.save(book.changes())
        await transaction.commit()
        assert store.ask(lambda ask: ask.account("acc-1")) == later
        assert seen(store)[2] == ["order-1"]


@pytest.mark.parametrize("what", ["the rest, too", "a part only"])
async def test_of_a_batch_that_is_taken_back_no_part_is_left(on_store: OnStore, what: str) -> None:
    async with on_store() as store:
        await write(store, OWNER)
        transaction = await store.begin()
        book = await opened(transaction)
        changed(book, (INSTANCES, unit("unit-1", release_at=Instant(50))), orders=(order("order-1"),))
        transaction.save_part(book.part())
        if what == "the rest, too":
            await transaction.save(book.changes())
        await transaction.rollback()
        assert seen(store) == NOTHING
        await write(store, unit("unit-1"))
        assert await get(store, INSTANCES, "unit-1") == unit("unit-1")


@pytest.mark.parametrize("found", ["with the rest", "by whoever takes it back"])
async def test_a_part_that_fails_takes_the_batch_with_it_and_the_next_one_succeeds(
    on_store: OnStore, found: str
) -> None:
    async with on_store() as store:
        await write(store, unit("unit-1"))
        transaction = await store.begin()
        book = await opened(transaction)
        book.load(INSTANCES, ("unit-1",), None)  # a mistake: it exists
        changed(book, (INSTANCES, unit("unit-1", count=9)), (METADATA, StoreMetadata("a", "of the batch")))
        if found == "with the rest":
            with pytest.raises((Exception,), match=r"(?s)."):
                await saved(transaction, book)
        else:
            # A store that writes at once says so at once.
            with contextlib.suppress(Exception):
                transaction.save_part(book.part())
        await transaction.rollback()
        assert seen(store) == ([unit("unit-1")], [], [], None)
        await write(store, StoreMetadata("a", "of the next one"))
        assert store.ask(lambda ask: ask.fact("a")) == "of the next one"


async def test_the_commit_says_that_a_part_failed_and_nothing_was_done(on_store: OnStore) -> None:
    async with on_store() as store:
        await write(store, unit("unit-1"))
        transaction = await store.begin()
        book = await opened(transaction)
        book.load(INSTANCES, ("unit-1",), None)  # another server has taken the id meanwhile
        changed(book, (INSTANCES, unit("unit-1", count=9)), (METADATA, StoreMetadata("a", "of the batch")))
        with pytest.raises((Duplicate, AssertionError)):  # the store in memory takes it for a mistake of the test
            await _sent_and_committed(transaction, book)
        await transaction.rollback()
        assert seen(store) == ([unit("unit-1")], [], [], None)
        await write(store, StoreMetadata("a", "of the next one"))
        assert store.ask(lambda ask: ask.fact("a")) == "of the next one"


async def _sent_and_committed(transaction: Transaction, book: Book) -> None:
    """Write as the batch of a lone caller does: a store that writes at once raises its errors at once."""
    transaction.save_part(book.changes())
    await transaction.commit(is_idle=True)


class FaultyCommand(Command, frozen=True, kw_only=True):
    """A mistake of ours, which no rule refuses."""

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> None:  # noqa: ARG002 - it does not get that far
        """Fail, after something was put down."""
        draft.put(METADATA, StoreMetadata("a", "broken"))
        raise ZeroDivisionError


@pytest.mark.slow
async def test_a_command_that_breaks_after_a_part_was_sent_spoils_only_itself(on_store: OnStore) -> None:
    async with on_store() as store:
        await StoreHarness(store, Rules(), InstantEngine()).say(opening(ZONE, START), START)
        limits = BatchLimits(part_size=1)
        clock = VirtualClock(START)
        sequencer = Sequencer(store, clock, Rules(), engine=InstantEngine(), limits=limits, meter=NoMetrics())
        payment = TopUp(account_id=ACCOUNT, amount=Micro(5))
        before = store.ask(lambda ask: ask.account(ACCOUNT))
        calls = [asyncio.create_task(sequencer.submit(one)) for one in (payment, payment, FaultyCommand(), payment)]
        await asyncio.sleep(0)
        sequencer.start()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        await sequencer.close()
        assert [isinstance(outcome, ZeroDivisionError) for outcome in outcomes] == [False, False, True, False]
        after = store.ask(lambda ask: ask.account(ACCOUNT))
        assert before is not None
        assert after is not None
        assert after.balance == before.balance + 15
        assert store.ask(lambda ask: ask.fact("a")) is None

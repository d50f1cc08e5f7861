"""Rows that another session has locked: every store names them, and none waits long for them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from leasebook.batch import Blocked
from leasebook.domain.book.book import Book
from leasebook.domain.book.loads import Needed, OfferingsOfType, SuspendedInstances, UsageTotals
from leasebook.domain.book.tables import ACCOUNTS, INSTANCES, OFFERINGS
from leasebook.domain.model.account import Account
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.store.opening import OpenStore
from leasebook.store.postgres.store import PostgresStore
from leasebook.store.postgres.transaction import LOCKED_AFTER_MS
from tests.contract.batches import OnStore, load, write
from tests.contract.conftest import on_store
from tests.contract.rows import offering, unit
from tests.contract.stores import postgres

__all__ = ["on_store"]

NEEDS: Sequence[Needed] = (
    (ACCOUNTS, ("acc-1",)),
    (ACCOUNTS, ("acc-2",)),
    (ACCOUNTS, ("nobody",)),
    (INSTANCES, ("unit-1",)),
    (OFFERINGS, ("bj", "gpu-1")),
    OfferingsOfType("gpu-1"),
    OfferingsOfType("cpu"),
    SuspendedInstances("acc-1"),
    SuspendedInstances(unit_id="unit-1"),
    UsageTotals("acc-1", Instant(0)),
)


def account(account_id: str) -> Account:
    return Account(account_id, account_id, "UTC", Micro(0), Instant(1))


async def fill(store: OpenStore) -> None:
    stopped = unit("unit-2", status="Stopped")
    rows: list[Any] = [account("acc-1"), account("acc-2"), unit("unit-1"), stopped]
    await write(store, *rows, offering("bj", "gpu-1", 0), offering("bd", "gpu-1", 1), offering("bj", "cpu", 0))


async def test_no_row_is_locked_where_no_other_session_works(on_store: OnStore) -> None:
    async with on_store() as store:
        await fill(store)
        for wait in (False, True):
            assert await store.locked(NEEDS, wait=wait) == frozenset()
        assert await store.locked(()) == frozenset()


@contextmanager
def outside(store: PostgresStore, *statements: str) -> Iterator[None]:
    """Hold rows in a session that is none of ours."""
    with psycopg.connect(store._hosts.address, application_name="psql") as session:
        for text in statements:
            session.execute(text.encode())
        yield
        session.rollback()


HOLDS = {
    "an account": (
        "SELECT 1 FROM accounts WHERE id = 'acc-1' FOR UPDATE",
        {NEEDS[0]},
    ),
    "an account, shared": (
        "SELECT 1 FROM accounts WHERE id = 'acc-2' FOR SHARE",
        {NEEDS[1]},
    ),
    "an offering": (
        "SELECT 1 FROM offerings WHERE region = 'bj' AND type = 'gpu-1' FOR UPDATE",
        {NEEDS[4], NEEDS[5]},
    ),
    "an offering that only the shelf needs": (
        "SELECT 1 FROM offerings WHERE region = 'bd' FOR UPDATE",
        {NEEDS[5]},
    ),
    "an instance that stands still": (
        "SELECT 1 FROM units WHERE id = 'unit-2' FOR UPDATE",
        {NEEDS[7], NEEDS[8]},
    ),
    "a whole table": ("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE", set(NEEDS[:3])),
}


@pytest.mark.parametrize("what", list(HOLDS))
async def test_postgresql_says_which_needs_another_session_holds_rows_of(what: str) -> None:
    text, expected = HOLDS[what]
    with postgres() as opener:

        async def whole() -> None:
            store = opener()
            assert isinstance(store, PostgresStore)
            try:
                await fill(store)
                with outside(store, text):
                    assert await store.locked(NEEDS) == expected
                    assert await store.locked(NEEDS, wait=True) == expected
                assert await store.locked(NEEDS) == frozenset()
            finally:
                await store.close()

        await whole()


async def test_a_batch_waits_half_a_second_for_a_row_and_then_says_that_it_is_blocked() -> None:
    with postgres() as opener:

        async def whole() -> None:
            store = opener()
            assert isinstance(store, PostgresStore)
            try:
                await fill(store)
                with outside(store, HOLDS["an account"][0]):
                    transaction = await store.begin()
                    began = time.monotonic()
                    with pytest.raises(Blocked):
                        await transaction.load([NEEDS[0]], Book())
                    took = time.monotonic() - began
                    await transaction.rollback()
                    assert LOCKED_AFTER_MS / 1000 <= took < 8 * LOCKED_AFTER_MS / 1000
                    found = await load(store, NEEDS[1])
                    assert found.get(ACCOUNTS, "acc-2") is not None
                assert (await load(store, NEEDS[0])).get(ACCOUNTS, "acc-1") is not None
            finally:
                await store.close()

        await whole()

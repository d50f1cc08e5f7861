"""A session that is ended after its COMMIT, before the last answer: what is committed is not done again."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from leasehold.domain.book import UNITS
from leasehold.sequencer import Conflict
from leasehold.store.postgres import PostgresStore
from tests.contract.batches import Batch, get, write
from tests.contract.rows import unit
from tests.postgres import shared_server


def _ended() -> None:
    raise psycopg.errors.AdminShutdown("terminating connection due to administrator command")


@pytest.mark.parametrize("unit_id", ["unit-new", "unit-old"])
def test_a_batch_that_the_database_has_is_not_said_to_be_lost(unit_id: str) -> None:
    async def scene(url: str) -> None:
        store = PostgresStore(url)
        await write(store, unit("unit-old"))
        transaction = await store.begin()
        # It is the last thing that happens, when the answer to the COMMIT was read.
        transaction._sending.callback(_ended)
        await Batch([unit(unit_id, count=9)]).save(transaction)
        await transaction.commit()
        assert (await get(store, UNITS, unit_id)).count == 9
        await store.close()

    with shared_server().database(migrated=True) as url:
        asyncio.run(scene(url))


def test_a_batch_that_the_database_took_back_is_said_to_be_lost() -> None:
    async def scene(url: str) -> None:
        store = PostgresStore(url)
        transaction = await store.begin()
        await Batch([unit("unit-1")]).save(transaction)
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'leasehold'"
            )
        with pytest.raises(Conflict):
            await transaction.commit()
        await transaction.rollback()
        assert await get(store, UNITS, "unit-1") is None
        await store.close()

    with shared_server().database(migrated=True) as url:
        asyncio.run(scene(url))

"""A client token that another server answers while this one waits for the same rows."""

from __future__ import annotations

import asyncio

from leasebook.domain.book.book import Book
from leasebook.domain.book.loads import Needed
from leasebook.domain.book.tables import ACCOUNTS, IDEMPOTENCY_RECORDS
from leasebook.domain.model.idempotency import IdempotencyRecord
from leasebook.domain.values.calendar import Instant
from leasebook.store.postgres.store import PostgresStore
from tests.contract.batches import Batch, write
from tests.contract.rows import ROWS
from tests.postgres import shared_server

TOKEN = IdempotencyRecord("acc-1", "token-1", "digest", False, b"{}", Instant(1))


async def test_a_token_that_is_answered_while_a_batch_waits_for_its_rows_is_seen() -> None:
    """A refusal that no token keeps, such as for a time that passed meanwhile, must not be given for what was done."""

    async def scene(url: str) -> None:
        first, second = PostgresStore(url), PostgresStore(url)
        account, changed = ROWS[ACCOUNTS]
        await write(first, account)
        begun = await first.begin()
        await Batch([changed, TOKEN]).save(begun)
        waiting, book = await second.begin(), Book()
        needs: list[Needed] = [(IDEMPOTENCY_RECORDS, ("acc-1", "token-1")), (ACCOUNTS, ("acc-1",))]
        loading = asyncio.create_task(waiting.load(needs, book))
        done, _ = await asyncio.wait({loading}, timeout=0.3)
        assert not done, "the second batch does not wait for the first"
        await begun.commit()
        await loading
        assert book.get(ACCOUNTS, "acc-1") == changed
        assert book.get(IDEMPOTENCY_RECORDS, "acc-1", "token-1") == TOKEN
        await waiting.rollback()
        for store in (first, second):
            await store.close()

    with shared_server().database(migrated=True) as url:
        await scene(url)

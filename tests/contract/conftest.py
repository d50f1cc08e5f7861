"""The stores that the contract is tested on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from leasebook.store.opening import OpenStore
from tests.contract.batches import OnStore
from tests.contract.stores import KINDS
from tests.log_stores import plain_log


@pytest.fixture(scope="module", autouse=True)
def _plain_log() -> Iterator[None]:
    with plain_log():
        yield


@pytest.fixture(params=list(KINDS))
def on_store(request: pytest.FixtureRequest) -> Iterator[OnStore]:
    """Opens a store that is empty at first, as often as asked, and closes it after each time."""
    with KINDS[request.param]() as opener:

        @asynccontextmanager
        async def opened() -> AsyncIterator[OpenStore]:
            store = opener()
            try:
                yield store
            finally:
                await store.close()

        yield opened

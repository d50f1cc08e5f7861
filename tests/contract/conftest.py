"""The stores that the contract is tested on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from leasebook.store.opening import OpenStore
from tests.contract.stores import KINDS

Scene = Callable[[OpenStore], Awaitable[None]]
OnStore = Callable[[Scene], None]


@pytest.fixture(params=list(KINDS))
def on_store(request: pytest.FixtureRequest) -> Iterator[OnStore]:
    """Plays scenes on a store that is empty at first. It is opened for each scene and closed after it."""
    with KINDS[request.param]() as opener:

        async def whole(scene: Scene) -> None:
            store = opener()
            try:
                await scene(store)
            finally:
                await store.close()

        yield lambda scene: asyncio.run(whole(scene))

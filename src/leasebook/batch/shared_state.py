"""The state that all servers on a store must agree on, read with one query for all that ask."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from leasebook.domain.commands.store.clock import VIRTUAL_NOW
from leasebook.ports.queries.read_repository import IDENTITY_EPOCH, Reader, ReadRepository


class Standing(NamedTuple):
    """State that another server may change at any moment."""

    identity_epoch: str | None
    """Changes with every change of a key or a user; None where only one server uses the store."""
    virtual_now: str | None
    """The virtual clock's time in microseconds since the epoch, UTC; None where the clock is real."""


class SharedState:
    """Coalesces reads of the shared state, and never returns a stale one.

    A request that arrives during a read waits for the next read, so that its answer was read after it asked.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._waiting: list[asyncio.Future[Standing]] = []
        self._asking: asyncio.Task[None] | None = None

    async def now(self) -> Standing:
        """Return the present state; raises Unavailable where the store does not answer."""
        future: asyncio.Future[Standing] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="facts")
        return await future

    async def _ask(self) -> None:
        while self._waiting:
            asked, self._waiting = self._waiting, []
            try:
                standing = await self._reader.read(_standing)
            except Exception as error:  # noqa: BLE001 - each request that waits gets it
                for future in asked:
                    if not future.done():
                        future.set_exception(error)
            else:
                for future in asked:
                    if not future.done():
                        future.set_result(standing)


def _standing(ask: ReadRepository) -> Standing:
    return Standing(ask.fact(IDENTITY_EPOCH), ask.fact(VIRTUAL_NOW))

"""What a shared store says of itself, asked for by everybody at once."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from leasebook.domain.commands.store.clock import VIRTUAL_NOW
from leasebook.ports.queries.read_repository import IDENTITY_EPOCH, Reader, ReadRepository


class Standing(NamedTuple):
    """What other servers may have changed at any moment."""

    identity_epoch: str | None
    """Another one with every change of a key or a user; None where one server has the store to itself."""
    virtual_now: str | None
    """Where a virtual clock stands, in microseconds since the epoch, UTC; None where the clock is real."""


class SharedState:
    """Asks the store how things stand, one question for all who want to know.

    An answer was read after it was asked for: whoever comes while a question is on its way waits for the next one.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._waiting: list[asyncio.Future[Standing]] = []
        self._asking: asyncio.Task[None] | None = None

    async def now(self) -> Standing:
        """Return how things stand now; raises Unavailable where the store does not answer."""
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
            except Exception as error:  # noqa: BLE001 - it is for those who asked
                for future in asked:
                    if not future.done():
                        future.set_exception(error)
            else:
                for future in asked:
                    if not future.done():
                        future.set_result(standing)


def _standing(ask: ReadRepository) -> Standing:
    return Standing(ask.fact(IDENTITY_EPOCH), ask.fact(VIRTUAL_NOW))

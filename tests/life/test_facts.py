"""How things stand in a shared store: one question for all who ask, and never an answer from before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from leasebook.batch import Unavailable
from leasebook.batch.shared_state import SharedState, Standing
from leasebook.domain.commands.store.clock import VIRTUAL_NOW
from leasebook.ports.queries.read_repository import IDENTITY_EPOCH, Reader, ReadRepository


class Shelf:
    """A store's facts, each of whose readings can be held up after it was made."""

    def __init__(self) -> None:
        self.facts = {IDENTITY_EPOCH: "1"}
        self.readings = 0
        self.released = asyncio.Event()
        self.error: Exception | None = None

    def fact(self, name: str) -> str | None:
        return self.facts.get(name)

    async def read(
        self,
        question: Callable[[ReadRepository], Any],
        *,
        long: bool = False,
        party: str | None = None,  # noqa: ARG002 - all alike
    ) -> Any:
        assert not long
        self.readings += 1
        found = question(cast("ReadRepository", self))
        await self.released.wait()
        if self.error is not None:
            raise self.error
        return found


def scene() -> tuple[Shelf, SharedState]:
    shelf = Shelf()
    return shelf, SharedState(cast("Reader", shelf))


async def asked(facts: SharedState, times: int) -> list[asyncio.Task[Standing]]:
    tasks = [asyncio.create_task(facts.now()) for _ in range(times)]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_all_who_come_meanwhile_share_the_next_question() -> None:
    shelf, facts = scene()
    shelf.facts[VIRTUAL_NOW] = "7"
    first = await asked(facts, 1)
    crowd = await asked(facts, 50)
    shelf.released.set()
    assert set(await asyncio.gather(*first, *crowd)) == {Standing("1", "7")}
    assert shelf.readings == 2
    assert (await facts.now()).identity_epoch == "1"
    assert shelf.readings == 3, "nothing is remembered"


async def test_no_caller_gets_a_value_that_was_read_before_the_question() -> None:
    shelf, facts = scene()
    early = await asked(facts, 1)
    shelf.facts[IDENTITY_EPOCH] = "2"
    late = await asked(facts, 3)
    shelf.released.set()
    assert [task.identity_epoch for task in await asyncio.gather(*early)] == ["1"]
    assert [task.identity_epoch for task in await asyncio.gather(*late)] == ["2"] * 3


async def test_who_has_gone_is_not_waited_for_and_a_store_that_is_away_is_everybodys_trouble() -> None:
    shelf, facts = scene()
    gone, *left = await asked(facts, 4)
    gone.cancel()
    await asyncio.sleep(0)
    shelf.error = Unavailable("the database does not answer")
    shelf.released.set()
    for task in left:
        with pytest.raises(Unavailable):
            await task
    assert gone.cancelled()
    shelf.error = None
    assert (await facts.now()).identity_epoch == "1"

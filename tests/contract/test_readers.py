"""The readers: questions of one account do not keep those of another, nor the service's own, waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.store.queries.read_repository import Queries
from leasebook.store.queries.readers import Connection, Readers

PATIENCE_S = 10.0


class Nothing:
    """A connection that holds nothing."""

    def close(self) -> None:
        """Nothing to close."""


class SlowReader:
    """Questions that take until the test ends them, and the names of their askers in order."""

    def __init__(self, readers: int) -> None:
        self.readers = Readers(lambda: (cast("Connection", Nothing()), cast("Queries", None)), readers)
        self.begun: list[str] = []
        self._end = threading.Event()

    def ask(self, who: str, *, long: bool, waits: bool) -> asyncio.Task[str]:
        """Ask in the name ``who``."""

        def question(_: ReadRepository) -> str:
            self.begun.append(who)
            if waits:
                assert self._end.wait(PATIENCE_S)
            return who

        return asyncio.create_task(self.readers.read(question, long=long, party=who))

    def end(self) -> None:
        """Let all that were asked be answered."""
        self._end.set()


def play(readers: int, act: Callable[[SlowReader], Any]) -> None:
    async def whole() -> None:
        slow = SlowReader(readers)
        try:
            await asyncio.wait_for(act(slow), PATIENCE_S)
        finally:
            slow.end()
        slow.readers.close()

    asyncio.run(whole())


@pytest.mark.parametrize(("readers", "long"), [(4, False), (1, True), (4, True)])
def test_an_account_with_many_slow_questions_keeps_no_other_waiting(readers: int, *, long: bool) -> None:
    async def act(slow: SlowReader) -> None:
        mine = [slow.ask("a", long=long, waits=True) for _ in range(20)]
        await asyncio.sleep(0)
        assert await slow.ask("b", long=long, waits=False) == "b"
        assert await slow.ask("b", long=long, waits=False) == "b"
        assert not any(task.done() for task in mine)
        slow.end()
        assert await asyncio.gather(*mine) == ["a"] * 20

    play(readers, act)


def test_with_one_reader_accounts_take_turns() -> None:
    async def act(slow: SlowReader) -> None:
        asked = [slow.ask("a", long=False, waits=True)]
        await asyncio.sleep(0)
        asked += [slow.ask("a", long=False, waits=False) for _ in range(3)]
        asked += [slow.ask("b", long=False, waits=False) for _ in range(3)]
        await asyncio.sleep(0)
        slow.end()
        await asyncio.gather(*asked)
        assert slow.begun == ["a", "a", "b", "a", "b", "a", "b"]

    play(1, act)


def test_an_error_reaches_the_reader_that_asked_and_the_next_is_answered() -> None:
    async def act(slow: SlowReader) -> None:
        def broken(_: ReadRepository) -> str:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await slow.readers.read(broken, party="a")
        assert await slow.ask("a", long=False, waits=False) == "a"
        gone = slow.ask("a", long=False, waits=True)
        await asyncio.sleep(0)
        gone.cancel()
        slow.end()
        assert await slow.ask("a", long=False, waits=False) == "a"

    play(1, act)

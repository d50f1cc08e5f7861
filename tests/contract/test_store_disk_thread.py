"""The thread that waits for the disk: results, errors, and a loop that goes on where the disk does not answer."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from leasebook.store.sqlite.disk import DiskThread

LONG_S = 20.0
WAYS = ("at_once", "off_loop")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def thread() -> Iterator[DiskThread]:
    thread = DiskThread("a test's")
    yield thread
    thread.close()


async def run(thread: DiskThread, way: str, work: Callable[[], object]) -> Any:
    return await getattr(thread, way)(work)


def _fails(error: BaseException) -> None:
    raise error


async def test_work_is_done_in_another_thread_one_after_another(thread: DiskThread, way: str) -> None:
    done: list[int] = []

    def note(number: int) -> int:
        done.append(number)
        return threading.get_ident()

    places = [await run(thread, way, partial(note, number)) for number in (1, 2)]
    assert done == [1, 2]
    assert len(set(places)) == 1
    assert places[0] != threading.get_ident()


@pytest.mark.parametrize("error", [ValueError("wrong"), TimeoutError("its own"), KeyboardInterrupt()])
async def test_an_error_of_the_work_is_raised_and_the_next_work_is_done(
    thread: DiskThread, way: str, error: BaseException
) -> None:
    with pytest.raises(type(error)) as raised:
        await run(thread, way, lambda: _fails(error))
    assert raised.value is error
    assert await run(thread, way, lambda: 7) == 7


async def test_the_loop_goes_on_while_the_disk_does_not_answer(thread: DiskThread, way: str) -> None:
    answers = threading.Event()
    # The event is set by the loop: where the loop waits for the thread without a bound, it is never set.
    working = asyncio.create_task(run(thread, way, lambda: answers.wait(LONG_S)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not working.done()
    answers.set()
    assert await working is True


async def test_a_caller_that_is_cancelled_leaves_the_work_to_end_before_the_next(thread: DiskThread, way: str) -> None:
    answers, ended = threading.Event(), list[bool]()
    working = asyncio.create_task(run(thread, way, lambda: ended.append(answers.wait(LONG_S))))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    following = asyncio.create_task(run(thread, way, lambda: list(ended)))
    await asyncio.sleep(0)
    answers.set()
    assert await following == [True]


def test_a_loop_that_is_closed_meanwhile_does_not_end_the_thread(thread: DiskThread, way: str) -> None:
    answers = threading.Event()

    async def abandon() -> None:
        working = asyncio.create_task(run(thread, way, lambda: answers.wait(LONG_S)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        working.cancel()

    asyncio.run(abandon())
    answers.set()
    assert asyncio.run(run(thread, way, lambda: 7)) == 7


def test_the_thread_of_an_owner_that_is_gone_ends() -> None:
    names = {one.name for one in threading.enumerate()}
    owner = DiskThread("an owner's that is gone")
    (running,) = [one for one in threading.enumerate() if one.name not in names]
    del owner
    gc.collect()
    running.join(LONG_S)
    assert not running.is_alive()

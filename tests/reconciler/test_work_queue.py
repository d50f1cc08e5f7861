"""The work queue: instances to look at, times, and no two steps of one instance at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from leasebook.batch import Unavailable
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import INSTANCES, MODELS, SERVICES, Table
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.reconciler.work_queue import ORPHAN, WorkQueue
from tests.reconciler.lease_books import LeaseTime
from tests.reconciler.scene import NOW, UNIT, model, replica, service, unit


def made() -> tuple[WorkQueue, LeaseTime, list[str]]:
    """A queue that has looked at everything once."""
    time, ended = LeaseTime(), list[str]()
    queue = WorkQueue(time, lambda: ended.append("ended"))
    assert queue.is_all_dirty
    queue.take_all()
    return queue, time, ended


def updated(table: Table[Any], before: Any, after: Any) -> Changes:
    changes = Changes([], [])
    changes.before[table], changes.updated[table] = [before], [after]
    return changes


def planned(queue: WorkQueue, *replicas: Any, **of: Any) -> None:
    facts: dict[str, Any] = {"again_at": None, "unsettled": False, "is_done": False}
    queue.planned(UNIT, replicas, **(facts | of))


def test_an_instance_that_engines_run_is_looked_at_once_after_it_changed() -> None:
    queue, _, _ = made()
    queue.committed(updated(INSTANCES, unit(), unit()))
    assert queue.take_due() == [UNIT]
    assert queue.take_due() == []
    counted = unit(replicas=0, generation=0)
    queue.committed(updated(INSTANCES, counted, counted))
    assert queue.take_due() == []


@pytest.mark.parametrize(
    ("table", "before", "after", "is_all"),
    [
        (SERVICES, service(), service(active=False), True),
        (SERVICES, service(), service(model_id="amv-2"), True),
        (SERVICES, service(), service(ready=3), False),
        (SERVICES, service(runs=False), service(runs=False, model_id="amv-2"), False),
        (MODELS, model(), msgspec.structs.replace(model(), withdrawn_at=Instant(5)), True),
        (MODELS, model(), msgspec.structs.replace(model(), approved_by=None, approved_at=None), True),
        (MODELS, model(), msgspec.structs.replace(model(), description="new"), False),
    ],
)
def test_what_a_service_or_a_model_changes_for_its_replicas_has_everything_looked_at(
    table: Table[Any], before: Any, after: Any, *, is_all: bool
) -> None:
    queue, _, _ = made()
    queue.committed(updated(table, before, after))
    assert queue.is_all_dirty is is_all
    queue.take_all()
    assert not queue.is_all_dirty


def test_an_instance_is_looked_at_again_when_its_plan_says_so() -> None:
    queue, time, _ = made()
    planned(queue, again_at=NOW + 5 * SECOND_US)
    time.move(4.9)
    assert queue.take_due() == []
    time.move(0.1)
    assert queue.take_due() == [UNIT]
    planned(queue, again_at=None)
    assert queue.take_due() == []


def test_news_of_a_replica_has_its_instance_looked_at_and_so_has_any_look_while_it_is_unsettled() -> None:
    queue, _, _ = made()
    row = replica("Ready")
    planned(queue, row)
    queue.observed(["another"])
    assert (queue.take_due(), queue.is_unsettled) == ([], False)
    queue.observed([row.name])
    assert queue.take_due() == [UNIT]
    planned(queue, row, unsettled=True)
    queue.observed([])
    assert (queue.take_due(), queue.is_unsettled) == ([UNIT], True)
    planned(queue, replica("Gone"))
    queue.observed([row.name])
    assert queue.take_due() == []


def test_what_engines_showed_before_something_was_done_counts_no_more() -> None:
    queue, time, _ = made()
    time.move(3)
    assert queue.touched_at(UNIT) == 3
    time.move(1)
    assert queue.touched_at(UNIT) == 3
    queue.touch(UNIT)
    assert (queue.touched_at(UNIT), queue.take_due(), queue.is_unsettled) == (4, [UNIT], True)
    planned(queue, is_done=True)
    time.move(1)
    assert queue.touched_at(UNIT) == 5


def test_instances_that_are_not_found_any_more_are_forgotten() -> None:
    queue, time, _ = made()
    row = replica("Ready")
    queue.touch(UNIT)
    queue.take_due()
    planned(queue, row, again_at=NOW, unsettled=True)
    queue.forget({UNIT}, None)
    queue.forget(set(), ["unit-2"])
    assert (queue.is_unsettled, queue.take_due()) == (True, [UNIT])
    queue.forget(set(), None)
    time.move(9)
    queue.observed([row.name])
    assert (queue.is_unsettled, queue.take_due(), queue.touched_at(UNIT)) == (False, [], 9)


async def test_one_step_of_an_instance_is_under_way_at_a_time_and_it_is_looked_at_again_after_it() -> None:
    queue, time, ended = made()
    go, begun = asyncio.Event(), list[int]()

    async def step(number: int) -> None:
        begun.append(number)
        await go.wait()

    queue.spawn(UNIT, step(1))
    queue.spawn(UNIT, step(2))
    await asyncio.sleep(0)
    queue.mark(UNIT)
    assert (queue.is_busy(UNIT), queue.take_due(), begun) == (True, [], [1])
    queue.take_all()
    time.move(2)
    go.set()
    await queue.settle_down()
    assert (queue.is_busy(UNIT), ended) == (False, ["ended"])
    assert (queue.take_due(), queue.touched_at(UNIT)) == ([UNIT], 2)
    queue.close()
    queue.spawn(UNIT, step(3))
    await queue.settle_down()
    assert (queue.is_closed, begun) == (True, [1])


async def test_a_step_that_fails_is_logged_unless_the_store_is_away_and_an_orphan_is_no_instance() -> None:
    queue, _, ended = made()

    async def fail(error: Exception) -> None:
        raise error

    with capture_logs() as lines:
        queue.spawn(UNIT, fail(Unavailable("away")))
        queue.spawn(f"{ORPHAN}name", fail(ValueError("odd")))
        await queue.settle_down()
    assert [line["error"] for line in lines] == ["ValueError('odd')"]
    assert (queue.take_due(), len(ended)) == ([UNIT], 2)


async def test_waiting_ends_when_something_happens_or_an_instance_is_due() -> None:
    queue, _, _ = made()
    async with asyncio.timeout(5):
        queue.touch(UNIT)
        await queue.wait(60)
        queue.begin()
        planned(queue, again_at=NOW)
        await queue.wait(60)
        planned(queue)
        await queue.wait(0)
        waiting = asyncio.create_task(queue.wait(60))
        await asyncio.sleep(0)
        queue.close()
        await waiting

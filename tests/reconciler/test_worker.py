"""The loop of the reconciler: it asks nothing without leases, and gives them up when it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from leasebook.domain.model.lease import LEFT
from leasebook.domain.replicas.planner import Limits
from leasebook.observability.metrics import Metrics
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.reconciler.worker import Reconciler
from tests.reconciler.lease_books import LeaseBooks, LeaseTime


class Reads:
    """Answers that there is nothing to look after, and counts how often it was asked."""

    def __init__(self) -> None:
        self.count = 0
        self.asked = asyncio.Event()

    async def read(
        self,
        question: Callable[[ReadRepository], Any],  # noqa: ARG002 - there are no rows
        *,
        long: bool = False,  # noqa: ARG002
        party: str | None = None,  # noqa: ARG002
    ) -> Any:
        self.count += 1
        self.asked.set()
        return [], []


def made() -> tuple[Reconciler, LeaseBooks, LeaseTime, Reads]:
    time, reads = LeaseTime(), Reads()
    books = LeaseBooks(time)
    worker = Reconciler(
        reads, books, {}, (), worker_id="one", node="here", alone=True, limits=Limits(), meter=Metrics(), time=time
    )
    return worker, books, time, reads


async def test_it_asks_nothing_before_its_first_beat_nor_long_after_its_last() -> None:
    worker, _, time, reads = made()
    await worker.reconcile(everything=True)
    assert reads.count == 0
    await worker.beat()
    await worker.reconcile(everything=True)
    assert reads.count == 1
    await worker.reconcile(everything=False)
    assert reads.count == 1, "nothing happened"
    time.move(60)
    await worker.reconcile(everything=True)
    assert reads.count == 1


async def test_a_worker_that_stops_gives_up_its_leases() -> None:
    worker, books, _, reads = made()
    worker.start()
    async with asyncio.timeout(5):
        await reads.asked.wait()
        await worker.stop()
    (row,) = books.workers()
    assert row.beat == LEFT

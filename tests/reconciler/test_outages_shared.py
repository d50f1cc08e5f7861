"""Two servers on one PostgreSQL report a crash loop once between them, also when the one that reported it dies."""

from __future__ import annotations

import time
from typing import Any

from leasebook.domain.replicas.planner import Job, Limits
from leasebook.domain.values.calendar import SECOND_US
from leasebook.ports.queries.read_repository import EventFilter
from leasebook.testing.fake_engine import FakeWorld
from tests.contract.stores import postgres
from tests.reconciler.acts import ACCOUNT, buying, founding
from tests.reconciler.test_shared import Plane, until

LIMITS = Limits(loop_us=SECOND_US, back_off_first_us=SECOND_US // 10, back_off_max_us=SECOND_US // 5)
KINDS = ("replica.crashLoop", "replica.recovered")


async def reported(plane: Plane) -> list[str]:
    asked = EventFilter(account_id=ACCOUNT, types=KINDS)
    found: list[Any] = await plane.store.read(lambda ask: ask.events(asked, after=None, limit=9, oldest_first=True))
    return [event.type for _, event in found]


def is_running(jobs: list[Job]) -> bool:
    return [job.unit.status for job in jobs] == ["Running"]


def outages(jobs: list[Job]) -> list[str]:
    return [row.outage for job in jobs for row in job.replicas]


async def test_two_servers_report_a_loop_once_though_one_of_them_dies() -> None:
    with postgres() as opened:
        world = FakeWorld(time.time, {"gpu-1": 12})
        one, two = (Plane(opened(), world, name, LIMITS) for name in ("one", "two"))
        for command in founding():
            await one.sequencer.submit(command)
        await one.sequencer.submit(buying("unit-1", "svco-1", 1))
        await until(two, is_running)
        world.script("*", exits_after_s=0.1, start_s=9.0)
        world.end("*")
        await until(two, lambda jobs: outages(jobs) == ["Reported"])
        (job,) = await two.store.read(lambda ask: ask.jobs(None))
        assert job.lease is not None
        first, second = (one, two) if job.lease.holder == "one" else (two, one)
        await first.die()
        tries = job.replicas[0].generation
        await until(second, lambda jobs: jobs[0].replicas[0].generation > tries + 8)
        assert await reported(second) == ["replica.crashLoop"]
        (job,) = await second.store.read(lambda ask: ask.jobs(None))
        assert job.lease is not None
        assert job.lease.holder == second.name
        await second.close()
        await first.sequencer.close()
        await first.store.close()

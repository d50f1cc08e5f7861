"""Two control planes on one PostgreSQL share instances, and what a dead one held is taken over within the bound."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from leasebook.batch import BatchLimits as Sizes
from leasebook.batch import Sequencer
from leasebook.domain.replicas.engine_route import parse_routes
from leasebook.domain.replicas.planner import Job, Limits
from leasebook.domain.values.calendar import SECOND_US
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.combined import RoutedEngine
from leasebook.observability.metrics import Metrics
from leasebook.ports.clock import RealClock
from leasebook.reconciler.ports import Timing
from leasebook.reconciler.worker import Reconciler
from leasebook.store.opening import OpenStore
from leasebook.testing.fake_engine import FakeEngine, FakeWorld
from tests.contract.stores import postgres
from tests.reconciler.acts import buying, founding

ROUTES = parse_routes("*=process")
LEASE_S = 2.0
TIMING = Timing(lease_s=LEASE_S, look_s=0.1, observe_s=0.1, busy_s=0.03, again_s=0.1)


class Plane:
    """A control plane with a connection of its own. It dies by being forgotten: nothing of it is given back."""

    def __init__(self, store: OpenStore, world: FakeWorld, name: str, limits: Limits = Limits()) -> None:  # noqa: B008 - it is frozen
        metrics = Metrics()
        engine = RoutedEngine(ROUTES)
        self.name = name
        self.store = store
        self.sequencer = Sequencer(
            store, RealClock(300 * SECOND_US), Rules(time_zone="UTC"), engine=engine, limits=Sizes(), meter=metrics
        )
        self.worker = Reconciler(
            store,
            self.sequencer,
            {"process": FakeEngine(world)},
            ROUTES,
            worker_id=name,
            node=name,
            alone=False,
            limits=limits,
            meter=metrics,
            timing=TIMING,
        )
        self.sequencer.watch(self.worker)
        self.sequencer.start()
        self.worker.start()

    async def die(self) -> None:
        """Stop in the middle of everything."""
        for task in self.worker._tasks:
            task.cancel()
        await asyncio.gather(*self.worker._tasks, return_exceptions=True)

    async def close(self) -> None:
        await self.worker.stop()
        await self.sequencer.close()
        await self.store.close()


async def until(plane: Plane, condition: Callable[[list[Job]], Any]) -> float:
    """Wait until something is so of all instances; returns how long that took."""
    began = time.monotonic()
    async with asyncio.timeout(30):
        while not condition(await plane.store.read(lambda ask: ask.jobs(None))):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return time.monotonic() - began


def all_ready(jobs: list[Job]) -> bool:
    return (
        len(jobs) == 6
        and all(row.state == "Ready" for job in jobs for row in job.replicas)
        and all(job.unit.status == "Running" for job in jobs)
    )


async def test_two_servers_share_the_instances_and_the_leases_of_a_dead_one_are_taken_over_within_the_bound() -> None:
    with postgres() as opened:
        world = FakeWorld(time.time, {"gpu-1": 12})

        async def scene() -> None:
            one, two = Plane(opened(), world, "one"), Plane(opened(), world, "two")
            for command in founding():
                await one.sequencer.submit(command)
            for number in range(6):
                seller = (one, two)[number % 2]
                await seller.sequencer.submit(buying(f"unit-{number}", "svco-1", 1))
            await until(two, all_ready)
            jobs = await two.store.read(lambda ask: ask.jobs(None))
            holders = {job.lease.holder for job in jobs if job.lease is not None}
            assert holders == {"one", "two"}
            await one.die()
            names = {run.wanted.name for run in world.runs}
            world.end("*")
            took = await until(
                two, lambda jobs: all_ready(jobs) and all(row.generation > 1 for job in jobs for row in job.replicas)
            )
            assert took < LEASE_S + 5
            jobs = await two.store.read(lambda ask: ask.jobs(None))
            assert {job.lease.holder for job in jobs if job.lease is not None} == {"two"}
            assert all(world.running(run.wanted.name) <= 1 for run in world.runs)
            assert len({run.wanted.name for run in world.runs} - names) == 6
            await two.close()
            await one.sequencer.close()
            await one.store.close()

        await scene()

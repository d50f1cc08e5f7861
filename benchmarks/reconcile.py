"""How long it takes from purchase to healthy, and from release to given back, for many instances at a time.

python -m benchmarks.reconcile --units 1000            # on the fake engine: what the control plane costs
python -m benchmarks.reconcile --units 100 --process   # with real processes
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from tests.reconciler.acts import ACCOUNT, buying, founding

from leasebook.batch import BatchLimits as Sizes
from leasebook.batch import Sequencer
from leasebook.domain.commands.instance.release import Release
from leasebook.domain.commands.store.offering import SetOffering
from leasebook.domain.replicas.engine_route import parse_routes
from leasebook.domain.replicas.planner import Limits
from leasebook.domain.values.calendar import SECOND_US
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.combined import RoutedEngine
from leasebook.engines.contract import ReplicaEngine
from leasebook.engines.process.engine import ProcessEngine
from leasebook.observability.metrics import Metrics
from leasebook.ports.clock import RealClock
from leasebook.reconciler.worker import Reconciler
from leasebook.store.sqlite.store import SqliteStore
from leasebook.testing.fake_engine import FakeEngine, FakeWorld

LOOK_S = 0.05
PATIENCE_S = 400.0


async def reached(store: SqliteStore, status: str, count: int) -> list[float]:
    """Wait until ``count`` instances have had that status; returns when each was first seen with it, in order."""
    times: list[float] = []
    text = "Released" if status == "Released" else status
    async with asyncio.timeout(PATIENCE_S):
        while len(times) < count:
            counts = await store.read(lambda ask: ask.unit_counts())
            there = count - sum(counts.values()) if text == "Released" else counts.get(status, 0)
            times += [time.perf_counter()] * (there - len(times))
            await asyncio.sleep(LOOK_S)
    return times


def show(what: str, began: float, times: list[float]) -> None:
    """Print median, last and rate."""
    took = sorted(at - began for at in times)
    print(
        f"{what}: half within {took[len(took) // 2]:.2f} s, 99 % within {took[int(len(took) * 0.99) - 1]:.2f} s, "
        f"all within {took[-1]:.2f} s ({len(took) / took[-1]:.0f} a second)"
    )


async def measure(units: int, directory: Path, *, process: bool) -> None:
    """Buy, wait, release, wait."""
    store, metrics, routes = SqliteStore(directory), Metrics(), parse_routes("*=process")
    sequencer = Sequencer(
        store,
        RealClock(300 * SECOND_US),
        Rules(time_zone="UTC"),
        engine=RoutedEngine(routes),
        limits=Sizes(),
        meter=metrics,
    )
    engine: ReplicaEngine = (
        ProcessEngine(directory / "replicas", {"gpu-1": units})
        if process
        else FakeEngine(FakeWorld(time.time, {"gpu-1": units}))
    )
    worker = Reconciler(
        store,
        sequencer,
        {"process": engine},
        routes,
        worker_id="worker-1",
        node="here",
        alone=True,
        limits=Limits(),
        meter=metrics,
    )
    sequencer.watch(worker)
    sequencer.start()
    for command in (*founding(), SetOffering(region="bj", unit_type="gpu-1", stock_total=units)):
        await sequencer.submit(command)
    worker.start()
    began = time.perf_counter()
    waiting = asyncio.create_task(reached(store, "Running", units))
    ids = [f"unit-{number}" for number in range(units)]
    await asyncio.gather(*(sequencer.submit(buying(unit_id, "svco-1", 1)) for unit_id in ids))
    print(f"bought {units} in {time.perf_counter() - began:.2f} s")
    show("from purchase to healthy", began, await waiting)
    began = time.perf_counter()
    waiting = asyncio.create_task(reached(store, "Released", units))
    await asyncio.gather(
        *(sequencer.submit(Release(account_id=ACCOUNT, unit_id=unit_id, service_id=None)) for unit_id in ids)
    )
    show("from release to given back", began, await waiting)
    await worker.stop()
    await engine.close()
    await sequencer.close()
    await store.close()


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--process", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leasebook-bench-") as folder:
        asyncio.run(measure(asked.units, Path(folder), process=asked.process))


if __name__ == "__main__":
    main()

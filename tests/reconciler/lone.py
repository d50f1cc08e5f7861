"""Control planes, each in a process of its own that kills itself at a given point.

It brings the instance ``unit-1`` up on the process engine, releases it, and ends once that is done. Each line of the
standard input, ``[directory, point, nth]`` as JSON, has one live, and is answered with a line: how it ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from leasebook.batch import BatchLimits as Sizes
from leasebook.batch import Sequencer
from leasebook.domain.commands.command import Command
from leasebook.domain.commands.instance.release import Release
from leasebook.domain.replicas.engine_route import Route
from leasebook.domain.replicas.planner import Limits
from leasebook.domain.values.calendar import SECOND_US
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.combined import RoutedEngine
from leasebook.engines.process.engine import ProcessEngine
from leasebook.observability.metrics import Metrics
from leasebook.ports.clock import RealClock
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.reconciler.ports import Timing
from leasebook.reconciler.worker import Reconciler
from leasebook.store.sqlite.store import SqliteStore
from tests.reconciler.acts import ACCOUNT, buying, founding

T = TypeVar("T")
ROUTES = (Route(None, "", True, "process"),)
TIMING = Timing(look_s=0.2, observe_s=0.1, busy_s=0.03, again_s=0.2, lease_s=5)


class Deadly:
    """Dies at the n-th time of a point."""

    def __init__(self, point: str, nth: int) -> None:
        self._point = point
        self._left = nth

    def touch(self, point: str) -> None:
        """Die here, or not."""
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class MortalSequencer:
    """The sequencer, with death before and after every command."""

    def __init__(self, sequencer: Sequencer, deadly: Deadly) -> None:
        self._sequencer = sequencer
        self._deadly = deadly

    async def submit(self, command: Command) -> Any:
        """Decide."""
        name = type(command).__name__
        self._deadly.touch(name)
        answer = await self._sequencer.submit(command)
        self._deadly.touch(f"{name} done")
        return answer


def deadly_engine(engine: ProcessEngine, deadly: Deadly) -> ProcessEngine:
    """The engine, with death before and after every start and stop."""
    start, stop = engine.start, engine.stop

    async def starts(wanted: Any) -> None:
        deadly.touch("start")
        await start(wanted)
        deadly.touch("start done")

    async def stops(name: str, grace_s: float) -> None:
        deadly.touch("stop")
        await stop(name, grace_s)
        deadly.touch("stop done")

    engine.start, engine.stop = starts, stops  # type: ignore[method-assign]
    return engine


async def until(store: SqliteStore, condition: Callable[[ReadRepository], bool]) -> None:
    """Wait until something is so in the books; at most half a minute."""
    async with asyncio.timeout(30):
        while not await store.read(condition):  # noqa: ASYNC110 - the books ring no bell
            await asyncio.sleep(0.02)


def status(ask: ReadRepository) -> str:
    unit = ask.unit("unit-1")
    return "None" if unit is None else unit.status


async def live(directory: Path, point: str, nth: int) -> None:
    """Bring it up, and down again."""
    store = SqliteStore(directory)
    metrics = Metrics()
    sequencer = Sequencer(
        store,
        RealClock(300 * SECOND_US),
        Rules(time_zone="UTC"),
        engine=RoutedEngine(ROUTES),
        limits=Sizes(),
        meter=metrics,
    )
    deadly = Deadly(point, nth)
    engine = deadly_engine(ProcessEngine(directory / "replicas", {"gpu-1": 4}), deadly)
    desk = MortalSequencer(sequencer, deadly)
    worker = Reconciler(
        store,
        desk,
        {"process": engine},
        ROUTES,
        worker_id=f"worker-{os.getpid()}",
        node="here",
        alone=True,
        limits=Limits(),
        meter=metrics,
        timing=TIMING,
    )
    sequencer.watch(worker)
    sequencer.start()
    if store.ask(status) == "None":
        for command in (*founding(), buying("unit-1", "svco-1", 2)):
            await sequencer.submit(command)
    worker.start()
    await until(store, lambda ask: status(ask) in ("Running", "Releasing", "Released"))
    if store.ask(status) == "Running":
        await desk.submit(Release(account_id=ACCOUNT, unit_id="unit-1", service_id=None))
    await until(store, lambda ask: status(ask) == "Released")
    assert await engine.observe() == {}
    await worker.stop()
    await engine.close()
    await sequencer.close()
    await store.close()


def born(directory: str, point: str, nth: int) -> int:
    """Have one live, and return how it ended. To fork takes milliseconds; to import all this takes a second."""
    child = os.fork()
    if child == 0:
        # Its log is no answer.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        try:
            asyncio.run(live(Path(directory), point, nth))
        except BaseException:  # noqa: BLE001 - nothing of the parent may run here
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    for line in sys.stdin:
        print(born(*json.loads(line)), flush=True)

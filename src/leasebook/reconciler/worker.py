"""The reconciler: compares wanted with running replicas, and begins the next step of each instance."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import msgspec
import structlog

from leasebook.batch import OutageLog, Outdated
from leasebook.domain.book.changes import Changes
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.replica import Seen
from leasebook.domain.replicas.engine_route import Routes, engine_for
from leasebook.domain.replicas.planner import INSTANT, Job, Limits, Observation, Step, orphans, plan, write_off
from leasebook.domain.replicas.unserved import Gone, is_gone
from leasebook.domain.values.calendar import SECOND_US
from leasebook.engines.contract import ReplicaEngine
from leasebook.engines.gone import GoneEngine, with_gone
from leasebook.reconciler.capacity_poller import CapacityPoller, Reporter, log_differences
from leasebook.reconciler.executor import GRACE_S, StepExecutor
from leasebook.reconciler.lease_keeper import LeaseKeeper
from leasebook.reconciler.observation import EngineMonitor
from leasebook.reconciler.ports import LATER, RETRY_S, Books, MachineTime, Meter, Reader, Time, Timing
from leasebook.reconciler.unserved import LeftBehind
from leasebook.reconciler.work_queue import ORPHAN, WorkQueue

log = structlog.get_logger()

YIELD_US: Final = 3 * SECOND_US
"""A node that had no room lets others try first."""


def _exposing(limits: Limits, engines: Mapping[str, ReplicaEngine]) -> Limits:
    """Return the limits with the engines that do not keep replicas apart completely."""
    exposed = frozenset(name for name, engine in engines.items() if not engine.isolation().is_complete)
    return msgspec.structs.replace(limits, exposed=exposed)


class Reconciler:
    """Looks after the replicas of the instances whose leases it has. Any number of these may work on one store.

    ``alone``: no other reconciler works on the store, so that all that ever did are dead. ``notify_account_id``: the
    account that gets the events about stock that differs from an engine's units. ``gone``: engines that an operator
    gave up, with the replicas there. ``keys`` returns which master keys this server knows; every beat says it.
    """

    def __init__(
        self,
        reader: Reader,
        books: Books,
        engines: Mapping[str, ReplicaEngine],
        routes: Routes,
        *,
        worker_id: str,
        node: str,
        alone: bool,
        limits: Limits,
        meter: Meter,
        timing: Timing = Timing(),  # noqa: B008 - it is frozen
        time: Time | None = None,
        notify_account_id: str | None = None,
        gone: Collection[Gone] = (),
        keys: Callable[[], str] = str,
    ) -> None:
        time = time or MachineTime()
        limits = _exposing(limits, engines)
        self.watches: Final = {
            name: EngineMonitor(engine, timing, time, meter) for name, engine in with_gone(engines, gone).items()
        }
        self.left: Final = LeftBehind(self.watches, node, meter, after_s=2 * timing.lease_s)
        self._leases: Final = LeaseKeeper(
            books,
            worker_id=worker_id,
            node=node,
            alone=alone,
            engines=engines,
            keys=keys,
            timing=timing,
            time=time,
        )
        self._queue: Final = WorkQueue(time, self._look_soon)
        self._executor: Final = StepExecutor(
            books,
            self.watches,
            worker_id=worker_id,
            node=node,
            limits=limits,
            timing=timing,
            time=time,
            meter=meter,
            may_act=self._leases.may_act,
        )
        reporter = Reporter(worker_id, node, alone, notify_account_id)
        self._pollers: Final = {
            name: CapacityPoller(engine, reader, books, routes, reporter, timing=timing, time=time, meter=meter)
            for name, engine in engines.items()
        }
        self._observe_soon: Final = {name: asyncio.Event() for name in self.watches}
        self._reader: Final = reader
        self._routes: Final = routes
        self._gone: Final = gone
        self._node: Final = node
        self._limits: Final = limits
        self._timing: Final = timing
        self._time: Final = time
        self._meter: Final = meter
        self._outage: Final = OutageLog(log)
        self._tasks: list[asyncio.Task[None]] = []

    # --- life ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to work."""
        self._tasks = [
            asyncio.create_task(self._run(), name="reconciler"),
            asyncio.create_task(self._leases.keep(self._queue.wake), name="reconciler-leases"),
            *(asyncio.create_task(self._observe(name), name=f"reconciler-{name}") for name in self.watches),
            *(asyncio.create_task(one.run(), name=f"capacity-{name}") for name, one in self._pollers.items()),
        ]

    async def stop(self) -> None:
        """Finish the steps in hand, give up all leases, and stop. Replicas go on running."""
        self._queue.close()
        self._look_soon()
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._queue.settle_down()
        await self._leases.leave()

    async def settle_down(self) -> None:
        """Wait until every step that was begun has ended."""
        await self._queue.settle_down()

    def committed(self, changes: Changes) -> None:
        """Wake up where something happened to an instance or a service that an engine runs."""
        log_differences(changes)
        self._queue.committed(changes)

    async def beat(self) -> None:
        """Say that it lives. Raises what the sequencer raises."""
        await self._leases.beat()

    # --- looking at engines -------------------------------------------------------------------------------

    async def look_at(self, name: str) -> None:
        """Look at an engine, and mark the instances of what it shows differently now."""
        self._queue.observed(await self.watches[name].look())

    async def _observe(self, name: str) -> None:
        """Look at an engine from time to time, and every ``busy_s`` while replicas start or stop."""
        soon = self._observe_soon[name]
        while not self._queue.is_closed:
            await self.look_at(name)
            await asyncio.sleep(self._timing.busy_s)
            if not self._queue.is_unsettled:
                try:
                    async with asyncio.timeout(self._timing.observe_s - self._timing.busy_s):
                        await soon.wait()
                except TimeoutError:
                    pass
            soon.clear()

    def _look_soon(self) -> None:
        """Look at every engine: something was done."""
        for soon in self._observe_soon.values():
            soon.set()

    # --- looking at instances -----------------------------------------------------------------------------

    async def _run(self) -> None:
        looked = float("-inf")
        while not self._queue.is_closed:
            self._queue.begin()
            due = self._queue.is_all_dirty or self._time.steady() - looked >= self._timing.look_s
            try:
                if due:
                    looked = self._time.steady()
                await self.reconcile(everything=due)
                self._outage.ends()
            except Outdated:
                return
            except LATER as error:
                self._outage.goes_on("replicas wait for the store", error=repr(error))
                await asyncio.sleep(RETRY_S)
            except Exception:
                log.exception("replicas cannot be looked after")
                await asyncio.sleep(RETRY_S)
            await self._queue.wait(looked + self._timing.look_s - self._time.steady())

    async def reconcile(self, *, everything: bool) -> None:
        """Look at the instances that are to be looked at, or at all, and begin the steps that are next.

        Does nothing while other reconcilers may have the leases. Raises what the store and the sequencer raise.
        """
        if not self._leases.may_act():
            return
        ids: list[str] | None = None
        if everything:
            self._queue.take_all()
        else:
            ids = self._queue.take_due()
            if not ids:
                return
        shown = {name: dict(watch.seen) for name, watch in self.watches.items()}
        jobs, workers = await self._reader.read(lambda ask: (ask.jobs(ids), ask.workers()))
        self._queue.forget({job.unit.id for job in jobs}, ids)
        if everything:
            self._stop_orphans(shown, {row.name for job in jobs for row in job.replicas if row.is_live})
        dead = self._leases.dead(workers)
        if everything:
            self.left.look(jobs, lambda job: self._leases.is_free(job, dead), self._time.steady())
        free = []
        for job in jobs:
            if self._leases.has(job):
                self._work_on(job)
            elif self._leases.is_free(job, dead) and self._can_take(job):
                free.append(job.unit.id)
        if free:
            await self._leases.take(free, dead, self._queue.touch)

    def _engine_of(self, unit: Instance) -> str:
        return engine_for(self._routes, unit.region, unit.type)

    def _can_take(self, job: Job) -> bool:
        """Whether there is something to do about an instance without a lease, and it can be done here."""
        live = [row for row in job.replicas if row.is_live]
        for row in live:
            if is_gone(self._gone, row, self._node):
                continue
            watch = self.watches.get(row.engine)
            if watch is None or isinstance(watch.engine, GoneEngine):
                return False
            if watch.engine.local and row.node != self._node:
                return False
        engine = self._engine_of(job.unit)
        if engine != INSTANT and engine not in self.watches:
            return False
        now = self._time.wall()
        had_no_room = any(row.trouble is not None and row.node == self._node for row in job.replicas if not row.is_live)
        if had_no_room and self._leases.has_other_nodes:
            now -= YIELD_US
        return bool(live) or bool(plan(job, {}, now, self._limits, engine, self._time.service_now()).steps)

    def _stop_orphans(self, shown: Mapping[str, Mapping[str, Seen]], live: set[str]) -> None:
        """End what an engine shows and no live row bears. Rows were read after that was seen, so none is too new."""
        for engine, seen in shown.items():
            for name in orphans(live, seen):
                log.warning("a replica that nobody wants is ended", engine=engine, name=name)
                self._meter.orphan_stopped(engine)
                self._queue.spawn(f"{ORPHAN}{name}", self._executor.stop(engine, name, GRACE_S))

    def _work_on(self, job: Job) -> None:
        """Begin the next step of an instance, unless one is under way."""
        unit_id = job.unit.id
        if self._queue.is_busy(unit_id):
            self._queue.mark(unit_id)
            return
        touched = self._queue.touched_at(unit_id)
        sights = {name: watch.sight(touched) for name, watch in self.watches.items()}
        lost = [row for row in job.replicas if row.is_live and is_gone(self._gone, row, self._node)]
        planned = write_off(lost, self._time.wall(), self._limits) or plan(
            job, sights, self._time.wall(), self._limits, self._engine_of(job.unit), self._time.service_now()
        )
        moving = any(row.state in ("Starting", "Stopping") for row in job.replicas)
        unseen = any(row.is_live and sights.get(row.engine) == Observation(None) for row in job.replicas)
        self._queue.planned(
            unit_id,
            job.replicas,
            again_at=planned.again_at,
            unsettled=moving or unseen,
            is_done=not job.replicas and not planned.steps,
        )
        steps = planned.steps or tuple(self._executor.deadlines.stale(job.replicas, sights))
        if steps:
            self._queue.spawn(unit_id, self._carry_out(job, steps))
        elif self._is_for_others(job):
            self._queue.spawn(unit_id, self._leases.give_back(unit_id))

    def _is_for_others(self, job: Job) -> bool:
        """Whether there was no room here, and another node may have some."""
        watch = self.watches.get(self._engine_of(job.unit))
        is_here = watch is None or watch.engine.local
        waits = any(row.state == "Failed" and row.trouble is not None for row in job.replicas)
        return is_here and waits and not any(row.is_live for row in job.replicas) and self._leases.has_other_nodes

    async def _carry_out(self, job: Job, steps: Sequence[Step]) -> None:
        outcomes = await asyncio.gather(
            *(self._executor.carry_out(job, step) for step in steps), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

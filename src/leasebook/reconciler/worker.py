"""The worker that looks after replicas: looks at what is wanted and at what runs, and does the next step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import structlog

from leasebook.batch import OutageLog, Outdated
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import INSTANCES, MODELS, SERVICES
from leasebook.domain.commands.service.replica import GiveBackLease, HoldLeases, TakeLeases
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.lease import LEFT, NOBODY, Worker
from leasebook.domain.model.replica import Seen
from leasebook.domain.replicas.engine_route import Routes, engine_for
from leasebook.domain.replicas.planner import INSTANT, Job, Limits, Observation, Plan, Step, orphans, plan, write_off
from leasebook.domain.replicas.unserved import Gone, is_gone
from leasebook.domain.values.calendar import SECOND_US
from leasebook.engines.contract import ReplicaEngine
from leasebook.engines.gone import GoneEngine, with_gone
from leasebook.reconciler.capacity_poller import CapacityPoller, Reporter, log_differences
from leasebook.reconciler.executor import GRACE_S, StepExecutor
from leasebook.reconciler.observation import EngineMonitor
from leasebook.reconciler.ports import LATER, Books, MachineTime, Meter, Reader, Time, Timing
from leasebook.reconciler.unserved import LeftBehind

log = structlog.get_logger()

RETRY_S: Final = 0.5
ORPHAN: Final = "orphan "
YIELD_US: Final = 3 * SECOND_US
"""A node that had no room lets others try first."""
TAKEN_MAX: Final = 200
"""Instances taken at a time, so that workers that start together share."""


def _exposing(limits: Limits, engines: Mapping[str, ReplicaEngine]) -> Limits:
    """Return the limits with the engines that do not keep replicas apart completely."""
    exposed = frozenset(name for name, engine in engines.items() if not engine.isolation().is_complete)
    return msgspec.structs.replace(limits, exposed=exposed)


class Reconciler:
    """Looks after the replicas of the instances that it holds. Any number of these may work on one store.

    ``alone``: nobody else works on the store, so that everybody who ever did is dead. ``told_to``: the account whose
    events tell where stock is not what an engine has. ``gone``: engines that an operator gave up, with what ran there.
    """

    keys: Callable[[], str] = str
    """Asked with every beat which master keys this server knows."""

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
        told_to: str | None = None,
        gone: Collection[Gone] = (),
    ) -> None:
        self.watches: Final = {
            name: EngineMonitor(engine, timing, time or MachineTime(), meter)
            for name, engine in with_gone(engines, gone).items()
        }
        self._gone = gone
        self.left: Final = LeftBehind(self.watches, node, meter, after_s=2 * timing.lease_s)
        self._engines = ",".join(sorted(engines))
        self._reader = reader
        self._books = books
        self._routes = routes
        self._worker_id = worker_id
        self._living, self._looking = OutageLog(log), OutageLog(log)
        self._node = node
        self._alone = alone
        self._limits = limits = _exposing(limits, engines)
        self._meter = meter
        self._timing = timing
        self._time = time or MachineTime()
        self._hands = StepExecutor(
            books,
            self.watches,
            worker_id=worker_id,
            node=node,
            limits=limits,
            timing=timing,
            time=self._time,
            meter=meter,
            may_act=self.may_act,
        )
        speaker = Reporter(worker_id, node, alone, told_to)
        self.stocktakers: Final = {name: self._stocktaker(engine, speaker) for name, engine in engines.items()}
        self._started_at = self._time.wall()
        self._beat = 0
        self._held_since = float("-inf")
        self._beats: dict[str, tuple[int, float]] = {}
        self._nodes: set[str] = set()
        self._touched: dict[str, float] = {}
        self._awaiting: set[str] = set()
        self._unit_of: dict[str, str] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._dirty: set[str] = set()
        self._look_at_all = True
        self._next: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._observe_soon = {name: asyncio.Event() for name in self.watches}
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    def _stocktaker(self, engine: ReplicaEngine, speaker: Reporter) -> CapacityPoller:
        return CapacityPoller(
            engine,
            self._reader,
            self._books,
            self._routes,
            speaker,
            timing=self._timing,
            time=self._time,
            meter=self._meter,
        )

    # --- life ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to work."""
        self._tasks = [
            asyncio.create_task(self._run(), name="reconciler"),
            asyncio.create_task(self._hold(), name="reconciler-leases"),
            *(asyncio.create_task(self._observe(name), name=f"reconciler-{name}") for name in self.watches),
            *(asyncio.create_task(one.run(), name=f"stocktaker-{name}") for name, one in self.stocktakers.items()),
        ]

    async def stop(self) -> None:
        """Finish the steps in hand, give up what it holds, and stop. What runs goes on running."""
        self._stopping = True
        self._wake.set()
        for soon in self._observe_soon.values():
            soon.set()
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.settle_down()
        if self._beat > 0:
            try:
                await self._books.submit(HoldLeases(worker=self._worker(LEFT)))
            except Outdated:
                return
            except LATER as error:
                log.warning("leases run out by themselves", error=repr(error))

    def committed(self, changes: Changes) -> None:
        """Wake up where something happened to an instance or a service that an engine runs."""
        log_differences(changes)
        for rows in (changes.inserted.get(INSTANCES, ()), changes.updated.get(INSTANCES, ())):
            for unit in rows:
                if unit.generation > 0 or any(placed.runs for placed in unit.placements):
                    self._dirty.add(unit.id)
        before = changes.before.get(SERVICES, ())
        for old, new in zip(before, changes.updated.get(SERVICES, ()), strict=True):
            if new.runs and (old.active, old.model_id, old.runs) != (new.active, new.model_id, new.runs):
                self._look_at_all = True
        for was, now in zip(changes.before.get(MODELS, ()), changes.updated.get(MODELS, ()), strict=True):
            if was.is_trusted is not now.is_trusted or was.withdrawn_at != now.withdrawn_at:
                self._look_at_all = True
        if self._dirty or self._look_at_all:
            self._wake.set()

    # --- leases -------------------------------------------------------------------------------------------

    def _worker(self, beat: int) -> Worker:
        return Worker(self._worker_id, self._node, beat, self._started_at, self.keys(), self._engines)

    def may_act(self) -> bool:
        """Whether nobody can have taken yet what it holds."""
        return self._time.steady() - self._held_since < self._timing.lease_s / 2

    async def beat(self) -> None:
        """Say that it lives. Raises what the sequencer raises."""
        began = self._time.steady()
        self._beat += 1
        await self._books.submit(HoldLeases(worker=self._worker(self._beat)))
        self._held_since = began

    async def _hold(self) -> None:
        while True:
            try:
                await self.beat()
                self._living.ends()
                self._wake.set()
                await asyncio.sleep(self._timing.lease_s / 5)
            except Outdated:
                return
            except LATER as error:
                self._living.goes_on("the worker cannot say that it lives", error=repr(error))
                await asyncio.sleep(RETRY_S)
            except Exception:
                log.exception("the worker cannot say that it lives")
                await asyncio.sleep(RETRY_S)

    def _dead(self, workers: Iterable[Worker]) -> dict[str, int]:
        """Return who does not live any more, with the beat that it stands at."""
        now = self._time.steady()
        found = {worker.id: worker for worker in workers if worker.id != self._worker_id}
        self._beats = {
            one.id: (one.beat, now) if self._beats.get(one.id, (None, now))[0] != one.beat else self._beats[one.id]
            for one in found.values()
        }
        dead = {
            one.id: one.beat
            for one in found.values()
            if self._alone or one.beat == LEFT or now - self._beats[one.id][1] > self._timing.lease_s
        }
        self._nodes = {one.node for one in found.values() if one.id not in dead}
        return dead

    @staticmethod
    def _is_free(job: Job, dead: Mapping[str, int]) -> bool:
        """Whether nobody who lives looks after an instance."""
        return job.lease is None or job.lease.holder == NOBODY or job.lease.holder in dead

    def _may_take(self, job: Job, dead: Mapping[str, int], sights: Mapping[str, Observation]) -> bool:
        """Whether an instance is nobody's, there is something to do about it, and it can be done here."""
        if not self._is_free(job, dead):
            return False
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
        if had_no_room and self._nodes - {self._node}:
            now -= YIELD_US
        return bool(live) or bool(plan(job, sights, now, self._limits, engine).steps)

    async def _take(self, unit_ids: Sequence[str], dead: Mapping[str, int]) -> None:
        for begin in range(0, len(unit_ids), TAKEN_MAX):
            taken = await self._books.submit(
                TakeLeases(
                    worker_id=self._worker_id,
                    node=self._node,
                    at=self._time.wall(),
                    unit_ids=tuple(unit_ids[begin : begin + TAKEN_MAX]),
                    dead=tuple(sorted(dead.items())),
                )
            )
            for unit_id in taken:
                self._touch(unit_id)

    # --- looking ------------------------------------------------------------------------------------------

    def _engine_of(self, unit: Instance) -> str:
        return engine_for(self._routes, unit.region, unit.type)

    def _touch(self, unit_id: str) -> None:
        """What was seen until now says nothing about this instance any more."""
        self._touched[unit_id] = self._time.steady()
        self._awaiting.add(unit_id)
        self._dirty.add(unit_id)
        self._wake.set()

    async def look_at(self, name: str) -> None:
        """Look at an engine, and take note of what is to be looked at because of it."""
        changed = await self.watches[name].look()
        self._dirty |= {unit_id for one in changed if (unit_id := self._unit_of.get(one)) is not None}
        self._dirty |= self._awaiting
        if self._dirty:
            self._wake.set()

    async def _observe(self, name: str) -> None:
        soon = self._observe_soon[name]
        while not self._stopping:
            await self.look_at(name)
            await asyncio.sleep(self._timing.busy_s)
            if not self._awaiting:
                try:
                    async with asyncio.timeout(self._timing.observe_s - self._timing.busy_s):
                        await soon.wait()
                except TimeoutError:
                    pass
            soon.clear()

    # --- working ------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        looked = float("-inf")
        while not self._stopping:
            self._wake.clear()
            due = self._look_at_all or self._time.steady() - looked >= self._timing.look_s
            try:
                if due:
                    looked = self._time.steady()
                await self.turn(everything=due)
                self._looking.ends()
            except Outdated:
                return
            except LATER as error:
                self._looking.goes_on("replicas wait for the store", error=repr(error))
                await asyncio.sleep(RETRY_S)
            except Exception:
                log.exception("replicas cannot be looked after")
                await asyncio.sleep(RETRY_S)
            try:
                async with asyncio.timeout(self._pause(looked)):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _pause(self, looked: float) -> float:
        """Return for how long nothing is to be done."""
        until = looked + self._timing.look_s - self._time.steady()
        soonest = min(self._next.values(), default=None)
        if soonest is not None:
            until = min(until, (soonest - self._time.wall()) / SECOND_US)
        return max(until, 0.01)

    async def turn(self, *, everything: bool) -> None:
        """Look at what happened, or at everything, and begin the steps that are next. Raises what the store raises."""
        if not self.may_act():
            return
        now = self._time.wall()
        ids: list[str] | None = None
        if everything:
            self._look_at_all = False
            self._dirty -= self._dirty - self._busy.keys()
        else:
            self._dirty |= {unit_id for unit_id, at in self._next.items() if at <= now}
            ids = sorted(self._dirty - self._busy.keys())
            self._dirty.difference_update(ids)
            if not ids:
                return
        shown = {name: dict(watch.seen) for name, watch in self.watches.items()}
        jobs, workers = await self._reader.read(lambda ask: (ask.jobs(ids), ask.workers()))
        self._forget({job.unit.id for job in jobs}, ids)
        if everything:
            self._stop_orphans(shown, {row.name for job in jobs for row in job.replicas if row.is_live})
        dead = self._dead(workers)
        if everything:
            self.left.look(jobs, lambda job: self._is_free(job, dead), self._time.steady())
        free = []
        for job in jobs:
            if job.lease is not None and job.lease.holder == self._worker_id:
                self._work_on(job)
            elif self._may_take(job, dead, {}):
                free.append(job.unit.id)
        if free:
            await self._take(free, dead)

    def _forget(self, found: set[str], asked: Sequence[str] | None) -> None:
        """Forget instances that need nobody any more: of those that were asked for, or of all."""
        gone = set(asked if asked is not None else self._touched.keys() | self._next.keys() | self._awaiting) - found
        for unit_id in gone:
            self._touched.pop(unit_id, None)
            self._next.pop(unit_id, None)
        self._awaiting -= gone
        if asked is None:
            self._unit_of = {name: unit_id for name, unit_id in self._unit_of.items() if unit_id in found}

    def _stop_orphans(self, shown: Mapping[str, Mapping[str, Seen]], live: set[str]) -> None:
        """End what an engine shows and no live row bears. Rows were read after that was seen, so none is too new."""
        for engine, seen in shown.items():
            for name in orphans(live, seen):
                log.warning("a replica that nobody wants is ended", engine=engine, name=name)
                self._meter.orphan_stopped(engine)
                self._spawn(f"{ORPHAN}{name}", self._hands.stop(engine, name, GRACE_S))

    def _work_on(self, job: Job) -> None:
        """Begin what is next about an instance, where nothing is under way."""
        unit_id = job.unit.id
        if unit_id in self._busy:
            self._dirty.add(unit_id)
            return
        touched = self._touched.setdefault(unit_id, self._time.steady())
        sights = {name: watch.sight(touched) for name, watch in self.watches.items()}
        lost = [row for row in job.replicas if row.is_live and is_gone(self._gone, row, self._node)]
        planned = write_off(lost, self._time.wall(), self._limits) or plan(
            job, sights, self._time.wall(), self._limits, self._engine_of(job.unit)
        )
        for row in job.replicas:
            if row.is_live:
                self._unit_of[row.name] = unit_id
            else:
                self._unit_of.pop(row.name, None)
        self._note(job, planned, sights)
        steps = planned.steps or tuple(self._hands.deadlines.stale(job.replicas, sights))
        if steps:
            self._spawn(unit_id, self._carry_out(job, steps))
        elif self._is_for_others(job):
            self._spawn(unit_id, self._give_back(unit_id))

    def _note(self, job: Job, planned: Plan, sights: Mapping[str, Observation]) -> None:
        unit_id = job.unit.id
        if planned.again_at is None:
            self._next.pop(unit_id, None)
        else:
            self._next[unit_id] = planned.again_at
        moving = any(row.state in ("Starting", "Stopping") for row in job.replicas)
        unseen = any(row.is_live and sights.get(row.engine) == Observation(None) for row in job.replicas)
        if moving or unseen:
            self._awaiting.add(unit_id)
        else:
            self._awaiting.discard(unit_id)
        if not job.replicas and not planned.steps:
            self._touched.pop(unit_id, None)

    def _is_for_others(self, job: Job) -> bool:
        """Whether there was no room here, and another node may have some."""
        watch = self.watches.get(self._engine_of(job.unit))
        is_here = watch is None or watch.engine.local
        waits = any(row.state == "Failed" and row.trouble is not None for row in job.replicas)
        return is_here and waits and not any(row.is_live for row in job.replicas) and bool(self._nodes - {self._node})

    async def _give_back(self, unit_id: str) -> None:
        await self._books.submit(GiveBackLease(worker_id=self._worker_id, unit_id=unit_id))

    async def _carry_out(self, job: Job, steps: Sequence[Step]) -> None:
        outcomes = await asyncio.gather(*(self._hands.carry_out(job, step) for step in steps), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    def _spawn(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        if key in self._busy or self._stopping:
            work.close()
            return
        task = asyncio.create_task(work)
        self._busy[key] = task
        task.add_done_callback(lambda done: self._done(key, done))

    def _done(self, key: str, task: asyncio.Task[None]) -> None:
        del self._busy[key]
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, LATER):
            log.error("a step failed, it is planned anew", unit_id=key, error=repr(error), exc_info=error)
        if not key.startswith(ORPHAN):
            self._touch(key)
        for soon in self._observe_soon.values():
            soon.set()

    async def settle_down(self) -> None:
        """Wait until every step that was begun has ended."""
        while self._busy:
            await asyncio.gather(*self._busy.values(), return_exceptions=True)
            await asyncio.sleep(0)

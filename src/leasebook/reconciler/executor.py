"""Carries out steps of a plan. Each step is stored first, and only then does the engine get the request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
import structlog

from leasebook.domain.commands.command import Command
from leasebook.domain.commands.instance.engine_report import (
    ConfirmFailed,
    ConfirmReleased,
    ConfirmResized,
    ConfirmRunning,
)
from leasebook.domain.commands.service.replica import BeginStart, GiveUpCreating, Settled, WriteReplica
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.model import Model
from leasebook.domain.model.replica import Replica, Wanted
from leasebook.domain.replicas.planner import (
    GiveUp,
    Halt,
    Job,
    Limits,
    MoveDeadline,
    Run,
    Settle,
    Start,
    Step,
    Write,
    failed,
)
from leasebook.domain.replicas.trust import why_not
from leasebook.engines.contract import CannotRun, NoRoom, ReplicaEngine, Unreachable
from leasebook.reconciler.deadlines import Deadlines
from leasebook.reconciler.observation import EngineMonitor
from leasebook.reconciler.ports import Books, Meter, Time, Timing

log = structlog.get_logger()

GRACE_S: Final = 10.0
"""Grace period for replicas whose run spec is unknown (orphans), in seconds."""
REMEMBERED_MAX: Final = 100_000


class StepExecutor:
    """Carries out steps for the worker of that id on that node, as long as ``may_act``."""

    def __init__(
        self,
        books: Books,
        watches: Mapping[str, EngineMonitor],
        *,
        worker_id: str,
        node: str,
        limits: Limits,
        timing: Timing,
        time: Time,
        meter: Meter,
        may_act: Callable[[], bool],
    ) -> None:
        self._books: Final = books
        self._watches: Final = watches
        self._worker_id: Final = worker_id
        self._node: Final = node
        self._limits: Final = limits
        self._timing: Final = timing
        self._time: Final = time
        self._meter: Final = meter
        self._may_act: Final = may_act
        self.deadlines: Final = Deadlines(time, limits.deadman_us)
        self._asked: dict[tuple[str, str], float] = {}

    async def carry_out(self, job: Job, step: Step) -> None:
        """Carry out one step. If the engine refuses or does not answer, that is stored, and a later plan tries again.

        Passes on errors of the sequencer; the next plan then continues from the stored rows.
        """
        began = self._time.steady()
        match step:
            case Start():
                await self._start(job, step)
            case Run():
                await self._run(job, step.replica)
            case Write():
                await self._write(job, step)
            case Halt():
                await self.stop(step.replica.engine, step.replica.name, self._grace(job, step.replica))
            case MoveDeadline():
                await self._move_deadline(step)
            case GiveUp():
                await self._books.submit(
                    GiveUpCreating(worker_id=self._worker_id, unit_id=job.unit.id, reason=step.reason)
                )
            case Settle():
                await self._settle(job, step)
        self._meter.step_done(type(step).__name__, self._time.steady() - began)

    async def stop(self, engine: str, name: str, grace_s: float) -> None:
        """Ask an engine to stop a replica, at most once in ``timing.again_s`` seconds."""
        watch = self._watches.get(engine)
        if watch is not None and self._is_time(("stop", name)):
            await self._ask(watch, lambda: watch.engine.stop(name, grace_s))

    def _is_time(self, call: tuple[str, str]) -> bool:
        now = self._time.steady()
        if now - self._asked.get(call, float("-inf")) < self._timing.again_s:
            return False
        if len(self._asked) >= REMEMBERED_MAX:
            self._asked = {key: at for key, at in self._asked.items() if now - at < self._timing.again_s}
        self._asked[call] = now
        return True

    async def _ask(self, watch: EngineMonitor, call: Callable[[], Awaitable[None]]) -> str | None:
        """Call an engine; returns the reason if the outcome is unknown, else None. Raises CannotRun and NoRoom."""
        async with watch.calls:
            if not self._may_act():
                return "this worker may not act any more"
            try:
                async with asyncio.timeout(self._timing.call_s):
                    await call()
            except TimeoutError:
                return f"no answer within {self._timing.call_s:g} s"
            except Unreachable as error:
                return str(error) or "unreachable"
            except (CannotRun, NoRoom):
                raise
            except Exception as error:
                log.exception("engine failed", engine=watch.engine.name)
                return repr(error)
        return None

    async def _start(self, job: Job, step: Start) -> None:
        after = msgspec.structs.replace(step.after, node=self._node)
        generation = await self._books.submit(
            BeginStart(worker_id=self._worker_id, unit_id=job.unit.id, before=step.before, after=after)
        )
        if generation:
            await self._run(job, msgspec.structs.replace(after, generation=generation), is_new=True)

    async def _run(self, job: Job, row: Replica, *, is_new: bool = False) -> None:
        """Start a replica. ``is_new``: this is the first request for it, so no engine has a deadline for it."""
        watch, model = self._watches.get(row.engine), job.models.get(row.model_id)
        if watch is None or model is None or not self._is_time(("start", row.name)):
            return
        ends_in_s = self.deadlines.left_s(row.deadline)
        wanted = Wanted(
            name=row.name,
            unit_id=row.unit_id,
            service_id=row.service_id,
            unit_type=job.unit.type,
            units=row.units,
            spec=model.run,
            ends_in_s=ends_in_s,
            trusted=model.is_trusted,
        )
        trouble: str | None = None
        try:
            _check_trust(watch.engine, model)
            error = await self._ask(watch, lambda: watch.engine.start(wanted))
        except CannotRun as refusal:
            reason = f"it cannot run: {refusal}"
            if job.unit.status == "Creating":
                await self._books.submit(GiveUpCreating(worker_id=self._worker_id, unit_id=job.unit.id, reason=reason))
        except NoRoom as refusal:
            reason = trouble = f"{row.engine} has no room: {refusal}"
        else:
            if error is None and is_new:
                self.deadlines.set_in_engine(row.name, ends_in_s)
            if error is not None and error != row.reason:
                await self._put(row, msgspec.structs.replace(row, reason=error))
            return
        await self._put(row, failed(row, reason, self._time.wall(), self._limits, trouble))

    async def _write(self, job: Job, step: Write) -> None:
        """Store a row. A replica that is to stop gets the request only after the commit."""
        if not step.after.is_live:
            self.deadlines.forget(step.after.name)
        if await self._put(step.before, step.after) and step.after.state == "Stopping" != step.before.state:
            await self.stop(step.after.engine, step.after.name, self._grace(job, step.after))

    async def _put(self, before: Replica, after: Replica) -> bool:
        written: bool = await self._books.submit(
            WriteReplica(worker_id=self._worker_id, unit_id=before.unit_id, before=before, after=after)
        )
        return written

    async def _move_deadline(self, step: MoveDeadline) -> None:
        after = step.after
        watch = self._watches.get(after.engine)
        if watch is None:
            return
        left_s = self.deadlines.left_s(after.deadline)
        if await self._ask(watch, lambda: watch.engine.end_in(after.name, left_s)) is None:
            self.deadlines.set_in_engine(after.name, left_s)
            if after != step.before:
                await self._put(step.before, after)

    async def _settle(self, job: Job, step: Settle) -> None:
        unit = job.unit
        await self._books.submit(
            Settled(
                worker_id=self._worker_id,
                unit_id=unit.id,
                report=_report(unit, step),
                generation=unit.generation,
                rows=job.replicas,
            )
        )

    def _grace(self, job: Job, row: Replica) -> float:
        model = job.models.get(row.model_id)
        return GRACE_S if model is None else model.run.grace_s


def _check_trust(engine: ReplicaEngine, model: Model) -> None:
    """Raise CannotRun where the engine must not be asked for it. Other servers, or older versions, may have placed it.

    Engines refuse it by themselves, too.
    """
    isolation = engine.isolation()
    if not model.is_trusted and not isolation.is_complete:
        raise CannotRun(why_not(model, engine.name, isolation.missing))


def _report(unit: Instance, step: Settle) -> Command:
    match step.report:
        case "Running":
            return ConfirmRunning(unit_id=unit.id)
        case "CreateFailed":
            return ConfirmFailed(unit_id=unit.id, reason=unit.failure or "")
        case "Resized":
            return ConfirmResized(unit_id=unit.id)
        case "Released":
            return ConfirmReleased(unit_id=unit.id)

"""The plan for an instance's replicas: the next steps, from the state in the books and the engines' observations.

Each plan is computed from the present state only, so it does not matter where the previous worker stopped. A missing
observation is no evidence: an engine that cannot be asked may be running everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, Literal

import msgspec

from leasebook.domain.model.instance import UP, Instance, Placement
from leasebook.domain.model.lease import Lease
from leasebook.domain.model.model import Model
from leasebook.domain.model.replica import Replica, Seen, rest
from leasebook.domain.model.service import Service
from leasebook.domain.replicas.crash_loop import CARRIER, Moment, marked, unwanted
from leasebook.domain.values.calendar import MINUTE_US, SECOND_US

INSTANT: Final = "instant"
"""The engine for instances that are only counted: it runs no process."""


WITHDRAWN: Final = "an operator took back the approval of its version, and the engine does not keep it apart"


class Job(msgspec.Struct, frozen=True):
    """An instance and all that the books have about its replicas. ``models`` are those of its services and replicas."""

    unit: Instance
    lease: Lease | None
    services: Mapping[str, Service]
    models: Mapping[str, Model]
    replicas: tuple[Replica, ...]


class Observation(msgspec.Struct, frozen=True):
    """An engine's replicas, by name. None: it cannot be asked, since ``since``, for the reason in ``error``."""

    seen: Mapping[str, Seen] | None
    error: str | None = None
    since: int | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Timeouts of the plan, in microseconds.

    ``start_us``: until a replica must be healthy. ``unhealthy_us``: until one that does not answer is started again.
    ``back_off_first_us``: before the first restart; doubled with every failure in a row up to ``back_off_max_us``. A
    row of failures ends when the replica was healthy for ``well_us``. ``trouble_us``: until an engine's failure to act
    is reported as trouble. ``deadman_us``: how long after an instance's release time the engine ends its replicas even
    without a request; None: it does not, because the clock is virtual. ``exposed`` are the engines that do not isolate
    replicas completely: replicas there of a version whose approval was withdrawn are ended.
    ``loop_us``: how long no replica of a service may stay healthy on an instance that is paid for, until that is
    reported as a crash loop; 0: it never is.
    """

    start_us: int = 10 * MINUTE_US
    unhealthy_us: int = MINUTE_US
    back_off_first_us: int = SECOND_US
    back_off_max_us: int = 5 * MINUTE_US
    well_us: int = 5 * MINUTE_US
    trouble_us: int = 15 * SECOND_US
    deadman_us: int | None = 5 * MINUTE_US
    exposed: frozenset[str] = frozenset()
    loop_us: int = 5 * MINUTE_US


class Write(msgspec.Struct, frozen=True):
    """Write a replica's row. A replica whose new state is Stopping is then stopped in its engine."""

    before: Replica
    after: Replica


class Start(msgspec.Struct, frozen=True):
    """Write that a replica starts under a new generation, then start it."""

    before: Replica | None
    after: Replica


class Run(msgspec.Struct, frozen=True):
    """Start a replica that the books have as Starting and the engine does not have. Idempotent: it may only be late."""

    replica: Replica


class Halt(msgspec.Struct, frozen=True):
    """Stop a replica that the engine still has and the books have as Stopping."""

    replica: Replica


class MoveDeadline(msgspec.Struct, frozen=True):
    """Move the instant at which the engine ends the replica by itself, and write the new one."""

    before: Replica
    after: Replica


class GiveUp(msgspec.Struct, frozen=True):
    """The instance cannot be created: end its replicas, and then return money and units."""

    reason: str


class Settle(msgspec.Struct, frozen=True):
    """Report to the books that the change which the instance waits for has happened."""

    report: Literal["Running", "CreateFailed", "Resized", "Released"]


Step = Write | Start | Run | Halt | MoveDeadline | GiveUp | Settle


class Plan(msgspec.Struct, frozen=True):
    """Steps that may be carried out in any order, and when to plan again even if no observation changes."""

    steps: tuple[Step, ...]
    again_at: int | None


def wanted(unit: Instance, services: Mapping[str, Service]) -> Iterator[Placement]:
    """Yield the placements that have to run: all of the instance's while it is up or being created."""
    if unit.status in UP or (unit.status == "Creating" and unit.failure is None):
        for placed in unit.placements:
            service = services.get(placed.service_id)
            if placed.runs and service is not None and service.active and service.deleted_at is None:
                yield placed


def back_off(replica: Replica, now: int, limits: Limits) -> Replica:
    """Return a failed replica's row with its next start postponed."""
    well = replica.state == "Ready" and now - replica.since >= limits.well_us
    restarts = 1 if well else replica.restarts + 1
    wait = min(limits.back_off_max_us, limits.back_off_first_us << min(restarts - 1, 32))
    return msgspec.structs.replace(replica, restarts=restarts, not_before=now + wait)


def failed(replica: Replica, reason: str, now: int, limits: Limits, trouble: str | None = None) -> Replica:
    """Return the row of a replica that failed: it ends, and is started again later."""
    changed = back_off(replica, now, limits)
    return msgspec.structs.replace(
        changed, state="Stopping", since=now, reason=reason, trouble=trouble or replica.trouble
    )


def write_off(rows: Sequence[Replica], now: int, limits: Limits) -> Plan | None:
    """Return the plan that ends the replicas of a lost machine; None if all of them are Stopping already."""
    steps = [
        Write(row, failed(row, f"an operator gave up {row.engine} of {row.node}, where it ran", now, limits))
        for row in rows
        if row.state != "Stopping"
    ]
    return Plan(tuple(steps), None) if steps else None


def plan(
    job: Job,
    sights: Mapping[str, Observation],
    now: int,
    limits: Limits,
    engine: str,
    service_now: int | None = None,
) -> Plan:
    """Return the next steps for an instance that ``engine`` has to run, at ``now`` of the machine.

    ``sights`` are the engines' observations; they must be newer than all steps already taken for this instance.
    ``service_now`` is the time of the service's clock, by which instances are paid; None: that of the machine.
    """
    return _Planner(job, sights, now, limits, engine).plan(now if service_now is None else service_now)


class _Planner:
    """One plan for one instance."""

    def __init__(self, job: Job, sights: Mapping[str, Observation], now: int, limits: Limits, engine: str) -> None:
        self._job = job
        self._unit = job.unit
        self._sights = sights
        self._now = now
        self._limits = limits
        self._engine = engine
        self._wanted = {} if engine == INSTANT else {one.service_id: one for one in wanted(job.unit, job.services)}
        self._rows = {(row.service_id, row.number): row for row in job.replicas}
        self._free = job.unit.count - sum(row.units for row in job.replicas if row.is_live)
        self._again: list[int] = []

    def plan(self, service_now: int) -> Plan:
        """Collect all steps."""
        steps: list[Step] = [*self._services(), *self._others(), *self._unit_steps()]
        steps = self._with_outages(steps, service_now)
        later = [at for at in self._again if at > self._now]
        return Plan(tuple(steps), min(later, default=None))

    def _later(self, at: int) -> None:
        self._again.append(at)

    # --- replicas -----------------------------------------------------------------------------------------

    def _others(self) -> Iterator[Step]:
        """End replicas that no placement wants."""
        for row in self._job.replicas:
            placed = self._wanted.get(row.service_id)
            if placed is not None and row.number < placed.replicas:
                continue
            if placed is not None and row.number == placed.replicas and self._is_spare_wanted(placed):
                continue
            if row.state == "Failed":
                yield Write(row, rest(row, "Gone", self._now))
            elif row.state == "Stopping":
                yield from self._stopping(row, wanted=False)
            elif row.is_live:
                yield self._end(row)

    def _end(self, row: Replica) -> Write:
        """End a replica without counting a failure."""
        return Write(row, msgspec.structs.replace(row, state="Stopping", since=self._now, reason=None))

    def _services(self) -> Iterator[Step]:
        for placed in self._wanted.values():
            numbers = placed.replicas + self._is_spare_wanted(placed)
            yield from self._replace_one(placed)
            for number in range(numbers):
                row = self._rows.get((placed.service_id, number))
                if row is None or not row.is_live:
                    yield from self._begin(placed, number, row)
                elif row.state == "Stopping":
                    yield from self._stopping(row, wanted=True)
                elif row.state != "Ready" and self._is_old(row):
                    yield self._end(row)
                elif self._is_withdrawn(row):
                    yield self._fail(row, WITHDRAWN)
                else:
                    yield from self._running(row)

    def _begin(self, placed: Placement, number: int, row: Replica | None) -> Iterator[Step]:
        """Start or restart a replica, if its back-off is over and the instance has units for it."""
        service = self._job.services[placed.service_id]
        if service.model_id not in self._job.models:
            return
        fresh = row is None or self._is_old(row)
        if row is not None and row.not_before is not None and row.not_before > self._now and not fresh:
            self._later(row.not_before)
            return
        if self._free < placed.units_each:
            return
        self._free -= placed.units_each
        same = row is not None and row.state == "Failed" and not fresh
        after = Replica(
            unit_id=self._unit.id,
            service_id=placed.service_id,
            number=number,
            account_id=self._unit.account_id,
            model_id=service.model_id,
            engine=self._engine,
            node="",
            units=placed.units_each,
            generation=self._unit.generation + 1,
            state="Starting",
            since=self._now,
            reason=row.reason if row is not None and same else None,
            trouble=row.trouble if row is not None and same else None,
            restarts=row.restarts if row is not None and same else 0,
            deadline=self._deadline(),
            outage=row.outage if row is not None else "None",
            down_since=row.down_since if row is not None else None,
        )
        yield Start(row, after)

    def _deadline(self) -> int | None:
        """Return when the engine ends the replica by itself: ``deadman_us`` after the instance's release time."""
        unit, after = self._unit, self._limits.deadman_us
        if after is None or unit.release_at is None or unit.payment_timing != "Postpaid":
            return None
        return unit.release_at + after

    def _running(self, row: Replica) -> Iterator[Step]:
        """Handle a replica that has to run and, as far as the books show, runs."""
        sight = self._sights.get(row.engine)
        if sight is None or sight.seen is None:
            yield from self._unreachable(row, sight)
            return
        seen = sight.seen.get(row.name)
        late = row.since + self._limits.start_us
        if seen is None and row.state == "Starting" and self._now < late:
            self._later(late)
            yield Run(row)
        elif seen is None:
            missing = "it never came up" if row.state == "Starting" else "the engine does not have it any more"
            yield self._fail(row, row.reason if row.state == "Starting" and row.reason else missing)
        elif seen.state in ("Exited", "Stopping"):
            yield self._fail(row, seen.reason or "it ended")
        else:
            yield from self._seen(row, seen)

    def _fail(self, row: Replica, reason: str) -> Write:
        return Write(row, failed(row, reason, self._now, self._limits))

    def _seen(self, row: Replica, seen: Seen) -> Iterator[Step]:
        """Write the observed state, and restart the replica if it is not healthy for too long."""
        state: Literal["Starting", "Ready", "Unhealthy"] = seen.state  # type: ignore[assignment]
        since = row.since if state == row.state else self._now
        bound = {"Starting": self._limits.start_us, "Unhealthy": self._limits.unhealthy_us}.get(state)
        if bound is not None and self._now >= since + bound:
            yield self._fail(row, f"not healthy for {bound // SECOND_US} s: {seen.reason or 'it does not answer'}")
            return
        if bound is not None:
            self._later(since + bound)
        after = msgspec.structs.replace(
            row,
            state=state,
            since=since,
            address=seen.address,
            devices=seen.devices,
            reason=None if state == "Ready" else seen.reason or row.reason,
            trouble=None,
        )
        if after != row:
            yield Write(row, after)
        elif row.deadline != (deadline := self._deadline()):
            yield MoveDeadline(row, msgspec.structs.replace(row, deadline=deadline))

    def _unreachable(self, row: Replica, sight: Observation | None) -> Iterator[Step]:
        """Change no state. Report trouble if the engine cannot be asked for long."""
        if sight is None or sight.since is None:
            return
        tell_at = max(sight.since, row.since) + self._limits.trouble_us
        if row.trouble is not None:
            return
        if self._now < tell_at:
            self._later(tell_at)
            return
        yield Write(row, msgspec.structs.replace(row, trouble=f"{row.engine}: {sight.error or 'it cannot be asked'}"))

    def _stopping(self, row: Replica, *, wanted: bool) -> Iterator[Step]:
        """Handle a replica that has to end. It is gone only if its engine can be asked and does not have it."""
        sight = self._sights.get(row.engine)
        if sight is None or sight.seen is None:
            yield from self._unreachable(row, sight)
            return
        if row.name not in sight.seen:
            yield Write(row, rest(row, "Failed" if wanted and row.reason is not None else "Gone", self._now))
            return
        yield Halt(row)
        model = self._job.models.get(row.model_id)
        grace = 0 if model is None else int(model.run.grace_s * SECOND_US)
        tell_at = row.since + grace + self._limits.trouble_us
        if row.trouble is None and self._now >= tell_at:
            trouble = f"{row.engine}: it does not end: {sight.seen[row.name].reason or 'it was told to'}"
            yield Write(row, msgspec.structs.replace(row, trouble=trouble))
        elif row.trouble is None:
            self._later(tell_at)

    # --- another model ------------------------------------------------------------------------------------

    def _is_old(self, row: Replica) -> bool:
        """Whether it runs another model version than its service, or runs on another engine."""
        wanted = self._job.services[row.service_id].model_id
        return (row.model_id != wanted and wanted in self._job.models) or row.engine != self._engine

    def _is_withdrawn(self, row: Replica) -> bool:
        """Whether an operator withdrew the approval of its version, and its engine does not isolate it.

        A version that was never approved goes on: its replicas were started before approval was required.
        """
        model = self._job.models.get(row.model_id)
        return row.engine in self._limits.exposed and model is not None and model.withdrawn_at is not None

    def _numbered(self, placed: Placement) -> list[Replica | None]:
        return [self._rows.get((placed.service_id, number)) for number in range(placed.replicas)]

    def _has_room(self, placed: Placement) -> bool:
        """Whether the instance has units for one replica more than wanted."""
        return self._unit.count - self._unit.used >= placed.units_each

    def _is_spare_wanted(self, placed: Placement) -> bool:
        """Whether a spare replica runs while healthy ones are replaced: only if the instance has units for it."""
        rows = self._numbered(placed)
        if any(row is not None and row.state == "Ready" and self._is_old(row) for row in rows):
            return self._has_room(placed)
        spare = self._rows.get((placed.service_id, placed.replicas))
        # The spare stays until all replicas that it stood in for are healthy.
        return (
            spare is not None
            and spare.state in ("Starting", "Ready")
            and self._has_room(placed)
            and not all(row is not None and row.state == "Ready" for row in rows)
        )

    def _replace_one(self, placed: Placement) -> Iterator[Step]:
        """End one healthy replica of the old version, if enough others are healthy.

        With units for a spare, the wanted number keeps answering, and a new version that never becomes healthy ends
        none of the old replicas. Without, there is one less at a time.
        """
        ready = [row for row in self._numbered(placed) if row is not None and row.state == "Ready"]
        old = [row for row in ready if self._is_old(row)]
        spare = self._rows.get((placed.service_id, placed.replicas))
        has_spare = self._is_spare_wanted(placed) and (spare is None or spare.trouble is None)
        is_spare_ready = spare is not None and spare.state == "Ready" and not self._is_old(spare)
        if old and len(ready) + is_spare_ready >= placed.replicas + has_spare:
            yield self._end(old[0])

    # --- crash loops --------------------------------------------------------------------------------------

    def _with_outages(self, steps: list[Step], service_now: int) -> list[Step]:
        """Have the rows of replicas 0 say whether their services are down.

        The step that writes a row says it too. Where no step does, one more does, and requests to the engine that may
        write the row themselves wait until the next plan.
        """
        writes = {step.after.key: step for step in steps if isinstance(step, (Write, Start))}
        rows = {row.key: row for row in self._job.replicas} | {key: step.after for key, step in writes.items()}
        for key, row in rows.items():
            after = self._outage(row, service_now) if row.number == CARRIER else row
            if after == row:
                continue
            if key in writes:
                steps[steps.index(writes[key])] = msgspec.structs.replace(writes[key], after=after)
            else:
                steps = [*(step for step in steps if not _may_write(step, row)), Write(row, after)]
        return steps

    def _outage(self, row: Replica, service_now: int) -> Replica:
        if row.service_id not in self._wanted:
            return unwanted(row)
        if self._unit.status not in UP:
            return row
        visible = {name for name, sight in self._sights.items() if sight.seen is not None}
        at = Moment(self._now, service_now, self._limits.loop_us, self._limits.well_us)
        after, again_at = marked(row, self._job.replicas, visible, self._engine, at)
        if again_at is not None:
            self._later(again_at)
        return after

    # --- the instance -------------------------------------------------------------------------------------

    def _unit_steps(self) -> Iterator[Step]:
        """Report the change that the instance waits for, if it has happened."""
        unit = self._unit
        live = [row for row in self._job.replicas if row.is_live]
        if unit.status == "Creating" and unit.failure is not None:
            if not live:
                yield Settle("CreateFailed")
        elif unit.status == "Creating":
            yield from self._creating()
        elif unit.status == "Releasing" and not live:
            yield Settle("Released")
        elif unit.status == "Reconfiguring":
            smaller = min(unit.count, unit.target_count or unit.count)
            if sum(row.units for row in live) <= smaller:
                yield Settle("Resized")

    def _creating(self) -> Iterator[Step]:
        """The instance is created once all its replicas are healthy, and given up if they are not healthy in time."""
        rows = [
            self._rows.get((placed.service_id, number))
            for placed in self._wanted.values()
            for number in range(placed.replicas)
        ]
        if all(row is not None and row.state == "Ready" for row in rows):
            yield Settle("Running")
            return
        lost = [one.service_id for one in self._wanted.values() if self._model_of(one) is None]
        if lost:
            yield GiveUp(f"the model of {lost[0]} is not in the repository")
            return
        if self._job.lease is None:
            return
        until = self._job.lease.since + self._limits.start_us
        if self._now < until:
            self._later(until)
            return
        told = next(
            (text for row in rows if row is not None if (text := row.trouble or row.reason)), "nothing was said"
        )
        yield GiveUp(f"its replicas were not healthy within {self._limits.start_us // SECOND_US} s: {told}")

    def _model_of(self, placed: Placement) -> Model | None:
        return self._job.models.get(self._job.services[placed.service_id].model_id)


def _may_write(step: Step, row: Replica) -> bool:
    """Whether the step asks an engine for something, and may then write the row as if it had not changed."""
    return (isinstance(step, Run) and step.replica == row) or (isinstance(step, MoveDeadline) and step.before == row)


def orphans(live: AbstractSet[str], seen: Mapping[str, Seen]) -> list[str]:
    """Return the names that an engine has and no live row has. ``live`` must be read after ``seen``."""
    return sorted(seen.keys() - live)

"""Commands of the reconciler: its leases, the starts and states of replicas, and the awaited changes."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import INSTANCES, LEASES, REPLICAS, SERVICES, WORKERS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.instance import GONE
from leasebook.domain.model.lease import LEFT, NOBODY, Lease, Worker
from leasebook.domain.model.replica import STEPS, Replica
from leasebook.domain.replicas.planner import wanted
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules


class HoldLeases(Command, frozen=True, kw_only=True):
    """Record that a worker lives: a higher beat keeps all its leases. LEFT: the worker stops."""

    answer: ClassVar[type] = bool

    worker: Worker

    def needs(self) -> Needs:
        """The worker."""
        yield WORKERS, (self.worker.id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Write the row."""
        draft.put(WORKERS, self.worker)
        return True


class TakeLeases(Command, frozen=True, kw_only=True):
    """Take leases that are free: of new instances, and of workers that are ``dead``.

    ``dead`` lists workers with the beat that no longer changed; a worker whose beat has changed since lives. Returns
    the instances whose leases the worker has now.
    """

    answer: ClassVar[type] = tuple[str, ...]

    worker_id: str
    node: str
    at: int
    unit_ids: tuple[str, ...]
    dead: tuple[tuple[str, int], ...] = ()

    def needs(self) -> Needs:
        """The leases, and the workers that may be dead."""
        for unit_id in self.unit_ids:
            yield LEASES, (unit_id,)
        for worker_id, _ in self.dead:
            yield WORKERS, (worker_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> tuple[str, ...]:  # noqa: ARG002 - no setting matters
        """Take free leases."""
        free = {NOBODY}
        for worker_id, beat in self.dead:
            worker = draft.get(WORKERS, worker_id)
            if worker is None or worker.beat in (beat, LEFT):
                free.add(worker_id)
        taken = []
        for unit_id in self.unit_ids:
            lease = draft.get(LEASES, unit_id)
            if lease is None or lease.holder in free:
                since = self.at if lease is None else lease.since
                draft.put(LEASES, Lease(unit_id, self.worker_id, self.node, since))
                taken.append(unit_id)
            elif lease.holder == self.worker_id:
                taken.append(unit_id)
        return tuple(taken)


class _Held(Command, frozen=True, kw_only=True):
    """A command that only the holder of the instance's lease may give; others get False."""

    answer: ClassVar[type] = bool

    worker_id: str
    unit_id: str

    def needs(self) -> Needs:
        """The lease."""
        yield LEASES, (self.unit_id,)

    def is_holder(self, draft: Draft) -> bool:
        """Whether the worker still holds the instance's lease."""
        lease = draft.get(LEASES, self.unit_id)
        return lease is not None and lease.holder == self.worker_id


class GiveBackLease(_Held, frozen=True, kw_only=True):
    """Give a lease up because this node has no room: another node may try, or this one later."""

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Give the lease up, if it is held."""
        if not self.is_holder(draft):
            return False
        lease = draft.require(LEASES, self.unit_id)
        draft.put(LEASES, msgspec.structs.replace(lease, holder=NOBODY))
        return True


class BeginStart(_Held, frozen=True, kw_only=True):
    """Record that a replica starts, before any engine is asked, under a generation that was never used.

    Returns the generation; 0 if the replica must not start any more.
    """

    answer: ClassVar[type] = int

    before: Replica | None
    after: Replica

    def needs(self) -> Needs:
        """The instance and the service, the lease, and the row."""
        yield INSTANCES, (self.unit_id,)
        yield SERVICES, (self.after.service_id,)
        yield from super().needs()
        yield REPLICAS, self.after.key

    def needs_more(self, book: Book) -> Needs:
        """The instance's other services, because the instance is written."""
        unit = book.get(INSTANCES, self.unit_id)
        for placed in () if unit is None else unit.placements:
            yield SERVICES, (placed.service_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> int:  # noqa: ARG002 - no setting matters
        """Write the start, if the replica is still wanted and its row has not changed."""
        unit = draft.get(INSTANCES, self.unit_id)
        service = draft.get(SERVICES, self.after.service_id)
        if unit is None or service is None or not self.is_holder(draft):
            return 0
        placed = {one.service_id for one in wanted(unit, {service.id: service})}
        if service.id not in placed or draft.get(REPLICAS, *self.after.key) != self.before:
            return 0
        generation = unit.generation + 1
        draft.put(INSTANCES, msgspec.structs.replace(unit, generation=generation))
        draft.put(REPLICAS, msgspec.structs.replace(self.after, generation=generation))
        return generation


class WriteReplica(_Held, frozen=True, kw_only=True):
    """Write a replica's row, if the row is still the one that was planned on.

    Updates its service's count of ready replicas.
    """

    before: Replica
    after: Replica

    def needs(self) -> Needs:
        """The service, the lease and the row."""
        yield SERVICES, (self.before.service_id,)
        yield from super().needs()
        yield REPLICAS, self.before.key

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Raises AssertionError for a step that no replica may take."""
        before, after = self.before, self.after
        if not self.is_holder(draft) or draft.get(REPLICAS, *before.key) != before:
            return False
        if after.state != before.state and after.state not in STEPS[before.state]:
            raise AssertionError(f"{before.name} cannot go from {before.state} to {after.state}")
        draft.put(REPLICAS, after)
        more = (after.state == "Ready") - (before.state == "Ready")
        if more:
            service = draft.require(SERVICES, before.service_id)
            draft.put(SERVICES, msgspec.structs.replace(service, ready=service.ready + more))
        return True


class GiveUpCreating(_Held, frozen=True, kw_only=True):
    """Record why an instance cannot be created. Its replicas end first; then money and units are returned."""

    reason: str

    def needs(self) -> Needs:
        """The instance and the lease."""
        yield INSTANCES, (self.unit_id,)
        yield from super().needs()

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Record the reason, if it is still being created."""
        unit = draft.get(INSTANCES, self.unit_id)
        if unit is None or unit.status != "Creating" or unit.failure is not None or not self.is_holder(draft):
            return False
        draft.put(INSTANCES, msgspec.structs.replace(unit, failure=self.reason))
        return True


class Settled(_Held, frozen=True, kw_only=True):
    """Apply the engine's ``report`` that an instance waited for, if its replicas have not changed since they were read.

    ``rows`` are all its replicas as they were read; ``generation`` is the instance's at that time, so that a replica
    started since prevents the change.
    """

    report: Command
    generation: int
    rows: tuple[Replica, ...]

    def needs(self) -> Needs:
        """The needs of the report, the lease, and every replica."""
        yield from self.report.needs()
        yield from super().needs()
        for row in self.rows:
            yield REPLICAS, row.key

    def needs_more(self, book: Book) -> Needs:
        """The further needs of the report."""
        return self.report.needs_more(book)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Raises the errors of the report."""
        unit = draft.get(INSTANCES, self.unit_id)
        if unit is None or unit.generation != self.generation or not self.is_holder(draft):
            return False
        if any(draft.get(REPLICAS, *row.key) != row for row in self.rows):
            return False
        if not self.report.decide(draft, rules, now):
            return False
        if draft.require(INSTANCES, self.unit_id).status in GONE:
            draft.put(LEASES, msgspec.structs.replace(draft.require(LEASES, self.unit_id), holder=NOBODY))
        return True

"""Answers of the store of dictionaries about replicas."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from leasebook.domain.book.tables import (
    ENGINE_CAPACITIES,
    INSTANCES,
    LEASES,
    MODELS,
    REPLICAS,
    SERVICES,
    WORKERS,
    Key,
    Table,
)
from leasebook.domain.model.engine_capacity import EngineCapacity
from leasebook.domain.model.instance import GONE, UP
from leasebook.domain.model.lease import LEFT, Worker
from leasebook.domain.model.replica import Replica, Target
from leasebook.domain.replicas.planner import Job
from leasebook.domain.replicas.unrun import RunPlace
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.log_stores import LogSources
from leasebook.ports.queries.places import UnitEnds
from leasebook.ports.queries.read_repository import Numbered, ReadRepository, UnitFilter
from leasebook.store.queries.replicas import job_of


class ReplicaQuestions(ReadRepository):
    """Questions about replicas, asked of the dictionaries."""

    def _rows(self, table: Table[Any]) -> dict[Key, Any]:
        """Return the rows of a table by key."""
        raise NotImplementedError

    def service_place(self, account_id: str, service_id: str) -> int | None:
        """Return the place of an account's service in lists."""
        return self._place(SERVICES, account_id, service_id)

    def unit_place(self, account_id: str, unit_id: str) -> int | None:
        """Return the place of an account's instance in lists."""
        return self._place(INSTANCES, account_id, unit_id)

    def coming_ends(self, wanted: UnitFilter, since: Instant, limit: int) -> list[Numbered]:
        """Return instances that end by themselves after that, the first to end first."""
        found = [one for one in self.units(wanted) if one.row.end_at is not None and one.row.end_at > since]
        return sorted(found, key=lambda one: (one.row.end_at, one.seq))[:limit]

    def _place(self, table: Table[Any], account_id: str, row_id: str) -> int | None:
        numbered = enumerate(self._rows(table).values(), start=1)
        return next((seq for seq, row in numbered if (row.id, row.account_id) == (row_id, account_id)), None)

    def targets(self, service_id: str) -> list[Target]:
        """Return a service's replicas that take requests."""
        service = self.service(service_id)
        if service is None or not service.active or service.deleted_at is not None:
            return []
        rows = [
            row
            for row in self._rows(REPLICAS).values()
            if row.service_id == service_id
            and row.state in ("Ready", "Unhealthy")
            and row.address is not None
            and self._rows(INSTANCES)[row.unit_id,].status in UP
        ]
        rows.sort(key=lambda row: (row.state, row.key))
        return [Target(row.name, row.address, row.state, row.model_id, row.engine, row.node) for row in rows]

    def services_with_log_store(self) -> int:
        """Count the services of all accounts that have a log store."""
        rows = self._rows(SERVICES).values()
        return sum(row.log_store is not None and row.deleted_at is None for row in rows)

    def log_sources(self, holder: str, service_ids: Collection[str]) -> LogSources:
        """Return the replicas whose lines a worker sends, with their services."""
        attached = {
            row.id: row for row in self._rows(SERVICES).values() if row.log_store is not None and row.deleted_at is None
        }
        rows = sorted(
            (
                row
                for row in self._rows(REPLICAS).values()
                if row.service_id in attached
                and row.state != "Gone"
                and (row.unit_id,) in self._rows(LEASES)
                and self._rows(LEASES)[row.unit_id,].holder == holder
            ),
            key=lambda row: row.key,
        )
        ids = {*service_ids, *(row.service_id for row in rows)}
        return LogSources({name: row for name, row in attached.items() if name in ids}, rows)

    def replicas(self, account_id: str, *, service_id: str | None = None, unit_id: str | None = None) -> list[Replica]:
        """Return an account's replicas, by instance, service and number."""
        return sorted(
            (
                row
                for row in self._rows(REPLICAS).values()
                if row.account_id == account_id
                and service_id in (None, row.service_id)
                and unit_id in (None, row.unit_id)
            ),
            key=lambda row: row.key,
        )

    def unit_ends(self, region: str, unit_type: str) -> UnitEnds:
        """Return when the live instances of an offering end."""
        units = [unit for unit in self._rows(INSTANCES).values() if unit.offering == (region, unit_type)]
        ends = [unit.release_at or unit.expires_at for unit in units if unit.status not in GONE]
        return UnitEnds(max((end for end in ends if end is not None), default=None), ends.count(None))

    def run_places(self, service_id: str | None = None) -> list[RunPlace]:
        """Return where replicas are to run now."""
        found: dict[tuple[str, str], set[tuple[str, str]]] = {}
        services = self._rows(SERVICES)
        for unit in self._rows(INSTANCES).values():
            for placed in unit.placements if unit.status in UP or unit.status == "Creating" else ():
                service = services[placed.service_id,]
                is_on = service.runs and service.active and service.deleted_at is None
                if is_on and service_id in (None, service.id):
                    found.setdefault(unit.offering, set()).add((service.id, unit.id))
        return [
            RunPlace(*place, len({one for one, _ in pairs}), len({one for _, one in pairs}))
            for place, pairs in sorted(found.items())
        ]

    def jobs(self, unit_ids: Sequence[str] | None) -> list[Job]:
        """Return instances whose replicas a worker must look after."""
        services = {row.id: row for row in self._rows(SERVICES).values()}
        models = {row.id: row for row in self._rows(MODELS).values()}
        found = []
        for unit in sorted(self._rows(INSTANCES).values(), key=lambda row: row.id):
            runs = any(services[placed.service_id].runs for placed in unit.placements)
            if unit_ids is not None and unit.id not in unit_ids:
                continue
            if runs or (unit.generation > 0 and unit.status not in GONE):
                rows = [row for row in self._rows(REPLICAS).values() if row.unit_id == unit.id]
                found.append(job_of(unit, self._rows(LEASES).get((unit.id,)), services, models, rows))
        return found

    def workers(self) -> list[Worker]:
        """Return who looks after replicas, or did and has leases yet."""
        holders = {lease.holder for lease in self._rows(LEASES).values()}
        return sorted((row for row in self._rows(WORKERS).values() if row.id in holders), key=lambda row: row.id)

    def replica_counts(self) -> dict[str, int]:
        """Count the replicas by state, without those that are gone."""
        counts: dict[str, int] = {}
        for row in self._rows(REPLICAS).values():
            if row.state != "Gone":
                counts[row.state] = counts.get(row.state, 0) + 1
        return counts

    def crash_loops(self) -> int:
        """Count the crash loops that were reported."""
        return sum(row.outage == "Reported" for row in self._rows(REPLICAS).values())

    def workers_up(self) -> list[Worker]:
        """Return every worker that did not stop cleanly."""
        return [row for _, row in sorted(self._rows(WORKERS).items()) if row.beat != LEFT]

    def workers_named(self, worker_ids: Sequence[str]) -> list[Worker]:
        """Return workers by id, in order."""
        workers = self._rows(WORKERS)
        return [workers[one,] for one in sorted(set(worker_ids)) if (one,) in workers]

    def supplies(self) -> list[EngineCapacity]:
        """Return what every engine was last said to have."""
        return sorted(self._rows(ENGINE_CAPACITIES).values(), key=lambda row: row.engine)

"""Queries about replicas and engines, and about the places of rows in lists, in SQL for both stores."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec

from leasebook.domain.book.tables import (
    ENGINE_CAPACITIES,
    INSTANCES,
    LEASES,
    MODELS,
    REPLICAS,
    SERVICES,
    WORKERS,
    Table,
)
from leasebook.domain.model.engine_capacity import EngineCapacity
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.lease import LEFT, Lease, Worker
from leasebook.domain.model.model import Model
from leasebook.domain.model.replica import Replica, Target
from leasebook.domain.model.service import Service
from leasebook.domain.replicas.planner import Job
from leasebook.domain.replicas.unrun import RunPlace
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.log_stores import LogSources
from leasebook.ports.queries.places import UnitEnds
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.store.rows.codec import CODECS

R = TypeVar("R", bound=msgspec.Struct)

KEYS_AT_ONCE: Final = 500
JOBS: Final = (
    "SELECT p.unit_id FROM placements p JOIN services s ON s.id = p.service_id WHERE s.runs "
    "UNION SELECT id FROM units WHERE generation > 0 AND status <> 'Released' AND status <> 'CreateFailed'"
)
"""Instances whose replicas need a worker; the conditions match two partial indexes."""


class ReplicaQueries(ReadRepository):
    """Queries about replicas."""

    _fetch: Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

    def _by(self, table: Table[R], column: str, values: Sequence[str]) -> Iterator[R]:
        """Yield the rows of a table with one of some values in a column."""
        codec = CODECS[table]
        names = ", ".join(f'"{name}"' for name in codec.columns)
        for begin in range(0, len(values), KEYS_AT_ONCE):
            some = values[begin : begin + KEYS_AT_ONCE]
            marks = ", ".join("?" for _ in some)
            rows = self._fetch(f"SELECT {names} FROM {codec.name} WHERE {column} IN ({marks})", some)
            yield from map(codec.read, rows)

    def targets(self, service_id: str) -> list[Target]:
        """Return a service's replicas that take requests."""
        names = ", ".join(f'r."{name}"' for name in CODECS[REPLICAS].columns)
        rows = self._fetch(
            f"SELECT {names} FROM replicas r JOIN units u ON u.id = r.unit_id JOIN services s ON s.id = r.service_id "
            "WHERE r.service_id = ? AND r.state IN ('Ready', 'Unhealthy') AND r.address IS NOT NULL "
            "AND u.status IN ('Running', 'Reconfiguring', 'ReconfigureFailed', 'BillingChanging') "
            "AND s.active AND s.deleted_at IS NULL ORDER BY r.state, r.unit_id, r.number",
            (service_id,),
        )
        found = map(CODECS[REPLICAS].read, rows)
        return [Target(row.name, row.address, row.state, row.model_id, row.engine, row.node) for row in found]

    def replicas(self, account_id: str, *, service_id: str | None = None, unit_id: str | None = None) -> list[Replica]:
        """Return an account's replicas, by instance, service and number."""
        column, value = ("service_id", service_id) if service_id is not None else ("unit_id", unit_id)
        found = self._by(REPLICAS, column, [value or ""])
        mine = (row for row in found if row.account_id == account_id and unit_id in (None, row.unit_id))
        return sorted(mine, key=lambda row: row.key)

    def services_with_log_store(self) -> int:
        """Count the services of all accounts that have a log store."""
        text = "SELECT count(*) FROM services WHERE log_store IS NOT NULL AND deleted_at IS NULL"
        return int(self._fetch(text, ())[0][0])

    def log_sources(self, holder: str, service_ids: Collection[str]) -> LogSources:
        """Return the replicas whose lines a worker sends, with their services and those of ``service_ids``."""
        names = ", ".join(f'r."{name}"' for name in CODECS[REPLICAS].columns)
        rows = self._fetch(
            f"SELECT {names} FROM services s JOIN replicas r ON r.service_id = s.id "
            "JOIN leases l ON l.unit_id = r.unit_id "
            "WHERE s.log_store IS NOT NULL AND s.deleted_at IS NULL AND r.state <> 'Gone' AND l.holder = ? "
            "ORDER BY r.unit_id, r.service_id, r.number",
            (holder,),
        )
        replicas = [CODECS[REPLICAS].read(row) for row in rows]
        ids = sorted({*service_ids, *(row.service_id for row in replicas)})
        services = {
            row.id: row for row in self._by(SERVICES, "id", ids) if row.log_store is not None and row.deleted_at is None
        }
        return LogSources(services, replicas)

    def jobs(self, unit_ids: Sequence[str] | None) -> list[Job]:
        """Return the instances whose replicas need a worker, with their rows."""
        if unit_ids is None:
            found = [row[0] for row in self._fetch(JOBS, ())]
        else:
            found = []
            for begin in range(0, len(unit_ids), KEYS_AT_ONCE):
                some = unit_ids[begin : begin + KEYS_AT_ONCE]
                marks = ", ".join("?" for _ in some)
                text = f"SELECT unit_id FROM ({JOBS}) jobs WHERE unit_id IN ({marks})"
                found += [row[0] for row in self._fetch(text, some)]
        units: list[Instance] = list(self._by(INSTANCES, "id", found))
        leases: dict[str, Lease] = {lease.unit_id: lease for lease in self._by(LEASES, "unit_id", found)}
        replicas: dict[str, list[Replica]] = {}
        for row in self._by(REPLICAS, "unit_id", found):
            replicas.setdefault(row.unit_id, []).append(row)
        service_ids = {placed.service_id for unit in units for placed in unit.placements if placed.runs}
        service_ids |= {row.service_id for rows in replicas.values() for row in rows}
        services: dict[str, Service] = {row.id: row for row in self._by(SERVICES, "id", sorted(service_ids))}
        model_ids = {service.model_id for service in services.values()}
        model_ids |= {row.model_id for rows in replicas.values() for row in rows if row.is_live}
        models: dict[str, Model] = {row.id: row for row in self._by(MODELS, "id", sorted(model_ids))}
        return [
            job_of(unit, leases.get(unit.id), services, models, replicas.get(unit.id, ()))
            for unit in sorted(units, key=lambda unit: unit.id)
        ]

    def service_place(self, account_id: str, service_id: str) -> int | None:
        """Return the place of an account's service in lists, even if it is deleted."""
        return self._place(SERVICES, account_id, service_id)

    def unit_place(self, account_id: str, unit_id: str) -> int | None:
        """Return the place of an account's instance in lists, even if it is released."""
        return self._place(INSTANCES, account_id, unit_id)

    def _place(self, table: Table[Any], account_id: str, row_id: str) -> int | None:
        rows = self._fetch(f"SELECT seq FROM {table.name} WHERE id = ? AND account_id = ?", (row_id, account_id))
        return int(rows[0][0]) if rows else None

    def unit_ends(self, region: str, unit_type: str) -> UnitEnds:
        """Return when the live instances of an offering end."""
        ((last, endless),) = self._fetch(
            "SELECT max(COALESCE(release_at, expires_at)), "
            "sum(CASE WHEN release_at IS NULL AND expires_at IS NULL THEN 1 ELSE 0 END) FROM units "
            "WHERE region = ? AND type = ? AND status NOT IN ('Released', 'CreateFailed')",
            (region, unit_type),
        )
        return UnitEnds(None if last is None else Instant(int(last)), int(endless or 0))

    def run_places(self, service_id: str | None = None) -> list[RunPlace]:
        """Return the places with replicas that have to run now."""
        rows = self._fetch(
            "SELECT u.region, u.type, count(DISTINCT p.service_id), count(DISTINCT p.unit_id) FROM placements p "
            "JOIN services s ON s.id = p.service_id JOIN units u ON u.id = p.unit_id "
            "WHERE s.runs AND s.active AND s.deleted_at IS NULL "
            "AND u.status IN ('Creating', 'Running', 'Reconfiguring', 'ReconfigureFailed', 'BillingChanging') "
            f"{'' if service_id is None else 'AND p.service_id = ? '}"
            "GROUP BY u.region, u.type ORDER BY u.region, u.type",
            () if service_id is None else (service_id,),
        )
        return [RunPlace(*row) for row in rows]

    def workers(self) -> list[Worker]:
        """Return the workers that look after replicas, and former ones that still have leases."""
        codec = CODECS[WORKERS]
        names = ", ".join(f'w."{name}"' for name in codec.columns)
        rows = self._fetch(
            f"SELECT {names} FROM workers w WHERE EXISTS (SELECT 1 FROM leases l WHERE l.holder = w.id) ORDER BY id", ()
        )
        return [codec.read(row) for row in rows]

    def workers_up(self) -> list[Worker]:
        """Return every worker that did not stop cleanly, alive or not."""
        codec = CODECS[WORKERS]
        names = ", ".join(f'"{name}"' for name in codec.columns)
        rows = self._fetch(f"SELECT {names} FROM workers WHERE beat <> ? ORDER BY id", (LEFT,))
        return [codec.read(row) for row in rows]

    def replica_counts(self) -> dict[str, int]:
        """Count the replicas by state, without those that are gone."""
        return dict(self._fetch("SELECT state, count(*) FROM replicas WHERE state <> 'Gone' GROUP BY state", ()))

    def crash_loops(self) -> int:
        """Count the services on instances that were reported as crash loops and have not recovered."""
        return int(self._fetch("SELECT count(*) FROM replicas WHERE outage = 'Reported'", ())[0][0])

    def supplies(self) -> list[EngineCapacity]:
        """Return the last reports about every engine, by the engine's name."""
        codec = CODECS[ENGINE_CAPACITIES]
        names = ", ".join(f'"{name}"' for name in codec.columns)
        return [codec.read(row) for row in self._fetch(f"SELECT {names} FROM supplies ORDER BY engine", ())]

    def workers_named(self, worker_ids: Sequence[str]) -> list[Worker]:
        """Return workers by id, in order; unknown ids are left out."""
        codec, found = CODECS[WORKERS], []
        names = ", ".join(f'"{name}"' for name in codec.columns)
        for worker_id in sorted(set(worker_ids)):
            found += self._fetch(f"SELECT {names} FROM workers WHERE id = ?", (worker_id,))
        return [codec.read(row) for row in found]


def job_of(
    unit: Instance,
    lease: Lease | None,
    services: dict[str, Service],
    models: dict[str, Model],
    replicas: Sequence[Replica],
) -> Job:
    """Return one instance's job: the instance with its lease, services, models and replicas."""
    rows = tuple(sorted(replicas, key=lambda row: row.key))
    ids = {placed.service_id for placed in unit.placements} | {row.service_id for row in rows}
    mine = {service_id: services[service_id] for service_id in ids if service_id in services}
    model_ids = {service.model_id for service in mine.values()} | {row.model_id for row in rows}
    return Job(unit, lease, mine, {one: models[one] for one in model_ids if one in models}, rows)

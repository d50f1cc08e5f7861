"""Rows for tests of the reconciler: an instance, its services, its replicas."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from leasebook.domain.model.instance import Instance, Placement
from leasebook.domain.model.lease import Lease
from leasebook.domain.model.model import Model
from leasebook.domain.model.replica import Replica, RunSpec, Seen
from leasebook.domain.model.service import Service
from leasebook.domain.replicas.planner import Job, Limits, Observation, Plan, plan
from leasebook.domain.values.calendar import SECOND_US, Instant
from tests.contract import rows

NOW: Final = 1_900_000_000 * SECOND_US
UNIT, SERVICE, MODEL = "unit-1", "svco-1", "amv-1"
LIMITS: Final = Limits(loop_us=0)
"""Crash loops have tests of their own."""


def model(model_id: str = MODEL, **run: Any) -> Model:
    return Model(
        model_id,
        "am-1",
        "acc-1",
        "user-1",
        "1",
        "",
        RunSpec(command=("python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"), **run),
        Instant(1),
        approved_by="user-1",
        approved_at=Instant(1),
    )


def service(service_id: str = SERVICE, **changed: Any) -> Service:
    return rows.service(service_id, **({"runs": True, "model_id": MODEL} | changed))


def unit(replicas: int = 1, **changed: Any) -> Instance:
    placements = (Placement(SERVICE, replicas, 1, runs=True),) if replicas else ()
    return rows.unit(UNIT, **({"count": 4, "placements": placements, "generation": 1} | changed))


def replica(state: str, number: int = 0, **changed: Any) -> Replica:
    facts: dict[str, Any] = {
        "unit_id": UNIT,
        "service_id": SERVICE,
        "number": number,
        "account_id": "acc-1",
        "model_id": MODEL,
        "engine": "fake",
        "node": "node-1",
        "units": 1,
        "generation": 1 + number,
        "state": state,
        "since": NOW - SECOND_US,
    }
    return Replica(**(facts | changed))


def lease(since: int = NOW - SECOND_US) -> Lease:
    return Lease(UNIT, "worker-1", "node-1", since)


def job(unit: Instance, *replicas: Replica, services: tuple[Service, ...] = (), **changed: Any) -> Job:
    known = services or (service(),)
    facts: dict[str, Any] = {
        "unit": unit,
        "lease": lease(),
        "services": {one.id: one for one in known},
        "models": {one: model(one) for one in (MODEL, "amv-2")},
        "replicas": replicas,
    }
    return Job(**(facts | changed))


def shows(*seen: tuple[Replica, str], **changed: Any) -> Observation:
    """The view of an engine: those replicas, in those states."""
    return Observation({row.name: Seen(name=row.name, state=state, **changed) for row, state in seen})  # type: ignore[arg-type]


def planned(job: Job, sight: Observation | None = None, now: int = NOW, **limits: Any) -> Plan:
    sights = {} if sight is None else {"fake": sight}
    return plan(job, sights, now, msgspec.structs.replace(LIMITS, **limits), "fake")

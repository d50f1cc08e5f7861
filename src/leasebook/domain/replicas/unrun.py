"""What is paid and nothing runs for: services that are only counted, and places that no engine serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from leasebook.domain.model.instance import UP, Instance
from leasebook.domain.model.service import Service
from leasebook.domain.replicas.engine_route import Routes, engine_for
from leasebook.domain.replicas.planner import INSTANT


class RunPlace(NamedTuple):
    """Where replicas are to run: how many services have some on how many instances of a type in a region."""

    region: str
    type: str
    services: int
    instances: int


def unrun(routes: Routes, places: Iterable[RunPlace]) -> list[RunPlace]:
    """Return the places that no engine serves under these rules."""
    return [place for place in places if engine_for(routes, place.region, place.type) == INSTANT]


def why_unrun(region: str, unit_type: str) -> str:
    """Say why nothing runs in a place, and who can do something about it."""
    return (
        f"No engine runs {unit_type} in {region}: it is sold and counted, and nothing is started. The operator can "
        "name an engine for it (the setting engines)."
    )


def why_counted(service: Service) -> str:
    """Say why nothing runs of a service whatever engines there are, and what to do."""
    return (
        f"Nothing runs behind {service.id}: it is only counted, since the repository had no version "
        f"{service.model_id[:64]!r} of its model or its request asked for that. ModifyService names a version that is "
        "run."
    )


def idle(unit: Instance, routes: Routes) -> Iterator[str]:
    """Say of each service on an instance why none of its replicas there is run; nothing where an engine runs them."""
    if unit.status not in UP and unit.status != "Creating":
        return
    for placed in unit.placements:
        if not placed.runs:
            yield f"Nothing runs of {placed.service_id} on it: that service is only counted."
        elif engine_for(routes, unit.region, unit.type) == INSTANT:
            yield f"Nothing runs of {placed.service_id} on it. {why_unrun(unit.region, unit.type)}"

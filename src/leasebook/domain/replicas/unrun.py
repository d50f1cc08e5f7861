"""Instances that are paid for without a process: services that are only counted, and places without an engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from leasebook.domain.model.instance import UP, Instance
from leasebook.domain.model.service import Service
from leasebook.domain.replicas.engine_route import Routes, engine_for
from leasebook.domain.replicas.planner import INSTANT


class RunPlace(NamedTuple):
    """A place with replicas: how many services have some on how many instances of a type in a region."""

    region: str
    type: str
    services: int
    instances: int


def unrun(routes: Routes, places: Iterable[RunPlace]) -> list[RunPlace]:
    """Return the places without an engine under these routes."""
    return [place for place in places if engine_for(routes, place.region, place.type) == INSTANT]


def why_unrun(region: str, unit_type: str) -> str:
    """Return why no engine runs instances of a place, and how that can be changed."""
    return (
        f"No engine runs {unit_type} in {region}: it is sold and counted, and nothing is started. The operator can "
        "name an engine for it (the setting engines)."
    )


def why_counted(service: Service) -> str:
    """Return why no engine runs a service anywhere, and how that can be changed."""
    return (
        f"Nothing runs behind {service.id}: it is only counted, since the repository had no runnable "
        f"version {service.model_id[:64]!r} of its model or its request asked for that. ModifyService names a version "
        "that is run."
    )


def idle(unit: Instance, routes: Routes) -> Iterator[str]:
    """Yield, for each service on an instance that no engine runs, the reason."""
    if unit.status not in UP and unit.status != "Creating":
        return
    for placed in unit.placements:
        if not placed.runs:
            yield f"Nothing runs of {placed.service_id} on it: that service is only counted."
        elif engine_for(routes, unit.region, unit.type) == INSTANT:
            yield f"Nothing runs of {placed.service_id} on it. {why_unrun(unit.region, unit.type)}"

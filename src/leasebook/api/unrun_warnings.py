"""Warnings for operators of services that have replicas and that no engine will run: at the start, and in /readyz."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from leasebook.domain.replicas.engine_route import Routes
from leasebook.domain.replicas.unrun import RunPlace, unrun
from leasebook.ports.queries.read_repository import Reader

log = structlog.get_logger()

LOOK_EVERY_S: Final = 60.0


class Gauge(Protocol):
    """Where it is shown how many there are."""

    def instances_unrun(self, count: int) -> None:
        """Set how many instances have replicas of services that no engine will run."""


class Unrun:
    """Logs services that no engine runs. It looks at most once a minute: counting a million placements is slow."""

    def __init__(self, reader: Reader, routes: Routes, gauge: Gauge, now: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._routes = routes
        self._gauge = gauge
        self._now = now
        self._looked_at = -LOOK_EVERY_S
        self._said: list[str] = []

    async def warnings(self) -> list[str]:
        """Return a sentence for each place that no engine serves, as it was at most a minute ago."""
        if self._now() - self._looked_at < LOOK_EVERY_S:
            return self._said
        found = unrun(self._routes, await self._reader.read(lambda ask: ask.run_places(), long=True))
        self._looked_at = self._now()
        self._gauge.instances_unrun(sum(place.instances for place in found))
        sentences = [_sentence(place) for place in found]
        for one in sentences:
            if one not in self._said:
                log.warning("services are paid and nothing runs", why=one)
        self._said = sentences
        return sentences


def _sentence(place: RunPlace) -> str:
    services = f"{place.services} service{'' if place.services == 1 else 's'}"
    instances = f"{place.instances} instance{'' if place.instances == 1 else 's'}"
    return (
        f"No engine runs {place.type} in {place.region}, and what {services} with replicas on {instances} there pay "
        f'never runs. Name an engine in the setting engines, such as engines = "{place.type}=process", or have them '
        "scaled to 0."
    )

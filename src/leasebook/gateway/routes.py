"""Where calls go: which service answers at an address, and which replicas it has."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import SERVICE_USAGE
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.service import Service
from leasebook.domain.replicas.engine_route import Routes as EngineRoutes
from leasebook.domain.replicas.unrun import RunPlace, unrun, why_counted, why_unrun
from leasebook.gateway.ports import Target, Targets
from leasebook.ports.queries.read_repository import Reader, ReadRepository

FRESH_S: Final = 1.0
"""The greatest age of a cached route where other servers write."""
KNOWN_MAX: Final = 10_000


class Route(msgspec.Struct, frozen=True):
    """A service, and its healthy replicas."""

    service: Service
    targets: tuple[Target, ...]
    read_at: float
    unrun: tuple[RunPlace, ...] = ()
    """Where it has replicas that no engine will run, where it has none that can be called."""

    @property
    def takes(self) -> bool:
        """Whether the service takes calls, whatever its replicas do."""
        service = self.service
        return service.active and service.deleted_at is None and service.replicas > 0

    @property
    def open(self) -> list[Target]:
        """The replicas that take new requests; none where the service itself takes none."""
        return [target for target in self.targets if not target.draining] if self.takes else []

    def why_closed(self) -> str:
        """Say why no replica takes requests, and what to do."""
        service = self.service
        if not service.active:
            return f"{service.id} is switched off. ActivateService switches it on."
        if service.replicas <= 0:
            if service.deploying > 0:
                return f"The units of {service.id} are being created. Try again in a moment."
            if service.instances:
                return f"Everything that {service.id} runs on stands still, for a term that ended or a debt."
            return f"{service.id} has no replicas. Buy some (PurchaseComputeUnit), or place some (ScaleService)."
        if not service.runs:
            return why_counted(service)
        if self.unrun:
            place = self.unrun[0]
            return f"Nothing runs behind {service.id}. {why_unrun(place.region, place.type)}"
        return (
            f"None of the replicas of {service.id} ({service.replicas}) is healthy and within reach now. "
            "Try again in a moment."
        )


class Routes:
    """The routes that were looked up. Each commit that concerns one makes the gateway forget it."""

    def __init__(self, reader: Reader, targets: Targets, *, alone: bool, engines: EngineRoutes = ()) -> None:
        self._reader = reader
        self._engines = engines
        self._targets = targets
        self._alone = alone
        self._known: dict[tuple[str, str], Route] = {}
        self._names: dict[str, set[tuple[str, str]]] = {}
        self._turn = 0

    def committed(self, changes: Changes) -> None:
        """Forget the services that a batch had to do with."""
        self._turn += 1
        if not self._known:
            return
        for service_id in touched(changes):
            for name in self._names.pop(service_id, ()):
                self._known.pop(name, None)

    async def find(self, account_id: str, name: str) -> Route | None:
        """Return where the account's service with that address suffix or id is; None where it has none."""
        known = self._known.get((account_id, name))
        if known is not None and (self._alone or time.monotonic() - known.read_at < FRESH_S):
            return known
        turn, began = self._turn, time.monotonic()
        found = await self._reader.read(lambda ask: self._look(ask, account_id, name))
        if found is None:
            return None
        route = Route(found[0], tuple(found[1]), began, tuple(found[2]))
        if turn == self._turn:
            self._keep((account_id, name), route)
        return route

    def _look(
        self, ask: ReadRepository, account_id: str, name: str
    ) -> tuple[Service, Sequence[Target], Sequence[RunPlace]] | None:
        service = ask.service(ask.services_at(account_id, [name]).get(name, name))
        if service is None or service.account_id != account_id or service.deleted_at is not None:
            return None
        targets = self._targets.of(ask, service.id) if service.runs else ()
        places = ask.run_places(service.id) if service.runs and not targets else []
        nowhere = unrun(self._engines, places)
        # Where an engine runs some of them they are to come yet.
        return service, targets, nowhere if len(nowhere) == len(places) else ()

    def _keep(self, name: tuple[str, str], route: Route) -> None:
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
            self._names.clear()
        self._known[name] = route
        self._names.setdefault(route.service.id, set()).add(name)


def touched(changes: Changes) -> Iterator[str]:
    """Return the services that a batch had to do with: every row that names one, but for counts of calls."""
    for tables in (changes.inserted, changes.updated, changes.before):
        for table, rows in tables.items():
            if table is not SERVICE_USAGE:
                for row in rows:
                    yield from _services_of(row)


def _services_of(row: Any) -> Iterator[str]:
    if isinstance(row, Service):
        yield row.id
    elif isinstance(row, Instance):
        for placed in row.placements:
            yield placed.service_id
    else:
        service_id = getattr(row, "service_id", None)
        if service_id is not None:
            yield service_id

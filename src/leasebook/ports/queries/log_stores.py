"""Queries about services whose lines are sent to a log store."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from leasebook.domain.model.replica import Replica
from leasebook.domain.model.service import Service


class LogSources(NamedTuple):
    """Services with a log store, by id, and replicas of them."""

    services: dict[str, Service]
    replicas: list[Replica]


class LogStoreQuestions(Protocol):
    """Queries about log stores, answered from committed rows."""

    def services_with_log_store(self) -> int:
        """Count the services of all accounts that have a log store."""
        ...

    def log_sources(self, holder: str, service_ids: Collection[str]) -> LogSources:
        """Return the replicas whose lines a worker has to send: of instances whose lease it has.

        The services are those of the replicas, and of ``service_ids`` those that have a log store.
        """
        ...

"""Queries about places: of rows in lists, and of replicas."""

from __future__ import annotations

from typing import Protocol

from leasebook.domain.replicas.unrun import RunPlace


class PlaceQuestions(Protocol):
    """Queries about places, answered from committed rows."""

    def run_places(self, service_id: str | None = None) -> list[RunPlace]:
        """Return the places with replicas of one service, or of all, if the service is on and an engine runs it."""
        ...

    def service_place(self, account_id: str, service_id: str) -> int | None:
        """Return the place of an account's service in lists, even if it is deleted; None: it does not exist."""
        ...

    def unit_place(self, account_id: str, unit_id: str) -> int | None:
        """Return the place of an account's instance in lists, even if it is released; None: it does not exist."""
        ...

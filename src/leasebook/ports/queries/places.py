"""Queries about the places where replicas run."""

from __future__ import annotations

from typing import Protocol

from leasebook.domain.replicas.unrun import RunPlace


class PlaceQuestions(Protocol):
    """Queries about places, answered from committed rows."""

    def run_places(self, service_id: str | None = None) -> list[RunPlace]:
        """Return the places with replicas of one service, or of all, if the service is on and an engine runs it."""
        ...

"""What the rim asks of the store about the places where replicas are to run."""

from __future__ import annotations

from typing import Protocol

from leasebook.domain.replicas.unrun import RunPlace


class PlaceQuestions(Protocol):
    """Questions about places, answered from what is committed."""

    def run_places(self, service_id: str | None = None) -> list[RunPlace]:
        """Return where replicas are to run now, of one service or of all: of services that are on and not counted."""
        ...

"""Queries about places: of rows in lists, and of replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from leasebook.domain.replicas.unrun import RunPlace
from leasebook.domain.values.calendar import Instant

if TYPE_CHECKING:
    from leasebook.ports.queries.read_repository import Numbered, UnitFilter


class UnitEnds(NamedTuple):
    """When the last instance of an offering ends (None: none has an end), and how many have no end."""

    last: Instant | None
    endless: int


class PlaceQuestions(Protocol):
    """Queries about places, answered from committed rows."""

    def run_places(self, service_id: str | None = None) -> list[RunPlace]:
        """Return the places with replicas of one service, or of all, if the service is on and an engine runs it."""
        ...

    def crash_loops(self) -> int:
        """Count the services on instances that were reported as crash loops and have not recovered."""
        ...

    def unit_ends(self, region: str, unit_type: str) -> UnitEnds:
        """Return when the live instances of an offering end."""
        ...

    def coming_ends(self, wanted: UnitFilter, since: Instant, limit: int) -> list[Numbered]:
        """Return an account's instances that end by themselves after ``since``, the first to end first."""
        ...

    def service_place(self, account_id: str, service_id: str) -> int | None:
        """Return the place of an account's service in lists, even if it is deleted; None: it does not exist."""
        ...

    def unit_place(self, account_id: str, unit_id: str) -> int | None:
        """Return the place of an account's instance in lists, even if it is released; None: it does not exist."""
        ...

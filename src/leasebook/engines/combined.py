"""The rules' view of all engines: an instance without replicas to run is confirmed at once."""

from __future__ import annotations

from collections.abc import Sequence

from leasebook.domain.commands.command import Command, Engine
from leasebook.domain.model.instance import Instance
from leasebook.domain.replicas.engine_route import Routes, engine_for
from leasebook.domain.replicas.planner import INSTANT
from leasebook.engines.instant import InstantEngine

_INSTANT = InstantEngine()


class RoutedEngine(Engine, frozen=True):
    """Confirms instances that no engine has to do anything for, in the same batch. The reconciler confirms the others.

    A purchase of capacity alone therefore costs the same with or without engines.
    """

    routes: Routes

    def confirmations(self, unit: Instance) -> Sequence[Command]:
        """Return the confirmation of the instance's transition if no replica runs or is to run on it."""
        if unit.generation > 0:
            return ()
        if unit.status == "Creating":
            is_to_run = any(placed.runs for placed in unit.placements)
            if unit.failure is not None or (is_to_run and engine_for(self.routes, *unit.offering) != INSTANT):
                return ()
        return _INSTANT.confirmations(unit)

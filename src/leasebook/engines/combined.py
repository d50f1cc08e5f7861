"""What the rules see of all engines together: what nobody has to run is there at once."""

from __future__ import annotations

from collections.abc import Sequence

from leasebook.domain.commands.command import Command, Engine
from leasebook.domain.model.instance import Instance
from leasebook.domain.replicas.engine_route import Routes, engine_for
from leasebook.domain.replicas.planner import INSTANT
from leasebook.engines.instant import InstantEngine

_INSTANT = InstantEngine()


class RoutedEngine(Engine, frozen=True):
    """Confirms at once what no engine was ever asked for, in the very batch; the rest is reported by the reconciler.

    So a purchase of capacity alone costs what it did, whatever engines there are.
    """

    routes: Routes

    def confirmations(self, unit: Instance) -> Sequence[Command]:
        """Return the confirmation of the transition that the instance is in, where nothing runs or is to run on it."""
        if unit.generation > 0:
            return ()
        if unit.status == "Creating":
            is_to_run = any(placed.runs for placed in unit.placements)
            if unit.failure is not None or (is_to_run and engine_for(self.routes, *unit.offering) != INSTANT):
                return ()
        return _INSTANT.confirmations(unit)

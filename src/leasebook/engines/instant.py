"""The instant engine: capacity without replicas, there at once and gone at once."""

from __future__ import annotations

from collections.abc import Sequence

from leasebook.domain.commands.command import Command, Engine
from leasebook.domain.commands.instance.engine_report import ConfirmReleased, ConfirmResized, ConfirmRunning
from leasebook.domain.model.instance import Instance


class InstantEngine(Engine, frozen=True):
    """Confirms every transition the moment it is asked for, in the very batch that asked.

    There is nothing that could run or linger, so nothing has to be waited for. The instance goes through
    Creating and Releasing all the same, and it is the confirmation that starts its meter and gives its
    units back, as with any engine.
    """

    def confirmations(self, unit: Instance) -> Sequence[Command]:
        """Return the confirmation of the transition that the instance is in."""
        if unit.status == "Creating":
            return (ConfirmRunning(unit_id=unit.id),)
        if unit.status == "Reconfiguring":
            return (ConfirmResized(unit_id=unit.id),)
        return (ConfirmReleased(unit_id=unit.id),)

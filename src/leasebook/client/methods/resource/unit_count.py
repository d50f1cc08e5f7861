"""Methods of the clients: unit count. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from typing import Final, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.resource.unit_count import UnitCounts


class CountUnits(TypedDict, total=False):
    """Parameters of ``count_units``."""


COUNT_UNITS: Final[ActionOf[UnitCounts]] = ActionOf(
    "/v2/computeunit", "CountComputeUnits", CountUnits, UnitCounts, writes=False
)


class UnitCountMethods(Caller):
    """Methods of a client that waits for its answers."""

    def count_units(self, **request: Unpack[CountUnits]) -> UnitCounts:
        """Count the account's live instances and their units, by project and type.

        ``/v2/computeunit?Action=CountComputeUnits``
        """
        return self._call(COUNT_UNITS, request)


class AsyncUnitCountMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def count_units(self, **request: Unpack[CountUnits]) -> UnitCounts:
        """Count the account's live instances and their units, by project and type.

        ``/v2/computeunit?Action=CountComputeUnits``
        """
        return await self._call(COUNT_UNITS, request)

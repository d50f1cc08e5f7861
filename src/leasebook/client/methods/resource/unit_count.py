"""Methods of the clients: unit count. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from typing import Final, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.resource.unit_count import UnitCounts


class DescribeUnitCounts(TypedDict, total=False):
    """Parameters of ``describe_unit_counts``."""

    account_id: str | None
    """Another account, for which it takes one of the policies over every account; the caller's where it is left out."""


DESCRIBE_UNIT_COUNTS: Final[ActionOf[UnitCounts]] = ActionOf(
    "/v2/computeunit", "DescribeComputeUnitCounts", DescribeUnitCounts, UnitCounts, writes=False
)


class UnitCountMethods(Caller):
    """Methods of a client that waits for its answers."""

    def describe_unit_counts(self, **request: Unpack[DescribeUnitCounts]) -> UnitCounts:
        """Count the account's live instances and their units, by project and type.

        ``/v2/computeunit?Action=DescribeComputeUnitCounts``
        """
        return self._call(DESCRIBE_UNIT_COUNTS, request)


class AsyncUnitCountMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def describe_unit_counts(self, **request: Unpack[DescribeUnitCounts]) -> UnitCounts:
        """Count the account's live instances and their units, by project and type.

        ``/v2/computeunit?Action=DescribeComputeUnitCounts``
        """
        return await self._call(DESCRIBE_UNIT_COUNTS, request)

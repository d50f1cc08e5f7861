"""Methods of the clients: costs. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Final, Literal, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.finance.costs import CostRow, Costs


class DescribeCosts(TypedDict, total=False):
    """Parameters of ``describe_costs``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    from_: Required[datetime | str]
    """Since when."""

    to: Required[datetime | str]
    """Until before when; a charge at that very moment is not counted."""

    group_by: list[str] | None
    """The properties by which costs are summed, in this order: account, project, user, type, region, service, kind, or
    tag: and the key of a tag, such as tag:team. Left out: one sum.
    """

    granularity: Literal["hour", "day", "month", "total"]
    """The length of the periods, on the account's own clocks; total: one period."""

    filter: dict[str, str | list[str | None] | None] | None
    """Only costs with these values: by a name as in groupBy a value, a list of values, or null for costs without that
    property.
    """

    forecast: bool
    """Whether the answer also has what will be charged until the end of each period."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """


DESCRIBE_COSTS: Final[ActionOf[Costs]] = ActionOf("/v2/account", "DescribeCosts", DescribeCosts, Costs, writes=False)


class CostsMethods(Caller):
    """Methods of a client that waits for its answers."""

    def describe_costs(self, **request: Unpack[DescribeCosts]) -> Costs:
        """Show what was spent, by account, user, type, region, service, kind or tag, and what will be.

        ``/v2/account?Action=DescribeCosts``
        """
        return self._call(DESCRIBE_COSTS, request)

    def each_of_costs(self, **request: Unpack[DescribeCosts]) -> Iterator[CostRow]:
        """Go over the rows of every page of ``describe_costs``."""
        return self._each(DESCRIBE_COSTS, request, "costs")


class AsyncCostsMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def describe_costs(self, **request: Unpack[DescribeCosts]) -> Costs:
        """Show what was spent, by account, user, type, region, service, kind or tag, and what will be.

        ``/v2/account?Action=DescribeCosts``
        """
        return await self._call(DESCRIBE_COSTS, request)

    def each_of_costs(self, **request: Unpack[DescribeCosts]) -> AsyncIterator[CostRow]:
        """Go over the rows of every page of ``describe_costs``."""
        return self._each(DESCRIBE_COSTS, request, "costs")

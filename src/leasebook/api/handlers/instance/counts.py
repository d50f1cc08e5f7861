"""Counts of an account's instances and their units."""

from __future__ import annotations

from typing import Final

from leasebook.api.across import account_meant
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import Fault
from leasebook.contract.errors import RESOURCE_NOT_FOUND
from leasebook.contract.nouns.resource import unit_count as c
from leasebook.domain.model.resource.project import public_project


async def describe_unit_counts(context: Context, call: Call[c.DescribeComputeUnitCountsRequest]) -> c.UnitCounts:
    """Count the account's live instances and their units, by project and type."""
    account_id = account_meant(call)
    account, found = await context.read(call, lambda ask: (ask.account(account_id), ask.units_by_project(account_id)))
    if account is None:
        raise Fault(RESOURCE_NOT_FOUND, f"There is no account {account_id[:64]!r}.", "accountId")
    return c.UnitCounts(
        counts=[
            c.UnitCount(
                project_id=public_project(one.project_id),
                type=one.type,
                instances=one.instances,
                compute_units=one.units,
                used_compute_units=one.used,
            )
            for one in found
        ]
    )


OPERATIONS: Final[dict[str, Operation]] = {"describe_unit_counts": describe_unit_counts}

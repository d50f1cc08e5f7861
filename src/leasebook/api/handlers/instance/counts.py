"""Counts of an account's instances and their units."""

from __future__ import annotations

from typing import Final

from leasebook.api.context import Call, Context, Operation
from leasebook.contract.nouns.resource import unit_count as c
from leasebook.domain.model.resource.project import public_project


async def count_units(context: Context, call: Call[c.CountComputeUnitsRequest]) -> c.UnitCounts:
    """Count the account's live instances and their units, by project and type."""
    account_id = call.caller.account_id
    found = await context.read(call, lambda ask: ask.units_by_project(account_id))
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


OPERATIONS: Final[dict[str, Operation]] = {"count_units": count_units}

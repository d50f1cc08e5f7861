"""How many units an account has, by project and type."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from leasebook.contract import policies as p
from leasebook.contract.action import UNITS, read
from leasebook.contract.shapes import ACCOUNT_MEANT, Id, Request, Shape


class DescribeComputeUnitCountsRequest(Request, kw_only=True):
    """Ask how many units an account has, by project and type, however many instances there are."""

    account_id: Annotated[Id | None, Meta(description=ACCOUNT_MEANT)] = None


class UnitCount(Shape, kw_only=True):
    """The live instances of one type in one project. Units to which an instance is growing count already."""

    project_id: Annotated[str, Meta(description="The project; `default` is the default project.")]
    type: Annotated[str, Meta(description="The type of unit.")]
    instances: Annotated[int, Meta(description="How many instances.")]
    compute_units: Annotated[int, Meta(description="How many units they have.")]
    used_compute_units: Annotated[int, Meta(description="How many of these units replicas take.")]


class UnitCounts(Shape, kw_only=True):
    """The account's live instances, counted by project and type. An instance that could not be made has no units."""

    counts: Annotated[list[UnitCount], Meta(description="The counts, by project and then by type.")]


COUNTS: Final = (
    read(
        UNITS,
        "DescribeComputeUnitCounts",
        "describe_unit_counts",
        DescribeComputeUnitCountsRequest,
        UnitCounts,
        "Count the account's live instances and their units, by project and type.",
        across=p.FLEET_READERS,
        example={},
        answer={
            "counts": [
                {
                    "projectId": "default",
                    "type": "gpu-1",
                    "instances": 1,
                    "computeUnits": 1,
                    "usedComputeUnits": 0,
                }
            ]
        },
    ),
)

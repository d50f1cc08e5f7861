"""Actions of what engines have."""

from __future__ import annotations

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import CATALOG, Action, read
from leasebook.contract.nouns import engine_capacity as su


def supply_actions() -> list[Action]:
    """Return the actions of what engines have."""
    return [
        read(
            CATALOG,
            "DescribeEngines",
            "describe_engines",
            su.DescribeEnginesRequest,
            su.EngineReport,
            "Show what engines have, and where that is not what is offered.",
            policies=p.OPERATORS,
            errors=(e.INVALID_MARKER,),
        ),
    ]

"""Actions of what engines have."""

from __future__ import annotations

from leasehold.wire import errors as e
from leasehold.wire import policies as p
from leasehold.wire import supply_shapes as su
from leasehold.wire.action import CATALOG, Action, read


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

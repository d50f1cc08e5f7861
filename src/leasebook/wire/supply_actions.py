"""Actions of what engines have."""

from __future__ import annotations

from leasebook.wire import errors as e
from leasebook.wire import policies as p
from leasebook.wire import supply_shapes as su
from leasebook.wire.action import CATALOG, Action, read


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

"""The replicas on a unit, whose lines its page follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from leasebook.api.fault import Fault
from leasebook.console.desk import Desk
from leasebook.contract.action import SERVICE

SERVICES_MAX: Final = 10
"""Services whose replicas the page of a unit shows; the pages of the others have theirs."""
REPLICAS_MAX: Final = 20
"""Replicas of a service that the page of a unit shows."""


class Running(msgspec.Struct, frozen=True):
    """A service on a unit, and its replicas there; ``fault``: why they are not shown."""

    service_id: str
    replicas: Sequence[Any]
    is_truncated: bool
    fault: Fault | None = None


async def replicas_on(desk: Desk, unit_id: str, usages: Sequence[Any]) -> list[Running]:
    """Return the replicas on a unit by service; none where the user may not see them."""
    found = []
    for usage in usages[:SERVICES_MAX]:
        asked = {"serviceId": usage.service_id, "instanceId": unit_id, "maxKeys": REPLICAS_MAX}
        page, fault = await desk.try_to(SERVICE, "DescribeReplicas", asked)
        if page is not None and page.replicas:
            found.append(Running(usage.service_id, page.replicas, page.next_marker is not None))
        elif fault is not None:
            found.append(Running(usage.service_id, [], is_truncated=False, fault=fault))
    return found

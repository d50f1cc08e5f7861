"""The list of services."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.console.frame import words
from leasebook.contract.action import MODEL, SERVICE

PAGE: Final = 20
NAMES_MAX: Final = 100
"""Sets of models whose names are read; those of others are shown by their ids."""
ASKED_FOR: Final = ("New", "Deploying", "Serving", "Stopped")
"""The statuses that a service can be in."""


async def services(desk: Desk) -> Response:
    """List services, newest first, a page at a time."""
    asked: dict[str, Any] = {"maxKeys": PAGE, "pageReverse": True}
    name, status, marker = desk.asked("name"), desk.asked("status"), desk.asked("marker")
    if name:
        asked["name"] = name
    if status in ASKED_FOR:
        asked["runStatus"] = [status]
    if marker:
        asked["marker"] = marker
    found = await desk.do(SERVICE, "DescribeServices", asked)
    return desk.page(
        "services/list_part.html" if desk.is_fragment else "services/list.html",
        rows=[(row, await _ready(desk, row)) for row in found.service_list],
        model_names=await model_names(desk) if found.service_list else {},
        next_marker=found.next_marker,
        name=name,
        wanted_status=status,
        marker=marker,
        statuses=ASKED_FOR,
        status_of=lambda word: words.status(desk.gettext, word, words.SERVICE_STATUSES),
    )


async def model_names(desk: Desk) -> dict[str, str]:
    """Return the names of the latest sets of models by their ids; none where the user may not see them."""
    found, _ = await desk.try_to(MODEL, "DescribeModelSets", {"maxKeys": NAMES_MAX, "pageReverse": True})
    return {} if found is None else {one.model_set_id: one.model_set_name for one in found.model_set_list}


async def _ready(desk: Desk, row: Any) -> int | None:
    """Return how many replicas of a service are healthy; None where none has to be, or the user may not see it."""
    if row.counted or not row.resource_config.replicas_count:
        return None
    found, _ = await desk.try_to(SERVICE, "DescribeReplicas", {"serviceId": row.service_id, "maxKeys": 1})
    return None if found is None else int(found.ready)

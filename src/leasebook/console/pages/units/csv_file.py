"""The list of units as a CSV file, made by the server as it reads."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import Response, StreamingResponse

from leasebook.console.desk import Desk
from leasebook.console.pages.units.listing import AT_ONCE, Wanted, body_of, fits, wanted_by
from leasebook.contract.action import UNITS
from leasebook.contract.nouns.instance import ComputeUnitInstance
from leasebook.export.csv_table import Table, text_cell

COLUMNS: Final = (
    *("instanceId", "name", "status", "type", "region", "totalComputeUnits", "usedComputeUnits", "paymentTiming"),
    *("startTime", "releaseTime", "expiredTime", "projectId", "tags"),
)


async def units_csv(desk: Desk) -> Response:
    """Answer with every unit that the filters and the search find, in the order in which they were bought."""
    wanted = wanted_by(desk)
    # The first page is read before the answer begins, so that a refusal still is a page.
    pieces = _pieces(desk, wanted)
    first = await anext(pieces)
    headers = {"content-disposition": 'attachment; filename="units.csv"'}
    return StreamingResponse(_whole(first, pieces), media_type="text/csv; charset=utf-8", headers=headers)


async def _whole(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for piece in rest:
        yield piece


async def _pieces(desk: Desk, wanted: Wanted) -> AsyncIterator[str]:
    marker, is_first = None, True
    while is_first or marker is not None:
        body = body_of(wanted) | {"maxKeys": AT_ONCE} | ({} if marker is None else {"marker": marker})
        answer = await desk.do(UNITS, "DescribeComputeUnits", body)
        text = io.StringIO()
        table = Table(text, bom=is_first)
        if is_first:
            table.put(COLUMNS)
        for unit in answer.compute_unit_instance_list:
            if fits(unit, wanted.search):
                table.put(_cells(unit))
        marker, is_first = answer.next_marker, False
        yield text.getvalue()


def _cells(unit: ComputeUnitInstance) -> list[str]:
    tags = " ".join(f"{key}={value}" for key, value in (unit.tags or {}).items())
    return [
        unit.instance_id,
        text_cell(unit.name or ""),
        unit.status,
        text_cell(unit.type),
        text_cell(unit.region),
        str(unit.total_compute_units),
        str(unit.used_compute_units),
        unit.payment_timing,
        unit.start_time or "",
        unit.release_time or "",
        unit.expired_time or "",
        unit.project_id or "default",
        text_cell(tags),
    ]

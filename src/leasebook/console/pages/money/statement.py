"""The statement of a month, to read and to print, and the costs of months as files for FinOps tools."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from leasebook.console.desk import Desk
from leasebook.console.frame.formats import here
from leasebook.console.frame.words import marked
from leasebook.console.pages.money import months
from leasebook.contract.action import ACCOUNT

ROWS: Final = 50
DATASETS: Final[dict[str, str]] = {
    "CostAndUsage": marked("Costs and usage"),
    "ContractCommitment": marked("Terms paid in advance"),
    "BillingPeriod": marked("Billing periods"),
    "InvoiceDetail": marked("Lines of the invoice"),
}
"""By the name of a FOCUS dataset: its name for people."""


async def statement(desk: Desk) -> Response:
    """Show a month's statement."""
    now = here(desk.now, desk.zone)
    month = months.chosen(desk.asked("month"), now)
    asked: dict[str, Any] = {"month": month, "maxKeys": ROWS}
    if desk.asked("marker"):
        asked["marker"] = desk.asked("marker")
    return desk.page(
        "money/statement.html",
        found=await desk.do(ACCOUNT, "DescribeStatement", asked),
        month=month,
        before=months.moved(month, -1),
        # There is no statement of a month that has not begun.
        after=months.moved(month, 1) if month < months.month_of(now) else None,
        marker=desk.asked("marker"),
        datasets=DATASETS,
    )


async def export(desk: Desk) -> Response:
    """Send the costs of a month as a file, as it is made."""
    asked: dict[str, Any] = {"month": desk.asked("month"), "version": "1.4", "format": "csv", "bom": True}
    if desk.asked("dataset"):
        asked["dataset"] = desk.asked("dataset")
    file = await desk.do(ACCOUNT, "ExportCosts", asked)
    headers = {"content-disposition": f'attachment; filename="{file.name}"'}
    return StreamingResponse(file.pieces, media_type=file.media_type, headers=headers)

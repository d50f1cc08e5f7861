"""Cost exports: files for FinOps tools."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from leasebook.api.across import accounts_meant
from leasebook.api.context import Call, Context, Download, Operation
from leasebook.api.fault import Fault, bad_field
from leasebook.batch import Unavailable
from leasebook.contract.errors import OPERATION_NOT_SUPPORTED, TOO_MANY_REQUESTS
from leasebook.contract.nouns.finance import cost_export as own
from leasebook.domain.book.project_scope import Projects
from leasebook.ports.cost_files import CannotExportError, CostsWanted, TooManyExportsError

YEARS: Final = range(1970, 9000)
LOOK_AGAIN_BYTES: Final = 16 * 1024 * 1024
"""After this many bytes the caller's rights are looked at again."""
AGAIN_S: Final = 10


async def export_costs(context: Context, call: Call[own.ExportCostsRequest]) -> Download:
    """Export the costs of months as a file."""
    asked, meant = call.request, accounts_meant(call)
    first, last = _months(asked)
    await context.read(call, meant.require)
    wanted = CostsWanted(
        party=call.caller.account_id,
        accounts=meant.ids,
        first=first,
        last=last,
        dataset=asked.dataset,
        version=asked.version,
        form=asked.format,
        bom=asked.bom,
        now=context.clock.now(),
        within=call.within,
    )
    try:
        pieces = await context.cost_exports.begin(wanted)
    except CannotExportError as error:
        if error.field is None:
            raise Fault(OPERATION_NOT_SUPPORTED, str(error)) from None
        raise bad_field(error.field, str(error)) from None
    except TooManyExportsError as error:
        raise Fault(TOO_MANY_REQUESTS, str(error), retry_after_s=AGAIN_S) from None
    months = asked.month if asked.last_month is None else f"{asked.month}-{asked.last_month}"
    name = f"{asked.dataset}-{months}.{asked.format}"
    return Download(own.MEDIA_TYPES[asked.format], name, _permitted(context, call, pieces))


def _months(asked: own.ExportCostsRequest) -> tuple[tuple[int, int], tuple[int, int]]:
    first, last = _month(asked.month, "month"), _month(asked.last_month or asked.month, "lastMonth")
    count = (last[0] - first[0]) * 12 + last[1] - first[1] + 1
    if not 1 <= count <= own.MONTHS_MAX:
        raise bad_field(
            "lastMonth",
            f"A file has from 1 to {own.MONTHS_MAX} months, and these are {count}: give a later lastMonth."
            if count < 1
            else f"A file has at most {own.MONTHS_MAX} months, and these are {count}: ask for several files.",
        )
    return first, last


def _month(text: str, field: str) -> tuple[int, int]:
    year, month = map(int, text.split("-"))
    if year not in YEARS:
        raise bad_field(field, f"{text} does not lie in the years from 1970 to 8999.")
    return year, month


async def _permitted(
    context: Context, call: Call[own.ExportCostsRequest], pieces: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    """Pass the pieces on while the caller has permission for all that the file is about."""
    since, within = 0, call.within
    try:
        async for piece in pieces:
            yield piece
            since += len(piece)
            if since >= LOOK_AGAIN_BYTES:
                since = 0
                if not await context.still(call) or not _covers(call.within, within):
                    raise Unavailable("the caller has no permission any more, so that the file ends here")
    finally:
        await pieces.aclose()  # type: ignore[attr-defined]


def _covers(now: Projects | None, begun: Projects | None) -> bool:
    """Whether the projects of a caller have all those of a file; None: every project of the account."""
    return now is None or (begun is not None and begun <= now)


OPERATIONS: Final[dict[str, Operation]] = {"export_costs": export_costs}

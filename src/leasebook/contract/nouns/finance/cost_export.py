"""Cost exports: files for FinOps tools."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import ACCOUNT, read
from leasebook.contract.shapes import ACCOUNTS_MEANT, AccountsMeant, Request

Dataset = Literal["CostAndUsage", "ContractCommitment", "BillingPeriod", "InvoiceDetail"]
FocusVersion = Literal["1.2", "1.4"]
FileFormat = Literal["csv", "parquet"]
MONTHS_MAX: Final = 36
"""The most months of one file."""
MEDIA_TYPES: Final[dict[FileFormat, str]] = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
Month = Annotated[str, Meta(pattern="^[0-9]{4}-(0[1-9]|1[0-2])(?!\\n)$")]


class ExportCostsRequest(Request, kw_only=True):
    """Ask for the costs of a month, or of several, as a file. Months are each account's own."""

    month: Annotated[Month, Meta(description="The month, on each account's clocks; the first of several.")]
    last_month: Annotated[
        Month | None, Meta(description="The last of several months, 36 at most; `month` if left out.")
    ] = None
    dataset: Annotated[
        Dataset, Meta(description="The dataset of the specification; version 1.2 has CostAndUsage only.")
    ] = "CostAndUsage"
    version: Annotated[FocusVersion, Meta(description="The version of the specification.")] = "1.2"
    format: Annotated[FileFormat, Meta(description="The format of the file.")] = "csv"
    bom: Annotated[
        bool, Meta(description="Begin a CSV with the byte order mark by which spreadsheets recognize UTF-8.")
    ] = False
    account_id: Annotated[AccountsMeant, Meta(description=ACCOUNTS_MEANT)] = None


ACTIONS: Final = (
    read(
        ACCOUNT,
        "ExportCosts",
        "export_costs",
        ExportCostsRequest,
        str,
        "Export the costs of months as a file for FinOps tools (FOCUS).",
        policies=p.READERS,
        across=p.BILLING_READERS,
        errors=(e.OPERATION_NOT_SUPPORTED,),
        downloads=tuple(MEDIA_TYPES.values()),
        example={"month": "2026-11", "dataset": "BillingPeriod", "version": "1.4"},
        answer=(
            "BillingPeriodCreated,BillingPeriodEnd,BillingPeriodLastUpdated,BillingPeriodStart,BillingPeriodStatus,"
            "InvoiceIssuerName\n"
            "2026-10-31T16:00:00Z,2026-11-30T16:00:00Z,2026-11-30T06:13:45Z,2026-10-31T16:00:00Z,Open,Leasebook\n"
        ),
    ),
)

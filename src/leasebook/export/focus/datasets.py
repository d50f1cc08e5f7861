"""The columns of the datasets of the specification, by version."""

from __future__ import annotations

from typing import Final

from leasebook.export.focus.columns import COLUMNS, Column, columns_of
from leasebook.export.focus.commitments import CommitmentRow
from leasebook.export.focus.invoices import InvoiceRow
from leasebook.export.focus.periods import PeriodRow
from leasebook.export.focus.versions import DatasetName, Version

LAYOUTS: Final[dict[tuple[Version, DatasetName], tuple[Column, ...]]] = {
    ("1.2", "CostAndUsage"): COLUMNS["1.2"],
    ("1.4", "CostAndUsage"): COLUMNS["1.4"],
    ("1.4", "ContractCommitment"): columns_of(CommitmentRow),
    ("1.4", "BillingPeriod"): columns_of(PeriodRow),
    ("1.4", "InvoiceDetail"): columns_of(InvoiceRow),
}
"""The columns of each dataset that a version has: 1.2 has one only."""


class NoSuchDatasetError(Exception):
    """A version does not have a dataset; the message says which version does."""


def layout_of(version: Version, dataset: DatasetName) -> tuple[Column, ...]:
    """Return the columns of a dataset in a version; raises NoSuchDatasetError."""
    found = LAYOUTS.get((version, dataset))
    if found is None:
        raise NoSuchDatasetError(f"FOCUS {version} has the dataset CostAndUsage only; {dataset} is in version 1.4.")
    return found

"""The versions and datasets of the specification. The command line names them, and loads nothing else for that."""

from __future__ import annotations

from typing import Final, Literal

Version = Literal["1.2", "1.4"]
"""A version of the specification."""
VERSIONS: Final[tuple[Version, ...]] = ("1.2", "1.4")
VERSION: Final[Version] = "1.2"
"""The version of a file for which none is named."""

DatasetName = Literal["CostAndUsage", "ContractCommitment", "BillingPeriod", "InvoiceDetail"]
DATASETS: Final[tuple[DatasetName, ...]] = ("CostAndUsage", "ContractCommitment", "BillingPeriod", "InvoiceDetail")
"""The datasets of the specification that there are exports of; 1.2 has the first only."""

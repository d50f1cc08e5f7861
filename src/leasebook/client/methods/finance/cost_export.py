"""Methods of the clients: cost export. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Final, Literal, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller


class ExportCosts(TypedDict, total=False):
    """Parameters of ``export_costs``."""

    month: Required[str]
    """The month, on each account's clocks; the first of several."""

    last_month: str | None
    """The last of several months, 36 at most; `month` if left out."""

    dataset: Literal["CostAndUsage", "ContractCommitment", "BillingPeriod", "InvoiceDetail"]
    """The dataset of the specification; version 1.2 has CostAndUsage only."""

    version: Literal["1.2", "1.4"]
    """The version of the specification."""

    format: Literal["csv", "parquet"]
    """The format of the file."""

    bom: bool
    """Begin a CSV with the byte order mark by which spreadsheets recognize UTF-8."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """


EXPORT_COSTS: Final[ActionOf[bytes]] = ActionOf("/v2/account", "ExportCosts", ExportCosts, bytes, writes=False)


class CostExportMethods(Caller):
    """Methods of a client that waits for its answers."""

    def export_costs(self, **request: Unpack[ExportCosts]) -> Iterator[bytes]:
        """Export the costs of months as a file for FinOps tools (FOCUS).

        ``/v2/account?Action=ExportCosts``
        """
        return self._download(EXPORT_COSTS, request)


class AsyncCostExportMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    def export_costs(self, **request: Unpack[ExportCosts]) -> AsyncIterator[bytes]:
        """Export the costs of months as a file for FinOps tools (FOCUS).

        ``/v2/account?Action=ExportCosts``
        """
        return self._download(EXPORT_COSTS, request)

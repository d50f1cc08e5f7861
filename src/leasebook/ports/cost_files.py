"""The port for cost exports: files that are made from one view of the store, and sent while they are made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal, Protocol

import msgspec

from leasebook.domain.book.project_scope import Projects
from leasebook.domain.values.calendar import Instant


class CostsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A file of costs, from the month ``first`` through the month ``last``, each (year, month).

    ``accounts`` None: all of them. ``within`` has the projects to whose costs the file is confined; None: it is not.
    ``party`` is the account for which the file is made. ``now`` decides which months are over.
    """

    party: str
    accounts: tuple[str, ...] | None
    first: tuple[int, int]
    last: tuple[int, int]
    dataset: Literal["CostAndUsage", "ContractCommitment", "BillingPeriod", "InvoiceDetail"]
    version: Literal["1.2", "1.4"]
    form: Literal["csv", "parquet"]
    bom: bool
    now: Instant
    within: Projects | None = None


class CannotExportError(Exception):
    """No file like this can be made; the message says why, and what to do. ``field``: the request's field at fault."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class TooManyExportsError(Exception):
    """The account, or the server, has too many exports under way; the message says whose limit is reached."""


class CostFiles(Protocol):
    """Makes files of costs."""

    async def begin(self, wanted: CostsWanted) -> AsyncIterator[bytes]:
        """Begin a file, and return its bytes piece by piece, once the first are there.

        The file counts as under way until the iterator is closed, which its caller must do; the rest of it is then
        not made. Raises CannotExportError and TooManyExportsError, and Unavailable if the store cannot be read or the
        disk has no room for the file; the iterator may raise Unavailable too.
        """
        ...

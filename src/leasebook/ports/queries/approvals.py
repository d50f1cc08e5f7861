"""Queries about requests for approvals."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec

from leasebook.domain.model.approvals.approval import Approval, ApprovalStatus
from leasebook.ports.queries.across import Across


class ApprovalFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter for the requests of an account, or ``across`` several; None: any value."""

    account_id: str
    across: Across | None = None
    status: ApprovalStatus | None = None
    asked_by: str | None = None


class ApprovalPlace(NamedTuple):
    """The place of a request in lists: when it was asked for, and its id."""

    at: int
    id: str


class ApprovalQuestions(Protocol):
    """Queries about requests for approvals, answered from committed rows."""

    def approval(self, approval_id: str) -> Approval | None:
        """Return a request by id."""
        ...

    def approvals(self, wanted: ApprovalFilter, *, after: ApprovalPlace | None, limit: int) -> list[Approval]:
        """Return requests, newest first, from before a place."""
        ...

    def waiting_approvals(self) -> int:
        """Return how many requests of all accounts wait."""
        ...

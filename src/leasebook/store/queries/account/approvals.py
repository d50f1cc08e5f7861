"""Queries about requests for approvals, in SQL for both stores."""

from __future__ import annotations

from typing import Any, Final

from leasebook.domain.book.tables import APPROVALS
from leasebook.domain.model.approvals.approval import Approval
from leasebook.ports.queries.approvals import ApprovalFilter, ApprovalPlace
from leasebook.store.queries.audit_log import Fetch, columns
from leasebook.store.rows.codec import CODECS

_SELECT: Final = f"SELECT {columns(CODECS[APPROVALS])} FROM approvals"
_WAITING: Final = "SELECT count(*) FROM approvals WHERE status = 'Open'"


class ApprovalQueries:
    """Queries about requests for approvals."""

    _fetch: Fetch

    def approval(self, approval_id: str) -> Approval | None:
        """Return a request by id."""
        rows = self._fetch(f"{_SELECT} WHERE id = ?", (approval_id,))
        return CODECS[APPROVALS].read(rows[0]) if rows else None

    def approvals(self, wanted: ApprovalFilter, *, after: ApprovalPlace | None, limit: int) -> list[Approval]:
        """Return requests, newest first, from before a place."""
        where: list[str] = []
        params: list[Any] = []
        if wanted.across is None:
            where.append("account_id = ?")
            params.append(wanted.account_id)
        elif wanted.across.ids is not None:
            where.append(f"account_id IN ({', '.join('?' for _ in wanted.across.ids)})")
            params += wanted.across.ids
        for text, value in (("status = ?", wanted.status), ("asked_by = ?", wanted.asked_by)):
            if value == "Open":
                # As in the index of those that wait, which are few.
                where.append("status = 'Open'")
            elif value is not None:
                where.append(text)
                params.append(value)
        if after is not None:
            where.append("(asked_at, id) < (?, ?)")
            params += after
        condition = f" WHERE {' AND '.join(where)}" if where else ""
        rows = self._fetch(f"{_SELECT}{condition} ORDER BY asked_at DESC, id DESC LIMIT ?", (*params, limit))
        return [CODECS[APPROVALS].read(row) for row in rows]

    def waiting_approvals(self) -> int:
        """Return how many requests of all accounts wait."""
        ((count,),) = self._fetch(_WAITING, ())
        return int(count)

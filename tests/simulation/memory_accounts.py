"""Answers of the store of dictionaries about many accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, APPROVALS, INSTANCES, SERVICES, Key, Table
from leasebook.domain.model.account import Account
from leasebook.domain.model.approvals.approval import Approval
from leasebook.domain.model.instance import UP
from leasebook.domain.model.limits import AccountLimits
from leasebook.domain.model.offering import UNITS_OF_COMPUTE
from leasebook.ports.queries.accounts import AccountFilter, Held, Holdings, UnitCount
from leasebook.ports.queries.approvals import ApprovalFilter, ApprovalPlace
from leasebook.ports.queries.read_repository import ReadRepository


class AccountsOfMemory(ReadRepository):
    """Questions about accounts, asked of all rows there are."""

    def _rows(self, table: Table[Any]) -> dict[Key, Any]:
        raise NotImplementedError

    def accounts_page(self, wanted: AccountFilter, *, after: tuple[int, str] | None, limit: int) -> list[Account]:
        """Return accounts, oldest first, from after a time of creation and an id."""
        rows: list[Account] = sorted(self._rows(ACCOUNTS).values(), key=lambda row: (row.created_at, row.id))
        return [
            row
            for row in rows
            if (after is None or (row.created_at, row.id) > after)
            and wanted.name in (None, row.name)
            and wanted.status in (None, row.status)
            and (wanted.name_part or "") in row.name
        ][:limit]

    def holdings(self, account_ids: Sequence[str]) -> dict[str, Holdings]:
        """Return what accounts hold; an account that holds nothing is missing."""
        found = {}
        for account_id in account_ids:
            units = [row for row in self._rows(INSTANCES).values() if row.account_id == account_id and row.reserved]
            by_timing = {timing: [u.reserved for u in units if u.payment_timing == timing] for timing in TIMINGS}
            prepaid, postpaid = (Held(len(counts), sum(counts)) for counts in by_timing.values())
            services = [
                row for row in self._rows(SERVICES).values() if row.account_id == account_id and row.deleted_at is None
            ]
            found[account_id] = Holdings(prepaid, postpaid, len(services))
        return {account_id: held for account_id, held in found.items() if held != Holdings()}

    def units_by_project(self, account_id: str) -> list[UnitCount]:
        """Return how many units an account has, by project and then by type: counted one by one."""
        found: dict[tuple[str, str], UnitCount] = {}
        for row in self._rows(INSTANCES).values():
            if row.account_id == account_id and row.reserved and row.kind == UNITS_OF_COMPUTE:
                before = found.get((row.project_id or "", row.type), UnitCount(row.project_id, row.type))
                used = row.used if row.status in UP or row.status == "Creating" else 0
                found[row.project_id or "", row.type] = before.plus(instances=1, units=row.reserved, used=used)
        return [found[key] for key in sorted(found)]

    def limits_of(self, account_ids: Sequence[str]) -> dict[str, AccountLimits]:
        """Return the limits and the usage of accounts; an account without limits is missing."""
        rows = self._rows(ACCOUNT_LIMITS)
        return {account_id: rows[(account_id,)] for account_id in account_ids if (account_id,) in rows}

    def approval(self, approval_id: str) -> Approval | None:
        """Return a request for an approval by id."""
        found: Approval | None = self._rows(APPROVALS).get((approval_id,))
        return found

    def approvals(self, wanted: ApprovalFilter, *, after: ApprovalPlace | None, limit: int) -> list[Approval]:
        """Return requests of an account, newest first."""
        rows: list[Approval] = sorted(
            self._rows(APPROVALS).values(), key=lambda row: (row.asked_at, row.id), reverse=True
        )
        return [
            row
            for row in rows
            if (after is None or (row.asked_at, row.id) < after)
            and row.account_id == wanted.account_id
            and wanted.status in (None, row.status)
            and wanted.asked_by in (None, row.asked_by)
        ][:limit]

    def waiting_approvals(self) -> int:
        """Return how many requests wait."""
        return sum(row.status == "Open" for row in self._rows(APPROVALS).values())


TIMINGS = ("Prepaid", "Postpaid")

"""Queries about many accounts: the list of them, with their instances and limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from leasebook.domain.model.account import Account, AccountStatus
from leasebook.domain.model.limits import AccountLimits
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.approvals import ApprovalQuestions
from leasebook.ports.queries.costs import CostQuestions


class AccountFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter for accounts; None: any value."""

    name: str | None = None
    name_part: str | None = None
    status: AccountStatus | None = None


class Held(NamedTuple):
    """Live instances that reserve units, and the units that they reserve."""

    instances: int = 0
    units: int = 0

    def plus(self, more: Held) -> Held:
        """Add other instances."""
        return Held(self.instances + more.instances, self.units + more.units)


class Holdings(NamedTuple):
    """The live instances of an account, by how they are paid, and its services that are not deleted."""

    prepaid: Held = Held()
    postpaid: Held = Held()
    services: int = 0

    def plus(self, timing: str, more: Held) -> Holdings:
        """Add instances that are paid in one way."""
        if timing == "Prepaid":
            return self._replace(prepaid=self.prepaid.plus(more))
        return self._replace(postpaid=self.postpaid.plus(more))


class UnitCount(NamedTuple):
    """The live instances of one type in one project (None: the default one), and how many units they have.

    ``units`` are reserved, and ``used`` of them are taken by replicas.
    """

    project_id: str | None
    type: str
    instances: int = 0
    units: int = 0
    used: int = 0

    def plus(self, *, instances: int = 0, units: int = 0, used: int = 0) -> UnitCount:
        """Add to the counts."""
        return self._replace(instances=self.instances + instances, units=self.units + units, used=self.used + used)


class AccountQuestions(ApprovalQuestions, CostQuestions, Protocol):
    """Queries about accounts, their costs and their requests for approvals, answered from committed rows."""

    def account(self, account_id: str) -> Account | None:
        """Return an account by id."""
        ...

    def accounts_page(self, wanted: AccountFilter, *, after: tuple[int, str] | None, limit: int) -> list[Account]:
        """Return accounts, oldest first, from after a time of creation and an id."""
        ...

    def holdings(self, account_ids: Sequence[str]) -> dict[str, Holdings]:
        """Return the holdings of accounts; an account that holds nothing is missing.

        It reads the index entries of these accounts' live instances: 100,000 take some hundredths of a second.
        """
        ...

    def units_by_project(self, account_id: str) -> list[UnitCount]:
        """Return how many units of compute an account has, by project and then by type, the default project first.

        It reads the index entries of the live instances, and the rows of those in other projects than the default one.
        """
        ...

    def settled(self, account_id: str, since: Instant, until: Instant) -> tuple[int, int]:
        """Return the sums paid out and written off in a period: amounts of the account's end, otherwise zero."""
        ...

    def limits_of(self, account_ids: Sequence[str]) -> dict[str, AccountLimits]:
        """Return the limits and the usage of accounts; an account without limits is missing."""
        ...

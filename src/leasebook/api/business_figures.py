"""The figures of the business for monitors, from sums that the books keep: no list of instances is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from leasebook.domain.model.limits import month_name
from leasebook.domain.model.offering import Offering
from leasebook.domain.values.calendar import Instant
from leasebook.observability.business_metrics import AccountFigures
from leasebook.ports.clock import Clock
from leasebook.ports.queries.read_repository import Glancer, ReadRepository


class BusinessGauges(Protocol):
    """Where the figures are shown."""

    def offerings(self, rows: Iterable[Offering]) -> None:
        """Set the units of each offering."""

    def accounts(self, rows: Iterable[AccountFigures]) -> None:
        """Set the figures of accounts."""

    def approvals(self, waiting: int) -> None:
        """Set how many purchases wait for an approval."""


class BusinessFigures:
    """Reads the catalogue, and the counters of the accounts that a setting names."""

    def __init__(self, reader: Glancer, clock: Clock, gauges: BusinessGauges, accounts: Sequence[str]) -> None:
        self._reader = reader
        self._clock = clock
        self._gauges = gauges
        self._accounts = accounts

    async def look(self) -> None:
        """Set the gauges to the figures of now; raises the errors of the reader."""
        now = self._clock.now()
        offerings, accounts, waiting = await self._reader.glance(
            lambda ask: (ask.offerings(), figures_of(ask, self._accounts, now), ask.waiting_approvals())
        )
        # Of a removed offering units may still be reserved.
        self._gauges.offerings(row for row in offerings if row.removed_at is None or row.reserved)
        self._gauges.accounts(accounts)
        self._gauges.approvals(waiting)


def figures_of(ask: ReadRepository, account_ids: Sequence[str], now: Instant) -> list[AccountFigures]:
    """Return the figures of accounts as of an instant; ids that no account has are left out."""
    accounts, limits = ask.accounts_by_id(account_ids), ask.limits_of(account_ids)
    found = []
    for account_id, account in sorted(accounts.items()):
        own = limits.get(account_id)
        figures = AccountFigures(account_id, account.name)
        if own is not None:
            spent = own.spends(month_name(now, account.time_zone))
            figures = figures._replace(spent=spent, budget=own.rules.budget)
        found.append(figures)
    return found

"""The metrics of the business: units by offering, and charges and budgets by account."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from prometheus_client import Gauge

from leasebook.domain.model.offering import Offering
from leasebook.domain.values.money import MICRO_PER_UNIT

NAME_MAX: Final = 64
"""Characters of an account's name that its label has."""
_OFFERING: Final = ("kind", "region", "type")


class AccountFigures(NamedTuple):
    """An account in numbers: charges of the current month, and the budget for a month, in micro-units.

    ``spent`` is None for an account that has no limits, and so no counter of its charges; ``budget``: it has none.
    """

    account_id: str
    name: str
    spent: int | None = None
    budget: int | None = None


class BusinessMetrics:
    """Shows reserved and free units, and the charges of chosen accounts. All of it belongs to the store."""

    def __init__(self, gauge: Callable[..., Gauge]) -> None:
        self._reserved = gauge(
            "leasebook_offering_units_reserved",
            "Units of an offering that instances reserve.",
            *_OFFERING,
            of_store=True,
        )
        self._free = gauge("leasebook_offering_units_free", "Free units of an offering.", *_OFFERING, of_store=True)
        self._accounts = gauge(
            "leasebook_account_info",
            "1, with the name of an account of the setting `metrics.accounts`.",
            "account",
            "name",
            of_store=True,
        )
        self._spend = gauge(
            "leasebook_account_spend",
            "Charges of the current month in the account's time zone, in `currency`, of an account of the setting "
            "`metrics.accounts` that has limits (`SetGuardRails`).",
            "account",
            of_store=True,
        )
        self._budget = gauge(
            "leasebook_account_budget",
            "Budget for a month, in `currency`, of an account of the setting `metrics.accounts` that has one.",
            "account",
            of_store=True,
        )

        self._approvals = gauge(
            "leasebook_approvals_waiting", "Purchases of all accounts that wait for an approval.", of_store=True
        )

    def approvals(self, waiting: int) -> None:
        """Set how many purchases wait for an approval."""
        self._approvals.set(waiting)

    def offerings(self, rows: Iterable[Offering]) -> None:
        """Set the units of each offering; one that is left out has left the catalogue."""
        self._reserved.clear()
        self._free.clear()
        for row in rows:
            self._reserved.labels(row.kind, row.region, row.type).set(row.reserved)
            self._free.labels(row.kind, row.region, row.type).set(row.stock_free)

    def accounts(self, rows: Iterable[AccountFigures]) -> None:
        """Set the figures of accounts; accounts that are left out have none."""
        for gauge in (self._accounts, self._spend, self._budget):
            gauge.clear()
        for row in rows:
            self._accounts.labels(row.account_id, label_of(row.name)).set(1)
            if row.spent is not None:
                self._spend.labels(row.account_id).set(row.spent / MICRO_PER_UNIT)
            if row.budget is not None:
                self._budget.labels(row.account_id).set(row.budget / MICRO_PER_UNIT)


def label_of(name: str) -> str:
    """Return a name as a label: one line of at most ``NAME_MAX`` characters that can be seen, spaces between words."""
    seen = "".join(letter if letter.isprintable() else " " for letter in name)
    return " ".join(seen.split())[:NAME_MAX].rstrip()

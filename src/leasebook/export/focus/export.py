"""Walking through the accounts and instances that cost something in a month, for each dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from leasebook.domain.book.project_scope import Projects
from leasebook.domain.model.account import Account
from leasebook.domain.rules.statement import month_of
from leasebook.domain.values.calendar import DAY_US, Instant
from leasebook.export.focus.columns import Row
from leasebook.export.focus.commitments import CommitmentRow, commitment_rows
from leasebook.export.focus.invoices import invoice_rows
from leasebook.export.focus.periods import period_rows
from leasebook.export.focus.rows import Month, Seller, rows_of
from leasebook.export.focus.versions import DatasetName
from leasebook.ports.queries.read_repository import ReadRepository

POSTINGS_A_ROW: Final = 8
"""Postings of a bill that are as much work as a row."""
Pace = Callable[[int], None]
"""Is called with the work that comes next, counted in rows."""


def _unpaced(_: int) -> None:
    """Do the work at once."""


class UnknownAccountError(Exception):
    """An account does not exist; the message names it."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An export: the rows of a dataset, from the month ``first`` through the month ``last``, each (year, month).

    Months are each account's own. ``accounts`` None: all of them. ``now`` decides which months are over. ``within`` has
    the public ids of the projects whose costs are exported; None: those of every project, and of none.
    """

    dataset: DatasetName
    first: tuple[int, int]
    last: tuple[int, int]
    accounts: tuple[str, ...] | None
    seller: Seller
    now: Instant
    within: Projects | None = None

    def span(self) -> tuple[Instant, Instant]:
        """Return a time in which these months lie in every time zone."""
        since, until = (month_of(*month, "UTC") for month in (self.first, self.last))
        return Instant(since[0] - DAY_US), Instant(until[1] + DAY_US)

    def months(self) -> list[tuple[int, int]]:
        """Return the months, as (year, month), in order."""
        (first_year, first), (last_year, last) = self.first, self.last
        numbers = range(first_year * 12 + first - 1, last_year * 12 + last)
        return [(number // 12, number % 12 + 1) for number in numbers]


def rows_wanted(ask: ReadRepository, wanted: Wanted, pace: Pace = _unpaced) -> Iterator[Any]:
    """Return the rows of an export, as its dataset has them, month by month and one instance at a time.

    ``pace`` is called before each piece of work, also where many pieces make one row. Raises UnknownAccountError.
    """
    accounts, seller, now, within = _accounts(ask, wanted.accounts), wanted.seller, wanted.now, wanted.within
    if wanted.dataset == "ContractCommitment":
        # A term that lies in several months has one row.
        for account in accounts:
            span = Month(_month(wanted.first, account).since, _month(wanted.last, account).until)
            yield from _commitments(ask, account, span, seller, now, within, pace)
        return
    if wanted.dataset == "BillingPeriod":
        zones = {account.time_zone: account for account in accounts}
        yield from period_rows(
            (_month(month, account) for month in wanted.months() for account in zones.values()), seller, now
        )
        return
    for month in wanted.months():
        for account in accounts:
            rows = _rows(ask, account, _month(month, account), seller, within, pace)
            if wanted.dataset == "InvoiceDetail":
                yield from invoice_rows(account, _month(month, account), rows, seller, now)
            else:
                yield from rows


def _month(month: tuple[int, int], account: Account) -> Month:
    return _month_in(*month, account.time_zone)


@lru_cache(1000)
def _month_in(year: int, month: int, zone: str) -> Month:
    return Month(*month_of(year, month, zone))


def export(ask: ReadRepository, year: int, month: int, seller: Seller, account_id: str | None = None) -> Iterator[Row]:
    """Return the charges of a month of one account or of all, one instance at a time.

    The month is each account's own. Raises UnknownAccountError.
    """
    for account in _accounts(ask, None if account_id is None else (account_id,)):
        yield from _rows(ask, account, _month((year, month), account), seller, None, _unpaced)


def not_over(ask: ReadRepository, wanted: Wanted) -> str | None:
    """Return why the last month is not over for one of the accounts; None: it is over.

    Raises UnknownAccountError.
    """
    months = {_month(wanted.last, account) for account in _accounts(ask, wanted.accounts)}
    if months and all(wanted.now < since for since, _ in months):
        return "has not begun"
    return "is not over" if any(wanted.now < until for _, until in months) else None


def _accounts(ask: ReadRepository, account_ids: Sequence[str] | None) -> list[Account]:
    if account_ids is None:
        return ask.accounts()
    found = ask.accounts_by_id(account_ids)
    for account_id in account_ids:
        if account_id not in found:
            raise UnknownAccountError(f"There is no account {account_id[:64]!r}.")
    return [found[account_id] for account_id in account_ids]


def _rows(
    ask: ReadRepository, account: Account, month: Month, seller: Seller, within: Projects | None, pace: Pace
) -> Iterator[Row]:
    pace(1)
    projects = {row.id: row.name for row in ask.projects(account.id)}
    for unit, tags, bill, terms in ask.spending(account.id, *month):
        pace(1 + len(bill) // POSTINGS_A_ROW)
        for row in rows_of(account, unit, month, bill, terms, seller, tags, projects, within):
            pace(1)
            yield row


def _commitments(
    ask: ReadRepository,
    account: Account,
    span: Month,
    seller: Seller,
    now: Instant,
    within: Projects | None,
    pace: Pace,
) -> Iterator[CommitmentRow]:
    pace(1)
    for unit, _, _, terms in ask.spending(account.id, *span, with_bills=False):
        pace(1 + len(terms))
        yield from commitment_rows(unit, span, terms, seller, now, within)

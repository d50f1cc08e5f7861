"""Walking through the accounts and instances that cost something in a month, for each dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from leasebook.domain.model.account import Account
from leasebook.domain.rules.statement import month_of
from leasebook.domain.values.calendar import Instant
from leasebook.export.focus.columns import DatasetName, Row
from leasebook.export.focus.commitments import CommitmentRow, commitment_rows
from leasebook.export.focus.invoices import invoice_rows
from leasebook.export.focus.periods import period_rows
from leasebook.export.focus.rows import Month, Seller, rows_of
from leasebook.ports.queries.read_repository import ReadRepository

PAGE: Final = 20_000
"""Names of instances at a time: a page costs a walk through the account's month, however short it is."""


class UnknownAccountError(Exception):
    """An account does not exist; the message names it."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An export: the rows of a dataset, from the month ``first`` through the month ``last``, each (year, month).

    Months are each account's own. ``accounts`` None: all of them. ``now`` decides which months are over.
    """

    dataset: DatasetName
    first: tuple[int, int]
    last: tuple[int, int]
    accounts: tuple[str, ...] | None
    seller: Seller
    now: Instant

    def months(self) -> list[tuple[int, int]]:
        """Return the months, as (year, month), in order."""
        (first_year, first), (last_year, last) = self.first, self.last
        numbers = range(first_year * 12 + first - 1, last_year * 12 + last)
        return [(number // 12, number % 12 + 1) for number in numbers]


def rows_wanted(ask: ReadRepository, wanted: Wanted) -> Iterator[Any]:
    """Return the rows of an export, as its dataset has them, month by month and one instance at a time.

    Raises UnknownAccountError.
    """
    accounts, seller, now = _accounts(ask, wanted.accounts), wanted.seller, wanted.now
    months = [
        (account, Month(*month_of(*month, account.time_zone))) for month in wanted.months() for account in accounts
    ]
    match wanted.dataset:
        case "BillingPeriod":
            yield from period_rows((month for _, month in months), seller, now)
        case "ContractCommitment":
            # A term that lies in several months has one row.
            for account in accounts:
                own = [month for owner, month in months if owner is account]
                yield from _commitments(ask, account, Month(own[0].since, own[-1].until), seller, now)
        case "InvoiceDetail":
            for account, month in months:
                yield from invoice_rows(account, month, _rows(ask, account, month, seller), seller, now)
        case "CostAndUsage":
            for account, month in months:
                yield from _rows(ask, account, month, seller)


def export(ask: ReadRepository, year: int, month: int, seller: Seller, account_id: str | None = None) -> Iterator[Row]:
    """Return the charges of a month of one account or of all, one instance at a time.

    The month is each account's own. Raises UnknownAccountError.
    """
    for account in _accounts(ask, None if account_id is None else (account_id,)):
        yield from _rows(ask, account, Month(*month_of(year, month, account.time_zone)), seller)


def not_over(ask: ReadRepository, wanted: Wanted) -> str | None:
    """Return why the last month is not over for one of the accounts; None: it is over.

    Raises UnknownAccountError.
    """
    months = [month_of(*wanted.last, account.time_zone) for account in _accounts(ask, wanted.accounts)]
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


def _rows(ask: ReadRepository, account: Account, month: Month, seller: Seller) -> Iterator[Row]:
    after = ""
    while True:
        page = ask.spenders(account.id, *month, after=after, limit=PAGE)
        bills = ask.bills(account.id, [spender.unit_id for spender in page], *month)
        tags = ask.tags_of([spender.unit_id for spender in page])
        for spender, (_, bill) in zip(page, bills, strict=True):
            unit = ask.unit(spender.unit_id)
            assert unit is not None  # noqa: S101 - instances are kept for ever (decision 17)
            terms = ask.terms(unit.id, month.until) if spender.prepaid else []
            yield from rows_of(account, unit, month, bill, terms, seller, tags.get(unit.id))
        if len(page) < PAGE:
            return
        after = page[-1].unit_id


def _commitments(
    ask: ReadRepository, account: Account, span: Month, seller: Seller, now: Instant
) -> Iterator[CommitmentRow]:
    after = ""
    while True:
        page = ask.spenders(account.id, *span, after=after, limit=PAGE)
        for spender in page:
            unit = ask.unit(spender.unit_id) if spender.prepaid else None
            if unit is not None:
                yield from commitment_rows(unit, span, ask.terms(unit.id, span.until), seller, now)
        if len(page) < PAGE:
            return
        after = page[-1].unit_id

"""Walking through the accounts and instances that cost something in a month."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from leasebook.domain.model.account import Account
from leasebook.domain.rules.statement import month_of
from leasebook.domain.values.calendar import Instant
from leasebook.export.focus.columns import Row
from leasebook.export.focus.rows import Month, Seller, rows_of
from leasebook.ports.queries.read_repository import ReadRepository

PAGE: Final = 20_000
"""Names of instances at a time: a page costs a walk through the account's month, however short it is."""


class UnknownAccountError(Exception):
    """An account does not exist; the message names it."""


def export(ask: ReadRepository, year: int, month: int, seller: Seller, account_id: str | None = None) -> Iterator[Row]:
    """Return the rows of a month of one account or of all, one instance at a time.

    The month is each account's own. Raises UnknownAccountError.
    """
    for account in _accounts(ask, account_id):
        yield from _rows(ask, account, Month(*month_of(year, month, account.time_zone)), seller)


def not_over(ask: ReadRepository, year: int, month: int, now: Instant, account_id: str | None = None) -> str | None:
    """Return why a month is not over for one account, or for any account; None: it is over.

    Raises UnknownAccountError.
    """
    months = [month_of(year, month, account.time_zone) for account in _accounts(ask, account_id)]
    if months and all(now < since for since, _ in months):
        return "has not begun"
    return "is not over" if any(now < until for _, until in months) else None


def _accounts(ask: ReadRepository, account_id: str | None) -> list[Account]:
    if account_id is None:
        return ask.accounts()
    account = ask.account(account_id)
    if account is None:
        raise UnknownAccountError(f"There is no account {account_id[:64]!r}.")
    return [account]


def _rows(ask: ReadRepository, account: Account, month: Month, seller: Seller) -> Iterator[Row]:
    after = ""
    projects = {row.id: row.name for row in ask.projects(account.id)}
    while True:
        page = ask.spenders(account.id, *month, after=after, limit=PAGE)
        bills = ask.bills(account.id, [spender.unit_id for spender in page], *month)
        tags = ask.tags_of([spender.unit_id for spender in page])
        for spender, (_, bill) in zip(page, bills, strict=True):
            unit = ask.unit(spender.unit_id)
            assert unit is not None  # noqa: S101 - instances are kept for ever (decision 17)
            terms = ask.terms(unit.id, month.until) if spender.prepaid else []
            yield from rows_of(account, unit, month, bill, terms, seller, tags.get(unit.id), projects)
        if len(page) < PAGE:
            return
        after = page[-1].unit_id

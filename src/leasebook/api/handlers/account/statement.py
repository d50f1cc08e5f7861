"""Statements: what every instance cost in a month, and the sums of a month of several accounts."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from leasebook.api.across import Meant, account_meant, accounts_meant
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import Fault, bad_field
from leasebook.api.paging import OWN, id_of, marker_of, user_of
from leasebook.api.presenters import rows as present
from leasebook.api.presenters.tags import marked as with_tags
from leasebook.contract.errors import RESOURCE_NOT_FOUND
from leasebook.contract.nouns import account as own
from leasebook.contract.nouns.finance import statements as several
from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import Instance
from leasebook.domain.rules.statement import Line, lines_of, month_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import amount_text
from leasebook.domain.values.resource_tags import ResourceTags
from leasebook.ports.queries.accounts import AccountFilter
from leasebook.ports.queries.read_repository import ReadRepository

YEARS: Final = range(1970, 9000)
"""Years with statements: the bounds of all times in requests."""


class _Sums(msgspec.Struct, frozen=True):
    """An account's month, in micro-units. ``settled``: paid out and written off, when the account was closed."""

    account: Account
    since: Instant
    until: Instant
    opening: int
    paid_in: int
    charged: int
    settled: tuple[int, int]

    def shown(self, context: Context, month: str) -> dict[str, Any]:
        """Return the fields that statements of one and of several accounts have in common."""
        paid_out, written_off = self.settled
        return {
            "account_id": self.account.id,
            "month": month,
            "start_time": context.shown(self.since),
            "end_time": context.shown(self.until),
            "currency": context.rules.currency,
            "opening_balance": amount_text(self.opening),
            "paid_in": amount_text(self.paid_in),
            "charged": amount_text(self.charged),
            "closing_balance": amount_text(self.opening + self.paid_in - self.charged - paid_out + written_off),
            "paid_out": amount_text(paid_out) if paid_out else None,
            "written_off": amount_text(written_off) if written_off else None,
        }


class _Month(msgspec.Struct):
    sums: _Sums
    units: list[tuple[Instance, list[Line]]]
    tags: dict[str, ResourceTags]
    last: str | None
    """The last instance of the page, where more follow."""


async def describe_statement(context: Context, call: Call[own.DescribeStatementRequest]) -> own.Statement:
    """Show a month of an account: sums, and a page of its instances with every line."""
    asked = call.request
    account_id = account_meant(call)
    year, month = map(int, asked.month.split("-"))
    scope, size = f"statement {account_id} {asked.month}", OWN.of(asked.max_keys)
    after = id_of(asked.marker, scope) or ""

    def look(ask: ReadRepository) -> _Month | None:
        account = ask.account(account_id)
        if account is None or year not in YEARS:
            return None
        sums = _sums_of(ask, account, year, month)
        since, until = sums.since, sums.until
        ids = ask.billed_units(account_id, since, until, after=after, limit=size + 1)
        # A month of an instance is hundreds of postings and a few lines, so these are made one by one.
        units = [
            (unit, list(lines_of(bill)))
            for unit_id, bill in ask.bills(ids[:size], since, until)
            if (unit := ask.unit(unit_id)) is not None
        ]
        tags = ask.tags_of(ids[:size])
        return _Month(sums, units, tags, ids[size - 1] if ids[size:] else None)

    found = await context.read(call, look, long=True)
    if found is None:
        raise Fault(RESOURCE_NOT_FOUND, f"There is no account {account_id[:64]!r} with a month {asked.month}.")
    return own.Statement(
        **found.sums.shown(context, asked.month),
        instances=[with_tags(_unit(context, unit, lines), found.tags.get(unit.id)) for unit, lines in found.units],
        is_truncated=found.last is not None,
        max_keys=size,
        next_marker=None if found.last is None else marker_of(found.last, scope),
    )


async def describe_statements(context: Context, call: Call[several.DescribeStatementsRequest]) -> several.StatementPage:
    """Show the sums of a month of several accounts, a page of accounts at a time."""
    asked, meant = call.request, accounts_meant(call)
    year, month = map(int, asked.month.split("-"))
    if year not in YEARS:
        raise bad_field("month", f"{asked.month} does not lie in the years from 1970 to 8999.")
    scope, size = f"statements {meant.ids} {asked.month}", OWN.of(asked.max_keys)
    after = user_of(asked.marker, scope)

    def look(ask: ReadRepository) -> tuple[list[_Sums], bool]:
        # Otherwise money that moves between the queries would be in one account's row and not in another's.
        with ask.at_one_instant():
            accounts = _accounts(ask, meant, after, size + 1)
            return [_sums_of(ask, account, year, month) for account in accounts[:size]], len(accounts) > size

    found, more = await context.read(call, look, long=True)
    last = found[-1].account if more else None
    return several.StatementPage(
        statements=[
            several.AccountStatement(**sums.shown(context, asked.month), account_name=sums.account.name)
            for sums in found
        ],
        is_truncated=more,
        max_keys=size,
        next_marker=None if last is None else marker_of([last.created_at, last.id], scope),
    )


def _accounts(ask: ReadRepository, meant: Meant, after: tuple[int, str] | None, limit: int) -> list[Account]:
    """Return the accounts of a page, oldest first; raises Fault for one that is named and does not exist."""
    if meant.ids is None:
        return ask.accounts_page(AccountFilter(), after=after, limit=limit)
    meant.require(ask)
    rows = sorted(ask.accounts_by_id(meant.ids).values(), key=_place)
    return [row for row in rows if after is None or _place(row) > after][:limit]


def _place(account: Account) -> tuple[int, str]:
    return account.created_at, account.id


def _sums_of(ask: ReadRepository, account: Account, year: int, month: int) -> _Sums:
    """Return the sums of an account's month on its own clocks, and its balance before."""
    since, until = month_of(year, month, account.time_zone)
    money = ask.month_money(account, since, until)
    settled = ask.settled(account.id, since, until) if account.status == "Closed" else (0, 0)
    return _Sums(account, since, until, *money, settled)


def _unit(context: Context, unit: Instance, lines: list[Line]) -> own.StatementUnit:
    return own.StatementUnit(
        instance_id=unit.id,
        kind=unit.kind,
        region=unit.region,
        type=unit.type,
        payment_timing=unit.payment_timing,
        amount=amount_text(sum(line.amount for line in lines)),
        lines=[present.statement_line(line, context.shown) for line in lines],
    )


OPERATIONS: Final[dict[str, Operation]] = {
    "describe_statement": describe_statement,
    "describe_statements": describe_statements,
}

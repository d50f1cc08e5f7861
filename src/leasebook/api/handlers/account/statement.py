"""Statements: what every instance cost in a month."""

from __future__ import annotations

from typing import Final

import msgspec

from leasebook.api.across import account_meant
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import Fault
from leasebook.api.paging import OWN, id_of, marker_of
from leasebook.api.presenters import rows as present
from leasebook.api.presenters.tags import marked as with_tags
from leasebook.contract.errors import RESOURCE_NOT_FOUND
from leasebook.contract.nouns import account as own
from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import Instance
from leasebook.domain.rules.statement import Line, lines_of, month_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import amount_text
from leasebook.domain.values.resource_tags import ResourceTags
from leasebook.ports.queries.read_repository import ReadRepository


class _Month(msgspec.Struct):
    account: Account
    since: Instant
    until: Instant
    opening: int
    paid_in: int
    charged: int
    settled: tuple[int, int]
    """Paid out and written off, when the account was closed."""
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
        if account is None or not 1970 <= year < 9000:  # noqa: PLR2004 - what other times are bounded by
            return None
        since, until = month_of(year, month, account.time_zone)
        opening = ask.balance_at(account_id, since)
        paid_in, charged = ask.turnover(account_id, since, until)
        settled = ask.settled(account_id, since, until) if account.status == "Closed" else (0, 0)
        ids = ask.billed_units(account_id, since, until, after=after, limit=size + 1)
        # A month of an instance is hundreds of postings and a few lines, so these are made one by one.
        units = [
            (unit, list(lines_of(bill)))
            for unit_id, bill in ask.bills(ids[:size], since, until)
            if (unit := ask.unit(unit_id)) is not None
        ]
        tags = ask.tags_of(ids[:size])
        last = ids[size - 1] if ids[size:] else None
        return _Month(account, since, until, opening, paid_in, charged, settled, units, tags, last)

    found = await context.read(call, look, long=True)
    if found is None:
        raise Fault(RESOURCE_NOT_FOUND, f"There is no account {account_id[:64]!r} with a month {asked.month}.")
    paid_out, written_off = found.settled
    return own.Statement(
        account_id=account_id,
        month=asked.month,
        start_time=context.shown(found.since),
        end_time=context.shown(found.until),
        currency=context.rules.currency,
        opening_balance=amount_text(found.opening),
        paid_in=amount_text(found.paid_in),
        charged=amount_text(found.charged),
        closing_balance=amount_text(found.opening + found.paid_in - found.charged - paid_out + written_off),
        paid_out=amount_text(paid_out) if paid_out else None,
        written_off=amount_text(written_off) if written_off else None,
        instances=[with_tags(_unit(context, unit, lines), found.tags.get(unit.id)) for unit, lines in found.units],
        is_truncated=found.last is not None,
        max_keys=size,
        next_marker=None if found.last is None else marker_of(found.last, scope),
    )


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


OPERATIONS: Final[dict[str, Operation]] = {"describe_statement": describe_statement}

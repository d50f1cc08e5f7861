"""Accounts: balance, orders, postings."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from leasebook.api.across import Meant, Owners, accounts_meant, owners_of
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import bad_field
from leasebook.api.paging import OWN, cut, marker_of, moment_of, place_of
from leasebook.api.presenters import rows as present
from leasebook.contract import shapes as base
from leasebook.contract.nouns import account as own
from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.model.account import Account
from leasebook.domain.record.ledger import Order, Posting
from leasebook.domain.values.money import BadAmount, Micro, parse_amount
from leasebook.ports.queries.read_repository import HistoryFilter, Numbered, Place, ReadRepository
from leasebook.ports.queries.tags import Names, names_of

DIGITS_MAX: Final = 28
"""Decimal arithmetic is exact up to here, and no amount comes near it."""


def amount(given: base.Amount | None, field: str) -> Micro | None:
    """Read an amount that is not negative; raises Fault naming the field."""
    if given is None:
        return None
    _, digits, exponent = given.as_tuple()
    if len(digits) > DIGITS_MAX or (isinstance(exponent, int) and abs(exponent) > DIGITS_MAX):
        raise bad_field(field, f"An amount has at most {DIGITS_MAX} digits, and six of them after the point.")
    try:
        micro = parse_amount(given)
    except BadAmount as error:
        raise bad_field(field, f"{error}.") from None
    if micro < 0:
        raise bad_field(field, f"{given} is negative.")
    return micro


async def top_up(context: Context, call: Call[own.TopUpAccountRequest]) -> own.AccountDetail:
    """Put money on an account."""
    micro = amount(call.request.amount, "amount")
    if not micro:
        raise bad_field("amount", "A top-up adds something: give an amount above zero.")
    command = TopUp(token=call.token(), account_id=call.request.account_id or call.caller.account_id, amount=micro)
    account: Account = await context.submit(call, command)
    return present.account(account, context.rules.currency, context.shown)


def _history(context: Context, call: Call[Any], meant: Meant) -> HistoryFilter:
    asked = call.request
    return HistoryFilter(
        **meant.of(),
        kind=asked.kind,
        unit_id=asked.instance_id,
        since=context.time(asked.start_time, "startTime") if asked.start_time else None,
        until=context.time(asked.end_time, "endTime") if asked.end_time else None,
    )


class _Marks(NamedTuple):
    """The words beside the ids of rows: the accounts, if the request names any, and the names of instances."""

    owners: Owners | None
    names: Names

    def mark(self, shown: Any, row: Order | Posting) -> Any:
        """Return a shown row with these."""
        name = self.names.thing(row.account_id, row.unit_id)
        if name is not None:
            shown = msgspec.structs.replace(shown, instance_name=name)
        return shown if self.owners is None else self.owners.mark(shown, row.account_id)


def _owned(ask: ReadRepository, meant: Meant, found: list[Numbered]) -> tuple[_Marks, list[Numbered]]:
    """Return rows with the words beside their ids. Raises Fault for an unknown account."""
    names = names_of(ask, (), [numbered.row.unit_id for numbered in found])
    if not meant.named:
        return _Marks(None, names), found
    meant.require(ask)
    return _Marks(owners_of(ask, meant, [numbered.row.account_id for numbered in found]), names), found


async def describe_orders(context: Context, call: Call[own.DescribeOrdersRequest]) -> own.OrderPage:
    """List the account's orders, newest first."""
    meant = accounts_meant(call)
    wanted = _history(context, call, meant)
    scope, size = f"orders {wanted}", OWN.of(call.request.max_keys)
    after = place_of(call.request.marker, scope)

    def look(ask: ReadRepository) -> tuple[_Marks, list[Numbered]]:
        return _owned(ask, meant, ask.orders(wanted, after=after, limit=size + 1))

    marks, found = await context.read(call, look, long=wanted.across is not None)
    page = cut(found, size, scope)
    return own.OrderPage(
        orders=[marks.mark(present.order(one.row, context.shown), one.row) for one in page.rows],
        is_truncated=page.is_truncated,
        max_keys=size,
        next_marker=page.next_marker,
    )


async def describe_postings(context: Context, call: Call[own.DescribePostingsRequest]) -> own.PostingPage:
    """List the movements of the account's money, newest first."""
    meant = accounts_meant(call)
    wanted = _history(context, call, meant)
    scope, size = f"postings {wanted}", OWN.of(call.request.max_keys)
    after = moment_of(call.request.marker, scope)

    def look(ask: ReadRepository) -> tuple[_Marks, list[Numbered]]:
        return _owned(ask, meant, ask.postings(wanted, after=after, limit=size + 1))

    marks, found = await context.read(call, look, long=wanted.across is not None)
    page = found[:size]
    more = len(found) > size
    return own.PostingPage(
        postings=[marks.mark(present.posting(one.seq, one.row, context.shown), one.row) for one in page],
        is_truncated=more,
        max_keys=size,
        next_marker=marker_of(Place(page[-1].row.at, page[-1].seq), scope) if more else None,
    )


OPERATIONS: Final[dict[str, Operation]] = {
    "top_up": top_up,
    "describe_orders": describe_orders,
    "describe_postings": describe_postings,
}

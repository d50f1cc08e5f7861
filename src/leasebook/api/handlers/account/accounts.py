"""Accounts: each with what it holds and was charged, and the changes of its name and status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from leasebook.api.across import account_meant
from leasebook.api.auth.identity import Identity
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import Fault, bad_field
from leasebook.api.paging import OWN, marker_of, user_of
from leasebook.api.presenters import rows as present
from leasebook.contract.errors import ACCESS_DENIED, RESOURCE_NOT_FOUND
from leasebook.contract.nouns import account as own
from leasebook.contract.nouns import limits
from leasebook.contract.policies import OF_THE_HOUSE, OPERATOR
from leasebook.domain.commands.account.account_life import RenameAccount, ResumeAccount, SuspendAccount
from leasebook.domain.commands.account.closing import CloseAccount
from leasebook.domain.model.account import Account
from leasebook.domain.model.limits import month_name
from leasebook.domain.rules.statement import month_of
from leasebook.domain.values.calendar import Instant, to_datetime
from leasebook.domain.values.money import Micro, amount_text
from leasebook.ports.queries.accounts import AccountFilter, Holdings
from leasebook.ports.queries.read_repository import ReadRepository

SAME_NAME_MAX: Final = 20
"""Accounts of one name that a message lists."""


def whose(caller: Identity, asked: str | None) -> str:
    """Return the account of a call: the caller's, or for an operator the one that it names; raises Fault."""
    if asked is not None and asked != caller.account_id and not caller.is_operator:
        raise Fault(ACCESS_DENIED, "Only an operator names another account.", "accountId")
    return asked or caller.account_id


async def describe_account(context: Context, call: Call[own.DescribeAccountRequest]) -> own.AccountOverview:
    """Show an account, by its id or its name; without either the caller's."""
    asked = call.request
    by_name = asked.name is not None and asked.account_id is None
    account_id = await _named(context, call, asked.name or "") if by_name else account_meant(call)

    def look(ask: ReadRepository) -> own.AccountOverview | None:
        found = ask.account(account_id)
        return None if found is None else _overviews(context, ask, [found])[0]

    shown: own.AccountOverview | None = await context.read(call, look)
    if shown is None:
        raise Fault(
            RESOURCE_NOT_FOUND,
            f"There is no account {account_id[:64]!r}. DescribeAccounts (/v2/iam) lists them for operators.",
            "accountId",
        )
    if asked.name not in (None, shown.name):
        raise Fault(RESOURCE_NOT_FOUND, f"The account {shown.account_id} has another name.", "name")
    return shown


async def _named(context: Context, call: Call[Any], name: str) -> str:
    """Return the id of the only account of a name; raises Fault if there is none or more than one."""
    if not call.caller.may_across(call.action):
        raise Fault(
            ACCESS_DENIED,
            f"To find an account by its name takes one of {', '.join(sorted(call.action.across))}.",
            "name",
        )
    wanted = AccountFilter(name=name)
    found = await context.read(call, lambda ask: ask.accounts_page(wanted, after=None, limit=SAME_NAME_MAX + 1))
    if not found:
        raise Fault(
            RESOURCE_NOT_FOUND,
            f"No account is called {name[:64]!r}. DescribeAccounts (/v2/iam) finds parts of names with nameContains.",
            "name",
        )
    if len(found) > 1:
        ids = ", ".join(account.id for account in found[:SAME_NAME_MAX])
        more = ", and more" if len(found) > SAME_NAME_MAX else ""
        raise bad_field("name", f"More than one account is called {name[:64]!r}: {ids}{more}. Give accountId.")
    return str(found[0].id)


async def describe_accounts(context: Context, call: Call[own.DescribeAccountsRequest]) -> own.AccountPage:
    """List all accounts, oldest first."""
    asked = call.request
    wanted = AccountFilter(name=asked.name, name_part=asked.name_contains, status=asked.status)
    scope, size = f"accounts {wanted}", OWN.of(asked.max_keys)
    after = user_of(asked.marker, scope)

    def look(ask: ReadRepository) -> tuple[list[own.AccountOverview], Account | None]:
        found = ask.accounts_page(wanted, after=after, limit=size + 1)
        return _overviews(context, ask, found[:size]), found[size - 1] if len(found) > size else None

    shown, last = await context.read(call, look, long=True)
    return own.AccountPage(
        accounts=shown,
        is_truncated=last is not None,
        max_keys=size,
        next_marker=None if last is None else marker_of([last.created_at, last.id], scope),
    )


def _overviews(context: Context, ask: ReadRepository, accounts: Sequence[Account]) -> list[own.AccountOverview]:
    """Show accounts, with what they hold and were charged in their current month.

    The charges of an account with limits are kept with its usage; those of another account are in the sums of costs.
    """
    now, ids = context.clock.now(), [account.id for account in accounts]
    holdings, guards = ask.holdings(ids), ask.limits_of(ids)
    shown: list[own.AccountOverview] = []
    for account in accounts:
        month, guard = month_name(now, account.time_zone), guards.get(account.id)
        spent = _charged(ask, account, now) if guard is None else guard.spends(month)
        budget = None if guard is None else guard.rules.budget
        holds = holdings.get(account.id, Holdings())
        shown.append(
            own.AccountOverview(
                **present.account_facts(account, context.rules.currency, context.shown),
                prepaid=own.Holding(**holds.prepaid._asdict()),
                postpaid=own.Holding(**holds.postpaid._asdict()),
                services=holds.services,
                month=month,
                spent=amount_text(Micro(spent)),
                budget=None if budget is None else amount_text(budget),
            )
        )
    return shown


def _charged(ask: ReadRepository, account: Account, now: Instant) -> int:
    today = to_datetime(now, account.time_zone)
    since, until = month_of(today.year, today.month, account.time_zone)
    return ask.charged_in_month(account, since, until)


async def rename_account(context: Context, call: Call[own.RenameAccountRequest]) -> own.AccountDetail:
    """Give an account another name."""
    command = RenameAccount(
        token=call.token(), account_id=whose(call.caller, call.request.account_id), name=call.request.name
    )
    account: Account = await context.submit(call, command)
    return present.account(account, context.rules.currency, context.shown)


async def suspend_account(context: Context, call: Call[limits.SuspendAccountRequest]) -> own.AccountDetail:
    """Let nothing more be bought or made in an account."""
    command = SuspendAccount(token=call.token(), account_id=call.request.account_id, reason=call.request.reason)
    account: Account = await context.submit(call, command)
    return present.account(account, context.rules.currency, context.shown)


async def resume_account(context: Context, call: Call[limits.ResumeAccountRequest]) -> own.AccountDetail:
    """End an account's suspension."""
    command = ResumeAccount(token=call.token(), account_id=call.request.account_id)
    account: Account = await context.submit(call, command)
    return present.account(account, context.rules.currency, context.shown)


async def close_account(context: Context, call: Call[limits.CloseAccountRequest]) -> own.AccountDetail:
    """Close an account for ever."""
    command = CloseAccount(
        token=call.token(),
        account_id=call.request.account_id,
        caller_id=call.caller.user_id,
        caller_account_id=call.caller.account_id,
        operators=OF_THE_HOUSE,
        operator=OPERATOR,
        pay_out=call.request.pay_out,
        write_off=call.request.write_off,
    )
    account: Account = await context.submit(call, command)
    return present.account(account, context.rules.currency, context.shown)


OPERATIONS: Final[dict[str, Operation]] = {
    "describe_account": describe_account,
    "describe_accounts": describe_accounts,
    "rename_account": rename_account,
    "suspend_account": suspend_account,
    "resume_account": resume_account,
    "close_account": close_account,
}

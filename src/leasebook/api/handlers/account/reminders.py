"""When an account is reminded."""

from __future__ import annotations

from typing import Any, Final

from leasebook.api.across import account_meant
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import Fault
from leasebook.contract.errors import ACCESS_DENIED, RESOURCE_NOT_FOUND
from leasebook.contract.nouns import event as ev
from leasebook.domain.commands.account.reminder import SetReminders
from leasebook.domain.model.account import Account
from leasebook.domain.values.calendar import SECOND_US


async def set_reminders(context: Context, call: Call[ev.SetRemindersRequest]) -> ev.RemindersDetail:
    """Set when an account is reminded."""
    offsets = tuple(seconds * SECOND_US for seconds in call.request.before_seconds)
    command = SetReminders(token=call.token(), account_id=_whose(call), offsets_us=offsets)
    return _detail(await context.submit(call, command))


async def describe_reminders(context: Context, call: Call[ev.DescribeRemindersRequest]) -> ev.RemindersDetail:
    """Show when an account is reminded."""
    account_id = account_meant(call)
    account = await context.read(call, lambda ask: ask.account(account_id))
    if account is None:
        raise Fault(RESOURCE_NOT_FOUND, f"There is no account {account_id[:64]!r}.")
    return _detail(account)


def _whose(call: Call[Any]) -> str:
    """Return which account is meant; raises Fault where it is another's and the caller no operator."""
    account_id: str = call.request.account_id or call.caller.account_id
    if account_id != call.caller.account_id and not call.caller.is_operator:
        raise Fault(ACCESS_DENIED, "Only an operator sees or sets other accounts' reminders.")
    return account_id


def _detail(account: Account) -> ev.RemindersDetail:
    return ev.RemindersDetail(
        account_id=account.id, before_seconds=[offset // SECOND_US for offset in account.remind_before_us]
    )


OPERATIONS: Final[dict[str, Operation]] = {
    "set_reminders": set_reminders,
    "describe_reminders": describe_reminders,
}

"""An account's tag policy."""

from __future__ import annotations

from typing import Final

from leasebook.api.across import account_meant
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import Fault
from leasebook.api.handlers.account.limits import whose
from leasebook.contract.errors import RESOURCE_NOT_FOUND
from leasebook.contract.nouns.resource import tag_policy as t
from leasebook.domain.commands.account.tag_policy import CLEARED, SetTagPolicy, TagPolicyChange, TagPolicyChanged
from leasebook.domain.values.tag_policy import NO_POLICY, TagPolicy


async def set_tag_policy(context: Context, call: Call[t.SetTagPolicyRequest]) -> t.TagPolicyChanged:
    """Change the policy."""
    command = SetTagPolicy(
        token=call.token(),
        account_id=whose(call, "tag policies"),
        change=_change(call.request.policy),
        replace=bool(call.request.replace),
    )
    done: TagPolicyChanged = await context.submit(call, command)
    return t.TagPolicyChanged(account_id=done.account_id, before=_shown(done.before), after=_shown(done.after))


async def describe_tag_policy(context: Context, call: Call[t.DescribeTagPolicyRequest]) -> t.TagPolicyDetail:
    """Show the policy."""
    account_id = account_meant(call)
    account = await context.read(call, lambda ask: ask.account(account_id))
    if account is None:
        raise Fault(RESOURCE_NOT_FOUND, f"There is no account {account_id[:64]!r}.", "accountId")
    return t.TagPolicyDetail(account_id=account_id, policy=_shown(account.tag_policy or NO_POLICY))


def _change(asked: t.TagPolicyChange | None) -> TagPolicyChange:
    if asked is None:
        return CLEARED
    required, allowed = asked.required, asked.allowed
    return TagPolicyChange(
        required=tuple(required) if isinstance(required, list) else required,
        allowed={key: None if values is None else tuple(values) for key, values in allowed.items()}
        if isinstance(allowed, dict)
        else allowed,
    )


def _shown(policy: TagPolicy) -> t.TagPolicy:
    return t.TagPolicy(
        required=list(policy.required), allowed={key: list(values) for key, values in policy.allowed.items()}
    )


OPERATIONS: Final[dict[str, Operation]] = {
    "set_tag_policy": set_tag_policy,
    "describe_tag_policy": describe_tag_policy,
}

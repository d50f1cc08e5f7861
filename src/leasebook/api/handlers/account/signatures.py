"""The headers that signatures must cover, and the log of refused calls."""

from __future__ import annotations

from typing import Final

from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import bad_field
from leasebook.api.handlers.account.identities import account_meant
from leasebook.api.paging import OWN, cut, place_of
from leasebook.contract.nouns import audit_log as au
from leasebook.contract.nouns import user as iam
from leasebook.contract.policies import OF_THE_HOUSE
from leasebook.domain.commands.account.signature import SetKeyRules
from leasebook.domain.record.signature import REQUIREMENTS, RefusedCalls
from leasebook.ports.queries.read_repository import RefusedFilter


async def set_key_rules(context: Context, call: Call[iam.SetKeyRulesRequest]) -> bool:
    """Set the headers that signatures of a key or a user must cover."""
    asked = call.request
    if (asked.access_key_id is None) == (asked.user_id is None):
        raise bad_field("accessKeyId", "Name either a key (accessKeyId) or a user (userId), and not both.")
    user_id = asked.user_id
    if user_id is None:
        found = await context.read(call, lambda ask: ask.identity(asked.access_key_id or ""))
        user_id = found[1].id if found is not None else ""
    command = SetKeyRules(
        token=call.token(),
        account_id=account_meant(call.caller, asked.account_id),
        user_id=user_id,
        access_key_id=asked.access_key_id,
        requires=tuple(name for name in REQUIREMENTS if name in asked.requires),
        by_operator=call.caller.is_operator,
        operators=OF_THE_HOUSE,
    )
    done: bool = await context.submit(call, command)
    return done


async def describe_refused_calls(context: Context, call: Call[au.DescribeRefusedCallsRequest]) -> au.RefusedCallsPage:
    """List rows of the log of refused calls; this server's counts are written first."""
    asked = call.request
    wanted = RefusedFilter(
        address=asked.address,
        access_key_id=asked.access_key_id,
        since=context.time(asked.start_time, "startTime") if asked.start_time else None,
        until=context.time(asked.end_time, "endTime") if asked.end_time else None,
    )
    scope, size = f"refused calls {wanted}", OWN.of(asked.max_keys)
    after = place_of(asked.marker, scope)
    await context.refusals.flush()
    found = await context.read(call, lambda ask: ask.refused_calls(wanted, after=after, limit=size + 1), long=True)
    page = cut(found, size, scope)
    return au.RefusedCallsPage(
        rows=[_shown(context, numbered.row) for numbered in page.rows],
        is_truncated=page.is_truncated,
        max_keys=size,
        next_marker=page.next_marker,
    )


def _shown(context: Context, row: RefusedCalls) -> au.RefusedCallsDetail:
    return au.RefusedCallsDetail(
        minute=context.shown(row.minute),
        address=row.address or None,
        access_key_id=row.access_key_id or None,
        account_id=row.account_id or None,
        calls=row.calls,
        codes=row.codes,
        first_time=context.shown(row.first_at),
        last_time=context.shown(row.last_at),
        is_overflow=row.is_overflow,
    )


OPERATIONS: Final[dict[str, Operation]] = {
    "set_key_rules": set_key_rules,
    "describe_refused_calls": describe_refused_calls,
}

"""Purchases that wait for an approval."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from leasebook.api.across import Owners, accounts_meant, owners_of
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import refused
from leasebook.api.ids import quota_id, service_id, unit_id
from leasebook.api.paging import OWN, marker_of, user_of
from leasebook.contract.nouns.approval import approvals as a
from leasebook.contract.policies import WRITERS
from leasebook.domain.commands.account.approval import (
    ApprovePurchase,
    Deed,
    RejectPurchase,
    command_of,
    no_approval,
)
from leasebook.domain.commands.instance.purchase import BuyReplicas
from leasebook.domain.commands.instance.resize import Resize
from leasebook.domain.commands.service.service import CreateService
from leasebook.domain.model.approvals.approval import Approval
from leasebook.domain.values.money import amount_text
from leasebook.ports.queries.approvals import ApprovalFilter, ApprovalPlace
from leasebook.ports.queries.read_repository import ReadRepository


async def describe_approvals(context: Context, call: Call[a.DescribeApprovalsRequest]) -> a.ApprovalPage:
    """List requests, newest first."""
    asked, meant = call.request, accounts_meant(call)
    wanted = ApprovalFilter(**meant.of(), status=asked.status, asked_by=call.caller.user_id if asked.mine else None)
    scope, size = f"approvals {wanted}", OWN.of(asked.max_keys)
    place = user_of(asked.marker, scope)
    after = None if place is None else ApprovalPlace(*place)

    def look(ask: ReadRepository) -> tuple[Owners, list[Approval]]:
        meant.require(ask)
        found = ask.approvals(wanted, after=after, limit=size + 1)
        return owners_of(ask, meant, [row.account_id for row in found]), found

    owners, found = await context.read(call, look, long=wanted.across is not None)
    last = found[size - 1] if len(found) > size else None
    return a.ApprovalPage(
        approvals=[owners.mark(_shown(context, row), row.account_id) for row in found[:size]],
        is_truncated=last is not None,
        max_keys=size,
        next_marker=None if last is None else marker_of([last.asked_at, last.id], scope),
    )


async def approve_purchase(context: Context, call: Call[a.ApprovePurchaseRequest]) -> a.ApprovalDetail:
    """Approve a request, and make its purchase."""
    row = await _seen(context, call)
    command = ApprovePurchase(
        token=call.token(),
        account_id=row.account_id,
        approval_id=row.id,
        does=_with_new_ids(row, command_of(row)),
        client_token=row.token,
        buyers=WRITERS,
    )
    done: Approval = await context.submit(call, command)
    return _shown(context, done)


async def reject_purchase(context: Context, call: Call[a.RejectPurchaseRequest]) -> a.ApprovalDetail:
    """Reject a request."""
    row = await _seen(context, call)
    command = RejectPurchase(
        token=call.token(), account_id=row.account_id, approval_id=row.id, reason=call.request.reason
    )
    done: Approval = await context.submit(call, command)
    return _shown(context, done)


async def _seen(context: Context, call: Call[Any]) -> Approval:
    """Return a request of the caller's account, or for an operator of any account; raises Fault."""
    approval_id: str = call.request.approval_id
    row = await context.read(call, lambda ask: ask.approval(approval_id))
    if row is None or (row.account_id != call.caller.account_id and not call.caller.is_operator):
        raise refused(no_approval(approval_id))
    return row


def _with_new_ids(row: Approval, command: Deed) -> Deed:
    """Return the command with new ids for what it makes: those that it was asked with may have been drawn again."""
    if isinstance(command, Resize):
        return command
    purchase = command.purchase
    assert purchase is not None  # noqa: S101 - only purchases are kept as requests
    purchase = msgspec.structs.replace(purchase, unit_id=quota_id() if row.deed == "quota" else unit_id())
    if isinstance(command, CreateService):
        new = msgspec.structs.replace(command.new, service_id=service_id())
        return msgspec.structs.replace(command, purchase=purchase, new=new)
    return msgspec.structs.replace(command, purchase=purchase)


def _shown(context: Context, row: Approval) -> a.ApprovalDetail:
    command = command_of(row)
    return a.ApprovalDetail(
        approval_id=row.id,
        status=row.status,
        what=row.deed,
        asked_by=row.asked_by,
        reasons=row.reasons.split("; "),
        region=row.region,
        type=row.type,
        compute_unit_count=row.count,
        payment_timing=row.payment_timing,
        months=row.months or None,
        release_time=None if row.release_at is None else context.shown(row.release_at),
        price_per_unit=amount_text(row.price),
        cost=amount_text(row.cost),
        currency=context.rules.currency,
        self_approval=row.self_approval,
        ask_time=context.shown(row.asked_at),
        lapse_time=context.shown(row.lapses_at),
        decided_by=row.decided_by,
        decide_time=None if row.decided_at is None else context.shown(row.decided_at),
        reason=row.reason,
        order_id=row.order_id,
        instance_id=command.unit_id if isinstance(command, Resize) else row.unit_id,
        service_id=command.service_id if isinstance(command, BuyReplicas) else row.service_id,
    )


OPERATIONS: Final[dict[str, Operation]] = {
    "describe_approvals": describe_approvals,
    "approve_purchase": approve_purchase,
    "reject_purchase": reject_purchase,
}

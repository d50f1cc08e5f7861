"""Purchases that wait for an approval: the list of them, and the decision on each."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import ACCOUNT, BUYS, read, write
from leasebook.contract.shapes import ACCOUNTS_MEANT, AccountsMeant, Id, LongMarker, Owned, PageSize, Request, Shape

ApprovalStatus = Literal["Open", "Approved", "Rejected", "Lapsed"]


class DescribeApprovalsRequest(Request, kw_only=True):
    """Ask for a page of the purchases that wait for an approval, or waited for one, newest first."""

    status: Annotated[
        ApprovalStatus | None,
        Meta(description="Only those of this status: Open ones wait. All of them where it is left out."),
    ] = None
    mine: Annotated[bool | None, Meta(description="Only those that the caller asked for.")] = None
    marker: Annotated[LongMarker | None, Meta(description="The nextMarker of the page before.")] = None
    max_keys: Annotated[
        PageSize | None, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")
    ] = None
    account_id: Annotated[AccountsMeant, Meta(description=ACCOUNTS_MEANT)] = None


class ApprovePurchaseRequest(Request, kw_only=True):
    """Approve a request: its purchase is made now, for the user who asked. An operator approves in every account.

    Price, stock, limits and balance are checked again. It is refused if the price is higher than when it was asked for.
    """

    approval_id: Annotated[Id, Meta(description="The request.")]


class RejectPurchaseRequest(Request, kw_only=True):
    """Reject a request, with a reason for the user who asked. An operator rejects in every account."""

    approval_id: Annotated[Id, Meta(description="The request.")]
    reason: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=500,
            pattern="^[^\\x00]*$",
            description="A sentence for the user who asked: the event and the list of requests show it.",
        ),
    ]


class ApprovalDetail(Owned, kw_only=True):
    """A purchase that waits for an approval, or waited for one."""

    approval_id: Annotated[str, Meta(description="Its id.")]
    status: Annotated[
        ApprovalStatus,
        Meta(description="Open: it waits. Approved: the purchase was made. Rejected, or Lapsed: nothing was bought."),
    ]
    what: Annotated[
        Literal["units", "quota", "replicas", "service", "resize"],
        Meta(
            description="The thing that it buys: units, quota, replicas, a new service with its units, or more units."
        ),
    ]
    asked_by: Annotated[str, Meta(description="The user who asked for it, and for whom it is bought.")]
    reasons: Annotated[list[str], Meta(description="Why it needs an approval: each limit that it exceeds.")]
    region: Annotated[str, Meta(description="The region. The purchase may take another one if it names none.")]
    type: Annotated[str, Meta(description="The type of units, or the model of quota.")]
    compute_unit_count: Annotated[int, Meta(description="How many units the instance is to have.")]
    payment_timing: Annotated[Literal["Prepaid", "Postpaid"], Meta(description="How it is paid.")]
    months: Annotated[int | None, Meta(description="The months of its term, if it has one.")] = None
    release_time: Annotated[
        str | None, Meta(description="Its release time, if it has one, as of when it was asked for.")
    ] = None
    price_per_unit: Annotated[
        str,
        Meta(description="The price of a unit for a month or a minute when it was asked for: it may not be higher."),
    ]
    cost: Annotated[str, Meta(description="The price of the term, or of 30 days by the minute, when it was asked for.")]
    currency: Annotated[str, Meta(description="The currency of both.")]
    self_approval: Annotated[bool, Meta(description="Whether the user who asked may approve it.")]
    ask_time: Annotated[str, Meta(description="When it was asked for.")]
    lapse_time: Annotated[str, Meta(description="When it lapses, or would have lapsed.")]
    decided_by: Annotated[str | None, Meta(description="The user who approved or rejected it.")] = None
    decide_time: Annotated[str | None, Meta(description="When it was approved or rejected, or lapsed.")] = None
    reason: Annotated[str | None, Meta(description="Why it was rejected. Of a lapsed one: Time, or AccountClosed.")] = (
        None
    )
    order_id: Annotated[str | None, Meta(description="The order, if it was approved.")] = None
    instance_id: Annotated[
        str | None, Meta(description="The instance that was bought, or that is to have more units.")
    ] = None
    service_id: Annotated[
        str | None, Meta(description="The service that the replicas are for, or that was made with the purchase.")
    ] = None


class ApprovalPage(Shape, kw_only=True):
    """A page of purchases that wait for an approval, or waited for one."""

    approvals: Annotated[list[ApprovalDetail], Meta(description="The requests.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="Rows a page.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


_OPEN: Final[dict[str, Any]] = {
    "approvalId": "apr-de30de30de30de30de30de30de30de30",
    "status": "Open",
    "what": "units",
    "askedBy": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
    "reasons": ["needsApproval.units is 4 of gpu-1, and this makes 8"],
    "region": "bj",
    "type": "gpu-1",
    "computeUnitCount": 8,
    "paymentTiming": "Postpaid",
    "releaseTime": "2026-12-02T08:00:00+08:00",
    "pricePerUnit": "0.50",
    "cost": "172800.00",
    "currency": "CNY",
    "selfApproval": False,
    "askTime": "2026-12-01T08:00:00+08:00",
    "lapseTime": "2026-12-04T08:00:00+08:00",
}
_DECIDED: Final = {"decidedBy": "00112233445566778899aabbccddeeff", "decideTime": "2026-12-01T09:00:00+08:00"}

ACTIONS: Final = (
    read(
        ACCOUNT,
        "DescribeApprovals",
        "describe_approvals",
        DescribeApprovalsRequest,
        ApprovalPage,
        "List the purchases that wait for an approval, or waited for one.",
        across=p.HOUSE_READERS,
        errors=(e.INVALID_MARKER,),
        example={"status": "Open"},
        answer={"approvals": [_OPEN], "isTruncated": False, "maxKeys": 100},
    ),
    write(
        ACCOUNT,
        "ApprovePurchase",
        "approve_purchase",
        ApprovePurchaseRequest,
        ApprovalDetail,
        "Approve a purchase that waits, and make it.",
        policies=p.MANAGERS | p.OPERATORS,
        errors=(*BUYS[:-1], e.SERVICE_NOT_FOUND, e.INSTANCE_NOT_FOUND, e.INVALID_STATE, e.UNTRUSTED_MODEL),
        example={"approvalId": "apr-de30de30de30de30de30de30de30de30"},
        answer={
            **_OPEN,
            "status": "Approved",
            **_DECIDED,
            "orderId": "de30de30de30de30de30de30de30de30",
            "instanceId": "unit-xxx",
        },
    ),
    write(
        ACCOUNT,
        "RejectPurchase",
        "reject_purchase",
        RejectPurchaseRequest,
        ApprovalDetail,
        "Reject a purchase that waits.",
        policies=p.MANAGERS | p.OPERATORS,
        errors=(e.INVALID_STATE,),
        example={
            "approvalId": "apr-ac1dac1dac1dac1dac1dac1dac1dac1d",
            "reason": "Use the instance that the team has.",
        },
        answer={
            **_OPEN,
            "approvalId": "apr-ac1dac1dac1dac1dac1dac1dac1dac1d",
            "status": "Rejected",
            **_DECIDED,
            "reason": "Use the instance that the team has.",
        },
    ),
)

"""Accounts: balance, orders, postings, the statement of a month; names and tags."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import ACCOUNT, TAG, read, write
from leasebook.contract.nouns.instance import PaymentTiming
from leasebook.contract.shapes import (
    ACCOUNTS_MEANT,
    NAMED,
    TAGGED,
    WHOSE,
    WHOSE_NAME,
    AccountsMeant,
    Amount,
    Empty,
    Id,
    Ids,
    Marker,
    PageSize,
    Request,
    ResourceName,
    Shape,
    TagKey,
    Tags,
    Time,
)


class AccountDetail(Shape, kw_only=True):
    """An account and its balance, a decimal string."""

    account_id: Annotated[str, Meta(description="The account.")]
    balance: Annotated[str, Meta(description="The sum of the account's postings; metered use can take it below zero.")]
    currency: Annotated[str, Meta(description="The currency of every amount.")]
    name: Annotated[str, Meta(description="The name for people.")]
    time_zone: Annotated[str, Meta(description="The IANA zone in which the account's hours and months are counted.")]


class TopUpAccountRequest(Request, kw_only=True):
    """Put money on an account; on the caller's where none is named."""

    amount: Annotated[Amount, Meta(description="How much, above zero, with at most six decimal places.")]
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class PageRequest(Request, kw_only=True):
    """Ask for a page, newest first."""

    marker: Annotated[Marker | None, Meta(description="The nextMarker of the page before.")] = None
    max_keys: Annotated[
        PageSize | None, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")
    ] = None


class DescribeOrdersRequest(PageRequest, kw_only=True):
    """Ask for a page of orders, newest first: of a kind, of an instance, from startTime until before endTime."""

    kind: Annotated[
        Literal["Purchase", "Renewal", "Resize", "Conversion"] | None, Meta(description="Only orders of this kind.")
    ] = None
    instance_id: Annotated[Id | None, Meta(description="Only orders of this instance.")] = None
    start_time: Annotated[Time | None, Meta(description="Since when.")] = None
    end_time: Annotated[Time | None, Meta(description="Until before when.")] = None
    account_id: Annotated[AccountsMeant, Meta(description=ACCOUNTS_MEANT)] = None


class DescribePostingsRequest(PageRequest, kw_only=True):
    """Ask for a page of postings, newest first: of a kind, of an instance, from startTime until before endTime."""

    kind: Annotated[
        Literal["TopUp", "Purchase", "Usage", "Renewal", "Resize", "Conversion", "Refund"] | None,
        Meta(description="Only postings of this kind."),
    ] = None
    instance_id: Annotated[Id | None, Meta(description="Only postings of this instance.")] = None
    start_time: Annotated[Time | None, Meta(description="Since when.")] = None
    end_time: Annotated[Time | None, Meta(description="Until before when.")] = None
    account_id: Annotated[AccountsMeant, Meta(description=ACCOUNTS_MEANT)] = None


class OrderDetail(Shape, kw_only=True):
    """A purchase, renewal, resize or change of billing, with the amount paid at once."""

    order_id: Annotated[str, Meta(description="The order.")]
    instance_id: Annotated[str, Meta(description="The instance.")]
    kind: Annotated[str, Meta(description="Purchase, Renewal, Resize or Conversion (a change of billing).")]
    payment_timing: Annotated[
        PaymentTiming, Meta(description="Prepaid: by the month, in advance. Postpaid: by the minute.")
    ]
    region: Annotated[str, Meta(description="The region; global for quota.")]
    type: Annotated[str, Meta(description="The type of unit, or the model.")]
    count: Annotated[int, Meta(description="How many units the instance has with it.")]
    months: Annotated[int | None, Meta(description="The months that were bought or added.")] = None
    amount: Annotated[str, Meta(description="The amount paid at once; zero with Postpaid.")]
    create_time: Annotated[str, Meta(description="When it was made.")]
    account_id: Annotated[str | None, Meta(description=WHOSE)] = None
    account_name: Annotated[str | None, Meta(description=WHOSE_NAME)] = None


class OrderPage(Shape, kw_only=True):
    """A page of orders, newest first."""

    orders: Annotated[list[OrderDetail], Meta(description="The orders.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="The rows a page that were used.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


class PostingDetail(Shape, kw_only=True):
    """A movement of money: ``amount`` left ``debit`` and arrived at ``credit``.

    It paid ``count`` units from ``startTime`` on: ``minutes`` of them, each unit at ``price`` a minute; or, in advance,
    until ``endTime`` at ``price`` a month.
    """

    posting_id: Annotated[str, Meta(description="The number of the posting.")]
    time: Annotated[str, Meta(description="When it moved.")]
    kind: Annotated[
        str,
        Meta(
            description=(
                "TopUp, Usage (metered minutes), Refund, or what an order paid in advance: Purchase, Renewal, "
                "Resize, Conversion."
            )
        ),
    ]
    debit: Annotated[
        str, Meta(description="Where the amount left: a ledger account such as wallet:ACCOUNT or funding.")
    ]
    credit: Annotated[
        str, Meta(description="Where the amount arrived: a ledger account such as wallet:ACCOUNT or revenue:usage.")
    ]
    amount: Annotated[str, Meta(description="The amount that moved.")]
    order_id: Annotated[str | None, Meta(description="The order that was paid.")] = None
    instance_id: Annotated[str | None, Meta(description="The instance that was paid for.")] = None
    minutes: Annotated[int | None, Meta(description="Of metered use: how many minutes, each with all the units.")] = (
        None
    )
    count: Annotated[int | None, Meta(description="How many units were paid for.")] = None
    price: Annotated[
        str | None, Meta(description="The price of one unit, for a minute of metered use or for a month.")
    ] = None
    start_time: Annotated[str | None, Meta(description="Since when it is paid for.")] = None
    end_time: Annotated[str | None, Meta(description="Until when a term is paid.")] = None
    account_id: Annotated[str | None, Meta(description=WHOSE)] = None
    account_name: Annotated[str | None, Meta(description=WHOSE_NAME)] = None


class PostingPage(Shape, kw_only=True):
    """A page of postings, newest first."""

    postings: Annotated[list[PostingDetail], Meta(description="The postings.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="The rows a page that were used.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


class DescribeStatementRequest(Request, kw_only=True):
    """Ask for a month's statement, in the account's own time; a page of its instances at a time.

    An operator may name another account.
    """

    month: Annotated[
        str, Meta(pattern="^[0-9]{4}-(0[1-9]|1[0-2])(?!\\n)$", description="The month, on the account's clocks.")
    ]
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None
    marker: Annotated[Marker | None, Meta(description="The nextMarker of the page before.")] = None
    max_keys: Annotated[
        PageSize | None, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")
    ] = None


class StatementLine(Shape, kw_only=True):
    """A stretch of time with one number of units and one price, and what it cost.

    A refund's amount is negative. ``minutes`` are those of metered use; a term is paid from one moment to another.
    """

    kind: Annotated[
        str,
        Meta(
            description=(
                "The reason for the charge: Usage (metered minutes), Purchase, Renewal, Resize, Conversion; or Refund."
            )
        ),
    ]
    start_time: Annotated[str | None, Meta(description="When the stretch begins.")] = None
    end_time: Annotated[str | None, Meta(description="When the stretch ends.")] = None
    minutes: Annotated[int | None, Meta(description="Of metered use: how many minutes, each with all the units.")] = (
        None
    )
    count: Annotated[int | None, Meta(description="How many units were paid for.")] = None
    price: Annotated[
        str | None, Meta(description="The price of one unit, for a minute of metered use or for a month.")
    ] = None
    amount: Annotated[str, Meta(description="The charge; negative for a refund.")]


class StatementUnit(Shape, kw_only=True):
    """An instance's charges in the month, line by line; ``amount`` is their sum."""

    instance_id: Annotated[str, Meta(description="The instance.")]
    kind: Annotated[str, Meta(description="ComputingUnit, or TPM for quota of a model.")]
    region: Annotated[str, Meta(description="The region; global for quota.")]
    type: Annotated[str, Meta(description="The type of unit, or the model.")]
    payment_timing: Annotated[PaymentTiming, Meta(description="How it is paid now, or was at the end.")]
    amount: Annotated[str, Meta(description="The sum of the lines.")]
    lines: Annotated[list[StatementLine], Meta(description="The charges, in the order in which they were made.")]
    name: Annotated[str | None, Meta(description=NAMED)] = None
    tags: Annotated[dict[str, str] | None, Meta(description=TAGGED)] = None


class Statement(Shape, kw_only=True):
    """A month of an account. ``closingBalance`` is ``openingBalance`` plus ``paidIn`` minus ``charged``."""

    account_id: Annotated[str, Meta(description="The account.")]
    month: Annotated[str, Meta(description="The month, on the account's clocks.")]
    start_time: Annotated[str, Meta(description="When the month begins on the account's clocks.")]
    end_time: Annotated[str, Meta(description="When the month ends on the account's clocks.")]
    currency: Annotated[str, Meta(description="The currency of every amount.")]
    opening_balance: Annotated[str, Meta(description="The balance when the month begins.")]
    paid_in: Annotated[str, Meta(description="The sum of the month's top-ups.")]
    charged: Annotated[str, Meta(description="The month's charges, less refunds.")]
    closing_balance: Annotated[str, Meta(description="The balance when the month ends.")]
    instances: Annotated[
        list[StatementUnit], Meta(description="The instances that have charges or refunds in the month, by their ids.")
    ]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


ACTIONS: Final = (
    read(
        ACCOUNT,
        "DescribeAccount",
        "describe_account",
        Empty,
        AccountDetail,
        "Show the caller's account and its balance.",
        example={},
        answer={
            "accountId": "00112233445566778899aabbccddeeff",
            "balance": "99875929.50",
            "currency": "CNY",
            "name": "root",
            "timeZone": "Asia/Shanghai",
        },
    ),
    write(
        ACCOUNT,
        "TopUpAccount",
        "top_up",
        TopUpAccountRequest,
        AccountDetail,
        "Put money on an account.",
        policies=p.OPERATORS,
        example={"amount": "1000.00"},
        answer={
            "accountId": "00112233445566778899aabbccddeeff",
            "balance": "99875929.50",
            "currency": "CNY",
            "name": "root",
            "timeZone": "Asia/Shanghai",
        },
    ),
    read(
        ACCOUNT,
        "DescribeOrders",
        "describe_orders",
        DescribeOrdersRequest,
        OrderPage,
        "List the account's orders, newest first.",
        errors=(e.INVALID_MARKER,),
        across=p.HOUSE_READERS,
        example={"maxKeys": 10, "kind": "Purchase"},
        answer={
            "orders": [
                {
                    "orderId": "8dd42d60e8ef6e92b4eeb7ccd90f3ff6",
                    "instanceId": "tpm-Hs6dKf2L",
                    "kind": "Purchase",
                    "paymentTiming": "Postpaid",
                    "region": "global",
                    "type": "ernie-4.0-8k",
                    "count": 5,
                    "amount": "0.00",
                    "createTime": "2026-11-30T06:13:45+08:00",
                },
                {
                    "orderId": "5d781407df4a0116f67051f98360a7d4",
                    "instanceId": "unit-Qw4rTy7U",
                    "kind": "Purchase",
                    "paymentTiming": "Prepaid",
                    "region": "bj",
                    "type": "gpu-1",
                    "count": 5,
                    "months": 5,
                    "amount": "125000.00",
                    "createTime": "2026-11-30T06:13:45+08:00",
                },
            ],
            "isTruncated": False,
            "maxKeys": 10,
        },
    ),
    read(
        ACCOUNT,
        "DescribePostings",
        "describe_postings",
        DescribePostingsRequest,
        PostingPage,
        "List the movements of the account's money, newest first.",
        errors=(e.INVALID_MARKER,),
        across=p.BILLING_READERS,
        example={"maxKeys": 10, "instanceId": "unit-xxx"},
        answer={
            "postings": [
                {
                    "postingId": "5",
                    "time": "2026-11-30T07:00:00+08:00",
                    "kind": "Usage",
                    "debit": "wallet:00112233445566778899aabbccddeeff",
                    "credit": "revenue:usage",
                    "amount": "9.40",
                    "instanceId": "unit-xxx",
                    "minutes": 47,
                    "count": 1,
                    "price": "0.20",
                    "startTime": "2026-11-30T06:13:45+08:00",
                }
            ],
            "isTruncated": False,
            "maxKeys": 10,
        },
    ),
    read(
        ACCOUNT,
        "DescribeStatement",
        "describe_statement",
        DescribeStatementRequest,
        Statement,
        "Show what every instance cost in a month, line by line.",
        policies=p.READERS,
        across=p.BILLING_READERS,
        errors=(e.INVALID_MARKER,),
        example={"month": "2026-11"},
        answer={
            "accountId": "00112233445566778899aabbccddeeff",
            "month": "2026-11",
            "startTime": "2026-11-01T00:00:00+08:00",
            "endTime": "2026-12-01T00:00:00+08:00",
            "currency": "CNY",
            "openingBalance": "0.00",
            "paidIn": "100000000.00",
            "charged": "125070.50",
            "closingBalance": "99874929.50",
            "instances": [
                {
                    "instanceId": "tpm-Hs6dKf2L",
                    "kind": "TPM",
                    "region": "global",
                    "type": "ernie-4.0-8k",
                    "paymentTiming": "Postpaid",
                    "amount": "14.10",
                    "lines": [
                        {
                            "kind": "Usage",
                            "startTime": "2026-11-30T06:13:45+08:00",
                            "endTime": "2026-11-30T07:00:45+08:00",
                            "minutes": 47,
                            "count": 5,
                            "price": "0.06",
                            "amount": "14.10",
                        }
                    ],
                }
            ],
            "isTruncated": False,
            "maxKeys": 100,
        },
    ),
)


_RESOURCE: Final = (
    "The id of an instance, of quota, a package, a service, a model set or version, a service key or a subscription."
)


class TagResourceRequest(Request, kw_only=True):
    """Give something tags. Tags of other keys stay as they are."""

    resource_id: Annotated[Id, Meta(description=_RESOURCE)]
    tags: Annotated[Tags, Meta(description="The tags to set, each key with its value.")]


class UntagResourceRequest(Request, kw_only=True):
    """Take tags off something. Keys that it does not have are no mistake."""

    resource_id: Annotated[Id, Meta(description=_RESOURCE)]
    tag_keys: Annotated[
        Annotated[list[TagKey], Meta(min_length=1, max_length=50)], Meta(description="The keys to take off.")
    ]


class RenameResourceRequest(Request, kw_only=True):
    """Give something another name, or none. Services, model sets, versions and service keys keep their own names."""

    resource_id: Annotated[Id, Meta(description="The id of an instance, of quota, a package or a subscription.")]
    name: Annotated[
        ResourceName | None, Meta(description="The name; null or left out: none. Several things may have the same.")
    ] = None


class DescribeTagsRequest(Request, kw_only=True):
    """Ask for the names and tags of some things."""

    resource_ids: Annotated[Ids, Meta(description="Their ids, of any kinds, at most 100.")]


class ResourceTagsDetail(Shape, kw_only=True):
    """The name and the tags of something."""

    resource_id: Annotated[str, Meta(description="Its id.")]
    name: Annotated[str | None, Meta(description="Its name, where it was given one.")] = None
    tags: Annotated[dict[str, str], Meta(description="Its tags, by key.")]


class ResourceTagsList(Shape, kw_only=True):
    """Names and tags, in the order of the request. Things without either are left out, and those of other accounts."""

    resource_tags: Annotated[list[ResourceTagsDetail], Meta(description="The names and tags.")]


_TAGGED: Final = {"resourceId": "unit-xxx", "name": "training", "tags": {"project": "atlas", "team": "vision"}}

TAGS: Final = (
    write(
        TAG,
        "TagResource",
        "tag_resource",
        TagResourceRequest,
        ResourceTagsDetail,
        "Set tags of something that was bought or made.",
        example={"resourceId": "unit-xxx", "tags": {"project": "atlas", "team": "vision"}},
        answer=_TAGGED,
    ),
    write(
        TAG,
        "UntagResource",
        "untag_resource",
        UntagResourceRequest,
        ResourceTagsDetail,
        "Take tags off something that was bought or made.",
        example={"resourceId": "unit-xxx", "tagKeys": ["cost-center"]},
        answer=_TAGGED,
    ),
    write(
        TAG,
        "RenameResource",
        "rename_resource",
        RenameResourceRequest,
        ResourceTagsDetail,
        "Give something that was bought or made another name, or none.",
        errors=(e.OPERATION_NOT_SUPPORTED,),
        example={"resourceId": "unit-xxx", "name": "training"},
        answer={"resourceId": "unit-xxx", "name": "training", "tags": {}},
    ),
    read(
        TAG,
        "DescribeTags",
        "describe_tags",
        DescribeTagsRequest,
        ResourceTagsList,
        "Show the names and tags of things by their ids.",
        example={"resourceIds": ["unit-xxx"]},
        answer={"resourceTags": [_TAGGED]},
    ),
)

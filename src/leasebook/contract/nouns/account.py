"""Accounts: balance, orders, postings, the statement of a month; names and tags."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import ACCOUNT, IAM, read, write
from leasebook.contract.nouns.finance.statements import Month, StatementSums
from leasebook.contract.nouns.instance import PaymentTiming
from leasebook.contract.shapes import (
    ACCOUNTS_MEANT,
    NAMED,
    PROJECT_SHOWN,
    TAGGED,
    UNIT_NAMED,
    AccountsMeant,
    Amount,
    Id,
    Marker,
    Owned,
    PagedRequest,
    PageSize,
    Request,
    Shape,
    Time,
)

AccountStatus = Literal["Active", "Suspended", "Closed"]
AccountName = Annotated[str, Meta(min_length=1, max_length=500, pattern="^[^\\x00]*$")]


class AccountDetail(Shape, kw_only=True):
    """An account and its balance, a decimal string."""

    account_id: Annotated[str, Meta(description="The account.")]
    balance: Annotated[str, Meta(description="The sum of the account's postings; metered use can take it below zero.")]
    currency: Annotated[str, Meta(description="The currency of every amount.")]
    name: Annotated[str, Meta(description="The name for people.")]
    time_zone: Annotated[str, Meta(description="The IANA zone in which the account's hours and months are counted.")]
    status: Annotated[
        AccountStatus,
        Meta(
            description=(
                "Suspended: nothing is bought or made in it until an operator resumes it; its instances and services "
                "go on by their own rules. Closed: nothing lives in it any more, and its books can be read."
            )
        ),
    ]
    status_reason: Annotated[str | None, Meta(description="The operator's reason for the suspension.")] = None
    arrears_since: Annotated[str | None, Meta(description="Since when the balance is negative; else absent.")] = None
    create_time: Annotated[str, Meta(description="When it was made.")]


class Holding(Shape, kw_only=True):
    """Live instances that are paid in one way, and the units that they reserve."""

    instances: Annotated[int, Meta(description="Instances that reserve units, quota of models included.")]
    units: Annotated[int, Meta(description="The units that they reserve, those of a resize under way included.")]


class AccountOverview(AccountDetail, kw_only=True):
    """An account with its live instances and services, and its charges of the current month."""

    prepaid: Annotated[Holding, Meta(description="The live instances that are paid by the month.")]
    postpaid: Annotated[Holding, Meta(description="The live instances that are paid by the minute.")]
    services: Annotated[int, Meta(description="Its services that are not deleted.")]
    month: Annotated[str, Meta(description="The current month, on the account's clocks.")]
    spent: Annotated[str, Meta(description="The charges of this month, less refunds.")]
    budget: Annotated[str | None, Meta(description="The budget of a month; absent if none is set.")] = None


class DescribeAccountRequest(Request, kw_only=True):
    """Ask for the caller's account. An operator may name another one, by its id or by its name."""

    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None
    name: Annotated[
        AccountName | None,
        Meta(description="The name of the account; without accountId exactly one account must have it."),
    ] = None


class TopUpAccountRequest(Request, kw_only=True):
    """Put money on an account; on the caller's where none is named."""

    amount: Annotated[Amount, Meta(description="How much, above zero, with at most six decimal places.")]
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


class PageRequest(Request, kw_only=True):
    """Ask for a page, newest first."""

    account_id: Annotated[AccountsMeant, Meta(description=ACCOUNTS_MEANT)] = None
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


class DescribePostingsRequest(PageRequest, kw_only=True):
    """Ask for a page of postings, newest first: of a kind, of an instance, from startTime until before endTime."""

    kind: Annotated[
        Literal["TopUp", "Purchase", "Usage", "Renewal", "Resize", "Conversion", "Refund", "PayOut", "WriteOff"] | None,
        Meta(description="Only postings of this kind."),
    ] = None
    instance_id: Annotated[Id | None, Meta(description="Only postings of this instance.")] = None
    start_time: Annotated[Time | None, Meta(description="Since when.")] = None
    end_time: Annotated[Time | None, Meta(description="Until before when.")] = None


class OrderDetail(Owned, kw_only=True):
    """A purchase, renewal, resize or change of billing, with the amount paid at once."""

    order_id: Annotated[str, Meta(description="The order.")]
    instance_id: Annotated[str, Meta(description="The instance.")]
    instance_name: Annotated[str | None, Meta(description=UNIT_NAMED)] = None
    kind: Annotated[str, Meta(description="Purchase, Renewal, Resize or Conversion (a change of billing).")]
    payment_timing: Annotated[PaymentTiming, Meta(description="Prepaid: by the month, ahead. Postpaid: by the minute.")]
    region: Annotated[str, Meta(description="The region; global for quota.")]
    type: Annotated[str, Meta(description="The type of unit, or the model.")]
    count: Annotated[int, Meta(description="How many units the instance has with it.")]
    months: Annotated[int | None, Meta(description="The months that were bought or added.")] = None
    amount: Annotated[str, Meta(description="The amount paid at once; zero with Postpaid.")]
    create_time: Annotated[str, Meta(description="When it was made.")]


class OrderPage(Shape, kw_only=True):
    """A page of orders, newest first."""

    orders: Annotated[list[OrderDetail], Meta(description="The orders.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="The rows a page that were used.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


class PostingDetail(Owned, kw_only=True):
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
                "Resize, Conversion. When an account is closed: PayOut of the rest, or WriteOff of a debt."
            )
        ),
    ]
    debit: Annotated[str, Meta(description="The ledger account that it left, such as wallet:ACCOUNT or funding.")]
    credit: Annotated[
        str, Meta(description="Where the amount arrived: a ledger account such as wallet:ACCOUNT or revenue:usage.")
    ]
    amount: Annotated[str, Meta(description="The amount that moved.")]
    order_id: Annotated[str | None, Meta(description="The order that was paid.")] = None
    instance_id: Annotated[str | None, Meta(description="The instance that was paid for.")] = None
    instance_name: Annotated[str | None, Meta(description=UNIT_NAMED)] = None
    minutes: Annotated[int | None, Meta(description="Of metered use: how many minutes, each with all the units.")] = (
        None
    )
    count: Annotated[int | None, Meta(description="How many units were paid for.")] = None
    price: Annotated[
        str | None, Meta(description="The price of one unit, for a minute of metered use or for a month.")
    ] = None
    start_time: Annotated[str | None, Meta(description="Since when it is paid for.")] = None
    end_time: Annotated[str | None, Meta(description="Until when a term is paid.")] = None
    project_id: Annotated[str | None, Meta(description=PROJECT_SHOWN)] = None


class PostingPage(Shape, kw_only=True):
    """A page of postings, newest first."""

    postings: Annotated[list[PostingDetail], Meta(description="The postings.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="The rows a page that were used.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


class DescribeStatementRequest(PagedRequest, kw_only=True):
    """Ask for a month's statement, in the account's own time; a page of its instances at a time."""

    month: Annotated[Month, Meta(description="The month, on the account's clocks.")]
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


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
    project_id: Annotated[str | None, Meta(description=PROJECT_SHOWN)] = None


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


class Statement(StatementSums, kw_only=True):
    """A month of an account. ``closingBalance`` is ``openingBalance`` plus ``paidIn`` minus ``charged``.

    In the month in which the account was closed ``paidOut`` is subtracted as well, and ``writtenOff`` added.
    """

    instances: Annotated[
        list[StatementUnit], Meta(description="The instances that have charges or refunds in the month, by their ids.")
    ]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


class DescribeAccountsRequest(PagedRequest, kw_only=True):
    """Ask for a page of all accounts, oldest first."""

    name: Annotated[AccountName | None, Meta(description="Only accounts with exactly this name.")] = None
    name_contains: Annotated[
        AccountName | None, Meta(description="Only accounts with this in their names; upper and lower case differ.")
    ] = None
    status: Annotated[AccountStatus | None, Meta(description="Only accounts with this status.")] = None


class AccountPage(Shape, kw_only=True):
    """A page of accounts, oldest first."""

    accounts: Annotated[list[AccountOverview], Meta(description="The accounts.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="The rows a page that were used.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


class RenameAccountRequest(Request, kw_only=True):
    """Give an account another name; the caller's where none is named. An operator may name another account."""

    name: Annotated[AccountName, Meta(description="The name for people. Two accounts may have the same one.")]
    account_id: Annotated[Id | None, Meta(description="The account; the caller's where it is left out.")] = None


_RENAMED: Final = {
    "accountId": "00112233445566778899aabbccddeeff",
    "balance": "99875929.50",
    "currency": "CNY",
    "name": "research",
    "timeZone": "Asia/Shanghai",
    "status": "Active",
    "createTime": "2026-11-30T06:13:45+08:00",
}


LIFE: Final = (
    read(
        IAM,
        "DescribeAccounts",
        "describe_accounts",
        DescribeAccountsRequest,
        AccountPage,
        "List all accounts, each with its balance, its live instances and services, and the charges of this month.",
        own_only="It lists all accounts.",
        policies=p.BILLING_READERS,
        errors=(e.INVALID_MARKER,),
        example={"nameContains": "oo", "status": "Active", "maxKeys": 10},
        answer={
            "accounts": [
                {
                    **_RENAMED,
                    "name": "root",
                    "prepaid": {"instances": 2, "units": 6},
                    "postpaid": {"instances": 2, "units": 6},
                    "services": 1,
                    "month": "2026-11",
                    "spent": "125070.50",
                }
            ],
            "isTruncated": False,
            "maxKeys": 10,
        },
    ),
    write(
        IAM,
        "RenameAccount",
        "rename_account",
        RenameAccountRequest,
        AccountDetail,
        "Give an account another name.",
        policies=p.MANAGERS | p.OPERATORS,
        example={"name": "research"},
        answer=_RENAMED,
    ),
)

ACTIONS: Final = (
    read(
        ACCOUNT,
        "DescribeAccount",
        "describe_account",
        DescribeAccountRequest,
        AccountOverview,
        "Show an account: its balance, its live instances and services, and the charges of this month.",
        across=p.BILLING_READERS,
        example={},
        answer={
            **_RENAMED,
            "name": "root",
            "prepaid": {"instances": 2, "units": 6},
            "postpaid": {"instances": 2, "units": 6},
            "services": 1,
            "month": "2026-11",
            "spent": "125070.50",
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
        answer={**_RENAMED, "name": "root"},
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

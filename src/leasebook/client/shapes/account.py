"""Shapes of values: account. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from leasebook.client.shape import Shape


class Holding(Shape, kw_only=True):
    """Live instances that are paid in one way, and the units that they reserve."""

    instances: int
    """Instances that reserve units, quota of models included."""
    units: int
    """The units that they reserve, those of a resize under way included."""


class AccountOverview(Shape, kw_only=True):
    """An account with its live instances and services, and its charges of the current month."""

    account_id: str
    """The account."""
    balance: Decimal
    """The sum of the account's postings; metered use can take it below zero."""
    currency: str
    """The currency of every amount."""
    name: str
    """The name for people."""
    time_zone: str
    """The IANA zone in which the account's hours and months are counted."""
    status: str
    """Suspended: nothing is bought or made in it until an operator resumes it; its instances and services go on by
    their own rules. Closed: nothing lives in it any more, and its books can be read.
    """
    status_reason: str | None = None
    """The operator's reason for the suspension."""
    arrears_since: datetime | None = None
    """Since when the balance is negative; else absent."""
    create_time: datetime
    """When it was made."""
    prepaid: Holding
    """The live instances that are paid by the month."""
    postpaid: Holding
    """The live instances that are paid by the minute."""
    services: int
    """Its services that are not deleted."""
    month: str
    """The current month, on the account's clocks."""
    spent: Decimal
    """The charges of this month, less refunds."""
    budget: Decimal | None = None
    """The budget of a month; absent if none is set."""


class AccountDetail(Shape, kw_only=True):
    """An account and its balance, a decimal string."""

    account_id: str
    """The account."""
    balance: Decimal
    """The sum of the account's postings; metered use can take it below zero."""
    currency: str
    """The currency of every amount."""
    name: str
    """The name for people."""
    time_zone: str
    """The IANA zone in which the account's hours and months are counted."""
    status: str
    """Suspended: nothing is bought or made in it until an operator resumes it; its instances and services go on by
    their own rules. Closed: nothing lives in it any more, and its books can be read.
    """
    status_reason: str | None = None
    """The operator's reason for the suspension."""
    arrears_since: datetime | None = None
    """Since when the balance is negative; else absent."""
    create_time: datetime
    """When it was made."""


class OrderDetail(Shape, kw_only=True):
    """A purchase, renewal, resize or change of billing, with the amount paid at once."""

    account_id: str | None = None
    """Whose it is, where the request names accounts."""
    account_name: str | None = None
    """The name of that account."""
    order_id: str
    """The order."""
    instance_id: str
    """The instance."""
    instance_name: str | None = None
    """The instance's name now, where it has one."""
    kind: str
    """Purchase, Renewal, Resize or Conversion (a change of billing)."""
    payment_timing: str
    """Prepaid: by the month, ahead. Postpaid: by the minute."""
    region: str
    """The region; global for quota."""
    type: str
    """The type of unit, or the model."""
    count: int
    """How many units the instance has with it."""
    months: int | None = None
    """The months that were bought or added."""
    amount: Decimal
    """The amount paid at once; zero with Postpaid."""
    create_time: datetime
    """When it was made."""


class OrderPage(Shape, kw_only=True):
    """A page of orders, newest first."""

    orders: list[OrderDetail]
    """The orders."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """The rows a page that were used."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""


class PostingDetail(Shape, kw_only=True):
    """A movement of money: ``amount`` left ``debit`` and arrived at ``credit``.

    It paid ``count`` units from ``startTime`` on: ``minutes`` of them, each unit at ``price`` a minute; or, in advance,
    until ``endTime`` at ``price`` a month.
    """

    account_id: str | None = None
    """Whose it is, where the request names accounts."""
    account_name: str | None = None
    """The name of that account."""
    posting_id: str
    """The number of the posting."""
    time: datetime
    """When it moved."""
    kind: str
    """TopUp, Usage (metered minutes), Refund, or what an order paid in advance: Purchase, Renewal, Resize, Conversion.
    When an account is closed: PayOut of the rest, or WriteOff of a debt.
    """
    debit: str
    """The ledger account that it left, such as wallet:ACCOUNT or funding."""
    credit: str
    """Where the amount arrived: a ledger account such as wallet:ACCOUNT or revenue:usage."""
    amount: Decimal
    """The amount that moved."""
    order_id: str | None = None
    """The order that was paid."""
    instance_id: str | None = None
    """The instance that was paid for."""
    instance_name: str | None = None
    """The instance's name now, where it has one."""
    minutes: int | None = None
    """Of metered use: how many minutes, each with all the units."""
    count: int | None = None
    """How many units were paid for."""
    price: Decimal | None = None
    """The price of one unit, for a minute of metered use or for a month."""
    start_time: datetime | None = None
    """Since when it is paid for."""
    end_time: datetime | None = None
    """Until when a term is paid."""
    project_id: str | None = None
    """The project that it belongs to; left out: the account's default project."""


class PostingPage(Shape, kw_only=True):
    """A page of postings, newest first."""

    postings: list[PostingDetail]
    """The postings."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """The rows a page that were used."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""


class StatementLine(Shape, kw_only=True):
    """A stretch of time with one number of units and one price, and what it cost.

    A refund's amount is negative. ``minutes`` are those of metered use; a term is paid from one moment to another.
    """

    kind: str
    """The reason for the charge: Usage (metered minutes), Purchase, Renewal, Resize, Conversion; or Refund."""
    start_time: datetime | None = None
    """When the stretch begins."""
    end_time: datetime | None = None
    """When the stretch ends."""
    minutes: int | None = None
    """Of metered use: how many minutes, each with all the units."""
    count: int | None = None
    """How many units were paid for."""
    price: Decimal | None = None
    """The price of one unit, for a minute of metered use or for a month."""
    amount: Decimal
    """The charge; negative for a refund."""
    project_id: str | None = None
    """The project that it belongs to; left out: the account's default project."""


class StatementUnit(Shape, kw_only=True):
    """An instance's charges in the month, line by line; ``amount`` is their sum."""

    instance_id: str
    """The instance."""
    kind: str
    """ComputingUnit, or TPM for quota of a model."""
    region: str
    """The region; global for quota."""
    type: str
    """The type of unit, or the model."""
    payment_timing: str
    """How it is paid now, or was at the end."""
    amount: Decimal
    """The sum of the lines."""
    lines: list[StatementLine]
    """The charges, in the order in which they were made."""
    name: str | None = None
    """Its name, where it was given one."""
    tags: dict[str, str] | None = None
    """Its tags, where it has some."""


class Statement(Shape, kw_only=True):
    """A month of an account. ``closingBalance`` is ``openingBalance`` plus ``paidIn`` minus ``charged``.

    In the month in which the account was closed ``paidOut`` is subtracted as well, and ``writtenOff`` added.
    """

    account_id: str
    """The account."""
    month: str
    """The month, on the account's clocks."""
    start_time: datetime
    """When the month begins on the account's clocks."""
    end_time: datetime
    """When the month ends on the account's clocks."""
    currency: str
    """The currency of every amount."""
    opening_balance: Decimal
    """The balance when the month begins."""
    paid_in: Decimal
    """The sum of the month's top-ups."""
    charged: Decimal
    """The month's charges, less refunds."""
    paid_out: Decimal | None = None
    """Paid back when the account was closed."""
    written_off: str | None = None
    """The debt given up when the account was closed."""
    closing_balance: Decimal
    """The balance when the month ends."""
    instances: list[StatementUnit]
    """The instances that have charges or refunds in the month, by their ids."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""


class AccountPage(Shape, kw_only=True):
    """A page of accounts, oldest first."""

    accounts: list[AccountOverview]
    """The accounts."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """The rows a page that were used."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""

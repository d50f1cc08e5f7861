"""What requests and results of our own actions look like: accounts, catalogue, clock, identities."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from leasebook.contract.nouns.charge import Model
from leasebook.contract.nouns.engine_capacity import StockSource
from leasebook.contract.nouns.instance import (
    Id,
    Paged,
    PagedRequest,
    PaymentTiming,
    Region,
    Request,
    Shape,
    Text,
    Time,
    UnitType,
)
from leasebook.contract.nouns.signature import Requirement
from leasebook.contract.policies import PolicyName

Amount = Annotated[Decimal, msgspec.Meta(description="A decimal amount, at most six places, as a string")]
ZoneName = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Marker = Annotated[str, msgspec.Meta(max_length=64)]
PageSize = Annotated[int, msgspec.Meta(ge=1, le=2**31)]


class AccountDetail(Shape, kw_only=True):
    """An account and its balance, a decimal string."""

    account_id: str
    balance: str
    currency: str
    name: str
    time_zone: str


class TopUpAccountRequest(Request, kw_only=True):
    """Put money on an account; on the caller's where none is named."""

    amount: Amount
    account_id: Id | None = None


class PageRequest(Request, kw_only=True):
    """Ask for a page, newest first."""

    marker: Marker | None = None
    max_keys: PageSize | None = None


class DescribeOrdersRequest(PageRequest, kw_only=True):
    """Ask for a page of orders, newest first: of a kind, of an instance, from startTime until before endTime."""

    kind: Literal["Purchase", "Renewal", "Resize", "Conversion"] | None = None
    instance_id: Id | None = None
    start_time: Time | None = None
    end_time: Time | None = None


class DescribePostingsRequest(PageRequest, kw_only=True):
    """Ask for a page of postings, newest first: of a kind, of an instance, from startTime until before endTime."""

    kind: Literal["TopUp", "Purchase", "Usage", "Renewal", "Resize", "Conversion", "Refund"] | None = None
    instance_id: Id | None = None
    start_time: Time | None = None
    end_time: Time | None = None


class OrderDetail(Shape, kw_only=True):
    """What was bought, and what was paid for it at once."""

    order_id: str
    instance_id: str
    kind: str
    payment_timing: PaymentTiming
    region: str
    type: str
    count: int
    months: int | None = None
    amount: str
    create_time: str


class OrderPage(Shape, kw_only=True):
    """A page of orders, newest first."""

    orders: list[OrderDetail]
    is_truncated: bool
    max_keys: int
    next_marker: str | None = None


class PostingDetail(Shape, kw_only=True):
    """A movement of money: ``amount`` left ``debit`` and arrived at ``credit``.

    It paid ``count`` units from ``startTime`` on: ``minutes`` of them, each unit at ``price`` a minute; or, in advance,
    until ``endTime`` at ``price`` a month.
    """

    posting_id: str
    time: str
    kind: str
    debit: str
    credit: str
    amount: str
    order_id: str | None = None
    instance_id: str | None = None
    minutes: int | None = None
    count: int | None = None
    price: str | None = None
    start_time: str | None = None
    end_time: str | None = None


class PostingPage(Shape, kw_only=True):
    """A page of postings, newest first."""

    postings: list[PostingDetail]
    is_truncated: bool
    max_keys: int
    next_marker: str | None = None


class DescribeStatementRequest(Request, kw_only=True):
    """Ask for a month's statement, in the account's own time; a page of its instances at a time.

    An operator may name another account.
    """

    month: Annotated[str, msgspec.Meta(pattern="^[0-9]{4}-(0[1-9]|1[0-2])(?!\\n)$", description="Such as 2026-11")]
    account_id: Id | None = None
    marker: Marker | None = None
    max_keys: PageSize | None = None


class StatementLine(Shape, kw_only=True):
    """A stretch of time with one number of units and one price, and what it cost.

    A refund's amount is negative. ``minutes`` are those of metered use; a term is paid from one moment to another.
    """

    kind: str
    start_time: str | None = None
    end_time: str | None = None
    minutes: int | None = None
    count: int | None = None
    price: str | None = None
    amount: str


class StatementUnit(Shape, kw_only=True):
    """What an instance cost in the month; the sum of its lines."""

    instance_id: str
    kind: str
    region: str
    type: str
    payment_timing: PaymentTiming
    amount: str
    lines: list[StatementLine]


class Statement(Shape, kw_only=True):
    """A month of an account. ``closingBalance`` is ``openingBalance`` plus ``paidIn`` minus ``charged``."""

    account_id: str
    month: str
    start_time: str
    end_time: str
    currency: str
    opening_balance: str
    paid_in: str
    charged: str
    closing_balance: str
    instances: list[StatementUnit]
    is_truncated: bool
    max_keys: int
    next_marker: str | None = None


class OfferingDetail(Shape, kw_only=True):
    """A type of unit in a region, or the quota of a model. A price of null: not sold that way."""

    kind: Literal["ComputingUnit", "TPM"]
    region: str
    type: str
    price_per_minute: str | None
    price_per_month: str | None
    stock_total: int
    stock_free: int
    stock_source: StockSource
    oversold: int


class DescribeOfferingsRequest(PagedRequest, kw_only=True):
    """List what is sold, a page at a time."""


class OfferingList(Paged, kw_only=True):
    """The catalogue, in its order."""

    offerings: list[OfferingDetail]


class SetOfferingRequest(Request, kw_only=True):
    """Add an offering, or change its prices or its stock; what is absent stays as it is.

    Units of compute have a region and a type; quota has a model. Stock is set, or is what an engine has.
    """

    region: Region | None = None
    type: UnitType | None = None
    model: Model | None = None
    price_per_minute: Amount | None = None
    price_per_month: Amount | None = None
    stock_total: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)] | None = None
    stock_source: StockSource | None = None


class ClockDetail(Shape, kw_only=True):
    """What time it is for units and bills, and which clock says so."""

    now: str
    mode: Literal["real", "virtual"]
    held: bool = False
    reason: str | None = None


class AdvanceClockRequest(Request, kw_only=True):
    """Move the virtual clock forward and do everything that falls due on the way."""

    to: Annotated[str, msgspec.Meta(max_length=64)]


class CreateAccountRequest(Request, kw_only=True):
    """Open an account with a root user and its first key."""

    name: Text | None = None
    time_zone: ZoneName | None = None


class CreatedAccount(Shape, kw_only=True):
    """The account, its root user, and the root's key.

    Only a repeated call with its client token shows the secret again, and not once the key is disabled.
    """

    account_id: str
    user_id: str
    access_key_id: str
    secret_access_key: str | None = None


class CreateUserRequest(Request, kw_only=True):
    """Add a user to the caller's account; an operator may name another account."""

    name: Text | None = None
    account_id: Id | None = None


class CreatedUser(Shape, kw_only=True):
    """The new user, who may do nothing yet."""

    user_id: str
    account_id: str


class CreateAccessKeyRequest(Request, kw_only=True):
    """Give a user another key; the caller where none is named. An operator may name another account's user."""

    user_id: Id | None = None
    account_id: Id | None = None


class CreatedAccessKey(Shape, kw_only=True):
    """The key. Only a repeated call with its client token shows the secret again, and not once the key is disabled."""

    user_id: str
    access_key_id: str
    secret_access_key: str | None = None


class DisableAccessKeyRequest(Request, kw_only=True):
    """Make a key useless from now on."""

    access_key_id: Id
    account_id: Id | None = None


class PolicyRequest(Request, kw_only=True):
    """Attach a policy to a user, or detach it."""

    user_id: Id
    policy_name: PolicyName
    account_id: Id | None = None


class DescribeUsersRequest(PagedRequest, kw_only=True):
    """List the users of the caller's account; an operator may name another account."""

    account_id: Id | None = None


class KeyDetail(Shape, kw_only=True):
    """An access key, without its secret."""

    access_key_id: str
    status: Literal["Active", "Disabled"]
    requires: list[Requirement]
    create_time: str
    last_used_time: str | None = None


class UserDetail(Shape, kw_only=True):
    """A user, what it may do, and its keys."""

    user_id: str
    name: str
    is_root: bool
    policies: list[str]
    requires: list[Requirement]
    access_keys: list[KeyDetail]
    create_time: str


class UserList(Paged, kw_only=True):
    """The account's users, oldest first."""

    users: list[UserDetail]

"""Methods of the clients: account. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.account import (
    AccountDetail,
    AccountOverview,
    AccountPage,
    OrderDetail,
    OrderPage,
    PostingDetail,
    PostingPage,
    Statement,
    StatementUnit,
)


class DescribeAccount(TypedDict, total=False):
    """Parameters of ``describe_account``."""

    account_id: str | None
    """The account; the caller's where it is left out."""

    name: str | None
    """The name of the account; without accountId exactly one account must have it."""


DESCRIBE_ACCOUNT: Final[ActionOf[AccountOverview]] = ActionOf(
    "/v2/account", "DescribeAccount", DescribeAccount, AccountOverview, writes=False
)


class TopUp(TypedDict, total=False):
    """Parameters of ``top_up``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    amount: Required[Decimal]
    """How much, above zero, with at most six decimal places."""

    account_id: str | None
    """The account; the caller's where it is left out."""


TOP_UP: Final[ActionOf[AccountDetail]] = ActionOf("/v2/account", "TopUpAccount", TopUp, AccountDetail, writes=True)


class DescribeOrders(TypedDict, total=False):
    """Parameters of ``describe_orders``."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """

    marker: str | None
    """The nextMarker of the page before."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    kind: Literal["Purchase", "Renewal", "Resize", "Conversion"] | None
    """Only orders of this kind."""

    instance_id: str | None
    """Only orders of this instance."""

    start_time: datetime | str | None
    """Since when."""

    end_time: datetime | str | None
    """Until before when."""


DESCRIBE_ORDERS: Final[ActionOf[OrderPage]] = ActionOf(
    "/v2/account", "DescribeOrders", DescribeOrders, OrderPage, writes=False
)


class DescribePostings(TypedDict, total=False):
    """Parameters of ``describe_postings``."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """

    marker: str | None
    """The nextMarker of the page before."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    kind: (
        Literal["TopUp", "Purchase", "Usage", "Renewal", "Resize", "Conversion", "Refund", "PayOut", "WriteOff"] | None
    )
    """Only postings of this kind."""

    instance_id: str | None
    """Only postings of this instance."""

    start_time: datetime | str | None
    """Since when."""

    end_time: datetime | str | None
    """Until before when."""


DESCRIBE_POSTINGS: Final[ActionOf[PostingPage]] = ActionOf(
    "/v2/account", "DescribePostings", DescribePostings, PostingPage, writes=False
)


class DescribeStatement(TypedDict, total=False):
    """Parameters of ``describe_statement``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    month: Required[str]
    """The month, on the account's clocks."""

    account_id: str | None
    """The account; the caller's where it is left out."""


DESCRIBE_STATEMENT: Final[ActionOf[Statement]] = ActionOf(
    "/v2/account", "DescribeStatement", DescribeStatement, Statement, writes=False
)


class DescribeAccounts(TypedDict, total=False):
    """Parameters of ``describe_accounts``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    name: str | None
    """Only accounts with exactly this name."""

    name_contains: str | None
    """Only accounts with this in their names; upper and lower case differ."""

    status: Literal["Active", "Suspended", "Closed"] | None
    """Only accounts with this status."""


DESCRIBE_ACCOUNTS: Final[ActionOf[AccountPage]] = ActionOf(
    "/v2/iam", "DescribeAccounts", DescribeAccounts, AccountPage, writes=False
)


class RenameAccount(TypedDict, total=False):
    """Parameters of ``rename_account``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    name: Required[str]
    """The name for people. Two accounts may have the same one."""

    account_id: str | None
    """The account; the caller's where it is left out."""


RENAME_ACCOUNT: Final[ActionOf[AccountDetail]] = ActionOf(
    "/v2/iam", "RenameAccount", RenameAccount, AccountDetail, writes=True
)


class AccountMethods(Caller):
    """Methods of a client that waits for its answers."""

    def describe_account(self, **request: Unpack[DescribeAccount]) -> AccountOverview:
        """Show an account: its balance, its live instances and services, and the charges of this month.

        ``/v2/account?Action=DescribeAccount``
        """
        return self._call(DESCRIBE_ACCOUNT, request)

    def top_up(self, **request: Unpack[TopUp]) -> AccountDetail:
        """Put money on an account.

        ``/v2/account?Action=TopUpAccount``
        """
        return self._call(TOP_UP, request)

    def describe_orders(self, **request: Unpack[DescribeOrders]) -> OrderPage:
        """List the account's orders, newest first.

        ``/v2/account?Action=DescribeOrders``
        """
        return self._call(DESCRIBE_ORDERS, request)

    def each_of_orders(self, **request: Unpack[DescribeOrders]) -> Iterator[OrderDetail]:
        """Go over the rows of every page of ``describe_orders``."""
        return self._each(DESCRIBE_ORDERS, request, "orders")

    def describe_postings(self, **request: Unpack[DescribePostings]) -> PostingPage:
        """List the movements of the account's money, newest first.

        ``/v2/account?Action=DescribePostings``
        """
        return self._call(DESCRIBE_POSTINGS, request)

    def each_of_postings(self, **request: Unpack[DescribePostings]) -> Iterator[PostingDetail]:
        """Go over the rows of every page of ``describe_postings``."""
        return self._each(DESCRIBE_POSTINGS, request, "postings")

    def describe_statement(self, **request: Unpack[DescribeStatement]) -> Statement:
        """Show what every instance cost in a month, line by line.

        ``/v2/account?Action=DescribeStatement``
        """
        return self._call(DESCRIBE_STATEMENT, request)

    def each_of_statement(self, **request: Unpack[DescribeStatement]) -> Iterator[StatementUnit]:
        """Go over the rows of every page of ``describe_statement``."""
        return self._each(DESCRIBE_STATEMENT, request, "instances")

    def describe_accounts(self, **request: Unpack[DescribeAccounts]) -> AccountPage:
        """List all accounts, each with its balance, its live instances and services, and the charges of this month.

        ``/v2/iam?Action=DescribeAccounts``
        """
        return self._call(DESCRIBE_ACCOUNTS, request)

    def each_of_accounts(self, **request: Unpack[DescribeAccounts]) -> Iterator[AccountOverview]:
        """Go over the rows of every page of ``describe_accounts``."""
        return self._each(DESCRIBE_ACCOUNTS, request, "accounts")

    def rename_account(self, **request: Unpack[RenameAccount]) -> AccountDetail:
        """Give an account another name.

        ``/v2/iam?Action=RenameAccount``
        """
        return self._call(RENAME_ACCOUNT, request)


class AsyncAccountMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def describe_account(self, **request: Unpack[DescribeAccount]) -> AccountOverview:
        """Show an account: its balance, its live instances and services, and the charges of this month.

        ``/v2/account?Action=DescribeAccount``
        """
        return await self._call(DESCRIBE_ACCOUNT, request)

    async def top_up(self, **request: Unpack[TopUp]) -> AccountDetail:
        """Put money on an account.

        ``/v2/account?Action=TopUpAccount``
        """
        return await self._call(TOP_UP, request)

    async def describe_orders(self, **request: Unpack[DescribeOrders]) -> OrderPage:
        """List the account's orders, newest first.

        ``/v2/account?Action=DescribeOrders``
        """
        return await self._call(DESCRIBE_ORDERS, request)

    def each_of_orders(self, **request: Unpack[DescribeOrders]) -> AsyncIterator[OrderDetail]:
        """Go over the rows of every page of ``describe_orders``."""
        return self._each(DESCRIBE_ORDERS, request, "orders")

    async def describe_postings(self, **request: Unpack[DescribePostings]) -> PostingPage:
        """List the movements of the account's money, newest first.

        ``/v2/account?Action=DescribePostings``
        """
        return await self._call(DESCRIBE_POSTINGS, request)

    def each_of_postings(self, **request: Unpack[DescribePostings]) -> AsyncIterator[PostingDetail]:
        """Go over the rows of every page of ``describe_postings``."""
        return self._each(DESCRIBE_POSTINGS, request, "postings")

    async def describe_statement(self, **request: Unpack[DescribeStatement]) -> Statement:
        """Show what every instance cost in a month, line by line.

        ``/v2/account?Action=DescribeStatement``
        """
        return await self._call(DESCRIBE_STATEMENT, request)

    def each_of_statement(self, **request: Unpack[DescribeStatement]) -> AsyncIterator[StatementUnit]:
        """Go over the rows of every page of ``describe_statement``."""
        return self._each(DESCRIBE_STATEMENT, request, "instances")

    async def describe_accounts(self, **request: Unpack[DescribeAccounts]) -> AccountPage:
        """List all accounts, each with its balance, its live instances and services, and the charges of this month.

        ``/v2/iam?Action=DescribeAccounts``
        """
        return await self._call(DESCRIBE_ACCOUNTS, request)

    def each_of_accounts(self, **request: Unpack[DescribeAccounts]) -> AsyncIterator[AccountOverview]:
        """Go over the rows of every page of ``describe_accounts``."""
        return self._each(DESCRIBE_ACCOUNTS, request, "accounts")

    async def rename_account(self, **request: Unpack[RenameAccount]) -> AccountDetail:
        """Give an account another name.

        ``/v2/iam?Action=RenameAccount``
        """
        return await self._call(RENAME_ACCOUNT, request)

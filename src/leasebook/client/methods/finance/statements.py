"""Methods of the clients: statements. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Final, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.finance.statements import AccountStatement, StatementPage


class DescribeStatements(TypedDict, total=False):
    """Parameters of ``describe_statements``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    month: Required[str]
    """The month, on each account's own clocks."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """


DESCRIBE_STATEMENTS: Final[ActionOf[StatementPage]] = ActionOf(
    "/v2/account", "DescribeStatements", DescribeStatements, StatementPage, writes=False
)


class StatementsMethods(Caller):
    """Methods of a client that waits for its answers."""

    def describe_statements(self, **request: Unpack[DescribeStatements]) -> StatementPage:
        """Show what several accounts paid in and were charged in a month, and their balances around it.

        ``/v2/account?Action=DescribeStatements``
        """
        return self._call(DESCRIBE_STATEMENTS, request)

    def each_of_statements(self, **request: Unpack[DescribeStatements]) -> Iterator[AccountStatement]:
        """Go over the rows of every page of ``describe_statements``."""
        return self._each(DESCRIBE_STATEMENTS, request, "statements")


class AsyncStatementsMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def describe_statements(self, **request: Unpack[DescribeStatements]) -> StatementPage:
        """Show what several accounts paid in and were charged in a month, and their balances around it.

        ``/v2/account?Action=DescribeStatements``
        """
        return await self._call(DESCRIBE_STATEMENTS, request)

    def each_of_statements(self, **request: Unpack[DescribeStatements]) -> AsyncIterator[AccountStatement]:
        """Go over the rows of every page of ``describe_statements``."""
        return self._each(DESCRIBE_STATEMENTS, request, "statements")

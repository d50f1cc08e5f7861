"""The sums of a month's statement, and the action that shows those of several accounts."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import ACCOUNT, read
from leasebook.contract.shapes import ACCOUNTS_MEANT, AccountsMeant, PagedRequest, Shape

Month = Annotated[str, Meta(pattern="^[0-9]{4}-(0[1-9]|1[0-2])(?!\\n)$")]


class StatementSums(Shape, kw_only=True):
    """The sums of an account's month. ``closingBalance`` is ``openingBalance`` plus ``paidIn`` minus ``charged``.

    In the month in which the account was closed ``paidOut`` is subtracted as well, and ``writtenOff`` added.
    """

    account_id: Annotated[str, Meta(description="The account.")]
    month: Annotated[str, Meta(description="The month, on the account's clocks.")]
    start_time: Annotated[str, Meta(description="When the month begins on the account's clocks.")]
    end_time: Annotated[str, Meta(description="When the month ends on the account's clocks.")]
    currency: Annotated[str, Meta(description="The currency of every amount.")]
    opening_balance: Annotated[str, Meta(description="The balance when the month begins.")]
    paid_in: Annotated[str, Meta(description="The sum of the month's top-ups.")]
    charged: Annotated[str, Meta(description="The month's charges, less refunds.")]
    paid_out: Annotated[str | None, Meta(description="Paid back when the account was closed.")] = None
    written_off: Annotated[str | None, Meta(description="The debt given up when the account was closed.")] = None
    closing_balance: Annotated[str, Meta(description="The balance when the month ends.")]


class AccountStatement(StatementSums, kw_only=True):
    """The sums of an account's month. ``closingBalance`` is ``openingBalance`` plus ``paidIn`` minus ``charged``.

    In the month in which the account was closed ``paidOut`` is subtracted as well, and ``writtenOff`` added.
    """

    account_name: Annotated[str, Meta(description="The name of the account.")]


class DescribeStatementsRequest(PagedRequest, kw_only=True):
    """Ask for the sums of a month of one account or of several, each in its own time; a page of accounts at a time."""

    month: Annotated[Month, Meta(description="The month, on each account's own clocks.")]
    account_id: Annotated[AccountsMeant, Meta(description=ACCOUNTS_MEANT)] = None


class StatementPage(Shape, kw_only=True):
    """A page of statements: one for each account, the oldest account first."""

    statements: Annotated[list[AccountStatement], Meta(description="The sums of the month, account by account.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="The rows a page that were used.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


STATEMENTS: Final = (
    read(
        ACCOUNT,
        "DescribeStatements",
        "describe_statements",
        DescribeStatementsRequest,
        StatementPage,
        "Show what several accounts paid in and were charged in a month, and their balances around it.",
        policies=p.READERS,
        across=p.BILLING_READERS,
        errors=(e.INVALID_MARKER,),
        example={"month": "2026-11", "maxKeys": 10},
        answer={
            "statements": [
                {
                    "accountId": "00112233445566778899aabbccddeeff",
                    "accountName": "root",
                    "month": "2026-11",
                    "startTime": "2026-11-01T00:00:00+08:00",
                    "endTime": "2026-12-01T00:00:00+08:00",
                    "currency": "CNY",
                    "openingBalance": "0.00",
                    "paidIn": "100000000.00",
                    "charged": "125070.50",
                    "closingBalance": "99874929.50",
                }
            ],
            "isTruncated": False,
            "maxKeys": 10,
        },
    ),
)

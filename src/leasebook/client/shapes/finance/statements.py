"""Shapes of values: statements. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from leasebook.client.shape import Shape


class AccountStatement(Shape, kw_only=True):
    """The sums of an account's month. ``closingBalance`` is ``openingBalance`` plus ``paidIn`` minus ``charged``.

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
    account_name: str
    """The name of the account."""


class StatementPage(Shape, kw_only=True):
    """A page of statements: one for each account, the oldest account first."""

    statements: list[AccountStatement]
    """The sums of the month, account by account."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """The rows a page that were used."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
